"""What surfaces have to tell the player: refused messages, devices that come and go, knobs that were learned."""

from __future__ import annotations

import time
from collections import deque

from ngs.runtime.errors import one_line

SHOWN_SECONDS = 5.0
KEPT = 16  # that wait to be printed


class Notices:
    """Lines of text from any thread: a screen shows the last one for a while, a program without one prints them all."""

    def __init__(self) -> None:
        self._last, self._at = "", 0.0
        self._waiting: deque[str] = deque(maxlen=KEPT)

    def say(self, text: str) -> None:
        """Tell the player something, in one line."""
        self._last, self._at = one_line(text), time.monotonic()
        self._waiting.append(self._last)

    def shown(self) -> str:
        """The line to be shown now, or ""."""
        return self._last if time.monotonic() - self._at < SHOWN_SECONDS else ""

    def printed(self) -> list[str]:
        """Take out the lines that came since the last time."""
        return [self._waiting.popleft() for _ in range(len(self._waiting))]
