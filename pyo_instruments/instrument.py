"""What all instruments have in common: a bundle, commands with kept values, a sound that mixes with the rest of pyo."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from ngs.pyo_instruments.commands.address_patterns import matching
from ngs.pyo_instruments.commands.arguments import CommandError, Number, Text, Value
from ngs.pyo_instruments.commands.command import Command, Declaration, declarations, request
from ngs.pyo_instruments.commands.key_actions import Key
from ngs.pyo_instruments.commands.values_file import instrument_name, read_values, write_values
from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.pyo_instruments.timing.clock import Clock
from ngs.runtime.bundle.bundle import Bundle

Listener = Callable[[int, str, tuple[Value, ...]], None]  # frame, address, values
NAME = Text("name", r"\w[\w -]{0,63}", "letters, digits, spaces, - and _")
NOWHERE: Mapping[str, int] = {}
METER_DB = 48.0  # that a meter spans below 0 dB


class Instrument(pyo.PyoObject):
    """A pyo object that plays a bundle and does what its commands say.

    A method with `@control` or `@action` may be called from any thread. Its arguments are checked at once; the clock
    carries it out before the next block. A control without a track is a property as well: `setTempo(90)` and
    `tempo = 90` mean the same, as everywhere in pyo.
    """

    public_name: ClassVar[str] = "instrument"  # as in `ngs play NAME`; by default it follows from the class's name
    counts: ClassVar[Mapping[str, int]] = {}  # what addresses count: {"track": 8}
    KEYS: ClassVar[Mapping[str, Key]] = {}  # of the computer: {"1": Press("/hit", (1.0,), "play a hit")}
    listens: ClassVar[bool] = False  # whether it plays the audio input if it gets no file
    unsaved: ClassVar[tuple[str, ...]] = ()  # addresses whose values are not saved
    most_files: ClassVar[int] = 0  # sound files that it accepts

    def __init_subclass__(cls) -> None:
        if "public_name" not in vars(cls):
            cls.public_name = instrument_name(cls.__name__)
        for declared in declarations(cls):
            if declared.property_name:
                setattr(cls, declared.property_name, _property(declared))

    def __init__(
        self, bundle: Bundle | str | Path | None = None, seed: int = 0, files: Sequence[Path] = (), mul: Any = 1,
        add: Any = 0,
    ) -> None:  # fmt: skip
        """Raises ValueError for too many files, BundleError for a bundle that cannot be opened."""
        super().__init__(mul, add)
        if len(files) > self.most_files:
            most = f"{self.most_files or 'no'} sound file{'s' * (self.most_files != 1)}"
            raise ValueError(f"{self.public_name} takes {most}, not {len(files)}")
        self.bundle = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
        self.classes = self.bundle.manifest.attributes[0].classes
        self.seed = seed
        self.folder = Path()  # where it saves
        self.clock = Clock.current()
        self.values: dict[str, tuple[Value, ...]] = {}
        self.listeners: list[Listener] = []  # called by the clock for every value that changes: they must be quick
        self.log: Listener | None = None  # called for every command from outside
        found = declarations(type(self))
        made = [command for each in found for command in each.commands(self, self.counts, self.classes)]
        self.commands = {command.address: command for command in made}
        self.clock.add(self)

    def before_block(self) -> None:
        """Called before every block, before the instrument's players."""

    def statistics(self) -> dict[str, Any]:
        """What happened so far, beside the statistics of its players."""
        return {}

    def close(self) -> None:
        """End what the instrument itself started; the clock closes its players."""

    def sounds(self, output: pyo.PyoObject, starts: Mapping[str, Value] | None = None) -> None:
        """Say what is heard, and set every control to its value in `starts`, or its own: the end of an `__init__`."""
        self._output = pyo.Sig(output, mul=self._mul, add=self._add)
        self._base_objs = self._output.getBaseObjects()
        for command in self.commands.values():
            if command.kept:
                start = (starts or {}).get(command.address)
                self._act(command, command.start if start is None else command.read([start]))

    def out(self, *arguments: Any, **named: Any) -> Any:
        """Send the sound to the outputs, as any pyo object does."""
        if not hasattr(self, "_output"):
            raise TypeError(f"{type(self).__name__} has no sound: end its __init__ with self.sounds(...)")
        return super().out(*arguments, **named)

    def do(self, address: str, *values: object, at: int | None = None) -> str:
        """Carry out a command before the next block, or at frame `at`. Raises CommandError, ClockBusy.

        The address may be a pattern of OSC 1.0: "/track/*/mute". Returns what commands that read or write files say
        that they did, else "".
        """
        found = [(command, command.read(values)) for command in self.find(address)]
        if any(command.at_once for command, _ in found):
            said = [command.act(self, *checked) for command, checked in found]
            return ". ".join(filter(None, said))
        inner = at is None and self.clock.ticking  # another command asks for this one
        self.clock.send(lambda: self._carry_out(found, logged=not inner), at, len(found))
        return ""

    def keep(self, address: str, *values: Value) -> None:
        """Note a value that changed without its command."""
        self.values[address] = values
        self.tell(address, *values)

    def tell(self, address: str, *values: Value) -> None:
        """Tell the listeners something that is not kept, such as the step that plays."""
        for listener in self.listeners:
            listener(self.clock.now, address, values)

    def state(self) -> dict[str, list[Value]]:
        """Every kept value by its address."""
        return {address: list(values) for address, values in self.values.items()}

    def save(self, path: str | Path) -> None:
        """Write the values to a JSON file, which `load` reads. Raises OSError."""
        values = {address: each for address, each in self.state().items() if address not in self.unsaved}
        write_values(Path(path), self.public_name, values)

    def load(self, path: str | Path) -> None:
        """Set the values of a saved file, all before the same block. Raises CommandError."""
        values = read_values(Path(path), self.public_name)
        read = [(self._one(address), self._one(address).read(each)) for address, each in values.items()]
        found = [(command, each) for command, each in read if self.values.get(command.address) != each]
        self.clock.send(lambda: self._carry_out(found))

    @request("/save", NAME)
    def save_as(self, name: str) -> str:
        """Save all values as NAME.json in the instrument's folder."""
        path = self.folder / f"{name}.json"
        self.save(path)
        return f"Saved {path}"

    @request("/load", NAME)
    def load_from(self, name: str) -> str:
        """Load the values saved as NAME.json in the instrument's folder."""
        path = self.folder / f"{name}.json"
        self.load(path)
        return f"Loaded {path}"

    def meters(self) -> list[float]:
        """The peak of each track or channel, falling slowly; none if the instrument has no meters."""
        return []

    def screen(self, cursor: Mapping[str, int] = NOWHERE) -> list[str]:
        """Lines of text that show values and meters. `cursor`: a place in each of `counts`, from 0."""
        single = [address for address, command in self.commands.items() if command.kept and address.count("/") == 1]
        texts = [f"{address[1:]} {' '.join(map(_shown, self.values[address]))}" for address in single]
        lines = ["   ".join(f"{text:<16.16}" for text in texts[at : at + 4]) for at in range(0, len(texts), 4)]
        return [*lines, *(f"[{bar(peak, 32)}]" for peak in self.meters())]

    def ctrl(self, map_list: Any = None, title: str | None = None, wxnoserver: bool = False) -> None:
        """Open a window with a slider for each control that is a number."""
        self._map_list = [
            pyo.SLMap(number.low, number.high, "lin", name, self.values[declared.address][0], dataOnly=True)
            for declared in declarations(type(self))
            if (name := declared.property_name) and isinstance(number := declared.arguments[0], Number)
        ]
        super().ctrl(map_list, title, wxnoserver)

    def find(self, address: str) -> list[Command]:
        """The commands at an address, or at all that a pattern matches. Raises CommandError if there are none."""
        if address not in self.commands:
            found = [self.commands[each] for each in matching(address, self.commands)]
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
    """A meter `length` characters wide, from -48 dB to 0 dB."""
    decibels = 20 * math.log10(max(peak, 1e-6))
    full = round(min(max(1 + decibels / METER_DB, 0), 1) * length)
    return "#" * full + " " * (length - full)


def _shown(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _property(declared: Declaration) -> property:
    def read(instrument: Instrument) -> Value:
        return instrument.values[declared.address][0]

    def write(instrument: Instrument, value: object) -> None:
        if not hasattr(instrument, "_output"):
            name = declared.property_name
            raise TypeError(f"{name} is the value of {declared.address}: name the attribute _{name} in __init__")
        instrument.do(declared.address, value)

    return property(read, write, doc=declared.help)
