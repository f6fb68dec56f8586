"""The queue of commands: order, past frames, and limits for a block and in all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ngs.pyo_instruments.timing.timed_queue import MESSAGES, ClockBusy, TimedQueue


def filled(queue: TimedQueue, commands: list[tuple[str, int | None, int]]) -> list[str]:
    """A list that the commands (name, frame, weight) in a queue will write their names to."""
    done: list[str] = []

    def noted(name: str) -> Callable[[], None]:
        return lambda: done.append(name)

    for name, frame, weight in commands:
        queue.put(noted(name), frame, weight)
    return done


def frames(queue: TimedQueue, frame: int, count: int = 100) -> list[int]:
    """Carry out what is due in a block; the frames."""
    found = []
    for due, act in queue.due(frame, count):
        found.append(due)
        act()
    return found


def test_commands_come_by_frame_and_then_in_order() -> None:
    queue = TimedQueue()
    done = filled(queue, [("c", 150, 1), ("a", 20, 1), ("b", 20, 1), ("now", None, 1), ("past", 3, 1)])
    assert frames(queue, 10) == [10, 10, 20, 20] and done == ["now", "past", "a", "b"]
    assert frames(queue, 110) == [150] and frames(queue, 210) == []


def test_a_block_carries_out_its_share_and_the_next_one_the_rest() -> None:
    queue = TimedQueue(at_once=3)
    done = filled(queue, [("a", None, 2), ("b", None, 2), ("c", None, 1)])
    assert frames(queue, 0) == [0, 0] and done == ["a", "b"]
    assert frames(queue, 100) == [100] and done == ["a", "b", "c"]


def test_too_many_commands_are_refused_until_the_queue_is_cleared() -> None:
    queue = TimedQueue()
    done = filled(queue, MESSAGES * [("a", None, 1)])
    with pytest.raises(ClockBusy, match="commands wait already"):
        queue.put(lambda: None, None, 1)
    queue.clear()
    assert frames(queue, 0) == [] and done == []
    queue.put(lambda: None, None, 1)
    assert frames(queue, 0) == [0]
