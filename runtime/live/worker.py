"""A thread that makes audio: it works, measures how long that takes, counts failures, and never ends by itself."""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Self

import numpy as np

from ngs.runtime.errors import reason
from ngs.runtime.live.realtime import go_realtime, interpreter

REMEMBERED = 4096  # pieces of work whose durations are kept


@dataclass(frozen=True)
class WorkStatistics:
    """How long a thread worked."""

    cpu: float  # share of one core, since the thread was started
    median_ms: float  # of a piece of work, over the last 4096
    p99_ms: float
    worst_ms: float
    realtime: bool  # whether the system grants the thread real-time scheduling

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class WorkDurations:
    """How long the last pieces of work took."""

    def __init__(self) -> None:
        self._seconds = np.zeros(REMEMBERED)
        self.count = 0  # of all pieces so far

    def add(self, seconds: float) -> None:
        """Record a piece of work. Only one thread may call this."""
        self._seconds[self.count % REMEMBERED] = seconds
        self.count += 1

    def statistics(self) -> dict[str, float]:
        """median_ms, p99_ms and worst_ms. Any thread may call this."""
        count = min(self.count, REMEMBERED)
        ms = 1e3 * self._seconds[:count] if count else np.zeros(1)
        return {
            "median_ms": float(np.median(ms)), "p99_ms": float(np.percentile(ms, 99)), "worst_ms": float(ms.max()),
        }  # fmt: skip


class Worker(ABC):
    """A thread that calls `_work` in a loop, and rests when there is nothing to do."""

    thread_name: ClassVar[str] = "ngs engine"
    urgent: ClassVar[bool] = True  # whether the thread asks for real-time scheduling

    def __init__(self, pause_seconds: float) -> None:
        """`pause_seconds`: how long to rest."""
        self._pause = pause_seconds
        self._thread: threading.Thread | None = None
        self._stopping = self._realtime = False
        self._forget_work()

    def _forget_work(self) -> None:
        """Start the statistics again."""
        self._durations = WorkDurations()
        self._started = self._busy = 0.0
        self._failures, self._last_failure = 0, ""

    @property
    def running(self) -> bool:
        """Whether there is a thread."""
        return self._thread is not None

    @property
    def _work_fact(self) -> str:
        """What `repr` says of it."""
        return "running" if self.running else "not running"

    @property
    def _worked(self) -> int:
        """Pieces of work so far."""
        return self._durations.count

    @abstractmethod
    def start(self) -> None:
        """Get ready and start the thread, unless it runs already.

        Thread: any but the callback's, one at a time. Waits: until it is ready. Memory: the thread.
        """

    def stop(self) -> None:
        """End the thread, if there is one, after its current piece of work.

        Thread: any but the callback's, one at a time. Waits: for the thread. Memory: none.
        """
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
        """Do a piece of work. Returns whether there was something to do."""

    def _rest(self) -> None:
        """Wait until there may be something to do."""
        time.sleep(self._pause)

    def _refuse_while_running(self, what: str) -> None:
        if self.running:
            raise RuntimeError(f"Stop the {type(self).__name__} before you {what} it: its thread is playing")

    def _start_thread(self, first: Callable[[], object] = lambda: None) -> None:
        """Start the thread; before that, call `first` here."""
        self._stopping = False
        interpreter.hurry()
        self._started, self._busy = time.perf_counter(), 0.0
        first()
        self._thread = threading.Thread(target=self._run, name=self.thread_name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._realtime = self.urgent and go_realtime()
        while not self._stopping:
            if self._step():
                self._busy = time.thread_time()
            else:
                self._rest()

    def _step(self) -> bool:
        """`_work`, timed if there was something to do. A failure counts as nothing to do."""
        start = time.perf_counter()
        worked = bool(self._guarded(self._work))
        if worked:
            self._durations.add(time.perf_counter() - start)
        return worked

    def _guarded(self, act: Callable[..., Any], *arguments: Any) -> Any:
        """The result of a call. An error is counted, and gives None."""
        try:
            return act(*arguments)
        except Exception as error:
            self._failures += 1
            self._last_failure = reason(error)
            return None

    def _work_statistics(self) -> dict[str, Any]:
        """The fields of `WorkStatistics`."""
        elapsed = time.perf_counter() - self._started if self._started else 0.0
        busy = self._busy / elapsed if elapsed else 0.0
        return {"cpu": busy, **self._durations.statistics(), "realtime": self._realtime}
