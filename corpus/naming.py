"""Which class a sound has, by its place in the folders below DATA or by its file name.

Packs are laid out in many ways: type/file, kit/type/file, pack/category/type/file. `--class-from` says which level
names the class: `top`, the first folder; `folder`, the one that a file lies in; a number, that many folders down;
`name`, the file name. `proposed` chooses it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TypeVar

from ngs.corpus.words import counted, listing
from ngs.runtime.drum_names import common_name, names_drum, same_class, words

UNNAMED_CLASS = "all"
TOP, FOLDER, NAME = "top", "folder", "name"
DEEPEST = 16
ROWS = 12  # of the table
MOST = 0.5  # share of the sounds that decides
LOOSE = 0.1  # share of sounds that may lie in a folder around all others
# words of folders that hold classes, and words of classes that are no drums
CONTAINERS = frozenset("kit vol volume pack bank disc disk cd session collection library bundle edition series".split())
SOUNDS = frozenset(
    "bass 808 sub synth lead pad pluck stab chord arp key piano organ guitar string brass horn voice vocal vox "
    "choir fx sfx effect riser downlifter uplifter impact sweep loop break breakbeat fill texture atmosphere "
    "ambience drone noise foley speech flute oboe clarinet bassoon sax saxophone trumpet trombone tuba violin "
    "viola cello contrabass harp marimba xylophone vibraphone glockenspiel celesta timpani accordion harmonica "
    "mallet bell gong kalimba".split()
)
_TEMPO = re.compile(r"(?<![^\W_])\d{2,3}[ _-]?bpm(?![^\W_])|(?<![^\W_])bpm[ _-]?\d{2,3}(?![^\W_])", re.IGNORECASE)
_KEY = re.compile(r"(?<![^\W_])[A-G][#♯b♭]?(m|[ _-]?(min|maj|minor|major|Min|Maj|Minor|Major))(?![^\W_])")
_NOTE = re.compile(r"(?<![^\W_])[A-Ga-g][#♯b♭s]?(-?\d)?(?![^\W_]|[#♯♭])")
_FORMAT = re.compile(
    r"(?<![^\W_])(\d{2}[ _-]?bits?|\d{2,3}([.,]\d)?[ _-]?k(hz)?|wav|aiff?|flac|mp3|ogg)(?![^\W_])", re.IGNORECASE
)
_AROUND = " ._-()[]{},"

T = TypeVar("T")
Place = tuple[str, ...]  # folders from DATA down
Folders = Mapping[Place, int]  # numbers of sounds by the folder that they lie in


class ClassFromError(ValueError):
    """`--class-from` that is no level, or that gives no sound a class."""


@dataclass(frozen=True)
class Classes:
    """The classes of sounds, and how they were found."""

    class_from: str
    of: Mapping[str, str]  # class by name of the sound; those without one lie beside the classes
    places: Mapping[str, Sequence[str]] = field(default_factory=dict)  # where the sounds of each class lie
    hint: str = ""  # a line for the user

    def table(self) -> list[str]:
        """What was understood: a title, and a line for each class with its number of sounds and its folders."""
        if set(self.of.values()) <= {UNNAMED_CLASS}:
            return [self.hint] if self.hint else []
        numbers = Counter(self.of.values())
        wide = max(len(name) for name in sorted(numbers)[:ROWS])
        lines = [f"Classes: {_title(self.class_from)} (--class-from {self.class_from})"]
        for name in sorted(numbers)[:ROWS]:
            first, *others = self.places[name]
            more = f" and {counted(len(others), 'other folder')}" if others else ""
            lines.append(f"  {name:<{wide}}  {numbers[name]:>6}  {first}{more}")
        if len(numbers) > ROWS:
            lines.append(f"  and {len(numbers) - ROWS} more")
        return [*lines, self.hint] if self.hint else lines


def checked(class_from: str) -> str:
    """`--class-from` as it is kept with a run. Raises ClassFromError."""
    text = class_from.strip().lower()
    if text in (TOP, FOLDER, NAME):
        return text
    if text.isascii() and text.isdecimal() and (digits := text.lstrip("0")) and int(digits[:4]) <= DEEPEST:
        return TOP if digits == "1" else digits
    raise ClassFromError(
        f"--class-from {class_from}: choose {TOP}, {FOLDER}, {NAME}, or how many folders down, 1 to {DEEPEST}"
    )


def classes_of(names: Sequence[str], class_from: str | None = None, known: Sequence[str] = ()) -> Classes:
    """The classes of sounds by their names relative to DATA, with /.

    Without `class_from`, the level that gives most sounds one of the `known` classes if there are any, else the one
    that `proposed` chooses. A folder that is only a tempo, a key or a file format names no class, that above it does;
    a sound with fewer folders has the last. Spellings of one name are one class, tempo and key are left out of it.
    Raises ClassFromError.
    """
    folders = {name: tuple(name.split("/")[:-1]) for name in names}
    numbers = Counter(folders.values())
    if class_from is not None:
        return _hinted(_classes(folders, checked(class_from)), numbers)
    own = _classes(folders, _proposed(numbers))
    if not known:
        return _hinted(own, numbers)
    levels = (TOP, FOLDER, *sorted(map(str, range(2, 1 + _deepest(numbers)))), NAME)
    others = (_classes(folders, level) for level in levels if level != own.class_from)

    def share(found: Classes) -> int:
        found_numbers = Counter(found.of.values())
        return sum(number for name, number in found_numbers.items() if same_class(name, known) is not None)

    return _hinted(max((own, *others), key=share), numbers)


def proposed(names: Sequence[str]) -> str:
    """The level that names the classes: that at which most sounds lie in folders named like sounds.

    Where few do, the first level of several folders; below kits, packs and the like, that whose names recur.
    """
    return _proposed(Counter(tuple(name.split("/")[:-1]) for name in names))


def _proposed(folders: Folders) -> str:
    first, deepest = _first_level(folders), _deepest(folders)
    shares = {level: _share_known(folders, level) for level in range(first, deepest + 1)}
    chosen = max(shares, key=lambda level: (shares[level], -level), default=1)
    if shares.get(chosen, 0) < MOST or shares[chosen] - shares[first] < MOST / 2 and shares[first] >= MOST:
        chosen = first
        if first < deepest and _share_contained(folders, first) >= MOST and _recurring(folders, first)[1] >= MOST:
            chosen = first + 1
    return checked(str(max(chosen, 1)))


def _classes(folders: Mapping[str, Place], class_from: str) -> Classes:
    """The classes of sounds by their names, with the folder of each."""
    if class_from == NAME:
        return _by_file_name(folders)
    places = {folder: _place(folder, _level(class_from)) for folder in dict.fromkeys(folders.values())}
    used = {place for place in places.values() if place}
    around = {place[:depth] for place in used for depth in range(len(place))}
    if used:
        places = {folder: at for folder, at in places.items() if at and (at not in around or _is_sound(at[-1]))}
    labels = {folder: _label(place) if place else UNNAMED_CLASS for folder, place in places.items()}
    inside = {name: folder for name, folder in folders.items() if folder in places}
    return Classes(
        class_from,
        *_merged(
            {name: labels[folder] for name, folder in inside.items()},
            {name: places[folder] for name, folder in inside.items()},
        ),
    )


def _level(class_from: str) -> int:
    return {TOP: 1, FOLDER: DEEPEST}.get(class_from) or int(class_from)


def _merged(labels: Mapping[str, str], places: Mapping[str, Place]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Each sound's class, in the spelling that most sounds have, and the folders of each class."""
    spellings: dict[str, Counter[str]] = {}
    for label, number in Counter(labels.values()).items():
        spellings.setdefault(common_name(label), Counter())[label] = number
    chosen = {
        label: min(found, key=lambda label: (-found[label], label)) for found in spellings.values() for label in found
    }
    of = {name: chosen[label] for name, label in labels.items()}
    where: dict[str, dict[str, None]] = {}
    for label, place in dict.fromkeys((label, places[name]) for name, label in of.items()):
        where.setdefault(label, {})["/".join(place)] = None
    return of, {label: [*folders] for label, folders in where.items()}


