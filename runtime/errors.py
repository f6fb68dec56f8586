"""What an exception says, fit for a terminal."""

from __future__ import annotations


def reason(error: BaseException) -> str:
    """What an exception says, in one printable line."""
    text = next(iter(str(error).splitlines()), "") or type(error).__name__
    return printable(text)[:200]


def printable(text: str) -> str:
    """A text with "?" for control characters, which could move a terminal's cursor: names in files may hold any."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "?" for character in text)
