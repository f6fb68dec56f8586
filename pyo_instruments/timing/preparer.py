"""A thread that makes what takes longer than a block, one thing after the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


class Preparer:
    """One thread for all: to start a thread for each thing would hold up the audio callback."""

    def __init__(self) -> None:
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        threading.Thread(target=self._run, name="ngs prepares", daemon=True).start()

    def ask(self, make: Callable[[], T]) -> Future[T]:
        """What `make` will return, or raise."""
        made: Future[T] = Future()

        def work() -> None:
            try:
                made.set_result(make())
            except Exception as error:
                made.set_exception(error)

        self._jobs.put(work)
        return made

    def end(self) -> None:
        """End the thread once what was asked for is made."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (work := self._jobs.get()) is not None:
            work()
