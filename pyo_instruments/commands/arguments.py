"""Arguments of commands: what each one accepts, and how it describes itself in tables and errors."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ngs.runtime.drum_names import same_class
from ngs.runtime.spelling import composed

Value = float | int | str
LONGEST_TEXT = 1024  # characters


class CommandError(ValueError):
    """An unknown command, or arguments that it does not accept; the message is one line."""


class Argument(Protocol):
    """One argument of a command."""

    @property
    def name(self) -> str: ...

    @property
    def start(self) -> Any: ...

    def read(self, value: object) -> Value:
        """The checked value, in the type that the method gets. Raises CommandError."""

    def describe(self) -> str:
        """Type and range in words."""


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`."""

    name: str
    low: float
    high: float
    start: float = 0.0
    unit: str = ""

    def read(self, value: object) -> float:
        number = _number(value)
        if number is None or not self.low <= number <= self.high:
            raise CommandError(f"{self.name} is {value!r}: choose {self._range}")
        return number

    def describe(self) -> str:
        return f"number, {self._range}"

    @property
    def _range(self) -> str:
        return f"{self.low:g} to {self.high:g}{self.unit and ' ' + self.unit}"


@dataclass(frozen=True)
class Whole:
    """A whole number from `low` to `high`."""

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
    """On (1) or off (0)."""

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
    """One of several names, in upper or lower case."""

    name: str
    options: tuple[str, ...]
    start: str = ""

    def read(self, value: object) -> str:
        for option in self.options:
            if isinstance(value, str) and option.lower() == value.lower():
                return option
        raise CommandError(f"{self.name} is {value!r}: choose one of {self._names}")

    def describe(self) -> str:
        return f"one of {self._names}"

    @property
    def _names(self) -> str:
        return ", ".join(filter(None, self.options))


@dataclass(frozen=True)
class ClassName:
    """A class of the bundle's first attribute; with `open`, "" stands for no class.

    The options are known once a bundle is open: `of` makes a `Choice` of them.
    """

    name: str = "class"
    start: str = ""
    open: bool = False

    def read(self, value: object) -> str:
        raise CommandError("there is no bundle yet")

    def describe(self) -> str:
        return "a class of the bundle" + ', or "" for none' * self.open

    def of(self, classes: Sequence[str]) -> Choice:
        """The choice among a bundle's classes; it starts with the first class, or with none if `open`."""
        start = self.start or ("" if self.open else classes[0])
        return _ClassChoice(self.name, (*classes, "") if self.open else tuple(classes), start)


class _ClassChoice(Choice):
    """One of a bundle's classes, in any spelling."""

    def read(self, value: object) -> str:
        same = same_class(value, self.options) if isinstance(value, str) else None
        return same if same is not None else super().read(value)


@dataclass(frozen=True)
class Text:
    """A text that matches the regular expression `pattern` as a whole; `words` describe it to a user."""

    name: str
    pattern: str
    words: str
    start: str = ""

    def read(self, value: object) -> str:
        if isinstance(value, str) and len(value) <= LONGEST_TEXT:
            text = composed(value)  # \w is no accent by itself
            if re.fullmatch(self.pattern, text):
                return text
        raise CommandError(f"{self.name} is {value!r}: {self.words}")

    def describe(self) -> str:
        return self.words


def _number(value: object) -> float | None:
    """The finite number that a value is, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:  # JSON allows integers of any size
        return None
    return number if math.isfinite(number) else None
