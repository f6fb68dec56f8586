"""Which sounds are measured, and which they are compared with; all are read as training reads them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ngs.corpus.cache import sixteen_bits
from ngs.corpus.reading import decode
from ngs.corpus.slices import checked, slice_name, slices
from ngs.corpus.sounds import SoundFile, Sounds, find_sounds
from ngs.corpus.words import counted, listing
from ngs.evaluation.quality.descriptors import normalised
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.manifest import Manifest
from ngs.runtime.chance import Purpose, generator
from ngs.runtime.drum_names import same_class
from ngs.runtime.dsp.sound_reader import SoundError
from ngs.training.run_folder import RunInfo

Progress = Callable[[str, int, int], None]  # what is being done, how many are done, out of how many


@dataclass(frozen=True)
class Entry:
    """A sound file, or a slice of one, and its labels."""

    file: SoundFile
    name: str  # its class, as the bundle writes it if it has it
    condition: Array  # [C], zeros if the bundle does not know the class
    part: tuple[int, int] | None = None  # first sample and the one after the last of a slice, at the bundle's rate


@dataclass(frozen=True)
class Selection:
    """What is measured, and what it is compared with."""

    test: list[Entry]
    training: list[Entry] | None  # None: each test sound is compared with all the others
    run: RunInfo | None
    remarks: list[str]


def select(
    bundle: Bundle, data: Path, run: Path | None, training: Path | None, labels: Path | None, limit: int | None,
    seed: int, progress: Progress = lambda *_: None,
) -> Selection:  # fmt: skip
    """Decide what is measured: the sounds in `data` that a run held back, or all of them without a run.

    If the run cut its sounds into slices, these are the sounds; finding them reads all files, which `progress` is told.
    They are compared with the run's other sounds, or with those in the folder `training`. `limit` keeps at most that
    many sounds of each class on both sides, drawn by the seed. Raises ValueError if no sound is left or the run is
    not one of `data`.
    """
    info = RunInfo.read(run) if run else None
    if labels is None and info and info.labels and Path(info.labels).is_file():
        labels = Path(info.labels)
    naming = _naming(bundle, info)
    found = find_sounds(data, labels, *naming)
    remarks = list(found.remarks)
    entries = _entries(bundle, found, remarks)
    if info and info.slice:
        entries = _sliced(entries, checked(info.slice), bundle.manifest.sample_rate, progress)
    test, reference = entries, None
    if info:
        wanted = set(info.validation)
        test = [entry for entry in entries if entry.file.name in wanted]
        reference = [entry for entry in entries if entry.file.name not in wanted]
        if not test:
            raise ValueError(f"{data} has none of the sounds that {run} held back")
        missing = sorted(wanted - {entry.file.name for entry in test})
        if missing:
            remarks.append(f"{data} lacks {counted(len(missing), 'sound')} that the run held back: {listing(missing)}")
        if not reference:
            remarks.append("The run was validated on its training sounds: each is compared with all the others")
            reference = None
    elif training:
        other = find_sounds(training, None, *naming)
        remarks += other.remarks
        reference = _entries(bundle, other, remarks)
    if limit is not None:
        test = limited(test, limit, seed)
        reference = reference and limited(reference, limit, seed)
    return Selection(test, reference, info, list(dict.fromkeys(remarks)))


def read(
    entries: Sequence[Entry], sample_rate: int, title: str, remarks: list[str], progress: Progress
) -> Iterator[tuple[int, Entry, Array]]:
    """Read sounds one by one: index, entry and signal, float32 [n].

    Signals are mono, without offset and without silence around them, and have a peak of 0.9; slices are parts of these.
    Files that cannot be used are left out, and `remarks` gets a line that names them. Raises ValueError if no sound is
    left.
    """
    left_out: dict[str, list[str]] = {}
    path, whole = None, np.zeros(0, np.float32)  # slices of a file follow one another
    with tempfile.TemporaryDirectory(prefix="ngs-") as scratch:
        for index, entry in enumerate(entries):
            progress(title, index, len(entries))
            try:
                if entry.file.path != path:
                    whole = decode(entry.file.path, sample_rate, Path(scratch)).samples
                    whole, path = normalised(np.asarray(whole, np.float32)), entry.file.path
            except (SoundError, OSError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                left_out.setdefault(reason, []).append(entry.file.name)
                continue
            yield index, entry, whole[slice(*entry.part)] if entry.part else whole
    progress(title, len(entries), len(entries))
    for reason, names in left_out.items():
        remarks.append(f"{counted(len(names), 'file')} left out ({reason}): {listing(names)}")
    if sum(map(len, left_out.values())) == len(entries):
        raise ValueError(f"No sound can be used: {remarks[-1]}")


def _entries(bundle: Bundle, sounds: Sounds, remarks: list[str]) -> list[Entry]:
    known = bundle_classes(bundle.manifest)
    first = sounds.attributes[0]
    strange = [name for name in first.classes if same_class(name, known) is None]
    if strange == ["all"]:
        remarks.append(f"The sounds have no {first.name}: measured without")
    elif strange:
        remarks.append(f"The bundle has no {first.name} {listing(strange)}: measured without it")
    entries = []
    for file in sounds.files:
        choices = {
            attribute.name: attribute.classes[label]
            for attribute, label in zip(sounds.attributes, file.labels, strict=True)
            if label >= 0
        }
        name = choices.get(first.name, "")
        entries.append(Entry(file, same_class(name, known) or name or "(none)", _condition(bundle, choices)))
    return entries


def _sliced(entries: list[Entry], choice: str, sample_rate: int, progress: Progress) -> list[Entry]:
    """The slices of each sound in its place. A file that cannot be used stays, for `read` to name."""
    result = list[Entry]()
    with tempfile.TemporaryDirectory(prefix="ngs-") as scratch:
        for index, entry in enumerate(entries):
            progress("Slicing", index, len(entries))
            try:
                sound = decode(entry.file.path, sample_rate, Path(scratch))
            except (SoundError, OSError):
                result.append(entry)
                continue
            for start, stop in slices(sixteen_bits(sound.samples, sound.peak), choice, sample_rate):
                file = replace(entry.file, name=slice_name(entry.file.name, start, sample_rate))
                result.append(replace(entry, file=file, part=(start, stop)))
    progress("Slicing", len(entries), len(entries))
    return result


def _naming(bundle: Bundle, info: RunInfo | None) -> tuple[str | None, bool, tuple[str, ...]]:
    """What gives the sounds their classes: what gave them in the run, else what gives most those of the bundle."""
    if info:
        return info.class_from, info.pitch_from_names, ()
    return None, False, bundle_classes(bundle.manifest)


def bundle_classes(manifest: Manifest) -> tuple[str, ...]:
    """The classes of the bundle's first attribute."""
    return manifest.attributes[0].classes if manifest.attributes else ()


def _condition(bundle: Bundle, choices: dict[str, str]) -> Array:
    """The condition [C] of those choices that the bundle knows."""
    condition = np.zeros(bundle.manifest.condition_size, np.float32)
    for name, chosen in choices.items():
        try:
            condition += bundle.condition({name: chosen})
        except ValueError:
            continue
    return condition


def limited(entries: Sequence[Entry], limit: int, seed: int) -> list[Entry]:
    """At most `limit` sounds of each class, drawn by the seed, in the order they had."""
    kept, random = list[int](), generator(Purpose.SELECTION, seed)
    for name in sorted({entry.name for entry in entries}):
        members = [index for index, entry in enumerate(entries) if entry.name == name]
        kept += [members[place] for place in random.permutation(len(members))[:limit].tolist()]
    return [entries[index] for index in sorted(kept)]
