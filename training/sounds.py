"""Finding sounds and their labels: a folder per class, and a labels.csv for more conditions."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

UNNAMED_CLASS = "all"
EXTENSIONS = {f".{name.lower()}" for name in soundfile.available_formats()} | {".aif", ".mp3", ".oga", ".opus"}
EXTENSIONS -= {".raw", ".txt"}  # headerless: nobody can say what they hold


class SoundsError(ValueError):
    """A folder without sounds, or labels that do not fit them."""


@dataclass(frozen=True)
class Attribute:
    """A named condition and its classes, sorted."""

    name: str
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Sounds:
    """Files in a fixed order, with labels [N, A] int32 into the attributes' classes (-1: unknown)."""

    root: Path
    names: tuple[str, ...]  # relative to root, with forward slashes
    attributes: tuple[Attribute, ...]
    labels: np.ndarray
    notes: tuple[str, ...]  # what the user should know


def find_sounds(root: Path, labels: Path | None = None) -> Sounds:
    """List the sounds below `root` and label them.

    The first folder below `root` names the class; files only at the top are one unnamed class. `labels` (default:
    root/labels.csv if there is one) has the columns file, attribute, attribute, ...; a column `class` replaces the
    folders. Raises SoundsError when there is no sound or the table is malformed.
    """
    if not root.is_dir():
        raise SoundsError(f"{root} is not a folder")
    found, others = _list_files(root)
    notes = []
    if others:
        notes.append(f"{_files(others)} left out, not sounds by name: {_some(others)}")
    nested = [name for name in found if "/" in name]
    if nested and len(nested) < len(found):
        loose = [name for name in found if "/" not in name]
        notes.append(f"{_files(loose)} left out, beside the class folders and not in one: {_some(loose)}")
        found = nested
    if not found:
        raise SoundsError(f"There are no sounds in {root}: put WAV, FLAC, AIFF, OGG or MP3 files there, a folder a class")
    values = {name: {"class": name.partition("/")[0] if "/" in name else UNNAMED_CLASS} for name in found}
    table = labels or (root / "labels.csv" if (root / "labels.csv").is_file() else None)
    if table is not None:
        notes.extend(_read_labels(table, values))
    attributes, array = _index(found, values)
    return Sounds(root, tuple(found), attributes, array, tuple(notes))


def _list_files(root: Path) -> tuple[list[str], list[str]]:
    """(sounds, other files) by relative name; hidden files and tables of labels are neither."""
    sounds, others = [], []
    for path in sorted(root.rglob("*")):
        relative = path.relative_to(root)
        if any(part.startswith(".") for part in relative.parts) or not path.is_file():
            continue
        if relative.as_posix() == "labels.csv":
            continue
        (sounds if path.suffix.lower() in EXTENSIONS else others).append(relative.as_posix())
    return sounds, others


def _read_labels(table: Path, values: Mapping[str, dict[str, str]]) -> list[str]:
    """Add the table's attributes to `values`; returns notes."""
    try:
        with open(table, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise SoundsError(f"{table} is not a CSV file in UTF-8 ({error})") from error
    if not rows or len(rows[0]) < 2 or rows[0][0].strip() != "file":
        raise SoundsError(f"{table}, line 1: expected the columns file,attribute,... such as file,pitch")
    header = [column.strip() for column in rows[0]]
    if len(set(header)) < len(header) or not all(header):
        raise SoundsError(f"{table}, line 1: every column needs a name of its own")
    unmatched, labelled = [], set()
    for number, row in enumerate(rows[1:], start=2):
        if not row:
            continue
        if len(row) != len(header):
            raise SoundsError(f"{table}, line {number}: {len(row)} columns, expected {len(header)}")
        name = row[0].strip()
        if name not in values:
            unmatched.append(name)
            continue
        labelled.add(name)
        values[name].update({column: cell.strip() for column, cell in zip(header[1:], row[1:], strict=True)})
    if not labelled:
        raise SoundsError(f"{table}: none of its {len(unmatched)} files is among the sounds, the first: {_some(unmatched)}")
    notes = []
    if unmatched:
        notes.append(f"{table.name}: {len(unmatched)} rows name no sound here: {_some(unmatched)}")
    bare = [name for name in values if name not in labelled]
    if bare:
        notes.append(f"{table.name}: {_files(bare)} without a row, trained without those conditions: {_some(bare)}")
    return notes


def _index(names: list[str], values: Mapping[str, Mapping[str, str]]) -> tuple[tuple[Attribute, ...], np.ndarray]:
    columns = list(dict.fromkeys(column for name in names for column in values[name]))
    attributes, labels = [], np.full((len(names), len(columns)), -1, dtype=np.int32)
    for index, column in enumerate(columns):
        classes = sorted({values[name].get(column, "") for name in names} - {""})
        places = {name: place for place, name in enumerate(classes)}
        labels[:, index] = [places.get(values[name].get(column, ""), -1) for name in names]
        attributes.append(Attribute(column, tuple(classes)))
    return tuple(attributes), labels


def _files(names: list[str]) -> str:
    return "1 file" if len(names) == 1 else f"{len(names)} files"


def _some(names: list[str], count: int = 3) -> str:
    return ", ".join(names[:count]) + (", ..." if len(names) > count else "")