def _by_file_name(folders: Mapping[str, Place]) -> Classes:
    """Classes by the first drum or other sound that a file name tells of, else by its first word of its own."""
    stems = {name: _plain(name.rpartition("/")[2].rpartition(".")[0], _NOTE) for name in folders}
    spoken = {name: [word for word in re.split(r"[\W\d_]+", stem) if word] for name, stem in stems.items()}
    common = set.intersection(*map(set, spoken.values())) if len(folders) > 1 else set()
    labels = {}
    for name in folders:
        own = [word for word in words(stems[name]) if not word.isdecimal()]
        rest = [word for word in spoken[name] if word not in common] or spoken[name]
        labels[name] = _sound_in(own) or (rest[0] if rest else UNNAMED_CLASS)
    return Classes(NAME, *_merged(labels, {name: folder or (".",) for name, folder in folders.items()}))


def _sound_in(own: Sequence[str]) -> str:
    """The first sound that words tell of, with the word before it if that is part of the drum's name, else ""."""
    for at, word in enumerate(own):
        if names_drum(word) or word in SOUNDS:
            around = [each for each in own if each in ("closed", "open", "pedal") and word == "hat"]
            around += [own[at - 1]] if at and word == "tom" and own[at - 1] in ("low", "mid", "high") else []
            return " ".join([*around[:1], word]).title()
    return ""


