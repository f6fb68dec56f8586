"""Commands that wait for their frame: any thread puts them in, the clock takes them out.

It looks like `ngs.runtime.live.schedule` and is not the same. A schedule cuts a block at its events, carries out all of
them, and can take back the start of a note. A clock keeps its blocks whole, limits the work of each block by the weight
of its commands, and tells every command its frame.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterator

MESSAGES = 4096  # that may wait to be sorted in
EVENTS = 4096  # that may wait for their frame
ALL = float("inf")


class ClockBusy(RuntimeError):
    """More commands wait than can be carried out."""


class TimedQueue:
    """Commands in the order of their frames; those of one frame keep the order in which they came.

    at_once: how many commands a block sorts in, and carries out, at most; a flood spreads over several blocks.
    """

    def __init__(self, at_once: float = ALL) -> None:
        self._at_once = at_once
        self._messages: deque[tuple[int | None, int, Callable[[], None]]] = deque()  # frame, weight, act
        self._events: list[tuple[int, int, int, Callable[[], None]]] = []  # frame, order, weight, act
        self._order = itertools.count()

    def put(self, act: Callable[[], None], at: int | None, weight: int) -> None:
        """Add a command for frame `at`, or for the next block. Raises ClockBusy. Any thread may call it."""
        if len(self._messages) >= MESSAGES or len(self._events) >= EVENTS:
            raise ClockBusy(f"{MESSAGES} commands wait already: the server is not running, or they come too fast")
        self._messages.append((at, weight, act))

    def due(self, frame: int, count: int) -> Iterator[tuple[int, Callable[[], None]]]:
        """The commands of the block of `count` frames that begins at `frame`: frame and what to call.

        A command whose frame has passed is due at once.
        """
        self._sort_in(frame)
        room = self._at_once
        while self._events and self._events[0][0] < frame + count and room > 0:
            due, _, weight, act = heapq.heappop(self._events)
            room -= weight
            yield max(due, frame), act

    def clear(self) -> None:
        """Forget every command."""
        self._messages.clear()
        self._events.clear()

    def _sort_in(self, frame: int) -> None:
        room = self._at_once
        while self._messages and room > 0:
            at, weight, act = self._messages.popleft()
            room -= weight
            heapq.heappush(self._events, (max(at or 0, frame), next(self._order), weight, act))
