"""What MIDI controllers and pads do: a small TOML file. Each instrument comes with one.

[controls]                  # controllers, of any channel or of one (channel:number)
74 = "/tempo"               # over the control's whole range
"1:20" = { address = "/track/1/level", low = 0, high = 1 }
80 = { address = "/pattern", value = "house" }    # a button: done when it is pressed
[notes]                     # keys used as pads; the other keys play notes
"10:36" = "/track/1/hit"    # with the velocity, from 0 to 1

`bound` adds an entry to the text of a map and leaves the rest as somebody wrote it.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ngs.pyo_instruments.commands.arguments import Argument, Choice, CommandError, Number, Switch, Value, Whole
from ngs.pyo_instruments.commands.command import Command
from ngs.runtime.atomic import replaced

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
    """The targets of controllers and pads, checked against an instrument.

    text: the TOML that they were read from.
    """

    controls: Mapping[Key, Target] = field(default_factory=dict)
    notes: Mapping[Key, Target] = field(default_factory=dict)
    text: str = field(default="", compare=False)

    @classmethod
    def read(cls, path: str | Path, instrument: Instrument) -> MidiMap:
        """Read a map. Raises MapError, OSError."""
        try:
            text = Path(path).read_text("utf-8-sig")
        except UnicodeDecodeError as error:
            raise MapError(f"{path} is not valid TOML: {error}") from error
        return cls.parse(text, str(path), instrument)

    @classmethod
    def parse(cls, text: str, name: str, instrument: Instrument) -> MidiMap:
        """Read the text of a map; `name` is that of the file, for errors. Raises MapError."""
        try:
            told = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise MapError(f"{name} is not valid TOML: {error}") from error
        for section, entries in told.items():
            if section not in SECTIONS or not isinstance(entries, dict):
                raise MapError(f"{name}: found {section}, expected the sections [controls] and [notes]")
        read = {
            section: dict(
                _entry(f"{name}, [{section}] {key}", key, each, section, instrument.commands)
                for key, each in entries.items()
            )
            for section, entries in told.items()
        }
        return cls(**read, text=text)

    @classmethod
    def of(cls, instrument: Instrument) -> MidiMap:
        """The map that comes with an instrument, or with the one it is derived from; else an empty map."""
        for kind in type(instrument).__mro__:
            path = FOLDER / f"{getattr(kind, 'public_name', '')}.toml"
            if path.is_file():
                return cls.read(path, instrument)
        return cls()

    def bound(self, section: str, key: Key, address: str, instrument: Instrument) -> MidiMap:
        """The map with one entry more, in `section` "controls" or "notes". Raises MapError.

        A knob gets the range that the map has for the address already.
        """
        entries = tomllib.loads(self.text).get(section, {})
        ranged = [each for each in entries.values() if isinstance(each, dict) and "value" not in each]
        told = next((each for each in ranged if each.get("address") == address), address)
        channel, number = key
        name = str(number) if channel is None else f"{channel}:{number}"
        return self.parse(_with_entry(self.text, section, name, told), "the map", instrument)

    def write(self, path: Path) -> None:
        """Write the map to a file. Raises OSError."""
        with replaced(path) as beside:
            beside.write_text(self.text, "utf-8")


def check_bindable(address: str, commands: Mapping[str, Command]) -> None:
    """Raise MapError for an address that no controller can be bound to."""
    if address not in commands:
        raise MapError(f"there is no address {address!r}; `ngs play NAME --addresses` lists what there is")
    _target(commands[address], {"address": address}, pad=False)


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
    try:
        if address not in commands:
            raise MapError(f"there is no address {address!r}; `ngs play NAME --addresses` lists what there is")
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


def _with_entry(text: str, section: str, key: str, told: Any) -> str:
    """A map's text with an entry added or replaced, each other line as it was. Raises MapError."""
    fields = {"address": told} if isinstance(told, str) else told
    inside = ", ".join(f"{name} = {json.dumps(each)}" for name, each in fields.items())
    entry = f'"{key}" = ' + (json.dumps(told) if isinstance(told, str) else f"{{ {inside} }}")
    lines = text.splitlines()
    heads = [number for number, line in enumerate(lines) if re.match(r"\s*\[", line)]
    begin = next((each for each in heads if re.match(rf"\s*\[\s*{section}\s*\]", lines[each])), None)
    if begin is None:
        lines += ["", f"[{section}]", entry] if lines else [f"[{section}]", entry]
    else:
        end = next((each for each in heads if each > begin), len(lines))
        same = [each for each in range(begin, end) if re.match(rf"""\s*["']?{key}["']?\s*=""", lines[each])]
        if same:
            lines[same[0]] = entry
        else:
            while not lines[end - 1].strip():
                end -= 1
            lines.insert(end, entry)
    changed = "\n".join(lines) + "\n"
    wanted = tomllib.loads(text)
    wanted.setdefault(section, {})[key] = told
    try:
        if tomllib.loads(changed) == wanted:
            return changed
    except tomllib.TOMLDecodeError:
        pass
    raise MapError(f"the file is written in a way that has no place for a new entry: add {entry} to [{section}]")
