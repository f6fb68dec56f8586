"""The computer's keys as a control surface: an instrument's key actions, and a cursor over its tracks and steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ngs.pyo_instruments.commands.arguments import CommandError
from ngs.pyo_instruments.commands.command import declarations
from ngs.pyo_instruments.commands.key_actions import Press, at
from ngs.pyo_instruments.timing.timed_queue import ClockBusy

if TYPE_CHECKING:
    from ngs.pyo_instruments.instrument import Instrument

SHOWN_AS = {" ": "space", "\n": "enter", "\t": "tab"}
FILES = {  # of every instrument
    "w": Press("/save", ("values",), "save all values"),
    "l": Press("/load", ("values",), "load all values"),
}
LEARN = "M"
SCREEN = [(LEARN, "bind MIDI knobs and pads"), ("?", "show or hide this list"), ("q", "quit")]  # of the screen itself


class Keys:
    """The keys of an instrument, and the arrows that move a cursor.

    cursor: a place in each of the instrument's `counts`, from 0. Up and down move in the first, left and right in the
    second. A key that acts on one place of the second moves the cursor to the next: steps are typed like a text.
    """

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self.cursor = dict.fromkeys(instrument.counts, 0)
        self._down, self._along = [*instrument.counts, "", ""][:2]
        self._actions = {**instrument.KEYS, **FILES}

    def press(self, name: str) -> str:
        """Carry out a key: a character, or an arrow's name.

        Returns a line that says what it saved or loaded, or why it was refused, or "".
        """
        if name not in self._actions:
            self._move(self._down, (name == "down") - (name == "up"))
            self._move(self._along, (name == "right") - (name == "left"))
            return ""
        key = self._actions[name]
        address = at(key.address, self.cursor)
        try:
            said = self._instrument.do(address, *key.read(self._instrument, address, self.cursor))
        except (CommandError, ClockBusy, OSError) as error:
            return str(error)
        if self._along and f"{{{self._along}}}" in key.address:
            self._move(self._along, 1)
        return said

    def help(self) -> list[str]:
        """The keys and what they do, a line each, in two columns."""
        rows = key_table(type(self._instrument))
        width = max(len(names) for names, _ in rows)
        return [f"{names:<{width}}  {label}" for names, label in rows]

    def _move(self, name: str, by: int) -> None:
        if name and by:
            self.cursor[name] = (self.cursor[name] + by) % self._instrument.counts[name]


def key_table(kind: type[Instrument]) -> list[tuple[str, str]]:
    """The keys of an instrument and what they do; keys with one label share a row: ("1-8", "hit the track ...")."""
    known = {each.at(*numbers) for each in declarations(kind) for numbers in each.numbers(kind.counts)}
    first = dict.fromkeys(kind.counts, 0)
    keys: dict[str, list[str]] = {}
    for name, key in {**kind.KEYS, **FILES}.items():
        if at(key.address, first) in known:  # a subclass with four tracks has no fifth
            keys.setdefault(key.label, []).append(SHOWN_AS.get(name, name))
    moves = [("arrows", f"move to another {' or '.join(kind.counts)}")] if kind.counts else []
    return [*moves, *((_listed(names), label) for label, names in keys.items()), *SCREEN]


def _listed(names: Sequence[str]) -> str:
    """The names of keys in a row: "1-8" for digits from 1 to 8, "z s x" for others."""
    text = "".join(names)
    in_turn = len(names) > 2 and text in "123456789"
    return f"{names[0]}-{names[-1]}" if in_turn else " ".join(names)
