"""Notices: shown for a while, printed once, bounded, in one printable line."""

from __future__ import annotations

import pytest

from ngs.pyo_instruments.surfaces import notices
from ngs.pyo_instruments.surfaces.notices import KEPT, SHOWN_SECONDS, Notices


def test_the_last_one_is_shown_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(notices, "time", type("Time", (), {"monotonic": staticmethod(lambda: now)}))
    told = Notices()
    assert told.shown() == ""
    told.say("one")
    told.say("two\nlines \x1b[31m")
    assert told.shown() == "two lines ?[31m"
    now += SHOWN_SECONDS + 0.1
    assert told.shown() == ""


def test_each_is_printed_once_and_few_wait() -> None:
    told = Notices()
    for number in range(KEPT + 5):
        told.say(str(number))
    assert told.printed() == [str(number) for number in range(5, KEPT + 5)]
    assert told.printed() == []
