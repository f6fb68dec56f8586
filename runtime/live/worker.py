"""A thread that makes audio: it does what there is to do, times it, counts what fails, and never ends by itself."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from ngs.runtime.live.realtime import go_realtime, interpreter

TIMED = 4096  # pieces of work whose times are looked back on


@dataclass(frozen=True)
class WorkStatistics:
    """What the work of a thread took."""

    cpu: float  # share of one core, since the thread was started
    median_ms: float  # of a piece of work, of the last TIMED
    p99_ms: float
    worst_ms: float
    realtime: bool  # whether the system lets the thread go before others

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Times:
    """How long pieces of work took, of the last TIMED."""

    def __init__(self) -> None:
        self._seconds = np.zeros(TIMED)
        self.count = 0  # pieces so far

    def add(self, seconds: float) -> None:
        """Keep one; of one thread."""
        self._seconds[self.count % TIMED] = seconds
        self.count += 1

    def statistics(self) -> dict[str, float]:
        """median_ms, p99_ms and worst_ms; from any thread."""
        count = min(self.count, TIMED)
        times = 1e3 * self._seconds[:count] if count else np.zeros(1)
        return {
            "median_ms": float(np.median(times)), "p99_ms": float(np.percentile(times, 99)),
            "worst_ms": float(times.max()),
        }  # fmt: skip


class Worker(ABC):
    """Does `_work` again and again; where that says that there was nothing to do, it is done again after a pause."""

    def __init__(self, pause_seconds: float) -> None:
        self._pause = pause_seconds
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._times = Times()
        self._started = self._busy = 0.0
        self._failures, self._last_failure, self._realtime = 0, "", False

    @property
    def _worked(self) -> int:
        """Pieces of work so far."""
        return self._times.count

    @abstractmethod
    def start(self) -> None:
        """Make ready, and go on in a thread where there is none yet."""

    def stop(self) -> None:
        """End the thread after what it works on, where there is one."""
        if self._thread:
            self._stopping = True
            self._thread.join()
            self._thread = None
            interpreter.rest()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    @abstractmethod
    def _work(self) -> bool:
        """Do a piece of what there is to do: whether there was something."""

    def _start_thread(self, first: Callable[[], object] = lambda: None) -> None:
        """Go on in a thread; `first` is done before that, here."""
        self._stopping = False
        interpreter.hurry()
        self._started, self._busy = time.perf_counter(), 0.0
        first()
        self._thread = threading.Thread(target=self._run, name="ngs engine", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._realtime = go_realtime()
        while not self._stopping:
            if self._step():
                self._busy = time.thread_time()
            else:
                time.sleep(self._pause)

    def _step(self) -> bool:
        """`_work`, timed where there was something to do; what fails counts as nothing."""
        start = time.perf_counter()
        worked = bool(self._guarded(self._work))
        if worked:
            self._times.add(time.perf_counter() - start)
        return worked

    def _guarded(self, act: Callable[..., Any], *arguments: Any) -> Any:
        """What a call gives; what goes wrong is counted, and gives None."""
        try:
            return act(*arguments)
        except Exception as error:
            self._failures += 1
            self._last_failure = str(error) or type(error).__name__
            return None

    def _work_statistics(self) -> dict[str, Any]:
        """The fields of `WorkStatistics`."""
        elapsed = time.perf_counter() - self._started if self._started else 0.0
        busy = self._busy / elapsed if elapsed else 0.0
        return {"cpu": busy, **self._times.statistics(), "realtime": self._realtime}
