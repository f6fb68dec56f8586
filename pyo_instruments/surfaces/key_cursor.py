"""TODO."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ngs.pyo_instruments.commands.command import CommandError
from ngs.pyo_instruments.commands.key_actions import Press, _at
from ngs.pyo_instruments.timing.clock import ClockBusy

if TYPE_CHECKING:
    from ngs.pyo_instruments.instrument import Instrument


NAMES = {" ": "space", "\n": "enter", "\t": "tab"}

FILES = {"w": Press("/save", ("values",)), "l": Press("/load", ("values",))}  # of every instrument


class Keys:
    """The keys of an instrument: those of its table, and arrows that move the cursor.

    cursor: a place in each of the instrument's `counts`, from 0; up and down move in the first, left and right in the
    second. What is done at a place of the second goes on to the next one, so that steps are typed as they are written.
    """

    def __init__(self, instrument: Instrument) -> None:
        self._instrument = instrument
        self.cursor = dict.fromkeys(instrument.counts, 0)
        self._down, self._along = [*instrument.counts, "", ""][:2]
        self._table = {**instrument.KEYS, **FILES}

    def press(self, name: str) -> str:
        """Do what a key says: a character, or an arrow's name. Where that is refused, a line that says why; else ""."""
        if name not in self._table:
            self._move(self._down, (name == "down") - (name == "up"))
            self._move(self._along, (name == "right") - (name == "left"))
            return ""
        key = self._table[name]
        address = _at(key.address, self.cursor)
        try:
            self._instrument.do(address, *key.read(self._instrument, address, self.cursor))
        except (CommandError, ClockBusy, OSError) as error:
            return str(error)
        if self._along and f"{{{self._along}}}" in key.address:
            self._move(self._along, 1)
        return ""

    def help(self) -> list[str]:
        """What there is: a line for keys that do the same."""
        does: dict[str, list[str]] = {}
        if self.cursor:
            does[f"Move to another {' or '.join(self.cursor)}."] = ["arrows"]
        for name, key in self._table.items():
            command = self._instrument.commands.get(_at(key.address, self.cursor))
            if command is None:  # a machine of four tracks has no fifth
                continue
            does.setdefault(command.help, []).append(NAMES.get(name, name))
        return [f"{' '.join(names):<16} {text}" for text, names in does.items()]

    def _move(self, name: str, by: int) -> None:
        if name and by:
            self.cursor[name] = (self.cursor[name] + by) % self._instrument.counts[name]
