"""What an exception says, fit for a terminal."""

from __future__ import annotations


def reason(error: BaseException) -> str:
    """What an exception says, in one printable line."""
    text = next(iter(str(error).splitlines()), "") or type(error).__name__
    return "".join(character if character.isprintable() else "?" for character in text)[:200]
