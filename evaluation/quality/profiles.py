"""A sound on its own, measured once: its description, its loudness and its shape. What sounds are compared by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ngs.evaluation.quality.descriptors import describe
from ngs.evaluation.quality.envelope import Crispness, crispness
from ngs.runtime.arrays import Array
from ngs.runtime.dsp.loudness import loudness

MADE = ("reconstructed", "through_embedding", "sampled")  # the kinds of sounds that a bundle makes
PAIRED = MADE[:2]  # each of them is made of a real sound


@dataclass(frozen=True)
class Profile:
    """What is measured of one sound. The description leaves its level aside, the loudness does not."""

    name: str  # of its file, or the number of the sample
    description: Array
    loudness: float  # LUFS
    shape: Crispness


Profiles = Mapping[str, Sequence[Profile]]  # class -> its sounds


def profile(name: str, signal: Array, sample_rate: int) -> Profile:
    """Measure one sound, float32 [n] at `sample_rate` Hz."""
    shape = crispness(signal, sample_rate)
    return Profile(name, describe(signal, sample_rate, shape), loudness(signal, sample_rate), shape)


def descriptions(profiles: Profiles) -> dict[str, Array]:
    """Descriptions [N, D] of the sounds of each class, classes in alphabetical order."""
    return {name: np.stack([one.description for one in sounds]) for name, sounds in sorted(profiles.items()) if sounds}


def joined(first: Profiles, second: Profiles) -> dict[str, list[Profile]]:
    """The sounds of both, by class; those of the second come last."""
    return {name: [*first.get(name, ()), *second.get(name, ())] for name in sorted({*first, *second})}
