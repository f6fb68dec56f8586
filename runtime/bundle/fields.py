"""Reads fields of untrusted JSON: each reader checks one kind of value, and errors name the field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class BundleError(ValueError):
    """A bundle that cannot be used. Says which file or field, what was expected there, and what was found."""


def wrong(field: str, expected: object, found: object) -> BundleError:
    """The error for a field that is not what was expected; what was found is shown in short."""
    text = found if isinstance(found, str) and found.isprintable() else repr(found)
    text = text if len(text) <= 160 else text[:157] + "..."
    return BundleError(f"manifest.json: {field}: expected {expected}, found {text}")


def as_object(value: object, field: str, most: int = 256) -> dict[str, Any]:
    """An object of at most so many members."""
    if not isinstance(value, dict):
        raise wrong(field, "an object", value)
    if len(value) > most:
        raise wrong(field, f"at most {most} entries", len(value))
    return value


def member(fields: dict[str, Any], key: str, parent: str = "") -> Any:
    """A member that must be present. `parent` goes before its name in the error."""
    if key not in fields:
        raise wrong(f"{parent}{key}", "a value", "none")
    return fields[key]


def as_integer(value: object, field: str, low: int, high: int) -> int:
    """A whole number from `low` to `high`."""
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise wrong(field, low if low == high else f"a whole number from {low} to {high}", value)
    return value


def as_number(value: object, field: str, low: float, high: float) -> float:
    """A number from `low` to `high`."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:  # nor NaN
        raise wrong(field, f"a number from {low:g} to {high:g}", value)
    return float(value)


def as_list(value: object, field: str, most: int, least: int = 0) -> list[Any]:
    """A list of `least` to `most` entries."""
    if not isinstance(value, list | tuple) or not least <= len(value) <= most:
        found = f"{len(value)} entries" if isinstance(value, list | tuple) else value
        raise wrong(field, f"a list of {least} to {most} entries", found)
    return list(value)


def as_text(value: object, field: str, most: int = 256, lines: bool = False) -> str:
    """Printable text of at most so many characters, so that showing it cannot control a terminal."""
    if not isinstance(value, str) or not 0 < len(value) <= most:
        raise wrong(field, f"text of 1 to {most} characters", value)
    if not (value.replace("\n", "").replace("\t", "") if lines else value).isprintable():
        raise wrong(field, "printable text", value)
    return value


def check_distinct(names: Sequence[str], field: str) -> None:
    """Raise BundleError if a name occurs twice."""
    seen = set()
    for name in names:
        if name in seen:
            raise wrong(field, "distinct names", f"{name} twice")
        seen.add(name)


def unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """For json.loads: make an object of its members. Raises BundleError if a name occurs twice."""
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise wrong("content", "each name once", f"{ascii(twice)} twice")
    return members


def refuse_number(name: str) -> None:
    """For json.loads: refuse NaN and infinities."""
    raise wrong("content", "numbers", name)
