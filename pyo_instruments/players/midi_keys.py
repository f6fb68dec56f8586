"""Which class of a bundle a MIDI key plays: drums by the General MIDI map, pitches by their names.

General MIDI 1, "Percussion Key Map". Key 60 is C4, middle C; A4 is 69.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ngs.runtime.bundle.pitches import pitch

FIRST_KEY = 36  # of the first class, if no name fits
KICK = ("kick", "bass drum", "bassdrum", "bd")
SNARE = ("snare", "sd")
CLOSED_HAT = ("closed hat", "closed hihat", "hat closed", "ch", "hat", "hihat", "hh", "cymbal")
OPEN_HAT = ("open hat", "open hihat", "hat open", "oh", "hat", "hihat", "hh", "cymbal")
LOW_TOM = ("low tom", "floor tom", "tom", "perc", "percussion")
MID_TOM = ("mid tom", "tom", "perc", "percussion")
HIGH_TOM = ("high tom", "hi tom", "tom", "perc", "percussion")
CRASH = ("crash", "cymbal", "ride")
RIDE = ("ride", "cymbal", "crash")
PERCUSSION = ("perc", "percussion")
# key -> names that its class may have, the best first
DRUMS: dict[int, tuple[str, ...]] = {
    35: KICK, 36: KICK,
    37: ("rim", "rimshot", "side stick", "sidestick", "stick", *PERCUSSION), 38: SNARE,
    39: ("clap", "handclap", *PERCUSSION), 40: SNARE,
    41: LOW_TOM, 42: CLOSED_HAT, 43: LOW_TOM, 44: CLOSED_HAT, 45: MID_TOM, 46: OPEN_HAT, 47: MID_TOM, 48: HIGH_TOM,
    49: CRASH, 50: HIGH_TOM, 51: RIDE, 52: ("china", *CRASH), 53: ("ride bell", *RIDE),
    54: ("tambourine", *PERCUSSION), 55: ("splash", *CRASH), 56: ("cowbell", "bell", *PERCUSSION), 57: CRASH,
    58: ("vibraslap", *PERCUSSION), 59: RIDE, 60: ("bongo", *PERCUSSION), 61: ("bongo", *PERCUSSION),
    62: ("conga", *PERCUSSION), 63: ("conga", *PERCUSSION), 64: ("conga", *PERCUSSION),
    65: ("timbale", *PERCUSSION), 66: ("timbale", *PERCUSSION), 67: ("agogo", *PERCUSSION),
    68: ("agogo", *PERCUSSION), 69: ("cabasa", "shaker", *PERCUSSION),
    70: ("maracas", "maraca", "shaker", *PERCUSSION), 73: ("guiro", *PERCUSSION), 74: ("guiro", *PERCUSSION),
    75: ("clave", *PERCUSSION), 76: ("wood block", "woodblock", "block", *PERCUSSION),
    77: ("wood block", "woodblock", "block", *PERCUSSION), 78: ("cuica", *PERCUSSION), 79: ("cuica", *PERCUSSION),
    80: ("triangle", *PERCUSSION), 81: ("triangle", *PERCUSSION), 82: ("shaker", *PERCUSSION),
}  # fmt: skip
WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")


def drum_class(key: int, classes: Sequence[str]) -> str | None:
    """The class that a drum key plays: one named like the drum, else the classes in turn from key 36 on, else None."""
    for name in DRUMS.get(key, ()):
        wanted = set(name.split())
        for each in classes:
            if wanted <= _words(each):
                return each
    return classes[key - FIRST_KEY] if 0 <= key - FIRST_KEY < len(classes) else None


def in_order(classes: Sequence[str]) -> list[str]:
    """Classes in the order of the drum map, kick and snare first; unknown names come last."""
    own = [(key, {*names} - {*PERCUSSION}) for key, names in DRUMS.items()]

    def place(name: str) -> int:
        return next((key for key, names in own if any(set(each.split()) <= _words(name) for each in names)), 128)

    return sorted(classes, key=place)


def pitch_class(key: int, classes: Sequence[str]) -> tuple[str, float]:
    """The class whose pitch is nearest to a key, and the semitones from there to the key.

    Raises ValueError if no class is a pitch.
    """
    found = [(abs(key - at), at, name) for name in classes if (at := pitch(name)) is not None]
    if not found:
        raise ValueError(f"no class is a pitch such as A4 or C#3: {', '.join(classes)}")
    _, nearest, name = min(found)
    return name, float(key - nearest)


def _words(name: str) -> set[str]:
    """The words of a class name, lower-case and singular, so that HiHat, hi-hat and Hihats are the same."""
    words = [word.lower() for word in WORD.findall(name)]
    words = [word[:-1] if word.endswith("s") and len(word) > 3 and not word.endswith("ss") else word for word in words]
    pairs = [first + second for first, second in zip(words, words[1:], strict=False)]
    return {*words, *pairs}
