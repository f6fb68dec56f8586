"""Commands check their arguments; declarations become commands, in order, one for each track and step."""

from __future__ import annotations

import pytest

from ngs.pyo_instruments.commands.arguments import ClassName, CommandError, Number
from ngs.pyo_instruments.commands.command import Command, action, control, declarations

CLASSES = ("Kick", "Snare", "Hat")


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
