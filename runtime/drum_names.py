"""What drums are called: in class names, on the lines of a pattern, and on the keys of General MIDI.

This is the only place that knows it. "Kicks", "KICK", "BD", "Bass Drum" and "01 - Kick One-Shots" are the same drum.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache

from ngs.runtime.spelling import composed

FIRST_KEY = 36  # of the first class, if no name fits
# a drum: other words for it; plurals, case, hyphens and joined words are understood without a word of their own
SYNONYMS = {
    "kick": "kick drum, bass drum, bd, kd, kik",
    "snare": "snare drum, sd, snr",
    "rim": "rim shot, side stick, cross stick, stick, rs",
    "clap": "hand clap, clp, cp",
    "snap": "finger snap",
    "hat": "hi hat, high hat, hh",
    "closed hat": "ch, chh, hhc, closed hh",
    "open hat": "oh, ohh, hho, open hh",
    "pedal hat": "ph, phh, hhp, foot hat",
    "tom": "tom tom",
    "low tom": "floor tom, lo tom, lt",
    "mid tom": "middle tom, mt",
    "high tom": "hi tom, ht",
    "crash": "crash cymbal",
    "ride": "ride cymbal",
    "china": "china cymbal, chinese cymbal",
    "splash": "splash cymbal",
    "cymbal": "cym, cymb",
    "cowbell": "cow bell, cb",
    "tambourine": "tamb, tambo",
    "shaker": "shk",
    "wood block": "",
    "percussion": "perc, prc",
    **dict.fromkeys("bongo conga timbale agogo cabasa maraca guiro clave cuica triangle vibraslap whistle".split(), ""),
    "closed": "close, clsd",
}
MODIFIERS = {"closed", "open", "pedal", "low", "mid", "high"}  # no drum by themselves
# a drum: what plays it where there is none, the best first
STAND_INS: dict[str, tuple[str, ...]] = {
    "hat": ("closed hat", "open hat", "cymbal"),
    "closed hat": ("hat", "cymbal"),
    "open hat": ("hat", "cymbal"),
    "pedal hat": ("closed hat", "hat", "cymbal"),
    "low tom": ("tom", "percussion"),
    "mid tom": ("tom", "percussion"),
    "high tom": ("tom", "percussion"),
    "crash": ("cymbal", "ride"),
    "ride": ("cymbal", "crash"),
    "cymbal": ("crash", "ride"),
    "china": ("crash", "cymbal", "ride"),
    "splash": ("crash", "cymbal", "ride"),
    "ride bell": ("ride", "cymbal", "crash"),
    "cowbell": ("bell", "percussion"),
    "cabasa": ("shaker", "percussion"),
    "maraca": ("shaker", "percussion"),
    "wood block": ("block", "percussion"),
    **dict.fromkeys(
        "rim clap snap tambourine vibraslap bongo conga timbale agogo guiro clave cuica triangle shaker "
        "whistle".split(),
        ("percussion",),
    ),
}
# General MIDI 1, "Percussion Key Map"
GENERAL_MIDI = {
    35: "kick", 36: "kick", 37: "rim", 38: "snare", 39: "clap", 40: "snare", 41: "low tom", 42: "closed hat",
    43: "low tom", 44: "pedal hat", 45: "mid tom", 46: "open hat", 47: "mid tom", 48: "high tom", 49: "crash",
    50: "high tom", 51: "ride", 52: "china", 53: "ride bell", 54: "tambourine", 55: "splash", 56: "cowbell",
    57: "crash", 58: "vibraslap", 59: "ride", 60: "bongo", 61: "bongo", 62: "conga", 63: "conga", 64: "conga",
    65: "timbale", 66: "timbale", 67: "agogo", 68: "agogo", 69: "cabasa", 70: "maraca", 71: "whistle", 72: "whistle",
    73: "guiro", 74: "guiro", 75: "clave", 76: "wood block", 77: "wood block", 78: "cuica", 79: "cuica",
    80: "triangle", 81: "triangle", 82: "shaker",
}  # fmt: skip
# what names say beside the drum
FILLERS = frozenset("and of the one shot oneshot single hit sample sound wav audio".split())
# HiHat and OpenHH are two words, BDs is one
_JOINTS = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})")
_WORD = re.compile(r"[^\W\d_]+|\d+")
_LETTERS_ONLY = re.compile(r"[^\W\d_]{2,}([ _-]+[^\W\d_]{2,})*")
_ORDER = re.compile(r"\s*\d{1,2}\s*[-._)\s]\s*(?=[^\W\d_])")  # "01 - " before a name


def _singular(word: str) -> str:
    if re.search(r"(ch|sh|ss|x|zz)es$", word):
        return word[:-2]
    plural = len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is"))
    return word[:-1] if plural or word[-1] == "s" and word[:-1] in _ABBREVIATIONS else word


def _phrases() -> dict[tuple[str, ...], tuple[str, ...]]:
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for drum, others in SYNONYMS.items():
        for phrase in (drum, *others.split(", ")):
            words = tuple(phrase.split())
            found[words] = found["".join(words),] = tuple(drum.split())
    return {phrase: meaning for phrase, meaning in found.items() if phrase != ("",)}


_ABBREVIATIONS = {phrase for others in SYNONYMS.values() for phrase in others.split(", ") if 2 <= len(phrase) <= 3}
_PHRASES = _phrases()
_LONGEST = max(map(len, _PHRASES))
_DRUM_WORDS = frozenset(word for meaning in _PHRASES.values() for word in meaning) - MODIFIERS - {"block"}


@lru_cache(2**14)  # more than the classes of a bundle
def words(name: str) -> tuple[str, ...]:
    """The words of a name, in small letters, singular, and drums by the one word that `SYNONYMS` has for them."""
    text = _JOINTS.sub(" ", unicodedata.normalize("NFKC", name)).replace("&", " and ").replace("'", "")
    spelled = [_singular(word) for word in _WORD.findall(text.casefold()) if word != "s"]
    found, at = list[str](), 0
    while at < len(spelled):
        for length in range(_LONGEST, 0, -1):
            phrase = tuple(spelled[at : at + length])
            if phrase in _PHRASES or length == 1:
                found += _PHRASES.get(phrase, phrase)
                at += len(phrase)
                break
    return tuple(found)


def names_drum(name: str) -> bool:
    """Whether a name has a word for a drum."""
    return not _DRUM_WORDS.isdisjoint(words(name))


@lru_cache(2**14)  # more than the classes of a bundle
def common_name(name: str) -> str:
    """What the spellings of a name have in common: names for which it is the same are one class.

    Names of drums are compared by their words, and other names of letters only by those; else case alone is ignored,
    so that C-1, C1 and C#1 stay apart.
    """
    name = composed(name)
    if names_drum(name) or _LETTERS_ONLY.fullmatch(name):
        spelled = frozenset(words(_ORDER.sub("", name) if names_drum(name) else name))
        return " ".join(sorted(spelled - FILLERS or spelled))
    return name.casefold()


def _any_case(name: str) -> str:
    return composed(name).casefold()


def same_class(name: str, classes: Iterable[str]) -> str | None:
    """The class of that name: as it is, else with other accents or case, else in another spelling; or None."""
    known = tuple(classes)
    if name in known:
        return name
    in_any_case, in_any_spelling = _spellings(known)
    same = in_any_case.get(_any_case(name))
    return in_any_spelling.get(common_name(name)) if same is None else same


@lru_cache(16)
def _spellings(known: tuple[str, ...]) -> tuple[dict[str, str], dict[str, str]]:
    """The first class of each name in small letters, with composed accents, and of each `common_name`."""
    return {_any_case(each): each for each in reversed(known)}, {common_name(each): each for each in reversed(known)}


@lru_cache(16)
def _vocabulary(known: tuple[str, ...]) -> tuple[tuple[str, frozenset[str]], ...]:
    """Each class with its words."""
    return tuple((each, frozenset(words(each))) for each in known)


def fitting_class(name: str, classes: Iterable[str]) -> str | None:
    """The class that plays a drum, or a sound of another name: `same_class`, one whose name also says more, a stand-in.

    Of several, that with the fewest further words, and no loop if there is another. None if there is none.
    """
    return _fitting(name, tuple(classes))


@lru_cache(256)
def _fitting(name: str, known: tuple[str, ...]) -> str | None:
    if (same := same_class(name, known)) is not None:
        return same
    meant = " ".join(words(name))
    for each in (meant, *STAND_INS.get(meant, ())):
        wanted = frozenset(each.split())
        candidates = [(_beside(known_as, wanted), known_as) for known_as, own in _vocabulary(known) if wanted <= own]
        if wanted and candidates:
            return min(candidates, key=lambda candidate: candidate[0])[1]
    return None


def _beside(name: str, wanted: frozenset[str]) -> tuple[bool, int]:
    """How much a name says beside the wanted words; a hat is rather a closed one than an open one."""
    rest = {*words(name)} - wanted - FILLERS
    return "loop" in rest, len(rest) + ("open" in rest)


def drum_class(key: int, classes: Sequence[str]) -> str | None:
    """The class that a key plays: that of its General MIDI drum, else the classes in turn from key 36 on, else None."""
    drum = GENERAL_MIDI.get(key)
    if drum and (found := fitting_class(drum, classes)) is not None:
        return found
    return classes[key - FIRST_KEY] if 0 <= key - FIRST_KEY < len(classes) else None


def in_order(classes: Sequence[str]) -> list[str]:
    """Classes in the order of the drum map, kick and snare first; what is no drum of its own, and loops, come last."""

    def place(name: str) -> tuple[int, int]:
        found = [
            (_beside(name, wanted), key)
            for key, drum in GENERAL_MIDI.items()
            for each in (drum, *STAND_INS.get(drum, ())[:1])
            if (wanted := frozenset(each.split())) <= {*words(name)} and each != "percussion"
        ]
        (loop, further), key = min(found, default=((True, 0), 0))
        return (128, 0) if loop else (key, further)

    return sorted(classes, key=place)
