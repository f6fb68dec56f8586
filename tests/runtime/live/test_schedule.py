"""Commands are carried out at their time, in the order they were asked for, whichever thread sent them."""

from __future__ import annotations

from typing import Any

import pytest

from ngs.runtime.live.schedule import COMMANDS, EngineBusy, Schedule


def carried_out(schedule: Schedule, now: int) -> list[Any]:
    return [act() for act in schedule.due(now)]


def test_commands_come_in_order_of_time_and_then_as_they_were_asked_for() -> None:
    schedule = Schedule()
    for number, at in enumerate((30, 10, None, 20.4, 10, 5)):
        schedule.send(at, lambda number=number: number)
    assert schedule.sent == 6 and not carried_out(schedule, 100)  # not taken in yet
    assert schedule.take_in(7, most=2) == 0 and schedule.sent == 4
    assert schedule.take_in(7) == 1 and schedule.sent == 0  # the last one is late
    assert carried_out(schedule, 7) == [5, 2]
    assert (schedule.free(7, 100), schedule.free(7, 2)) == (3, 2)
    assert carried_out(schedule, 20) == [1, 4, 3]
    assert carried_out(schedule, 29) == [] and carried_out(schedule, 30) == [0] and schedule.free(31, 100) == 100


def test_a_block_is_split_where_something_is_to_be_done() -> None:
    schedule, done = Schedule(), []
    for at in (95, 100, 110, 110, 131, 132):
        schedule.add(at, lambda at=at: at)
    segments = list(schedule.segments(100, 32, lambda act: done.append(act())))
    assert segments == [(0, 10), (10, 31), (31, 32)] and done == [95, 100, 110, 110, 131]
    assert carried_out(schedule, 132) == [132] and list(schedule.segments(0, 0, print)) == []


def test_a_start_is_cancelled_only_if_it_was_asked_for_before() -> None:
    schedule = Schedule()
    schedule.add(20, lambda: "first", number=1)
    schedule.add(10, lambda: schedule.cancel(1))
    schedule.add(30, lambda: "second", number=2)
    schedule.add(5, lambda: "begun", number=1000)
    assert carried_out(schedule, 20) == ["begun", None]
    schedule.add(22, lambda: schedule.cancel(None))
    schedule.add(40, lambda: "after it", number=3)
    assert carried_out(schedule, 50) == [None, "after it"]
    schedule.cancel(3)  # it has begun: no error


@pytest.mark.parametrize("at", [float("nan"), float("inf"), "soon"])
def test_a_time_that_is_not_a_number_is_refused(at: Any) -> None:
    with pytest.raises(ValueError, match="a time in frames is a number"):
        Schedule().send(at, print)


def test_too_many_commands_and_events_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = Schedule()
    for _ in range(COMMANDS):
        schedule.send(10**9, print)
    with pytest.raises(EngineBusy, match=f"{COMMANDS} commands wait already"):
        schedule.send(None, print)
    schedule.take_in(0)
    monkeypatch.setattr("ngs.runtime.live.schedule.EVENTS", COMMANDS)
    with pytest.raises(EngineBusy, match="events wait for their time already"):
        schedule.send(None, print)
