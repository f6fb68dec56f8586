"""Lists sounds: a folder of audio files, classes by its folders, more labels from a CSV file or from file names."""

from __future__ import annotations

import csv
import errno
import os
import stat
from collections import deque
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
import soundfile

from ngs.corpus.naming import classes_of
from ngs.corpus.pitch_names import PITCH, pitches_in
from ngs.corpus.words import counted, listing
from ngs.runtime.bundle.manifest import Attribute
from ngs.runtime.bundle.pitches import pitch
from ngs.runtime.errors import printable
from ngs.runtime.spelling import composed

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
    name: str  # relative to the folder of sounds, with /, printable, of this file alone
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

    What cannot be listed, and what is neither a file nor a folder, is left out with a remark.

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
    paths, remarks = _audio_files(data, labels)
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
    """Paths of the audio files by name, sorted, without hidden ones; and remarks on all others."""
    audio, others, twins = dict[str, Path](), list[str](), list[str]()
    walk = _Walk(data)
    skip = labels.resolve() if labels else None
    for path in walk.files:
        name = _printable(path.relative_to(data).as_posix())
        if path.suffix.lower() in EXTENSIONS:
            if name in audio:
                name = _numbered(name, audio)
                twins.append(name)
            audio[name] = path
        elif skip is None or path.resolve() != skip:
            others.append(name)
    remarks = []
    if others:
        remarks.append(f"{counted(len(others), 'file')} left out, not audio: {listing(sorted(others))}")
    for reason, names in walk.left_out.items():
        remarks.append(f"{len(names)} left out, {reason}: {listing(sorted(names))}")
    if twins:
        remarks.append(f"{counted(len(twins), 'file')} named as another when printed, now: {listing(twins)}")
    return dict(sorted(audio.items())), remarks


def _numbered(name: str, taken: Container[str]) -> str:
    """The name with the first number, from (2) on, that makes it one of its own."""
    stem, suffix = os.path.splitext(name)
    return next(each for number in count(2) if (each := f"{stem} ({number}){suffix}") not in taken)


class _Walk:
    """All regular files in a folder and below, and what else is there.

    Links are followed, those to folders last, and each folder is visited once, as links may loop. Hidden entries are
    passed over. Raises ValueError if the folder itself cannot be listed.
    """

    def __init__(self, data: Path) -> None:
        self.data, self.files = data, list[Path]()
        self.left_out: dict[str, list[str]] = {}  # names by reason
        self._links = deque[Path]()
        try:
            self._seen = {_identity(parent.stat()) for parent in data.resolve().parents}
            self._visit(data)
        except OSError as error:
            raise ValueError(f"{data} cannot be listed: {error.strerror}") from error
        while self._links:
            self._visit(self._links.popleft())

    def _visit(self, top: Path) -> None:
        """Take the files in a folder and in those below it. Raises OSError for the folder that all are in."""
        folders = [top]
        while folders:
            folder = folders.pop()
            try:
                identity = _identity(folder.stat())
                if identity in self._seen:
                    self._leave(folder, "links to folders that they lie in or that are listed elsewhere")
                    continue
                self._seen.add(identity)
                folders += reversed(self._list(folder))
            except OSError as error:
                if folder == self.data:
                    raise
                self._leave(folder, error)

    def _list(self, folder: Path) -> list[Path]:
        """Take the files in a folder; returns the folders in it, links aside."""
        folders = list[Path]()
        for name in sorted(name for name in os.listdir(folder) if not name.startswith(".")):
            path = folder / name
            try:
                mode = path.stat().st_mode
            except OSError as error:
                self._leave(path, error)
                continue
            if stat.S_ISDIR(mode):
                (self._links if path.is_symlink() else folders).append(path)
            elif stat.S_ISREG(mode):
                self.files.append(path)
            else:
                self._leave(path, "neither a file nor a folder")
        return folders

    def _leave(self, path: Path, why: OSError | str) -> None:
        if isinstance(why, OSError):
            broken = isinstance(why, FileNotFoundError) or why.errno == errno.ELOOP
            why = "links that lead nowhere" if broken else f"cannot be opened ({why.strerror})"
        self.left_out.setdefault(why, []).append(_printable(path.relative_to(self.data).as_posix()))


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _printable(name: str) -> str:
    """The name with composed characters (macOS decomposes them), and question marks for what a bundle cannot name.

    Those are control and format characters, spaces but the common one, and bytes that are not UTF-8.
    """
    return printable(composed(name))


def _read_labels(path: Path) -> dict[str, dict[str, str]]:
    """Attribute -> file name -> value, columns in the header's order. Raises ValueError with the line number."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 text") from error
    head = text.split("\n", 1)[0]
    # spreadsheets write semicolons in half of Europe, and tabs for what is copied out of them
    delimiter = next((each for each in ",;\t" if each in head), ",")
    reader = csv.reader(text.splitlines(), delimiter=delimiter, strict=True)
    try:
        header = [_printable(cell.strip()) for cell in next(reader, [])]
        if len(header) < 2 or header[0] != "file" or "" in header or len(set(header)) < len(header):
            raise ValueError(f"{path}, line 1: expected a header such as file,pitch,style, found {head.strip()!r}")
        columns: dict[str, dict[str, str]] = {name: {} for name in header[1:]}
        rows: dict[str, list[str]] = {}
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise ValueError(f"{path}, line {reader.line_num}: expected {len(header)} fields, found {len(row)}")
            name = _printable(row[0].strip().replace("\\", "/").removeprefix("./"))
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
        remarks.append(f"{counted(len(missing), 'row')} of {printable(path.name)} without a sound: {listing(missing)}")
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
