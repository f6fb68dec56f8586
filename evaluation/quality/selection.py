"""Which sounds are measured and which serve as reference, read as training reads them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ngs.corpus.reading import SoundError, decode
from ngs.corpus.sounds import SoundFile, Sounds, find_sounds
from ngs.corpus.words import counted, listing
from ngs.evaluation.quality.descriptors import normalised
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.manifest import Manifest
from ngs.runtime.bundle.seeds import Stream, seeded

Progress = Callable[[str, int, int], None]  # what is done, how many are done, of how many


@dataclass(frozen=True)
class Entry:
    """A file and what it is labelled."""

    file: SoundFile
    name: str  # of its class; where the bundle has it, as the bundle writes it
    condition: Array  # [C], zeros for what is unknown to the bundle


@dataclass(frozen=True)
class Selection:
    test: list[Entry]
    training: list[Entry] | None  # None: the test sounds are their own reference, each without itself
    remarks: list[str]


def select(
    bundle: Bundle, data: Path, run: Path | None, training: Path | None, labels: Path | None, limit: int | None,
    seed: int,
) -> Selection:  # fmt: skip
    """Decide what is measured: of a run's data the sounds it set apart, else all of `data`.

    `training` is another folder of reference sounds; `limit` keeps that many sounds a class of each side, drawn by the
    seed. Raises ValueError where that leaves no sound, or the run does not belong to `data`.
    """
    apart, run_labels = _read_run(run) if run else ([], None)
    found = find_sounds(data, labels or run_labels)
    remarks = list(found.remarks)
    entries = _entries(bundle, found, remarks)
    test, reference = entries, None
    if run:
        wanted = set(apart)
        test = [entry for entry in entries if entry.file.name in wanted]
        reference = [entry for entry in entries if entry.file.name not in wanted]
        if not test:
            raise ValueError(f"None of the {counted(len(apart), 'sound')} that {run} set apart is in {data}")
        missing = sorted(wanted - {entry.file.name for entry in test})
        if missing:
            remarks.append(f"{counted(len(missing), 'sound')} that the run set apart are not there: {listing(missing)}")
        if not reference:
            remarks.append("The run was validated on the sounds it was trained on: they are their own reference")
            reference = None
    elif training:
        other = find_sounds(training)
        remarks += other.remarks
        reference = _entries(bundle, other, remarks)
    if limit is not None:
        test = limited(test, limit, seed)
        reference = reference and limited(reference, limit, seed)
    return Selection(test, reference, list(dict.fromkeys(remarks)))


def read(
    entries: Sequence[Entry], sample_rate: int, title: str, remarks: list[str], progress: Progress
) -> Iterator[tuple[int, Entry, Array]]:
    """Index, entry and signal of each, float32 [n]: mono, freed of offset and silence around it, at a peak of 0.9.

    What cannot be used is left out, and `remarks` gets a line that names it. Raises ValueError when nothing is left.
    """
    left_out: dict[str, list[str]] = {}
    with tempfile.TemporaryDirectory(prefix="ngs-") as scratch:
        for index, entry in enumerate(entries):
            progress(title, index, len(entries))
            try:
                signal = decode(entry.file.path, sample_rate, Path(scratch)).samples
            except (SoundError, OSError) as error:
                reason = getattr(error, "strerror", None) or str(error)
                left_out.setdefault(reason, []).append(entry.file.name)
                continue
            yield index, entry, normalised(np.asarray(signal, np.float32))
    progress(title, len(entries), len(entries))
    for reason, names in left_out.items():
        remarks.append(f"{counted(len(names), 'file')} left out ({reason}): {listing(names)}")
    if sum(map(len, left_out.values())) == len(entries):
        raise ValueError(f"No sound can be used: {remarks[-1]}")


def _entries(bundle: Bundle, sounds: Sounds, remarks: list[str]) -> list[Entry]:
    known = bundle_classes(bundle.manifest)
    first = sounds.attributes[0]
    strange = [name for name in first.classes if name.lower() not in known]
    if strange == ["all"]:
        remarks.append(f"The sounds have no {first.name}: measured without")
    elif strange:
        remarks.append(f"The bundle has no {first.name} {listing(strange)}: measured without that condition")
    entries = []
    for file in sounds.files:
        choices = {
            attribute.name: attribute.classes[label]
            for attribute, label in zip(sounds.attributes, file.labels, strict=True)
            if label >= 0
        }
        name = choices.get(first.name, "")
        entries.append(Entry(file, known.get(name.lower(), name or "(none)"), _condition(bundle, choices)))
    return entries


def bundle_classes(manifest: Manifest) -> dict[str, str]:
    """The classes of the bundle's first attribute, by their names in lower case."""
    return {name.lower(): name for name in manifest.attributes[0].classes} if manifest.attributes else {}


def _condition(bundle: Bundle, choices: dict[str, str]) -> Array:
    """Condition [C] of those choices that the bundle has."""
    condition = np.zeros(bundle.manifest.condition_size, np.float32)
    for name, chosen in choices.items():
        try:
            condition += bundle.condition({name: chosen})
        except ValueError:
            continue
    return condition


def limited(entries: Sequence[Entry], limit: int, seed: int) -> list[Entry]:
    """At most `limit` sounds of each class, drawn by the seed, in their order."""
    kept, random = list[int](), seeded(seed, Stream.SELECTION)
    for name in sorted({entry.name for entry in entries}):
        members = [index for index, entry in enumerate(entries) if entry.name == name]
        kept += [members[place] for place in random.permutation(len(members))[:limit].tolist()]
    return [entries[index] for index in sorted(kept)]


def _read_run(run: Path) -> tuple[list[str], Path | None]:
    """Names of the sounds that a run set apart, and its file of labels where that is still there."""
    path = run / "run.json"
    if not path.is_file():
        raise ValueError(f"{run} is not a run folder: it has no run.json")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        names, labels = [str(name) for name in document["validation"]], document["labels"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error})") from error
    return names, Path(labels) if labels and Path(labels).is_file() else None
