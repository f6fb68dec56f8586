"""A thread that makes audio: it does what there is to do, times it, counts what fails, and never ends by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ngs.runtime.realtime import go_realtime, interpreter

TIMED = 4096  # steps whose times are looked back on


class Worker:
    """Calls `step` again and again; where it says that there was nothing to do it is called again after a pause."""

    def __init__(self, step: Callable[[], bool], pause_seconds: float) -> None:
        self._step, self._pause = step, pause_seconds
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._times, self._count = np.zeros(TIMED), 0
        self._started = self._busy = 0.0
        self.failures, self.last_failure, self.realtime = 0, "", False

    def start(self) -> None:
        """Go on in a thread, where there is none yet."""
        if self._thread is None:
            self._stopping = False
            interpreter.hurry()
            self._started, self._busy = time.perf_counter(), 0.0
            self._thread = threading.Thread(target=self._run, name="ngs engine", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread after its step."""
        if self._thread:
            self._stopping = True
            self._thread.join()
            self._thread = None
            interpreter.rest()

    def step(self) -> bool:
        """Do what there is to do: whether there was something."""
        start = time.perf_counter()
        worked = bool(self.guarded(self._step))
        if worked:
            self._times[self._count % TIMED] = time.perf_counter() - start
            self._count += 1
        return worked

    def guarded(self, act: Callable[..., Any], *arguments: Any) -> Any:
        """What a call gives; what goes wrong is counted, and gives None."""
        try:
            return act(*arguments)
        except Exception as error:
            self.failures += 1
            self.last_failure = str(error) or type(error).__name__
            return None

    @property
    def cpu(self) -> float:
        """Share of one core that the thread took since it was started; 0 where there was none."""
        elapsed = time.perf_counter() - self._started if self._started else 0.0
        return self._busy / elapsed if elapsed else 0.0

    @property
    def milliseconds(self) -> tuple[float, float, float]:
        """Median, 99th percentile and longest of the last TIMED steps."""
        count = min(self._count, TIMED)
        times = 1e3 * self._times[:count] if count else np.zeros(1)
        return float(np.median(times)), float(np.percentile(times, 99)), float(times.max())

    def _run(self) -> None:
        self.realtime = go_realtime()
        while not self._stopping:
            if self.step():
                self._busy = time.thread_time()
            else:
                time.sleep(self._pause)
