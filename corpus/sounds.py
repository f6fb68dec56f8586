"""Lists sounds: a folder of audio files, a class for each folder in it, more labels from a CSV file."""

from __future__ import annotations

import csv
import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from ngs.corpus.words import counted, listing
from ngs.runtime.bundle.manifest import Attribute

CLASS = "class"
UNNAMED_CLASS = "all"
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
        return Sounds(self.folder, relabelled, tuple(attributes), tuple(remarks))


def find_sounds(data: Path, labels: Path | None = None) -> Sounds:
    """Find the audio files in the folder `data`, except hidden ones, and their classes.

    The class of a file is the folder of `data` that it lies in, at any depth. A folder with files only is one class,
    "all". Files beside class folders are left out. A CSV file (`labels`, or labels.csv in `data`) with the columns
    file, attribute, attribute, ... gives more attributes; a column "class" replaces the folders. Sounds without a row
    or a value have the label -1 there. Raises ValueError if there are no sounds or the CSV file is malformed.
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
    if CLASS not in columns:
        in_folders = {name: path for name, path in paths.items() if "/" in name}
        beside = [name for name in paths if "/" not in name]
        if in_folders and beside:
            remarks.append(f"{counted(len(beside), 'sound')} beside the class folders left out: {listing(beside)}")
            paths = in_folders
        folders = {name: name.split("/")[0] if "/" in name else UNNAMED_CLASS for name in paths}
        columns = {CLASS: folders, **columns}
    if not paths:
        raise ValueError(f"There are no sounds in {data} (WAV, FLAC, AIFF, OGG, MP3, ...)")
    columns = {CLASS: columns.pop(CLASS), **columns}
    if labels is not None:
        remarks += _label_remarks(labels, columns, paths)
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
    return Sounds(data, tuple(files), tuple(attributes), tuple(remarks))


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
