"""Actions of computer keys, which an instrument lists in its `KEYS`.

"{track}" in an address stands for the track under the cursor. Every action has a label, which the list of keys shows:
actions with the same label share a line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ngs.pyo_instruments.commands.arguments import Argument, Number, Value, Whole

if TYPE_CHECKING:
    from ngs.pyo_instruments.instrument import Instrument


@dataclass(frozen=True)
class Press:
    """Carry out a command. A value that begins with "/" is an address: the value kept there is used."""

    address: str
    values: tuple[Value, ...]
    label: str

    def read(self, instrument: Instrument, address: str, cursor: Mapping[str, int]) -> tuple[Value, ...]:
        """The arguments of the command."""
        return tuple(
            instrument.values[at(value, cursor)][0] if isinstance(value, str) and value.startswith("/") else value
            for value in self.values
        )


@dataclass(frozen=True)
class Toggle:
    """Switch a control on if it is off, and off if it is on."""

    address: str
    label: str

    def read(self, instrument: Instrument, address: str, cursor: Mapping[str, int]) -> tuple[Value, ...]:
        """The arguments of the command."""
        return (0 if instrument.values[address][0] else 1,)


@dataclass(frozen=True)
class Nudge:
    """Move a number up or down, within its range."""

    address: str
    by: float
    label: str

    def read(self, instrument: Instrument, address: str, cursor: Mapping[str, int]) -> tuple[Value, ...]:
        """The arguments of the command."""
        (value,), (argument,) = instrument.values[address], instrument.commands[address].arguments
        return (_moved(value, argument, self.by),)


@dataclass(frozen=True)
class Move:
    """Move several numbers of a control, each by its own amount and within its range."""

    address: str
    by: tuple[float, ...]
    label: str

    def read(self, instrument: Instrument, address: str, cursor: Mapping[str, int]) -> tuple[Value, ...]:
        """The arguments of the command."""
        return tuple(
            _moved(*each)
            for each in zip(instrument.values[address], instrument.commands[address].arguments, self.by, strict=True)
        )


Key = Press | Toggle | Nudge | Move


def _moved(value: Value, argument: Argument, by: float) -> Value:
    assert isinstance(argument, Number | Whole) and not isinstance(value, str)
    return min(max(value + by, argument.low), argument.high)


def at(address: str, cursor: Mapping[str, int]) -> str:
    """An address at the cursor, whose places count from 0."""
    return address.format(**{name: place + 1 for name, place in cursor.items()})
