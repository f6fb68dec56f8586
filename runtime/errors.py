"""What an exception says, fit for a terminal."""

from __future__ import annotations

LONGEST = 300  # characters of a reason


def reason(error: BaseException) -> str:
    """The first line of what an exception says, of at most 300 characters, or its type if it says nothing."""
    text = next((printable(line.strip()) for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return shortened(text, LONGEST)


def shortened(text: str, most: int) -> str:
    """A text of at most `most` characters; one that is longer ends in three dots."""
    return text if len(text) <= most else text[: most - 3] + "..."


def one_line(text: str) -> str:
    """A text in one printable line."""
    return printable(" ".join(part.strip() for part in text.splitlines() if part.strip()))


def printable(text: str) -> str:
    """A text with "?" for control characters, which could move a terminal's cursor: names in files may hold any."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else "?" for character in text)
