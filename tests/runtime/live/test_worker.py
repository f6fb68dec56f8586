"""A worker counts what fails, and its thread goes on."""

from __future__ import annotations

import threading

from ngs.runtime.live.worker import Worker


class Counter(Worker):
    """Works ten times, and fails every third time."""

    def __init__(self) -> None:
        super().__init__(pause_seconds=0.0001)
        self.calls, self.idle = 0, threading.Event()

    def start(self) -> None:
        self._start_thread()

    def _work(self) -> bool:
        if self.calls == 10:
            self.idle.set()
            return False
        self.calls += 1
        if self.calls % 3 == 0:
            raise ValueError(f"call {self.calls}")
        return True


def test_failures_are_counted_and_the_thread_goes_on() -> None:
    counter = Counter()
    assert not any(counter._work_statistics().values())
    with counter:
        assert counter.idle.wait(10)
        thread = counter._thread
    assert thread and not thread.is_alive()
    assert (counter.calls, counter._worked, counter._failures, counter._last_failure) == (10, 7, 3, "call 9")
    told = counter._work_statistics()
    assert 0 < told["median_ms"] <= told["p99_ms"] <= told["worst_ms"] and told["cpu"] > 0


def test_an_error_without_text_is_named() -> None:
    counter = Counter()
    assert counter._guarded(min, 2, 1) == 1 and counter._guarded(exec, "raise KeyError") is None
    assert (counter._failures, counter._last_failure) == (1, "KeyError")