def _deepest(folders: Folders) -> int:
    return min(max(map(len, folders), default=0), DEEPEST)


def _place(folder: Place, level: int) -> Place:
    place = folder[:level]
    while len(place) > 1 and not _plain(place[-1], _NOTE):
        place = place[:-1]
    return place


@lru_cache(2**14)
def _plain(name: str, *patterns: re.Pattern[str]) -> str:
    """A name without tempo, key and file format; empty if it says nothing else."""
    for pattern in (_TEMPO, _KEY, _FORMAT, *patterns):
        name = pattern.sub(" ", name)
    return re.sub(r"\(\s*\)|\[\s*\]", " ", name).strip(_AROUND)


def _label(place: Place) -> str:
    """What a folder calls its sounds, without tempo and key, and without the words of the folder above it."""
    label = re.sub(r"\s+", " ", _plain(place[-1])) if _plain(place[-1]) != place[-1] else place[-1]
    label = label or place[-1]
    if len(place) > 1:
        above = {*words(place[-2])}
        kept = [part for part in re.split(r"[\s_]+", label) if not (own := words(part)) or not above.issuperset(own)]
        label = " ".join(kept).strip(_AROUND) if _is_sound(" ".join(kept)) else label
    return label


def _is_sound(name: str) -> bool:
    """Whether a name tells of a sound, and not of what holds several."""
    own = {*words(name)}
    return own.isdisjoint(CONTAINERS) and (names_drum(name) or not own.isdisjoint(SOUNDS))


def _first_level(folders: Folders) -> int:
    """The first level of several folders, or of sounds: packs come in a folder of their own."""
    level, deepest, total = 1, _deepest(folders), sum(folders.values())
    while level < deepest:
        first, *others = {folder[level - 1] for folder in folders if len(folder) >= level}
        if others or _is_sound(first):
            break
        loose = sum(number for folder, number in folders.items() if len(folder) <= level)
        if loose > LOOSE * total:
            break
        level += 1
    return level


def _share(numbers: Mapping[T, int], fits: Callable[[T], bool]) -> float:
    return sum(number for each, number in numbers.items() if fits(each)) / max(sum(numbers.values()), 1)


def _share_known(folders: Folders, level: int) -> float:
    return _share(folders, lambda folder: bool(place := _place(folder, level)) and _is_sound(_label(place)))


def _share_contained(folders: Folders, level: int) -> float:
    return _share(
        folders,
        lambda folder: bool(place := _place(folder, level)) and not CONTAINERS.isdisjoint(words(place[-1])),
    )


def _recurring(folders: Folders, level: int) -> tuple[list[str], float]:
    """The names of folders below a level that are in several folders of it, and the share of sounds in those."""
    places = {folder: _place(folder, level + 1) for folder in folders}
    labels = {place: _label(place) for place in places.values() if len(place) == level + 1}
    parents: dict[str, set[Place]] = {}
    for place, label in labels.items():
        parents.setdefault(common_name(label), set()).add(place[:-1])
    again = {place: label for place, label in labels.items() if len(parents[common_name(label)]) > 1}
    return sorted({*again.values()}), _share(folders, lambda folder: places[folder] in again)


def _hinted(found: Classes, folders: Folders) -> Classes:
    """With a hint, if another level may have been meant."""
    if found.class_from == NAME:
        return found
    if not any(folders):
        labels = Counter(_by_file_name(dict.fromkeys(found.of, ())).of.values())
        classes = sorted(filter(_is_sound, labels))
        if len(classes) > 1 and _share(labels, _is_sound) >= MOST:
            hint = f"File names tell of {listing(classes)}: --class-from {NAME} makes them the classes"
            return replace(found, hint=hint)
        return found
    level = _level(found.class_from)
    if found.class_from == FOLDER or _share_known(folders, level) >= MOST:
        return found
    again, share = _recurring(folders, level)
    if share < MOST:
        return found
    hint = f"The same folders recur below these: {listing(again)}. If they are the classes: --class-from {level + 1}"
    return replace(found, hint=hint)


def _title(class_from: str) -> str:
    if class_from in (TOP, FOLDER, NAME):
        places = {
            TOP: "the first folder below DATA",
            FOLDER: "the folder of each sound",
            NAME: "what file names tell of",
        }
        return places[class_from]
    return f"the folders {class_from} below DATA"
