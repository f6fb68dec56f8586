"""What an instrument can be asked to do: one declaration, from which OSC, MIDI, keys, files, screen and docs follow.

`@control` marks a method that sets a value: the value is kept, saved, and sent to listeners. `@action` marks one that
does something once, `@request` one that reads or writes files. Addresses are those of OSC. "{track}" in an address
stands for each track: counted from 1 in addresses, from 0 in methods.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ngs.pyo_instruments.commands.arguments import Argument, ClassName, CommandError, Value

Act = Callable[..., str | None]  # what a request did, in words


@dataclass(frozen=True)
class Command:
    """A command of one instrument, ready to be carried out."""

    address: str
    arguments: tuple[Argument, ...]
    help: str
    act: Act  # called with the instrument and the arguments
    kept: bool  # whether its value is part of the instrument's state
    at_once: bool = False  # carried out by the calling thread, not by the clock: it reads or writes files

    def read(self, values: Sequence[object]) -> tuple[Value, ...]:
        """Check the arguments. Raises CommandError."""
        count = len(self.arguments)
        if len(values) != count:
            names = " ".join(argument.name for argument in self.arguments)
            takes = f"{count} argument{'s' * (count > 1)} ({names})" if count else "no arguments"
            raise CommandError(f"{self.address} takes {takes}, not {len(values)}")
        try:
            return tuple(argument.read(value) for argument, value in zip(self.arguments, values, strict=True))
        except CommandError as error:
            raise CommandError(f"{self.address}: {error}") from None

    @property
    def start(self) -> tuple[Value, ...]:
        """Its first value."""
        return self.read([argument.start for argument in self.arguments])


@dataclass(frozen=True)
class Declaration:
    """What a decorator says about a method."""

    address: str
    arguments: tuple[Argument, ...]
    help: str
    kept: bool
    at_once: bool = False
    method: str = ""

    def commands(self, instrument: object, counts: Mapping[str, int], classes: Sequence[str]) -> list[Command]:
        """The commands of an instrument: one for each track or step that the address counts."""
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
            for numbers in self.numbers(counts)
        ]

    def numbers(self, counts: Mapping[str, int]) -> Iterator[tuple[int, ...]]:
        """Every track, or track and step, that the address counts, from 0; one empty tuple if it counts nothing."""
        return itertools.product(*(range(counts[name]) for name in self.places))

    @property
    def places(self) -> list[str]:
        """What the address counts: "track", "step"."""
        return re.findall(r"{(\w+)}", self.address)

    def at(self, *numbers: int) -> str:
        """The address of one track or step, counted from 0."""
        return self.address.format(**{name: number + 1 for name, number in zip(self.places, numbers, strict=True)})

    @property
    def property_name(self) -> str:
        """`tempo` for `setTempo`, if it sets a single value; else ""."""
        single = self.kept and not self.places and len(self.arguments) == 1 and self.method.startswith("set")
        return self.method[3:4].lower() + self.method[4:] if single else ""

    def row(self, counts: Mapping[str, int]) -> tuple[str, str, str]:
        """Address, arguments and meaning, for the tables of the docs and of `--addresses`."""
        places = [f"{name} 1 to {counts[name]}" for name in self.places]
        parts = [f"{each.name}: {each.describe()}" for each in self.arguments]
        return self.address.replace("{", "<").replace("}", ">"), "; ".join(parts + places), self.help


def control(address: str, *arguments: Argument) -> Callable[[Act], Act]:
    """Declare a method that sets a kept value; its docstring is the help."""
    return _declared(address, arguments, kept=True)


def action(address: str, *arguments: Argument) -> Callable[[Act], Act]:
    """Declare a method that does something once."""
    return _declared(address, arguments, kept=False)


def request(address: str, *arguments: Argument) -> Callable[[Act], Act]:
    """Declare a method that reads or writes files: the calling thread carries it out at once.

    It may return what it did, in words, for the screen.
    """
    return _declared(address, arguments, kept=False, at_once=True)


def declarations(kind: type) -> list[Declaration]:
    """The declarations of a class in the order they were written, those of its bases first.

    A subclass may redefine a method: the later declaration replaces the earlier one, in its place.
    """
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


def _numbered(act: Act, numbers: tuple[int, ...], instrument: object, *values: Value) -> str | None:
    """Call the method of a command. A bound method would hold the instrument in a cycle and delay its end."""
    return act(instrument, *numbers, *values)
