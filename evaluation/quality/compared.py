"""How loud and how crisp sounds are, class by class: real ones, and beside them those that a bundle makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ngs.evaluation.quality.distances import Measures, mean_measures
from ngs.evaluation.quality.profiles import PAIRED, Profile, Profiles

NUMBERS: dict[str, Callable[[Profile], float]] = {
    "loudness": lambda sound: sound.loudness,
    "attack_ms": lambda sound: sound.shape.attack_ms,
    "decay_ms": lambda sound: sound.shape.decay_ms,
    "crest_db": lambda sound: sound.shape.crest_db,
    "sounding_ms": lambda sound: sound.shape.sounding_ms,
}
SPREAD_PERCENTILES = (15.87, 84.13)  # of a normal distribution: a standard deviation to each side


@dataclass(frozen=True)
class Compared:
    """One number of the sounds of a class, by kind of sound: "real", and those that a bundle makes.

    The spread is half of the distance between the 16th and the 84th percentile, which is the standard deviation of a
    normal distribution and hardly heeds outliers. Sounds that are made of a real one are compared with that one:
    `difference` and `ratio` are medians over pairs. Those of sampled sounds are of the medians.
    """

    median: Measures
    spread: Measures
    difference: Measures  # from real sounds; positive is more
    ratio: Measures  # to real sounds


@dataclass(frozen=True)
class Comparison:
    """One number, class by class, and the means of the classes."""

    by_class: dict[str, Compared]
    mean_of_classes: Compared


def compare(
    real: Profiles, originals: Mapping[str, Profiles], made: Mapping[str, Profiles]
) -> dict[str, Comparison]:  # fmt: skip
    """Compare each of NUMBERS. `real` are all real sounds, `originals` those that each of PAIRED is made of."""
    names = sorted({*real, *(name for sounds in made.values() for name in sounds)})
    results = {}
    for number, of in NUMBERS.items():
        by_class = {name: _compared(of, name, real, originals, made) for name in names}
        results[number] = Comparison(by_class, _mean(list(by_class.values())))
    return results


def _compared(
    of: Callable[[Profile], float], name: str, real: Profiles, originals: Mapping[str, Profiles],
    made: Mapping[str, Profiles],
) -> Compared:  # fmt: skip
    def values(sounds: Profiles) -> NDArray[np.float64]:
        return np.array([of(sound) for sound in sounds.get(name, ())])

    known = values(real)
    kinds = {"real": known} | {kind: values(sounds) for kind, sounds in made.items()}
    kinds = {kind: numbers for kind, numbers in kinds.items() if len(numbers)}
    median = {kind: float(np.median(numbers)) for kind, numbers in kinds.items()}
    spread = {kind: float(np.ptp(np.percentile(numbers, SPREAD_PERCENTILES))) / 2 for kind, numbers in kinds.items()}
    difference, ratio = {}, {}
    for kind, numbers in kinds.items():
        if kind == "real" or "real" not in kinds:
            continue
        ours, theirs = (numbers, values(originals[kind])) if kind in PAIRED else (np.median(numbers), np.median(known))
        difference[kind] = float(np.median(ours - theirs))
        if np.all(theirs > 0):
            ratio[kind] = float(np.median(ours / theirs))
    return Compared(median, spread, difference, ratio)


def _mean(classes: Sequence[Compared]) -> Compared:
    median, spread, difference, ratio = (
        mean_measures([getattr(one, field) for one in classes]) for field in ("median", "spread", "difference", "ratio")
    )
    return Compared(median, spread, difference, ratio)
