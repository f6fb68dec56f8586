"""Which class a sound has, by its place in the folders below DATA or by its file name.

Packs are laid out in many ways: type/file, kit/type/file, pack/category/type/file. `--class-from` says which level
names the class: `top`, the first folder; `folder`, the one that a file lies in; a number, that many folders down;
`name`, the file name. `proposed` chooses it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

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

Place = tuple[str, ...]  # folders from DATA down


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
    if text.isascii() and text.isdecimal() and 1 <= int(text[:4]) <= DEEPEST:
        return TOP if int(text) == 1 else str(int(text))
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
    if class_from is not None:
        return _classes(names, checked(class_from))
    own = _classes(names, proposed(names))
    if not known:
        return own
    depths = {str(depth) for depth in range(2, 1 + min(max(map(_depth, names), default=0), DEEPEST))}
    others = (_classes(names, each) for each in (TOP, FOLDER, *sorted(depths), NAME))

    def share(found: Classes) -> int:
        numbers = Counter(found.of.values())
        return sum(number for name, number in numbers.items() if same_class(name, known) is not None)

    return max((own, *others), key=share)


def proposed(names: Sequence[str]) -> str:
    """The level that names the classes: that at which most sounds lie in folders named like sounds.

    Where few do, the first level of several folders; below kits, packs and the like, that whose names recur.
    """
    first, deepest = _first_level(names), min(max(map(_depth, names), default=0), DEEPEST)
    shares = {level: _share_known(names, level) for level in range(first, deepest + 1)}
    chosen = max(shares, key=lambda level: (shares[level], -level), default=1)
    if shares.get(chosen, 0) < MOST or shares[chosen] - shares[first] < MOST / 2 and shares[first] >= MOST:
        chosen = first
        if first < deepest and _share_contained(names, first) >= MOST and _recurring(names, first)[1] >= MOST:
            chosen = first + 1
    return checked(str(max(chosen, 1)))


def _classes(names: Sequence[str], class_from: str) -> Classes:
    if class_from == NAME:
        return _by_file_name(names)
    level = {TOP: 1, FOLDER: DEEPEST}.get(class_from) or int(class_from)
    places = {name: _place(name, level) for name in names}
    used = {place for place in places.values() if place}
    around = {place[:depth] for place in used for depth in range(len(place))}
    if used:
        places = {name: at for name, at in places.items() if at and (at not in around or _is_sound(at[-1]))}
    labels = {name: _label(place) if place else UNNAMED_CLASS for name, place in places.items()}
    return Classes(class_from, *_merged(labels, places), _hint(names, class_from, level))


def _merged(labels: Mapping[str, str], places: Mapping[str, Place]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Each sound's class, in the spelling that most sounds have, and the folders of each class."""
    spellings: dict[str, Counter[str]] = {}
    for label in labels.values():
        spellings.setdefault(common_name(label), Counter())[label] += 1
    chosen = {key: min(found, key=lambda label: (-found[label], label)) for key, found in spellings.items()}
    of = {name: chosen[common_name(label)] for name, label in labels.items()}
    where: dict[str, dict[str, None]] = {}
    for name, label in of.items():
        where.setdefault(label, {})["/".join(places[name])] = None
    return of, {label: [*folders] for label, folders in where.items()}


def _by_file_name(names: Sequence[str]) -> Classes:
    """Classes by the first drum or other sound that a file name tells of, else by its first word of its own."""
    stems = {name: _plain(name.rpartition("/")[2].rpartition(".")[0], _NOTE) for name in names}
    spoken = {name: [word for word in re.split(r"[\W\d_]+", stem) if word] for name, stem in stems.items()}
    common = set.intersection(*map(set, spoken.values())) if len(names) > 1 else set()
    labels = {}
    for name in names:
        own = [word for word in words(stems[name]) if not word.isdecimal()]
        rest = [word for word in spoken[name] if word not in common] or spoken[name]
        labels[name] = _sound_in(own) or (rest[0] if rest else UNNAMED_CLASS)
    return Classes(NAME, *_merged(labels, {name: tuple(name.split("/")[:-1]) or (".",) for name in names}))


def _sound_in(own: Sequence[str]) -> str:
    """The first sound that words tell of, with the word before it if that is part of the drum's name, else ""."""
    for at, word in enumerate(own):
        if names_drum(word) or word in SOUNDS:
            around = [each for each in own if each in ("closed", "open", "pedal") and word == "hat"]
            around += [own[at - 1]] if at and word == "tom" and own[at - 1] in ("low", "mid", "high") else []
            return " ".join([*around[:1], word]).title()
    return ""


def _depth(name: str) -> int:
    return name.count("/")


def _place(name: str, level: int) -> Place:
    place = tuple(name.split("/")[:-1])[:level]
    while len(place) > 1 and not _plain(place[-1], _NOTE):
        place = place[:-1]
    return place


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


def _first_level(names: Sequence[str]) -> int:
    """The first level of several folders, or of sounds: packs come in a folder of their own."""
    level, deepest = 1, max(map(_depth, names), default=0)
    while level < min(deepest, DEEPEST):
        deeper = [name for name in names if _depth(name) >= level]
        if len({name.split("/")[level - 1] for name in deeper}) > 1:
            break
        if _is_sound(deeper[0].split("/")[level - 1]):
            break
        loose = len(names) - sum(_depth(name) > level for name in names)
        if loose > LOOSE * len(names):
            break
        level += 1
    return level


def _share(names: Sequence[str], fits: Iterable[bool]) -> float:
    return sum(fits) / len(names) if names else 0.0


def _share_known(names: Sequence[str], level: int) -> float:
    return _share(names, (bool(place := _place(name, level)) and _is_sound(_label(place)) for name in names))


def _share_contained(names: Sequence[str], level: int) -> float:
    places = (_place(name, level) for name in names)
    return _share(names, (bool(place) and not CONTAINERS.isdisjoint(words(place[-1])) for place in places))


def _recurring(names: Sequence[str], level: int) -> tuple[list[str], float]:
    """The names of folders below a level that are in several folders of it, and the share of sounds in those."""
    parents: dict[str, set[Place]] = {}
    below = [place for name in names if len(place := _place(name, level + 1)) == level + 1]
    for place in below:
        parents.setdefault(common_name(_label(place)), set()).add(place[:-1])
    again = [place for place in below if len(parents[common_name(_label(place))]) > 1]
    return sorted({_label(place) for place in again}), len(again) / max(len(names), 1)


def _hint(names: Sequence[str], class_from: str, level: int) -> str:
    if not any("/" in name for name in names):
        found = _by_file_name(names)
        classes = sorted({label for label in found.of.values() if _is_sound(label)})
        if len(classes) > 1 and _share(names, (_is_sound(label) for label in found.of.values())) >= MOST:
            return f"File names tell of {listing(classes)}: --class-from {NAME} makes them the classes"
        return ""
    if class_from == FOLDER or _share_known(names, level) >= MOST:
        return ""
    again, share = _recurring(names, level)
    if share < MOST:
        return ""
    return f"The same folders recur below these: {listing(again)}. If they are the classes: --class-from {level + 1}"


def _title(class_from: str) -> str:
    if class_from in (TOP, FOLDER, NAME):
        places = {
            TOP: "the first folder below DATA",
            FOLDER: "the folder of each sound",
            NAME: "what file names tell of",
        }
        return places[class_from]
    return f"the folders {class_from} below DATA"
