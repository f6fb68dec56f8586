"""Measures a bundle on a folder of sounds: `ngs evaluate`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ngs.corpus.words import listing
from ngs.evaluation.quality.baselines import GrainLibrary, MeanSounds
from ngs.evaluation.quality.class_agreement import Agreement, agreement, classifier_available
from ngs.evaluation.quality.descriptors import describe, normalised
from ngs.evaluation.quality.distances import Measures, distances, fitted, mean_measures
from ngs.evaluation.quality.envelope import crispness
from ngs.evaluation.quality.frechet import Frechet, frechet_by_class
from ngs.evaluation.quality.latents import LatentStatistics, LatentUse, embedding_posterior, grain_posterior
from ngs.evaluation.quality.selection import Entry, Progress, bundle_classes, read, select
from ngs.evaluation.quality.spectra import Spectra
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.offline.render import decode_embeddings, reconstruct, sample


@dataclass(frozen=True)
class Options:
    """What `ngs evaluate` may be told."""

    run: Path | None = None
    training: Path | None = None
    labels: Path | None = None
    samples: int = 32  # of each class
    temperature: float = 0.7
    seed: int = 0
    limit: int | None = None  # files of each class, at most


@dataclass(frozen=True)
class Table:
    """Distances by class, and their means over classes and over files. Empty if there was nothing to compare."""

    files: dict[str, int]
    by_class: dict[str, Measures]
    mean_of_classes: Measures
    mean_of_files: Measures


@dataclass(frozen=True)
class Sampling:
    """How sampled sounds compare with real ones."""

    samples: int  # of each class
    temperature: float
    agreement: Agreement | None
    frechet: dict[str, Frechet]


@dataclass(frozen=True)
class Evaluation:
    """Everything that `ngs evaluate` measures."""

    bundle: str
    data: str
    sample_rate: int
    sounds: int
    reference: int | None  # how many sounds; None: each sound was compared with all others
    reconstruction: Table
    through_embedding: Table  # the first `path_length` grains of each sound, through both VAEs
    nearest_grain: Table  # baseline: concatenative synthesis
    mean_sound: Table  # baseline: the class's mean log spectrogram
    grain_latents: LatentUse
    embedding_latents: LatentUse
    sampling: Sampling
    crispness: dict[str, dict[str, Measures]]  # medians by class, of "real", "reconstructed" and "sampled" sounds
    remarks: list[str]


class _Rows:
    """Measures of single sounds, gathered by class."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Measures]] = {}

    def add(self, name: str, measures: Measures) -> None:
        self.rows.setdefault(name, []).append(measures)

    def table(self) -> Table:
        by_class = {name: mean_measures(rows) for name, rows in sorted(self.rows.items())}
        everything = [row for rows in self.rows.values() for row in rows]
        counts = {name: len(self.rows[name]) for name in by_class}
        return Table(counts, by_class, mean_measures(list(by_class.values())), mean_measures(everything))

    def medians(self, name: str) -> Measures:
        rows = self.rows.get(name, [])
        return {measure: float(np.median([row[measure] for row in rows])) for measure in rows[0]} if rows else {}


class _Reference:
    """What reconstructions and samples are compared with: grains, mean sounds, and descriptions by class."""

    def __init__(self, bundle: Bundle, seed: int) -> None:
        self.rate = bundle.manifest.sample_rate
        self.library = GrainLibrary(bundle.manifest.grain_length, self.rate, seed)
        self.means = MeanSounds()
        self.descriptions: dict[str, list[Array]] = {}
        self.count = 0

    def add(self, owner: int, name: str, signal: Array) -> None:
        self.library.add(signal, owner)
        self.means.add(name, Spectra(signal, self.rate))
        self.descriptions.setdefault(name, []).append(describe(signal, self.rate))
        self.count += 1


def evaluate(bundle: Bundle, data: Path, options: Options, progress: Progress = lambda *_: None) -> Evaluation:
    """Measure `bundle` on the sounds in `data`, as `ngs evaluate --help` describes. Raises ValueError, OSError."""
    rate, remarks = bundle.manifest.sample_rate, list[str]()
    selection = select(bundle, data, options.run, options.training, options.labels, options.limit, options.seed)
    remarks += selection.remarks
    test = list(read(selection.test, rate, "Reading sounds", remarks, progress))
    training = None
    if selection.training is not None:
        training = read(selection.training, rate, "Reading the training set", remarks, progress)
    return measure(bundle, data, test, training, options, remarks, progress)


def measure(
    bundle: Bundle, data: Path, test: Sequence[tuple[int, Entry, Array]],
    training: Iterable[tuple[int, Entry, Array]] | None, options: Options, remarks: list[str], progress: Progress,
) -> Evaluation:  # fmt: skip
    """Measure `bundle` on sounds as `read` gives them, against those of `training`; None: each against all others.

    `data` is the folder of the sounds. The evaluation holds the list `remarks`, with more remarks appended.
    """
    rate, own = bundle.manifest.sample_rate, training is None
    reference = _Reference(bundle, options.seed)
    for owner, entry, signal in test if training is None else training:
        reference.add(owner, entry.name, signal)

    measured = _Measured(bundle, reference, own, options.seed)
    for done, (owner, entry, signal) in enumerate(test):
        progress("Reconstructing", done, len(test))
        measured.add(owner, entry, signal)
    progress("Reconstructing", len(test), len(test))
    if not measured.nearest_grain.rows:
        remarks.append("There is one sound only: nothing to compare its reconstruction with")
    sampling = _sampling(bundle, measured, options, remarks, progress)
    return Evaluation(
        bundle=str(bundle.path), data=str(data), sample_rate=rate, sounds=len(test),
        reference=None if own else reference.count,
        reconstruction=measured.reconstruction.table(), through_embedding=measured.through_embedding.table(),
        nearest_grain=measured.nearest_grain.table(), mean_sound=measured.mean_sound.table(),
        grain_latents=measured.grains.result(), embedding_latents=measured.embeddings.result(),
        sampling=sampling, crispness=measured.crispness_medians(), remarks=remarks,
    )  # fmt: skip


