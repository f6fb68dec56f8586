"""What a thread that makes audio asks of Python and of the system."""

from __future__ import annotations

import gc
import os
import sys
import threading

PRIORITY = 5  # among real-time threads, below those of audio servers
SWITCH_SECONDS = 0.0005  # after which a thread that computes hands the GIL on


class Interpreter:
    """How Python runs while engines play: threads hand the GIL on early, what is there already is no garbage."""

    def __init__(self) -> None:
        self._lock, self._engines, self._interval = threading.Lock(), 0, 0.0

    def hurry(self) -> None:
        with self._lock:
            if not self._engines:
                self._interval = sys.getswitchinterval()
                sys.setswitchinterval(SWITCH_SECONDS)
                gc.collect()  # it takes longer than a block: not while another engine plays
            gc.freeze()
            self._engines += 1

    def rest(self) -> None:
        with self._lock:
            self._engines -= 1
            if not self._engines:
                sys.setswitchinterval(self._interval)
                gc.unfreeze()


interpreter = Interpreter()


def go_realtime() -> bool:
    """Ask for real-time scheduling of this thread, as audio servers do for theirs: False where it is not granted."""
    if not hasattr(os, "sched_setscheduler"):
        return False
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except OSError:
        return False
    return True
