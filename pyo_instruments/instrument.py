"""What all instruments have in common: a bundle, commands with kept values, a sound that mixes with the rest of pyo."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from ngs.pyo_instruments.commands.command import (
    Command,
    CommandError,
    Declaration,
    Number,
    Text,
    Value,
    declarations,
    request,
)
from ngs.pyo_instruments.commands.key_actions import Key
from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.pyo_instruments.timing.clock import Clock
from ngs.runtime.atomic import replaced
from ngs.runtime.bundle.bundle import Bundle

Listener = Callable[[int, str, tuple[Value, ...]], None]  # frame, address, values
MOST_WILD = 3  # * and {} in a part of an address
NAME = Text("name", r"\w[\w -]{0,63}", "letters, digits, spaces, - and _")
NOWHERE: Mapping[str, int] = {}
WILD = re.compile(r"[*?\[\]{}]")


class Instrument(pyo.PyoObject):
    """A pyo object that plays a bundle and does what its commands say.

    A method with `@control` or `@action` may be called from anywhere: what it is given is checked there and then, and
    carried out by the clock before the next block. A control that concerns no single track is a property as well:
    `setTempo(90)` and `tempo = 90` are one, as everywhere in pyo.
    """

    counts: ClassVar[Mapping[str, int]] = {}  # of what addresses count: {"track": 8}
    KEYS: ClassVar[Mapping[str, Key]] = {}  # of the computer: {"1": Press("/track/1/hit", (1.0,))}
    listens: ClassVar[bool] = False  # whether it plays what comes in, where it is given no file
    unsaved: ClassVar[tuple[str, ...]] = ()  # addresses whose values no file keeps
    most_files: ClassVar[int] = 0  # sound files that it takes

    def __init_subclass__(cls) -> None:
        for declared in declarations(cls):
            if declared.property_name:
                setattr(cls, declared.property_name, _property(declared))

    def __init__(
        self, bundle: Bundle | str | Path | None = None, seed: int = 0, files: Sequence[Path] = (), mul: Any = 1,
        add: Any = 0,
    ) -> None:  # fmt: skip
        super().__init__(mul, add)
        if len(files) > self.most_files:
            raise ValueError(f"{type(self).__name__} takes {self.most_files or 'no'} sound files, not {len(files)}")
        self.bundle = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
        self.classes = self.bundle.manifest.attributes[0].classes
        self.seed = seed
        self.folder = Path()  # of what is saved
        self.clock = Clock.current()
        self.values: dict[str, tuple[Value, ...]] = {}
        self.listeners: list[Listener] = []  # told of every value that changes, by the clock: they must be quick
        self.log: Listener | None = None  # told of every command from outside
        found = declarations(type(self))
        made = [command for each in found for command in each.commands(self, self.counts, self.classes)]
        self.commands = {command.address: command for command in made}
        self.clock.add(self)

    def process(self) -> None:
        """Called before every block, before the players that the instrument is made of."""

    def statistics(self) -> dict[str, Any]:
        """What happened so far, beside what its players tell."""
        return {}

    def close(self) -> None:
        """End what the instrument itself began; its players are closed on their own."""

    def sounds(self, output: pyo.PyoObject, starts: Mapping[str, Value] | None = None) -> None:
        """Say what is heard, and set every control to its start, or that of `starts`: the end of an `__init__`."""
        self._output = pyo.Sig(output, mul=self._mul, add=self._add)
        self._base_objs = self._output.getBaseObjects()
        for command in self.commands.values():
            if command.kept:
                start = (starts or {}).get(command.address)
                self._act(command, command.start if start is None else command.read([start]))

    def out(self, *arguments: Any, **named: Any) -> Any:
        """As of any pyo object."""
        if not hasattr(self, "_output"):
            raise TypeError(f"{type(self).__name__} has no sound: its __init__ ends with self.sounds(...)")
        return super().out(*arguments, **named)

    def do(self, address: str, *values: object, at: int | None = None) -> None:
        """Carry out a command before the next block, or at frame `at`. Raises CommandError, ClockBusy.

        Patterns of OSC are understood: "/track/*/mute".
        """
        found = [(command, command.read(values)) for command in self.find(address)]
        if any(command.at_once for command, _ in found):
            for command, checked in found:
                command.act(self, *checked)
            return
        by_itself = self.clock.ticking  # asked for by what the clock carries out
        self.clock.send(lambda: self._carry_out(found, logged=not by_itself), at, len(found))

    def keep(self, address: str, *values: Value) -> None:
        """Note a value that was changed in another way than by its command."""
        self.values[address] = values
        self.tell(address, *values)

    def tell(self, address: str, *values: Value) -> None:
        """Say something to those who listen that is no value to keep: a step that is played."""
        for listener in self.listeners:
            listener(self.clock.now, address, values)

    def state(self) -> dict[str, list[Value]]:
        """Every kept value by its address."""
        return {address: list(values) for address, values in self.values.items()}

    def save(self, path: str | Path) -> None:
        """Write every kept value to a JSON file, which `load` reads."""
        values = {address: each for address, each in self.state().items() if address not in self.unsaved}
        told = {"instrument": type(self).__name__, "values": values}
        with replaced(Path(path)) as beside:
            beside.write_text(json.dumps(told, indent=1) + "\n")

    @request("/save", NAME)
    def save_as(self, name: str) -> None:
        """Write every value to NAME.json in the folder of the instrument."""
        self.save(self.folder / f"{name}.json")

    @request("/load", NAME)
    def load_from(self, name: str) -> None:
        """Set the values of NAME.json in the folder of the instrument."""
        self.load(self.folder / f"{name}.json")

    def load(self, path: str | Path) -> None:
        """Set the values of a file of `save`, all before the same block. Raises CommandError."""
        if not Path(path).is_file():
            raise CommandError(f"There is no file {path}")
        try:
            told = json.loads(Path(path).read_text())
            values = {str(address): list(each) for address, each in told["values"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CommandError(
                f"{path} is no file of values of an instrument: save one, and see what it holds"
            ) from error
        if told.get("instrument") != type(self).__name__:
            raise CommandError(f"{path} is of another instrument: {told.get('instrument')!r}")
        read = [(self._one(address), self._one(address).read(each)) for address, each in values.items()]
        found = [(command, each) for command, each in read if self.values.get(command.address) != each]
        self.clock.send(lambda: self._carry_out(found))

    def meters(self) -> list[float]:
        """Peaks, falling, of each track where there are such."""
        return []

    def screen(self, cursor: Mapping[str, int] = NOWHERE) -> list[str]:
        """Lines of text that show what plays: values and meters. `cursor`: a place in each of `counts`, from 0."""
        single = [address for address, command in self.commands.items() if command.kept and address.count("/") == 1]
        texts = [f"{address[1:]} {' '.join(map(_shown, self.values[address]))}" for address in single]
        lines = ["   ".join(f"{text:<16.16}" for text in texts[at : at + 4]) for at in range(0, len(texts), 4)]
        return [*lines, *(f"[{bar(peak, 32)}]" for peak in self.meters())]

    def ctrl(self, map_list: Any = None, title: str | None = None, wxnoserver: bool = False) -> None:
        """Open a window of sliders, one for each control that is a number."""
        self._map_list = [
            pyo.SLMap(number.low, number.high, "lin", name, self.values[declared.address][0], dataOnly=True)
            for declared in declarations(type(self))
            if (name := declared.property_name) and isinstance(number := declared.arguments[0], Number)
        ]
        super().ctrl(map_list, title, wxnoserver)

    def find(self, address: str) -> list[Command]:
        """The commands that an address, or a pattern of addresses, means. Raises CommandError."""
        if address not in self.commands and WILD.search(address):
            pattern = _pattern(address)
            found = [self.commands[each] for each in self.commands if _meets(pattern, each)]
            if found:
                return found
        return [self._one(address)]

    def _one(self, address: str) -> Command:
        if address not in self.commands:
            raise CommandError(f"There is no address {address}; `ngs play NAME --addresses` lists what there is")
        return self.commands[address]

    def _carry_out(self, found: list[tuple[Command, tuple[Value, ...]]], logged: bool = True) -> None:
        for command, values in found:
            if self.log and logged:
                self.log(self.clock.now, command.address, values)
            self._act(command, values)

    def _act(self, command: Command, values: tuple[Value, ...]) -> None:
        command.act(self, *values)
        if command.kept:
            self.keep(command.address, *values)


def bar(peak: float, length: int) -> str:
    """A meter of `length` characters, 0 to -48 dB."""
    decibels = 20 * math.log10(max(peak, 1e-6))
    full = round(min(max(1 + decibels / 48, 0), 1) * length)
    return "#" * full + " " * (length - full)


def _shown(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


@functools.lru_cache(maxsize=64)  # a flood of patterns must not grow
def _pattern(address: str) -> list[re.Pattern[str]]:
    """What a pattern of OSC 1.0 means, part by part: * ? [abc] [!abc] {one,other}. Raises CommandError."""
    parts = []
    for part in address.split("/"):
        text = re.escape(re.sub(r"\*+", "*", part))
        if text.count("*") + text.count("{") > MOST_WILD:  # each multiplies the ways to try
            raise CommandError(f"{address} has more than {MOST_WILD} * and {{}} in a part")
        for mark, meaning in ((r"\*", ".*"), (r"\?", "."), (r"\[!", "[^"), (r"\[", "["), (r"\]", "]"), (r"\-", "-")):
            text = text.replace(mark, meaning)
        text = re.sub(r"\\{([^{}]*)\\}", lambda found: f"({found[1].replace(',', '|')})", text)
        try:
            parts.append(re.compile(text))
        except re.error:
            parts.append(re.compile(re.escape(part)))
    return parts


def _meets(pattern: list[re.Pattern[str]], address: str) -> bool:
    parts = address.split("/")
    return len(parts) == len(pattern) and all(each.fullmatch(part) for each, part in zip(pattern, parts, strict=True))


def _property(declared: Declaration) -> property:
    def read(instrument: Instrument) -> Value:
        return instrument.values[declared.address][0]

    def write(instrument: Instrument, value: object) -> None:
        if not hasattr(instrument, "_output"):
            name = declared.property_name
            raise TypeError(
                f"{name} is the value of {declared.address}: call what __init__ keeps otherwise, as _{name}"
            )
        instrument.do(declared.address, value)

    return property(read, write, doc=declared.help)
