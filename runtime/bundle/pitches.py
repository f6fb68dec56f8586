"""Classes that are pitches, by their names. Key 60 is C4, middle C; A4 is 69."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ngs.runtime.bundle.specs import Attribute

PITCH = re.compile(r"([A-G])([#bs♯♭]?)(-?\d)", re.IGNORECASE)
SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
ACCIDENTALS = {"": 0, "#": 1, "♯": 1, "s": 1, "b": -1, "♭": -1}
NUMBERED = ("pitch", "note", "key", "midi")  # attributes whose classes may be key numbers


def pitch(name: str) -> int | None:
    """The key of a pitch name, "A4", "C#3", "Cs3" (as in file names) or "Bb2", or of a key number; else None."""
    if name.isdecimal() and int(name) <= 127:
        return int(name)
    found = PITCH.fullmatch(name)
    if not found:
        return None
    letter, accidental, octave = found.groups()
    return 12 * (int(octave) + 1) + SEMITONES[letter.upper()] + ACCIDENTALS[accidental.lower()]


def pitches_of(attribute: Attribute) -> list[int] | None:
    """The keys of an attribute's classes, or None if not all of them are pitches.

    Numbers count as pitches only if the attribute's name says so.
    """
    numbered = any(name.isdecimal() for name in attribute.classes)
    named = any(word in attribute.name.lower() for word in NUMBERED)
    keys = [key for name in attribute.classes if (key := pitch(name)) is not None]
    return keys if len(keys) == len(attribute.classes) and (named or not numbered) else None


def pitch_attribute(attributes: Iterable[Attribute]) -> Attribute | None:
    """The first attribute whose classes are pitches."""
    return next((each for each in attributes if pitches_of(each) is not None), None)


def pitch_class(key: int, classes: Sequence[str]) -> tuple[str, float]:
    """The class whose pitch is nearest to a key, and the semitones from there to the key.

    Raises ValueError if no class is a pitch.
    """
    found = [(abs(key - at), at, name) for name in classes if (at := pitch(name)) is not None]
    if not found:
        raise ValueError(f"no class is a pitch such as A4 or C#3: {', '.join(classes)}")
    _, nearest, name = min(found)
    return name, float(key - nearest)
