"""How long repeated calls take, and on what machine."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

Key = TypeVar("Key", bound=Hashable)
FEWEST = 5  # rounds that are counted, however long they take
WARMING = 2  # rounds before them that are not


@dataclass(frozen=True)
class Durations:
    """How long the calls of one function took: wall-clock percentiles, and the mean CPU time of their thread."""

    count: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    cpu_ms: float

    @classmethod
    def of(cls, taken: list[tuple[float, float]]) -> Durations:
        """Durations of calls that `timed` took."""
        wall, cpu = 1e3 * np.array(taken).T
        p50, p99, worst = np.percentile(wall, (50, 99, 100)).tolist()
        return cls(len(taken), p50, p99, worst, float(cpu.mean()))


def timed(function: Callable[[], object]) -> tuple[float, float]:
    """Call a function: the seconds that it took, and the CPU seconds of this thread."""
    cpu, start = time.thread_time(), time.perf_counter()
    function()
    return time.perf_counter() - start, time.thread_time() - cpu


def in_turns(functions: Mapping[Key, Callable[[], object]], seconds: float, most: int) -> dict[Key, Durations]:
    """Call functions in turns, so that a busy machine slows all of them alike, and measure each.

    Ends after `most` rounds, or when the seconds are over.
    """
    taken: dict[Key, list[tuple[float, float]]] = {key: [] for key in functions}
    end = time.perf_counter() + seconds
    for turn in range(WARMING + most):
        for key, function in functions.items():
            one = timed(function)
            if turn >= WARMING:
                taken[key].append(one)
        if turn + 1 >= WARMING + FEWEST and time.perf_counter() > end:
            break
    return {key: Durations.of(calls) for key, calls in taken.items()}


@dataclass(frozen=True)
class Machine:
    """What was measured on."""

    processor: str
    cores: int
    usable_cores: int  # that this process may use
    system: str
    python: str
    numpy: str
    onnxruntime: str
    load: tuple[float, ...] | None  # averages over 1, 5 and 15 minutes; None if the system does not say


def machine() -> Machine:
    """Describe this machine."""
    import onnxruntime

    cores = os.cpu_count() or 1
    return Machine(
        processor=_processor(), cores=cores,
        usable_cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores,
        system=f"{platform.system()} {platform.release()}, {platform.machine()}", python=platform.python_version(),
        numpy=np.__version__, onnxruntime=onnxruntime.__version__,
        load=tuple(round(load, 2) for load in os.getloadavg()) if hasattr(os, "getloadavg") else None,
    )  # fmt: skip


def resident_mib() -> float | None:
    """Memory of this process in RAM, in MiB; None if the system has no /proc."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
    except (OSError, StopIteration):
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
