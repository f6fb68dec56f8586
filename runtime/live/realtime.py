"""What a thread that makes audio asks of Python and of the operating system."""

from __future__ import annotations

import gc
import os
import sys
import threading

PRIORITY = 5  # among real-time threads: below audio servers
SWITCH_SECONDS = 0.0005  # how long a thread may hold the GIL while another waits for it


class Interpreter:
    """Tunes Python while engines play: threads release the GIL early, and the garbage collector skips existing objects.

    Engines may overlap: the first one changes the settings, the last one restores them.
    """

    def __init__(self) -> None:
        self._lock, self._engines, self._interval = threading.Lock(), 0, 0.0

    def hurry(self) -> None:
        """Count an engine that starts."""
        with self._lock:
            if not self._engines:
                self._interval = sys.getswitchinterval()
                sys.setswitchinterval(SWITCH_SECONDS)
                gc.collect()  # takes longer than a block, so never while another engine plays
            gc.freeze()
            self._engines += 1

    def rest(self) -> None:
        """Count an engine that has stopped."""
        with self._lock:
            self._engines -= 1
            if not self._engines:
                sys.setswitchinterval(self._interval)
                gc.unfreeze()


interpreter = Interpreter()


def go_realtime() -> bool:
    """Ask for real-time scheduling of the calling thread, as audio servers do. Returns whether it was granted."""
    if not hasattr(os, "sched_setscheduler"):
        return False
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except OSError:
        return False
    return True
