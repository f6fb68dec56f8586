"""Are samples new, or copies of training sounds? How far each is from the nearest of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ngs.evaluation.quality.descriptors import description_scale
from ngs.evaluation.quality.profiles import Profile, Profiles, descriptions
from ngs.runtime.arrays import Array

NEARLY_A_COPY = 0.1


@dataclass(frozen=True)
class Novelty:
    """Distances to the nearest training sound, over the distance that training sounds of the class have to each other.

    About 1: as far from the training sounds as they are from each other. 0: a copy, at whatever level.
    """

    median: float
    least: float
    sound: str  # the one that is nearest to a training sound
    nearest: str  # that training sound
    copies: list[tuple[str, str]]  # sounds with a novelty below 0.1, and what they are nearest to


def novelty(training: Profiles, sounds: Profiles, same: bool = False) -> dict[str, Novelty]:
    """Novelty of sounds, class by class, against the training sounds of all classes.

    Distances are Euclidean between descriptions, each number in standard deviations over the training sounds, where
    every class has the same weight. A class needs two training sounds that differ: its unit is the median of their
    distances to the nearest other one. `same`: `sounds` are the training sounds, and each is compared with all others.
    """
    scale = description_scale(descriptions(training))
    known = [one for others in training.values() for one in others]
    rows = np.stack([one.description for one in known]) / scale
    results = {}
    for name in sorted(sounds):
        unit = _unit([one.description / scale for one in training.get(name, ())])
        if unit is not None and sounds[name]:
            results[name] = _measured(sounds[name], known, rows, scale, unit, same)
    return results


def _measured(
    sounds: Sequence[Profile], known: Sequence[Profile], rows: NDArray[np.float64], scale: NDArray[np.float64],
    unit: float, same: bool,
) -> Novelty:  # fmt: skip
    found = []
    for sound in sounds:
        distances = np.linalg.norm(rows - sound.description / scale, axis=1)
        if same:
            distances[[one is sound for one in known]] = np.inf
        at = int(distances.argmin())
        found.append((float(distances[at]) / unit, sound.name, known[at].name))
    least, sound_name, nearest = min(found)
    copies = [(name, near) for value, name, near in found if value < NEARLY_A_COPY]
    return Novelty(float(np.median([value for value, _, _ in found])), least, sound_name, nearest, copies)


def _unit(rows: Sequence[Array | NDArray[np.float64]]) -> float | None:
    """The median distance of rows [D] to the nearest other one; None if there is none, or most are copies."""
    if len(rows) < 2:
        return None
    table, nearest = np.stack(rows), []
    for at, row in enumerate(table):
        distances = np.linalg.norm(table - row, axis=1)
        distances[at] = np.inf
        nearest.append(distances.min())
    return float(np.median(nearest)) or None
