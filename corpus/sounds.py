"""Lists sounds: a folder of audio files, classes by its folders, more labels from a CSV file or from file names."""

from __future__ import annotations

import csv
import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from ngs.corpus.naming import classes_of
from ngs.corpus.pitch_names import PITCH, pitches_in
from ngs.corpus.words import counted, listing
from ngs.runtime.bundle.manifest import Attribute
from ngs.runtime.bundle.pitches import pitch

CLASS = "class"
LABELS_FILE = "labels.csv"
# all that libsndfile reads, except MAT files, whose arrays may be anything, and RAW files, which have no header
EXTENSIONS = frozenset(f".{name.lower()}" for name in soundfile.available_formats()) - {".mat4", ".mat5", ".raw"} | {
    ".aif", ".aifc", ".iff", ".mp2", ".mp3", ".oga", ".opus", ".snd", ".sph", ".wave",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SoundFile:
    """A file and its labels."""

    path: Path
    name: str  # relative to the folder of sounds, with /, printable
    labels: tuple[int, ...]  # class index for each attribute, -1 if unknown


@dataclass(frozen=True)
class Sounds:
    """The sounds of a folder and what they are labelled with."""

    folder: Path
    files: tuple[SoundFile, ...]  # sorted by name
    attributes: tuple[Attribute, ...]  # the class first
    remarks: tuple[str, ...] = ()  # what was left out or is missing, a line each
    class_from: str = ""  # the level that gave the classes; "" if the table did
    understood: tuple[str, ...] = ()  # lines that show the classes and where they lie

    def keep(self, chosen: Sequence[bool]) -> Sounds:
        """The chosen files only. Classes and attributes without a sound are dropped, with a remark."""
        files = [file for file, wanted in zip(self.files, chosen, strict=True) if wanted]
        labels = np.array([file.labels for file in files], dtype=np.int64).reshape(len(files), len(self.attributes))
        attributes, columns, remarks = [], [], list(self.remarks)
        for attribute, column in zip(self.attributes, labels.T, strict=True):
            used = np.unique(column[column >= 0])
            if len(used) < len(attribute.classes):
                gone = [name for i, name in enumerate(attribute.classes) if i not in used]
                remarks.append(f"No sound is left of the {attribute.name} {listing(gone)}")
            if len(used) == 0:
                continue
            attributes.append(Attribute(attribute.name, tuple(attribute.classes[i] for i in used)))
            columns.append(np.where(column >= 0, np.searchsorted(used, column), -1))
        rows = np.stack(columns, 1).tolist() if columns else [[] for _ in files]
        relabelled = tuple(replace(file, labels=tuple(row)) for file, row in zip(files, rows, strict=True))
        return replace(self, files=relabelled, attributes=tuple(attributes), remarks=tuple(remarks))


def find_sounds(
    data: Path, labels: Path | None = None, class_from: str | None = None, pitch_from_names: bool = False,
    known: Sequence[str] = (),
) -> Sounds:  # fmt: skip
    """Find the audio files in the folder `data`, except hidden ones, and their classes.

    The class of a file comes from a folder that it lies in, or from its name: `class_from` says from which, or what
    `naming.classes_of` chooses, with an eye on the `known` classes. A folder with files only is one class, "all".
    Files beside class folders are left out. With `pitch_from_names`, the attribute "pitch" is read from file names.
    A CSV file (`labels`, or labels.csv in `data`) with the columns
    file, attribute, attribute, ... gives more attributes; a column "class" replaces the folders. Sounds without a row
    or a value have the label -1 there. Raises ValueError if there are no sounds, the CSV file is malformed, or no name
    has a pitch.
    """
    if not data.is_dir():
        raise ValueError(f"{data} is not a folder")
    if labels is None and (data / LABELS_FILE).is_file():
        labels = data / LABELS_FILE
    paths, others = _audio_files(data, labels)
    remarks = []
    if others:
        remarks.append(f"{counted(len(others), 'file')} left out, not audio: {listing(others)}")
    columns: dict[str, dict[str, str]] = {} if labels is None else _read_labels(labels)
    level, understood = "", list[str]()
    if CLASS not in columns:
        found = classes_of(list(paths), class_from, known)
        beside = [name for name in paths if name not in found.of]
        if beside:
            remarks.append(f"{counted(len(beside), 'sound')} beside the class folders left out: {listing(beside)}")
            paths = {name: path for name, path in paths.items() if name in found.of}
        columns = {CLASS: dict(found.of), **columns}
        level, understood = found.class_from, found.table()
    if not paths:
        raise ValueError(f"There are no sounds in {data} (WAV, FLAC, AIFF, OGG, MP3, ...)")
    columns = {CLASS: columns.pop(CLASS), **columns}
    if labels is not None:
        remarks += _label_remarks(labels, columns, paths)
    if pitch_from_names:
        columns[PITCH] = _read_pitches(data, columns, paths)
        understood.append(_pitch_line(columns[PITCH], paths))
    attributes, indices = [], []
    for attribute, values in columns.items():
        classes = tuple(sorted({values[name] for name in paths if values.get(name)}))
        index = {value: i for i, value in enumerate(classes)}
        if not classes and attribute == CLASS:
            raise ValueError(f"{labels}: the column class gives no sound in {data} a class")
        if classes:
            attributes.append(Attribute(attribute, classes))
            indices.append([index.get(values.get(name, ""), -1) for name in paths])
    rows = zip(*indices, strict=True)
    files = (SoundFile(path, name, row) for (name, path), row in zip(paths.items(), rows, strict=True))
    return Sounds(data, tuple(files), tuple(attributes), tuple(remarks), level, tuple(understood))


def _audio_files(data: Path, labels: Path | None) -> tuple[dict[str, Path], list[str]]:
    """Paths of the audio files by name, and the names of all other files; sorted, without hidden ones."""
    audio, others = {}, []
    skip = labels.resolve() if labels else None
    for path in _walk(data, set()):
        name = _printable(path.relative_to(data).as_posix())
        if path.suffix.lower() in EXTENSIONS:
            audio[name] = path
        elif path.resolve() != skip:
            others.append(name)
    return dict(sorted(audio.items())), sorted(others)


def _walk(folder: Path, seen: set[tuple[int, int]]) -> Iterable[Path]:
    """All regular files in a folder and below. Links are followed; each folder is visited once, as links may loop."""
    status = folder.stat()
    if (status.st_dev, status.st_ino) in seen:
        return
    seen.add((status.st_dev, status.st_ino))
    with os.scandir(folder) as entries:
        listed = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    for entry in listed:
        if entry.is_dir():
            yield from _walk(Path(entry.path), seen)
        elif entry.is_file():  # not a pipe or a device
            yield Path(entry.path)


def _printable(name: str) -> str:
    """The name with composed characters (macOS decomposes them) and question marks for bytes that are not UTF-8."""
    return unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode("utf-8"))


