"""Measures a bundle on a folder of sounds: `ngs evaluate`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ngs.evaluation.quality.by_class import Table
from ngs.evaluation.quality.compared import Comparison, compare
from ngs.evaluation.quality.latents import LatentUse
from ngs.evaluation.quality.rebuilding import Rebuilding, Reference
from ngs.evaluation.quality.sampling import RealSounds, Sampling, compare_samples, sample_profiles
from ngs.evaluation.quality.selection import Entry, Progress, read, select
from ngs.evaluation.quality.transfers import Transfers, measure_transfers, read_sounds
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.temperature import TEMPERATURE


@dataclass(frozen=True)
class Options:
    """What `ngs evaluate` may be told."""

    run: Path | None = None
    training: Path | None = None
    labels: Path | None = None
    samples: int = 32  # of each class
    temperature: float = TEMPERATURE
    seed: int = 0
    limit: int | None = None  # files of each class, at most
    transfers: tuple[Path, ...] = ()  # other sounds to play; none: those that come with ngs


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
    levels: dict[str, Table]  # by time and band, of "reconstructed" sounds and those "through_embedding"
    grain_latents: LatentUse
    embedding_latents: LatentUse
    compared: dict[str, Comparison]  # loudness, attack_ms, decay_ms, crest_db and sounding_ms
    sampling: Sampling
    transfers: Transfers | None  # None: the bundle knows no style
    remarks: list[str]


def evaluate(bundle: Bundle, data: Path, options: Options, progress: Progress = lambda *_: None) -> Evaluation:
    """Measure `bundle` on the sounds in `data`, as `ngs evaluate --help` describes. Raises ValueError, OSError."""
    rate, remarks = bundle.manifest.sample_rate, list[str]()
    selection = select(
        bundle, data, options.run, options.training, options.labels, options.limit, options.seed, progress
    )
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
    own, others = training is None, read_sounds(options.transfers, bundle.manifest.sample_rate)
    reference = Reference(bundle, options.seed)
    for owner, entry, signal in test if training is None else training:
        reference.add(owner, entry, signal)

    rebuilding = Rebuilding(bundle, reference, own, options.seed)
    for done, (owner, entry, signal) in enumerate(test):
        progress("Reconstructing", done, len(test))
        rebuilding.add(owner, entry, signal)
    progress("Reconstructing", len(test), len(test))
    if not rebuilding.nearest_grain.rows:
        remarks.append("There is one sound only: nothing to compare its reconstruction with")

    drawn = options.samples, options.temperature, options.seed
    made = rebuilding.made | {"sampled": sample_profiles(bundle, *drawn, progress)}
    real = RealSounds(reference.profiles, None if own else rebuilding.originals["reconstructed"])
    return Evaluation(
        bundle=str(bundle.path), data=str(data), sample_rate=reference.rate, sounds=len(test),
        reference=None if own else len(reference.by_owner),
        reconstruction=rebuilding.reconstruction.table(), through_embedding=rebuilding.through_embedding.table(),
        nearest_grain=rebuilding.nearest_grain.table(), mean_sound=rebuilding.mean_sound.table(),
        levels={kind: rows.table() for kind, rows in rebuilding.levels.items()},
        grain_latents=rebuilding.grains.result(), embedding_latents=rebuilding.embeddings.result(),
        compared=compare(real.all, rebuilding.originals, made),
        sampling=compare_samples(real, made, reference.rate, *drawn, remarks),
        transfers=measure_transfers(bundle, reference.frames, test, own, others, options.seed, remarks, progress),
        remarks=remarks,
    )  # fmt: skip
