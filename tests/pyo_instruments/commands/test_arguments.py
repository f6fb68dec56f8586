"""What arguments accept and refuse, and how they describe themselves."""

from __future__ import annotations

from typing import Any

import pytest

from ngs.pyo_instruments.commands.arguments import Choice, ClassName, CommandError, Number, Switch, Text, Whole

NUMBER = Number("gain", -1, 2, 0.5, "dB")
WHOLE = Whole("key", 0, 127, 60)
SWITCH = Switch("on")
CHOICE = Choice("kind", ("Circle", "walk"))
OPEN = ClassName(open=True).of(["Kick", "Hat"])
TEXT = Text("steps", "[.x]{4}", "4 steps, each one of . x")
CLASSES = ("Kick", "Snare", "Hat")


@pytest.mark.parametrize(
    ("argument", "value", "read"),
    [
        (NUMBER, 2, 2.0), (NUMBER, -1.0, -1.0),
        (WHOLE, 127, 127), (WHOLE, 0.0, 0),
        (SWITCH, 1, 1), (SWITCH, 0.0, 0), (SWITCH, True, 1),
        (CHOICE, "circle", "Circle"), (CHOICE, "WALK", "walk"),
        (OPEN, "kick", "Kick"), (OPEN, "", ""),
        (TEXT, "x..x", "x..x"),
    ],
)  # fmt: skip
def test_an_argument_is_read(argument: Any, value: Any, read: Any) -> None:
    got = argument.read(value)
    assert got == read and type(got) is type(read)


@pytest.mark.parametrize(
    ("argument", "value", "told"),
    [
        (NUMBER, 2.1, "gain is 2.1: choose -1 to 2 dB"),
        (NUMBER, float("nan"), "gain is nan: choose -1 to 2 dB"),
        (NUMBER, float("inf"), "gain is inf: choose -1 to 2 dB"),
        (NUMBER, "1", "gain is '1': choose -1 to 2 dB"),
        (NUMBER, True, "gain is True: choose -1 to 2 dB"),
        (NUMBER, None, "gain is None: choose -1 to 2 dB"),
        (WHOLE, 1.5, "key is 1.5: choose a whole number, 0 to 127"),
        (WHOLE, 128, "key is 128: choose a whole number, 0 to 127"),
        (WHOLE, 10**400, f"key is {10**400}: choose a whole number, 0 to 127"),
        (SWITCH, 2, "on is 2: choose 1 (on) or 0 (off)"),
        (SWITCH, "on", "on is 'on': choose 1 (on) or 0 (off)"),
        (CHOICE, "", "kind is '': choose one of Circle, walk"),
        (CHOICE, 0, "kind is 0: choose one of Circle, walk"),
        (OPEN, "Clap", "class is 'Clap': choose one of Kick, Hat"),
        (TEXT, "x..x.", "steps is 'x..x.': 4 steps, each one of . x"),
        (TEXT, "x..x\n", "steps is 'x..x\\n': 4 steps, each one of . x"),
        (TEXT, ["x"], "steps is ['x']: 4 steps, each one of . x"),
    ],
)
def test_an_argument_refuses_with_a_line(argument: Any, value: Any, told: str) -> None:
    with pytest.raises(CommandError) as error:
        argument.read(value)
    assert str(error.value) == told


def test_too_long_a_text_is_refused() -> None:
    with pytest.raises(CommandError):
        Text("name", "x*", "only x").read("x" * 1025)


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        (NUMBER, "number, -1 to 2 dB"), (WHOLE, "whole number, 0 to 127"), (SWITCH, "1 or 0"),
        (CHOICE, "one of Circle, walk"), (OPEN, "one of Kick, Hat"), (ClassName(), "a class of the bundle"),
        (ClassName(open=True), 'a class of the bundle, or "" for none'), (TEXT, "4 steps, each one of . x"),
    ],
)  # fmt: skip
def test_an_argument_is_described(argument: Any, words: str) -> None:
    assert argument.describe() == words


def test_a_class_name_starts_with_the_first_class_or_none() -> None:
    assert ClassName().of(CLASSES).start == "Kick" and ClassName(start="Hat").of(CLASSES).start == "Hat"
    assert OPEN.start == ""
    with pytest.raises(CommandError):
        ClassName().of(CLASSES).read("")
