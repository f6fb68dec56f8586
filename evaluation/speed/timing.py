"""Times of things that are done again and again, and what the machine they are taken on is."""

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
FEWEST = 5  # rounds, however long they take
WARMING = 2  # rounds that are not counted


@dataclass(frozen=True)
class Times:
    """Of one thing: by the clock on the wall, and the mean of what its thread took of a core."""

    count: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    cpu_ms: float

    @classmethod
    def of(cls, taken: list[tuple[float, float]]) -> Times:
        """Of what `timed` gave."""
        wall, cpu = 1e3 * np.array(taken).T
        p50, p99, worst = np.percentile(wall, (50, 99, 100)).tolist()
        return cls(len(taken), p50, p99, worst, float(cpu.mean()))


def timed(function: Callable[[], object]) -> tuple[float, float]:
    """Seconds that a call takes, and seconds of this thread on a core."""
    cpu, start = time.thread_time(), time.perf_counter()
    function()
    return time.perf_counter() - start, time.thread_time() - cpu


def in_turns(functions: Mapping[Key, Callable[[], object]], seconds: float, most: int) -> dict[Key, Times]:
    """Times of functions that are called in turns, so that a busy machine slows all alike.

    At most so many rounds, and no more once the seconds are over.
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
    return {key: Times.of(times) for key, times in taken.items()}


@dataclass(frozen=True)
class Machine:
    processor: str
    cores: int
    usable_cores: int  # by this process
    system: str
    python: str
    numpy: str
    onnxruntime: str
    load: tuple[float, ...] | None  # average of 1, 5 and 15 minutes; None where the system does not say


def machine() -> Machine:
    """This one, now."""
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
    """Memory of this process that is in RAM; None where the system has no /proc."""
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