class _Measured:
    """Runs sounds through the bundle and the baselines, and gathers what it measures."""

    def __init__(self, bundle: Bundle, reference: _Reference, own: bool, seed: int) -> None:
        self.bundle, self.reference, self.own, self.seed = bundle, reference, own, seed
        self.reconstruction, self.through_embedding, self.nearest_grain, self.mean_sound = (_Rows() for _ in range(4))
        self.grains = LatentStatistics(bundle.manifest.latent_size)
        self.embeddings = LatentStatistics(bundle.manifest.embedding_size)
        self.crispness = {kind: _Rows() for kind in ("real", "reconstructed", "sampled")}
        self.descriptions: dict[str, list[Array]] = {}

    def add(self, owner: int, entry: Entry, signal: Array) -> None:
        bundle, rate, name = self.bundle, self.bundle.manifest.sample_rate, entry.name
        target = Spectra(signal, rate)
        rebuilt = reconstruct(bundle, signal, entry.condition, self.seed)
        self.reconstruction.add(name, distances(target, Spectra(rebuilt, rate)))
        self.crispness["real"].add(name, vars(crispness(signal, rate)))
        self.crispness["reconstructed"].add(name, vars(crispness(rebuilt, rate)))
        self.grains.add(*grain_posterior(bundle, signal))

        embedding, log_variance = embedding_posterior(bundle, signal, entry.condition)
        self.embeddings.add(embedding, log_variance)
        (decoded,) = decode_embeddings(bundle, embedding, entry.condition[None], [self.seed])
        heard = signal[: bundle.manifest.path_length * bundle.manifest.hop_length]
        known = target if len(heard) == len(signal) else Spectra(heard, rate)
        self.through_embedding.add(name, distances(known, Spectra(fitted(decoded, len(heard)), rate)))

        nearest = self.reference.library.rebuild(signal, owner if self.own else -1)
        if nearest is not None:
            self.nearest_grain.add(name, distances(target, Spectra(nearest, rate)))
        mean = self.reference.means.distances(name, target, self.own)
        if mean is not None:
            self.mean_sound.add(name, mean)
        self.descriptions.setdefault(name, []).append(describe(signal, rate))

    def crispness_medians(self) -> dict[str, dict[str, Measures]]:
        names = sorted({name for rows in self.crispness.values() for name in rows.rows})
        return {
            name: {kind: rows.medians(name) for kind, rows in self.crispness.items() if name in rows.rows}
            for name in names
        }


def _sampling(
    bundle: Bundle, measured: _Measured, options: Options, remarks: list[str], progress: Progress
) -> Sampling:  # fmt: skip
    """Sample sounds of every class of the bundle, measure how crisp they are, and compare them with real ones."""
    rate = bundle.manifest.sample_rate
    described = {}
    names = list(bundle_classes(bundle.manifest).values()) if options.samples else []
    for done, name in enumerate(names):
        progress("Sampling", done, len(names))
        sounds = [normalised(sound) for sound in sample_class(bundle, name, options)]
        described[name] = np.stack([describe(sound, rate) for sound in sounds])
        for sound in sounds:
            measured.crispness["sampled"].add(name, vars(crispness(sound, rate)))
    if names:
        progress("Sampling", len(names), len(names))
    held_back = None if measured.own else measured.descriptions
    return _compare(measured.reference.descriptions, held_back, described, options, remarks)


def sample_class(bundle: Bundle, name: str, options: Options) -> list[Array]:
    """The sounds that `ngs render BUNDLE sample --class NAME --count SAMPLES` draws, float32 [n] each."""
    condition = bundle.condition(name)
    return [sample(bundle, condition, options.temperature, options.seed, index) for index in range(options.samples)]


def _compare(
    reference: dict[str, list[Array]], held_back: dict[str, list[Array]] | None, sampled: dict[str, Array],
    options: Options, remarks: list[str],
) -> Sampling:  # fmt: skip
    """Class agreement and Frechet distances, over the classes with both real and sampled sounds.

    Adds a remark for each class, and each comparison, that is left out.
    """
    shared = {name: np.stack(rows) for name, rows in sorted(reference.items()) if name in sampled}
    missing = sorted(sampled.keys() - shared.keys())
    if missing and shared:
        remarks.append(f"No real sounds of {listing(missing)}: their samples are compared with nothing")
    agreed = None
    if len(shared) > 1 and classifier_available():
        held_back_rows = None if held_back is None else {name: np.stack(rows) for name, rows in held_back.items()}
        agreed = agreement(shared, held_back_rows, {name: sampled[name] for name in shared}, options.seed)
    elif len(shared) > 1:
        remarks.append("Class agreement left out: it needs scikit-learn (pip install scikit-learn)")
    elif sampled:
        remarks.append("Class agreement left out: it needs real sounds of two classes of the bundle, or more")
    return Sampling(
        options.samples, options.temperature, agreed, frechet_by_class(shared, sampled, options.seed) if shared else {}
    )
