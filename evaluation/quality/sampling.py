"""Sampled sounds beside real ones: their class, what tells them apart, how varied and how new they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ngs.corpus.words import listing
from ngs.evaluation.quality.class_agreement import Agreement, agreement, classifier_available
from ngs.evaluation.quality.descriptors import Described
from ngs.evaluation.quality.frechet import Frechet, frechet_by_class
from ngs.evaluation.quality.novelty import Novelty, novelty
from ngs.evaluation.quality.profiles import PAIRED, Profile, Profiles, descriptions, joined, profile
from ngs.evaluation.quality.selection import Progress, bundle_classes
from ngs.evaluation.quality.told_apart import ToldApart, halves, told_apart
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.offline.render import sample


@dataclass(frozen=True)
class Sampling:
    """How sampled sounds compare with real ones, and how other sounds do beside them."""

    samples: int  # of each class
    temperature: float
    agreement: Agreement | None
    told_apart: dict[str, ToldApart]  # by kind: what the bundle makes, and "real": held-back ones from training sounds
    novelty: dict[str, dict[str, Novelty]]  # of "sampled" and of held-back "real" sounds, by class
    frechet: dict[str, Frechet]


@dataclass(frozen=True)
class RealSounds:
    """Profiles of real sounds by class. Without `held_back`, each of the `training` sounds counts as held back."""

    training: Profiles
    held_back: Profiles | None

    @property
    def all(self) -> Profiles:
        """All of them, held-back ones last."""
        return self.training if self.held_back is None else joined(self.training, self.held_back)


def sample_class(bundle: Bundle, name: str, count: int, temperature: float, seed: int) -> list[Array]:
    """The sounds that `ngs render BUNDLE sample --class NAME --count COUNT` draws, float32 [n] each."""
    condition = bundle.condition(name)
    return [sample(bundle, condition, temperature, seed, index) for index in range(count)]


def sample_profiles(
    bundle: Bundle, count: int, temperature: float, seed: int, progress: Progress
) -> dict[str, list[Profile]]:
    """Profiles of samples of every class of the bundle, as they are drawn."""
    names = list(bundle_classes(bundle.manifest)) if count else []
    sampled = {}
    for done, name in enumerate(names):
        progress("Sampling", done, len(names))
        sounds = sample_class(bundle, name, count, temperature, seed)
        sampled[name] = [
            profile(f"sample {index}", sound, bundle.manifest.sample_rate) for index, sound in enumerate(sounds)
        ]
    if names:
        progress("Sampling", len(names), len(names))
    return sampled


def compare_samples(
    real: RealSounds, made: Mapping[str, Profiles], sample_rate: int, count: int, temperature: float, seed: int,
    remarks: list[str],
) -> Sampling:  # fmt: skip
    """Compare what a bundle made, by kind, with real sounds, over the classes of the samples.

    Adds a remark for each class, and each comparison, that is left out, and for samples that are nearly copies.
    """
    sampled = made["sampled"]
    training = {name: sounds for name, sounds in real.training.items() if name in sampled}
    missing = sorted(sampled.keys() - training.keys())
    if missing and training:
        remarks.append(f"No real sounds of {listing(missing)}: their samples are compared with nothing")
    described = {kind: descriptions(sounds) for kind, sounds in made.items()}
    agreed, told = None, dict[str, ToldApart]()
    if not classifier_available():
        remarks.append("Class agreement and telling apart left out: they need scikit-learn (pip install scikit-learn)")
    else:
        if len(training) > 1:
            held_back = None if real.held_back is None else descriptions(real.held_back)
            agreed = agreement(descriptions(training), held_back, described, seed)
        elif sampled:
            remarks.append("Class agreement left out: it needs real sounds of two classes of the bundle, or more")
        if sampled:
            told = _told_apart(real, described, sample_rate, seed)
    return Sampling(
        count, temperature, agreed, told, _novelties(real, sampled, remarks) if training else {},
        frechet_by_class(descriptions(training), described["sampled"], seed) if training else {},
    )  # fmt: skip


def _told_apart(
    real: RealSounds, made: Mapping[str, Described], sample_rate: int, seed: int
) -> dict[str, ToldApart]:  # fmt: skip
    everything = descriptions(real.all)
    floor = halves(everything, seed)
    if real.held_back is not None:
        floor = descriptions(real.training), descriptions(real.held_back)
    found = {"real": told_apart(*floor, sample_rate, seed)} | {
        kind: told_apart(everything, sounds, sample_rate, seed, paired=kind in PAIRED) for kind, sounds in made.items()
    }
    return {kind: told for kind, told in found.items() if told is not None}


def _novelties(real: RealSounds, sampled: Profiles, remarks: list[str]) -> dict[str, dict[str, Novelty]]:
    found = {"sampled": novelty(real.training, {name: sampled[name] for name in sorted(sampled)})}
    if real.held_back is None:
        found["real"] = novelty(real.training, real.training, same=True)
    else:
        found["real"] = novelty(real.training, real.held_back)
    for name, one in found["sampled"].items():
        if one.copies:
            pairs = [f"{sound} of {nearest}" for sound, nearest in one.copies]
            remarks.append(f"Samples of {name} that are nearly copies: {listing(pairs)}")
    return found