def _read_labels(path: Path) -> dict[str, dict[str, str]]:
    """Attribute -> file name -> value, columns in the header's order. Raises ValueError with the line number."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text") from error
    head = text.split("\n", 1)[0]
    delimiter = ";" if ";" in head and "," not in head else ","  # spreadsheets write semicolons in half of Europe
    reader = csv.reader(text.splitlines(), delimiter=delimiter, strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if len(header) < 2 or header[0] != "file" or "" in header or len(set(header)) < len(header):
            raise ValueError(f"{path}, line 1: expected a header such as file,pitch,style, found {head.strip()!r}")
        columns: dict[str, dict[str, str]] = {name: {} for name in header[1:]}
        rows: dict[str, list[str]] = {}
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise ValueError(f"{path}, line {reader.line_num}: expected {len(header)} fields, found {len(row)}")
            name = unicodedata.normalize("NFC", row[0].strip().replace("\\", "/").removeprefix("./"))
            values = [_printable(cell.strip()) for cell in row[1:]]
            if rows.setdefault(name, values) != values:
                raise ValueError(f"{path}, line {reader.line_num}: {name} has other labels in an earlier line")
            for column, value in zip(columns.values(), values, strict=True):
                column[name] = value
    except csv.Error as error:
        raise ValueError(f"{path}, line {reader.line_num}: {error}") from error
    return columns


def _label_remarks(path: Path, columns: dict[str, dict[str, str]], paths: dict[str, Path]) -> list[str]:
    remarks = []
    rows = {name for attribute, values in columns.items() if attribute != CLASS for name in values}
    rows |= set(columns[CLASS])
    missing = sorted(rows - paths.keys())
    if missing:
        remarks.append(f"{counted(len(missing), 'row')} of {path.name} without a sound: {listing(missing)}")
    for attribute, values in columns.items():
        unlabelled = [name for name in paths if not values.get(name)]
        if unlabelled:
            remarks.append(f"{counted(len(unlabelled), 'sound')} without {attribute}: {listing(unlabelled)}")
    return remarks


def _read_pitches(data: Path, columns: dict[str, dict[str, str]], paths: dict[str, Path]) -> dict[str, str]:
    """The pitch of each file that has one in its name. Raises ValueError if none has, or the table has pitches."""
    if PITCH in columns:
        raise ValueError("The table of labels already has a column pitch: leave out --pitch-from-names")
    found = pitches_in(list(paths), columns[CLASS])
    if not found:
        raise ValueError(
            f"No file name in {data} has a pitch such as A4, A#3, Bb3 or 060: leave out --pitch-from-names"
        )
    return found


def _pitch_line(found: dict[str, str], paths: dict[str, Path]) -> str:
    spoken = sorted(found.values(), key=lambda name: pitch(name) or 0)
    without = [name for name in paths if name not in found]
    rest = f"; none: {listing(without)}" if without else ""
    return f"{len(found)} of {counted(len(paths), 'name')} have a pitch, {spoken[0]} to {spoken[-1]}{rest}"
