"""What keys of the computer do: a table of each instrument, and a cursor over what its addresses count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ngs.pyo_instruments.commands.command import Number, Value, Whole

if TYPE_CHECKING:
    from ngs.pyo_instruments.instrument import Instrument


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


def _at(address: str, cursor: Mapping[str, int]) -> str:
    return address.format(**{name: place + 1 for name, place in cursor.items()})
