"""Commands with times, on their way from any thread to the one that plays."""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

COMMANDS = 4096  # at most, sent and not yet taken in
EVENTS = 1 << 16  # at most, waiting for their time

Act = Callable[[], Any]


class EngineBusy(RuntimeError):
    """Too many commands are waiting: the engine does not run, or they come faster than it can carry them out."""


@dataclass(order=True, slots=True)
class Event:
    """Something to do at sample `time`; of two at the same time, the one asked for first comes first."""

    time: int
    order: int
    act: Act = field(compare=False)
    number: int | None = field(compare=False)  # of the note that it starts
    cancelled: bool = field(compare=False, default=False)


class Schedule:
    """What to do at which sample. Any thread may call `send`; only the one that plays calls the rest.

    A thread never waits for another: commands cross in a deque, and events are sorted by the thread that plays.
    """

    def __init__(self) -> None:
        self._sent: deque[tuple[int | None, Act, int | None]] = deque()
        self._events: list[Event] = []
        self._starts: dict[int, Event] = {}  # of notes that have not begun
        self._order, self._current = itertools.count(), 0

    @property
    def sent(self) -> int:
        """Commands that were not taken in yet."""
        return len(self._sent)

    def send(self, at: float | None, act: Act, number: int | None = None) -> None:
        """Ask for an act at sample `at`, or as soon as possible; `number` is that of the note it starts.

        Raises ValueError, EngineBusy.
        """
        time = None if at is None else check_frame(at)
        self.check_room()
        self._sent.append((time, act, number))

    def check_room(self) -> None:
        """Raise EngineBusy if no more can be sent."""
        if len(self._sent) >= COMMANDS:
            raise EngineBusy(f"{COMMANDS} commands wait already: the engine is not running, or they come too fast")
        if len(self._events) >= EVENTS:
            raise EngineBusy(f"{EVENTS} events wait for their time already: schedule less far ahead")

    def send_anyway(self, act: Act) -> None:
        """As `send` at once, but never refused: what cannot be undone may come between `check_room` and this."""
        self._sent.append((None, act, None))

    def take_in(self, now: int, most: int | None = None) -> int:
        """Make events of the commands that were sent, the first `most` of them. Returns how many came too late."""
        late, count = 0, len(self._sent)
        for _ in range(count if most is None else min(count, most)):
            at, act, number = self._sent.popleft()
            late += at is not None and at < now
            self.add(now if at is None else at, act, number)
        return late

    def add(self, time: int, act: Act, number: int | None = None) -> None:
        """Add an event."""
        event = Event(time, next(self._order), act, number)
        heapq.heappush(self._events, event)
        if number is not None:
            self._starts[number] = event

    def cancel(self, number: int | None) -> None:
        """Cancel a note that has not begun (None: all). Notes requested after the current act stay."""
        for each in list(self._starts) if number is None else [number]:
            event = self._starts.get(each)
            if event and event.order < self._current:
                event.cancelled = True
                del self._starts[each]

    def due(self, now: int) -> Iterator[Act]:
        """What to do at sample `now`, and what was missed before."""
        while self._events and self._events[0].time <= now:
            event = heapq.heappop(self._events)
            if event.number is not None and self._starts.get(event.number) is event:
                del self._starts[event.number]
            if not event.cancelled:
                self._current = event.order
                yield event.act

    def free(self, now: int, most: int) -> int:
        """Samples from `now` until the next event, at most `most`."""
        return min(most, self._events[0].time - now) if self._events else most

    def segments(self, now: int, count: int, do: Callable[[Act], Any]) -> Iterator[tuple[int, int]]:
        """Split the next `count` samples at the events: `do` what is due, then yield (start, stop), again and again."""
        start = 0
        while start < count:
            for act in self.due(now + start):
                do(act)
            stop = start + self.free(now + start, count - start)
            yield start, stop
            start = stop


def check_frame(at: float) -> int:
    """The frame nearest to a time in frames. Raises ValueError if it is not a number."""
    try:
        return round(at)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"at is {at!r}: a time in frames is a number") from None
