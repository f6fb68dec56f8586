"""Waiting for what threads do."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_for(happened: Callable[[], bool]) -> None:
    for _ in range(5000):
        if happened():
            return
        time.sleep(0.002)
    raise AssertionError("it never happened")
