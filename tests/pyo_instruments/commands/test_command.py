"""What arguments accept and refuse, in words, and the commands that declarations become."""

from __future__ import annotations

from typing import Any

import pytest

from ngs.pyo_instruments.commands.arguments import Choice, ClassName, CommandError, Number, Switch, Text, Whole
from ngs.pyo_instruments.commands.command import Command, action, control, declarations

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


def test_a_command_counts_its_arguments_and_names_itself() -> None:
    command = Command("/xy", (Number("x", 0, 1), Number("y", 0, 1)), "", lambda: None, kept=True)
    assert command.read([0, 1]) == (0.0, 1.0) and command.start == (0.0, 0.0)
    for values, told in (
        ([1], "/xy takes 2 arguments (x y), not 1"),
        ([0, 2], "/xy: y is 2: choose 0 to 1"),
    ):
        with pytest.raises(CommandError) as error:
            command.read(values)
        assert str(error.value) == told
    with pytest.raises(CommandError, match="/hit takes no arguments, not 1"):
        Command("/hit", (), "", lambda: None, kept=False).read([1])


class Base:
    @control("/level", Number("level", 0, 2, 1))
    def setLevel(self, level: float) -> None:
        """How
        loud."""

    @action("/hit")
    def hit(self) -> None:
        """Now."""


class Derived(Base):
    @control("/track/{track}/class", ClassName())
    def setClass(self, track: int, name: str) -> None:
        """What."""
        self.done = (track, name)

    @action("/track/{track}/step/{step}", Number("level", 0, 1))
    def step(self, track: int, step: int, level: float) -> None:
        """One."""
        self.done = (track, step, level)

    @control("/level", Number("level", 0, 1, 0.5))
    def setLevel(self, level: float) -> None:
        """Not so loud."""

    @control("/xy", Number("x", 0, 1), Number("y", 0, 1))
    def setXy(self, x: float, y: float) -> None:
        """Where."""


def test_declarations_come_in_order_and_a_method_may_be_redefined() -> None:
    found = declarations(Derived)
    assert [each.method for each in found] == ["setLevel", "hit", "setClass", "step", "setXy"]
    assert [each.help for each in declarations(Base)] == ["How loud.", "Now."]
    assert found[0].help == "Not so loud." and found[0].arguments[0].start == 0.5
    assert [each.property_name for each in found] == ["level", "", "", "", ""]


def test_a_declaration_is_a_command_for_each_track_and_step() -> None:
    counts = {"track": 2, "step": 3}
    instrument, found = Derived(), {each.method: each for each in declarations(Derived)}
    steps = found["step"].commands(instrument, counts, CLASSES)
    assert [each.address for each in steps] == [f"/track/{t}/step/{s}" for t in (1, 2) for s in (1, 2, 3)]
    steps[5].act(instrument, 0.5)
    assert instrument.done == (1, 2, 0.5) and not steps[5].kept
    (_, second) = found["setClass"].commands(instrument, counts, CLASSES)
    second.act(instrument, "Hat")
    assert instrument.done == (1, "Hat") and second.kept and second.start == ("Kick",)
    assert second.read(["snare"]) == ("Snare",)


def test_a_row_gives_address_arguments_and_meaning() -> None:
    rows = [each.row({"track": 2, "step": 3}) for each in declarations(Derived)]
    assert rows == [
        ("/level", "level: number, 0 to 1", "Not so loud."),
        ("/hit", "", "Now."),
        ("/track/<track>/class", "class: a class of the bundle; track 1 to 2", "What."),
        ("/track/<track>/step/<step>", "level: number, 0 to 1; track 1 to 2; step 1 to 3", "One."),
        ("/xy", "x: number, 0 to 1; y: number, 0 to 1", "Where."),
    ]
