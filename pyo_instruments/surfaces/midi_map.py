"""What MIDI controllers and pads do: a small TOML file. Each instrument comes with one.

[controls]                  # controllers, of any channel or of one (channel:number)
74 = "/tempo"               # over the control's whole range
"1:20" = { address = "/track/1/level", low = 0, high = 1 }
80 = { address = "/pattern", value = "house" }    # a button: done when it is pressed
[notes]                     # keys used as pads; the other keys play notes
"10:36" = "/track/1/hit"    # with the velocity, from 0 to 1
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ngs.pyo_instruments.commands.arguments import Argument, Choice, CommandError, Number, Switch, Value, Whole
from ngs.pyo_instruments.commands.command import Command

if TYPE_CHECKING:
    from ngs.pyo_instruments.instrument import Instrument

MOST = 127  # value of a controller, velocity
MIDDLE = 64  # from which a controller is on
SECTIONS = ("controls", "notes")
FIELDS = ("address", "low", "high", "value")
FOLDER = Path(__file__).parent / "midi_maps"
KEY = re.compile(r"(?:(\d{1,2}):)?(\d{1,3})")
Key = tuple[int | None, int]  # channel 1 to 16 or None for any; number of a controller or note


class MapError(ValueError):
    """A map that cannot be used; the line names the file and the entry."""


@dataclass(frozen=True)
class Target:
    """What a controller or pad does: a command whose argument follows it, or one with fixed arguments."""

    address: str
    argument: Argument | None = None
    low: float = 0.0
    high: float = 0.0
    fixed: tuple[Value, ...] | None = None

    def turned(self, value: int) -> tuple[Value, ...] | None:
        """The arguments for a controller at 0 to 127, where 64 is the exact middle; None to do nothing."""
        if self.fixed is not None:
            return self.fixed if value >= MIDDLE else None
        if isinstance(self.argument, Switch):
            return (int(value >= MIDDLE),)
        return self._scaled(value / 128 if value <= MIDDLE else 0.5 + (value - MIDDLE) / 126)

    def struck(self, velocity: int) -> tuple[Value, ...] | None:
        """The arguments for a pad that is hit, or released (velocity 0); None to do nothing."""
        if isinstance(self.argument, Switch):
            return (int(velocity > 0),)
        if velocity == 0:
            return None
        return self._scaled(velocity / MOST) if self.fixed is None else self.fixed

    def _scaled(self, share: float) -> tuple[Value, ...]:
        if isinstance(self.argument, Choice):
            return (
                self.argument.options[min(int(share * len(self.argument.options)), len(self.argument.options) - 1)],
            )
        value = self.low + share * (self.high - self.low)
        return (round(value) if isinstance(self.argument, Whole) else value,)


@dataclass(frozen=True)
class MidiMap:
    """The targets of controllers and pads, checked against an instrument."""

    controls: Mapping[Key, Target] = field(default_factory=dict)
    notes: Mapping[Key, Target] = field(default_factory=dict)

    @classmethod
    def read(cls, path: str | Path, instrument: Instrument) -> MidiMap:
        """Read a map. Raises MapError, OSError."""
        try:
            told = tomllib.loads(Path(path).read_text())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise MapError(f"{path} is not valid TOML: {error}") from error
        for name, section in told.items():
            if name not in SECTIONS or not isinstance(section, dict):
                raise MapError(f"{path}: found {name}, expected the sections [controls] and [notes]")
        read = {
            name: dict(
                _entry(f"{path}, [{name}] {key}", key, each, name, instrument.commands) for key, each in of.items()
            )
            for name, of in told.items()
        }
        return cls(**read)

    @classmethod
    def of(cls, instrument: Instrument) -> MidiMap:
        """The map that comes with an instrument, or with the one it is derived from; else an empty map."""
        for kind in type(instrument).__mro__:
            path = FOLDER / f"{getattr(kind, 'public_name', '')}.toml"
            if path.is_file():
                return cls.read(path, instrument)
        return cls()


def target(of: Mapping[Key, Target], channel: int, number: int) -> Target | None:
    """The target of a controller or pad: the one for its channel, else the one for any channel."""
    return of.get((channel, number)) or of.get((None, number))


def _entry(place: str, key: str, told: Any, section: str, commands: Mapping[str, Command]) -> tuple[Key, Target]:
    found = KEY.fullmatch(key)
    channel, number = (int(found[1]) if found[1] else None, int(found[2])) if found else (None, -1)
    if not 0 <= number <= MOST or (channel is not None and not 1 <= channel <= 16):
        raise MapError(f"{place}: expected a number from 0 to 127, or CHANNEL:NUMBER as in 1:20")
    fields = {"address": told} if isinstance(told, str) else told
    if not isinstance(fields, dict) or not isinstance(fields.get("address"), str):
        raise MapError(f"{place}: expected an address, or {{ address = ..., low = ..., high = ... }}")
    unknown = [name for name in fields if name not in FIELDS]
    if unknown:
        raise MapError(f"{place}: found {unknown[0]}, expected {', '.join(FIELDS)}")
    address = fields["address"]
    if address not in commands:
        raise MapError(f"{place}: there is no address {address!r}; `ngs play NAME --addresses` lists what there is")
    try:
        return (channel, number), _target(commands[address], fields, pad=section == "notes")
    except (MapError, CommandError) as error:
        raise MapError(f"{place}: {error}") from None


def _target(command: Command, fields: Mapping[str, Any], pad: bool) -> Target:
    ranged = "low" in fields or "high" in fields
    if "value" in fields or not command.arguments:
        if ranged:
            raise MapError("low and high are for numbers that follow the controller: leave out value")
        return Target(command.address, fixed=command.read([fields["value"]] if "value" in fields else []))
    if len(command.arguments) > 1:
        raise MapError(f"{command.address} takes {len(command.arguments)} arguments: choose an address that takes one")
    argument = command.arguments[0]
    if not isinstance(argument, Number | Whole):
        if ranged:
            raise MapError(f"{argument.name} is {argument.describe()}: it has no low and high")
        if not isinstance(argument, Switch | Choice) or (pad and isinstance(argument, Choice)):
            raise MapError(f"{argument.name} is {argument.describe()}: choose one, as in value = {argument.start!r}")
        return Target(command.address, argument)
    low, high = (fields.get(name, default) for name, default in _range(argument, pad).items())
    for each in (low, high):
        argument.read(each)
    return Target(command.address, argument, low, high)


def _range(argument: Number | Whole, pad: bool) -> dict[str, float]:
    return (
        {"low": 0, "high": 1} if pad and isinstance(argument, Number) else {"low": argument.low, "high": argument.high}
    )
