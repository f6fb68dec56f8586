"""TODO."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listing(names: Sequence[str], limit: int = 8) -> str:
    """The names in a line; of many the first ones and how many more."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
