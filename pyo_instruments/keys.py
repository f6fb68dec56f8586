"""What keys of the computer do: a table of each instrument, and a cursor over what its addresses count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ngs.pyo_instruments.clock import ClockBusy
from ngs.pyo_instruments.commands import CommandError, Number, Value, Whole

if TYPE_CHECKING:
    from ngs.pyo_instruments.instrument import Instrument

NAMES = {" ": "space", "\n": "enter", "\t": "tab"}


@dataclass(frozen=True)
class Press:
    """Carry a command out; "{track}" in its address is the cursor's, as everywhere here.

    A value that begins with "/" is an address: what is kept there is given.
    """

    address: str
    values: tuple[Value, ...] = ()

    def read(self, instrument: Instrument, address: str, cursor: Mapping[str, int]) -> tuple[Value, ...]:
        """The arguments of the command."""
        return tuple(
            instrument.values[_at(value, cursor)][0] if isinstance(value, str) and value.startswith("/") else value
            for value in self.values
        )


@dataclass(frozen=True)
class Toggle:
    """Switch on what is off, and off what is on."""

    address: str

    def read(self, instrument: Instrument, address: str, cursor: Mapping[str, int]) -> tuple[Value, ...]:
        """The arguments of the command."""
        return (0 if instrument.values[address][0] else 1,)


@dataclass(frozen=True)
class Nudge:
    """Add to a number, within its range."""

    address: str
    by: float

    def read(self, instrument: Instrument, address: str, cursor: Mapping[str, int]) -> tuple[Value, ...]:
        """The arguments of the command."""
        (value,), (argument,) = instrument.values[address], instrument.commands[address].arguments
        assert isinstance(argument, Number | Whole) and not isinstance(value, str)
        return (min(max(value + self.by, argument.low), argument.high),)


Key = Press | Toggle | Nudge


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


def _at(address: str, cursor: Mapping[str, int]) -> str:
    return address.format(**{name: place + 1 for name, place in cursor.items()})
