"""Address patterns of OSC 1.0: * ? [abc] [!abc] {one,other}, each within one part of an address."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

from ngs.pyo_instruments.commands.arguments import CommandError

MOST_WILD = 3  # * and {} in one part: each multiplies the ways to match it
WILD = re.compile(r"[*?\[\]{}]")
MARKS = ((r"\*", ".*"), (r"\?", "."), (r"\[!", "[^"), (r"\[", "["), (r"\]", "]"), (r"\-", "-"))


def matching(pattern: str, addresses: Iterable[str]) -> list[str]:
    """The addresses that a pattern matches, in their order. Raises CommandError for one that could take too long."""
    if not WILD.search(pattern):
        return [address for address in addresses if address == pattern]
    compiled = _compiled(pattern)
    return [address for address in addresses if _matches(compiled, address.split("/"))]


@functools.lru_cache(maxsize=64)  # bounded: anybody may send patterns
def _compiled(pattern: str) -> list[re.Pattern[str]]:
    """A regular expression for each part of a pattern."""
    parts = []
    for part in pattern.split("/"):
        text = re.escape(re.sub(r"\*+", "*", part))
        if text.count("*") + text.count("{") > MOST_WILD:
            raise CommandError(f"{pattern} has more than {MOST_WILD} * and {{}} in a part")
        for mark, meaning in MARKS:
            text = text.replace(mark, meaning)
        text = re.sub(r"\\{([^{}]*)\\}", lambda found: f"({found[1].replace(',', '|')})", text)
        try:
            parts.append(re.compile(text))
        except re.error:
            parts.append(re.compile(re.escape(part)))
    return parts


def _matches(pattern: list[re.Pattern[str]], parts: list[str]) -> bool:
    return len(parts) == len(pattern) and all(each.fullmatch(part) for each, part in zip(pattern, parts, strict=True))
