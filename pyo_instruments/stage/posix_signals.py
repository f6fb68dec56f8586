"""Ctrl-C, SIGTERM and SIGHUP (a closed terminal) end a performance at a safe point."""

from __future__ import annotations

import signal
import threading
from typing import Any

ENDINGS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]  # Windows: two


class Signals:
    """Notes the first signal for `check`. An exception from the handler could be lost in a pyo callback, or cut off
    what is being closed.

    Outside the main thread it does nothing.
    """

    def __init__(self) -> None:
        self._number = 0
        self._main = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> Signals:
        self._before = {number: signal.getsignal(number) for number in ENDINGS if self._main}
        for number, handler in self._before.items():
            if handler is not signal.SIG_IGN:  # as nohup sets it
                signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)

    def check(self) -> None:
        """Raise KeyboardInterrupt, or SystemExit with 128 and the signal's number, once one has come."""
        if self._number == signal.SIGINT:
            raise KeyboardInterrupt
        if self._number:
            raise SystemExit(128 + self._number)

    def _note(self, number: int, frame: Any) -> None:
        self._number = self._number or number
