"""The pitches that file names tell of: A4, A#3, As3, Bb3, or key numbers such as 060. Key 60 is C4, middle C."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from ngs.runtime.bundle.pitches import pitch

PITCH = "pitch"
LOWEST_KEY, HIGHEST_KEY = 12, 127  # of numbers: those below are counters
NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_NOTE = re.compile(r"(?<![^\W_])[A-G][#♯b♭s]?-?\d(?![^\W_])", re.IGNORECASE)
_NUMBER = re.compile(r"(?<![^\W_])(?:midi|note|key|n)?[ _-]?(\d{2,3})(?![^\W_])", re.IGNORECASE)


def key_name(key: int) -> str:
    """The name of a key, with sharps: 70 is A#4."""
    return f"{NAMES[key % 12]}{key // 12 - 1}"


def pitches_in(names: Sequence[str], groups: Mapping[str, str]) -> dict[str, str]:
    """The pitches by name of the sound, as `key_name` writes them; sounds without one are left out.

    `groups` has the class of each sound. In a group, numbers are read only if no name has a note, and only those
    numbers that tell most sounds apart and are all keys from 12 to 127: others count, or are velocities. What all
    names of a group say alike is no pitch, if there are others in them.
    """
    members: dict[str, list[str]] = {}
    for name in names:
        members.setdefault(groups.get(name, ""), []).append(name)
    found: dict[str, int] = {}
    for group in members.values():
        stems = {name: name.rpartition("/")[2].rpartition(".")[0] for name in group}
        found |= _by_notes(stems) or _by_numbers(stems)
    return {name: key_name(key) for name, key in found.items()}


def _by_notes(stems: Mapping[str, str]) -> dict[str, int]:
    spoken = {
        name: [key for text in _NOTE.findall(stem) if (key := pitch(text)) is not None and 0 <= key <= HIGHEST_KEY]
        for name, stem in stems.items()
    }
    common = set.intersection(*map(set, spoken.values())) if spoken else set()
    return {name: [key for key in keys if key not in common or len({*keys}) == 1][-1] for name, keys in spoken.items()
            if keys and (len({*keys}) == 1 or {*keys} - common)}  # fmt: skip


def _by_numbers(stems: Mapping[str, str]) -> dict[str, int]:
    """Keys from that place among the numbers in a name, counted from the first, whose values differ most."""
    spoken = {name: numbers for name, stem in stems.items() if (numbers := [int(n) for n in _NUMBER.findall(stem)])}
    columns = []
    for place in range(max(map(len, spoken.values()), default=0)):
        column = {name: numbers[place] for name, numbers in spoken.items() if place < len(numbers)}
        if all(LOWEST_KEY <= number <= HIGHEST_KEY for number in column.values()):
            columns.append(column)
    best = max(columns, key=lambda column: len({*column.values()}), default={})
    return best if len(stems) == 1 or len({*best.values()}) > 1 else {}
