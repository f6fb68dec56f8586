"""What can be asked of an instrument: one declaration a command, from which OSC, MIDI, files, screens and docs follow.

A method with `@control` is something that has a value: it is kept, saved, and told to who listens. One with `@action`
does something once, one with `@request` reads or writes files. Addresses are OSC's; "{track}" in one stands for each
track, counted from 1 there and from 0 in the method.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

Value = float | int | str
Act = Callable[..., None]


class CommandError(ValueError):
    """A command that does not exist, or arguments that it does not take: one line that says what it takes."""


class Argument(Protocol):
    """One argument of a command."""

    @property
    def name(self) -> str: ...

    @property
    def start(self) -> Any: ...

    def read(self, value: object) -> Value:
        """The value as the method gets it. Raises CommandError."""

    def describe(self) -> str:
        """Type and range in words, for tables."""


@dataclass(frozen=True)
class Number:
    """A number of a range, `start` at first."""

    name: str
    low: float
    high: float
    start: float = 0.0
    unit: str = ""

    def read(self, value: object) -> float:
        number = _number(value)
        if number is None or not self.low <= number <= self.high:  # NaN is nowhere
            raise CommandError(f"{self.name} is {value!r}: choose {self._range}")
        return number

    def describe(self) -> str:
        return f"number, {self._range}"

    @property
    def _range(self) -> str:
        return f"{self.low:g} to {self.high:g}{self.unit and ' ' + self.unit}"


@dataclass(frozen=True)
class Whole:
    """A whole number of a range."""

    name: str
    low: int
    high: int
    start: int = 0

    def read(self, value: object) -> int:
        number = _number(value)
        if number is None or number != round(number) or not self.low <= number <= self.high:
            raise CommandError(f"{self.name} is {value!r}: choose a whole number, {self.low} to {self.high}")
        return round(number)

    def describe(self) -> str:
        return f"whole number, {self.low} to {self.high}"


@dataclass(frozen=True)
class Switch:
    """On or off: 1 or 0."""

    name: str
    start: int = 0

    def read(self, value: object) -> int:
        number = float(value) if isinstance(value, bool) else _number(value)
        if number not in (0, 1):
            raise CommandError(f"{self.name} is {value!r}: choose 1 (on) or 0 (off)")
        return int(number)

    def describe(self) -> str:
        return "1 or 0"


@dataclass(frozen=True)
class Choice:
    """One of some names; upper and lower case are one."""

    name: str
    options: tuple[str, ...]
    start: str = ""

    def read(self, value: object) -> str:
        for option in self.options:
            if isinstance(value, str) and option.lower() == value.lower():
                return option
        raise CommandError(f"{self.name} is {value!r}: choose one of {', '.join(filter(None, self.options))}")

    def describe(self) -> str:
        return f"one of {', '.join(filter(None, self.options))}"


@dataclass(frozen=True)
class ClassName:
    """A class of the bundle's first attribute: its options are known once there is a bundle.

    With `open`, "" is one of them: no class at all.
    """

    name: str = "class"
    start: str = ""
    open: bool = False

    def read(self, value: object) -> str:
        raise CommandError("there is no bundle yet")

    def describe(self) -> str:
        return "a class of the bundle" + ', or "" for none' * self.open

    def of(self, classes: Sequence[str]) -> Choice:
        """With the classes of a bundle."""
        start = self.start or ("" if self.open else classes[0])
        return Choice(self.name, (*classes, "") if self.open else tuple(classes), start)


@dataclass(frozen=True)
class Text:
    """Any text, of a length that a screen can show; `pattern` is a regular expression that all of it matches."""

    name: str
    pattern: str
    words: str  # that say what the pattern is
    start: str = ""

    def read(self, value: object) -> str:
        if not isinstance(value, str) or len(value) > 1024 or not re.fullmatch(self.pattern, value):
            raise CommandError(f"{self.name} is {value!r}: {self.words}")
        return value

    def describe(self) -> str:
        return self.words


@dataclass(frozen=True)
class Command:
    """A command of an instrument, ready to be carried out."""

    address: str
    arguments: tuple[Argument, ...]
    help: str
    act: Act  # called with the instrument and the arguments
    kept: bool  # whether its value is a part of the instrument's state
    at_once: bool = False  # carried out by who asks, not by the clock: it reads or writes files

    def read(self, values: Sequence[object]) -> tuple[Value, ...]:
        """Check the arguments. Raises CommandError."""
        if len(values) != len(self.arguments):
            names = " ".join(argument.name for argument in self.arguments) or "no argument"
            raise CommandError(f"{self.address} takes {names}, not {len(values)} arguments")
        try:
            return tuple(argument.read(value) for argument, value in zip(self.arguments, values, strict=True))
        except CommandError as error:
            raise CommandError(f"{self.address}: {error}") from None

    @property
    def start(self) -> tuple[Value, ...]:
        """What it is set to at first."""
        return self.read([argument.start for argument in self.arguments])


@dataclass(frozen=True)
class Declaration:
    """What a decorated method says of itself."""

    address: str
    arguments: tuple[Argument, ...]
    help: str
    kept: bool
    at_once: bool = False
    method: str = ""

    def commands(self, instrument: object, counts: Mapping[str, int], classes: Sequence[str]) -> list[Command]:
        """The commands of an instrument, one for each track or step where the address has such."""
        arguments = tuple(each.of(classes) if isinstance(each, ClassName) else each for each in self.arguments)
        act = getattr(type(instrument), self.method).raw
        return [
            Command(
                self.at(*numbers),
                arguments,
                self.help,
                functools.partial(_numbered, act, numbers),
                self.kept,
                self.at_once,
            )
            for numbers in itertools.product(*(range(counts[name]) for name in self.places))
        ]

    @property
    def places(self) -> list[str]:
        """What the address counts: "track", "step"."""
        return re.findall(r"{(\w+)}", self.address)

    def at(self, *numbers: int) -> str:
        """The address of a track, a step, counted from 0."""
        return self.address.format(**{name: number + 1 for name, number in zip(self.places, numbers, strict=True)})

    @property
    def property_name(self) -> str:
        """`tempo` of `setTempo`, where there is one value; else ""."""
        single = self.kept and not self.places and len(self.arguments) == 1 and self.method.startswith("set")
        return self.method[3:4].lower() + self.method[4:] if single else ""

    def row(self, counts: Mapping[str, int]) -> tuple[str, str, str]:
        """Address, arguments and meaning, for the tables of docs and `--addresses`."""
        places = [f"{name} 1 to {counts[name]}" for name in self.places]
        parts = [f"{each.name}: {each.describe()}" for each in self.arguments]
        return self.address.replace("{", "<").replace("}", ">"), "; ".join(parts + places), self.help


def control(address: str, *arguments: Argument) -> Callable[[Act], Act]:
    """Declare a method as what sets a value that is kept; its docstring is the help."""
    return _declared(address, arguments, kept=True)


def action(address: str, *arguments: Argument) -> Callable[[Act], Act]:
    """Declare a method as what does something once."""
    return _declared(address, arguments, kept=False)


def request(address: str, *arguments: Argument) -> Callable[[Act], Act]:
    """Declare a method as what reads or writes files: it is carried out at once, by the thread that asks."""
    return _declared(address, arguments, kept=False, at_once=True)


def declarations(kind: type) -> list[Declaration]:
    """Those of a class, in the order they were written, those of its bases first; a method may be redefined."""
    found: dict[str, Declaration] = {}
    for each in reversed(kind.__mro__):
        for name, method in vars(each).items():
            declared = getattr(method, "declaration", None)
            if isinstance(declared, Declaration):
                found[name] = replace(declared, method=name)
    return list(found.values())


def _declared(address: str, arguments: tuple[Argument, ...], kept: bool, at_once: bool = False) -> Callable[[Act], Act]:
    def mark(method: Act) -> Act:
        text = " ".join((method.__doc__ or "").split())
        declaration = Declaration(address, arguments, text, kept, at_once)
        count = len(declaration.places)

        @functools.wraps(method)
        def asked(instrument: Any, *values: object) -> None:
            numbers: Any = values[:count]
            instrument.do(declaration.at(*numbers), *values[count:])

        asked.declaration, asked.raw = declaration, method  # type: ignore[attr-defined]
        return asked

    return mark


def _numbered(act: Act, numbers: tuple[int, ...], instrument: object, *values: Value) -> None:
    """Call the method of a command. It does not hold the instrument, which holds it: no cycle, it goes at once."""
    act(instrument, *numbers, *values)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # of whole numbers without bounds, as JSON has them
        return None
    return number if math.isfinite(number) else None
