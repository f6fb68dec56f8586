"""Are sampled sounds like real ones, and as varied? The Frechet distance between descriptions of both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ngs.evaluation.quality.descriptors import Described, description_scale
from ngs.runtime.arrays import Array
from ngs.runtime.chance import Purpose, generator

DIRECTIONS = 8  # principal components
SPLITS = 10


@dataclass(frozen=True)
class Frechet:
    """Squared Frechet distances, of one class."""

    distance: float  # between real and sampled sounds
    floor: float  # between two halves of the real sounds
    ratio: float | None  # of the two; None if the floor is 0
    sounds: int  # on each side


def frechet_by_class(real: Described, sampled: Described, seed: int) -> dict[str, Frechet]:
    """Frechet distance between sampled and real sounds, class by class, in 8 principal directions of all real sounds.

    Descriptions are divided by their `description_scale`, and the directions scaled to variance 1 over the real sounds,
    with the same weight for each class. The distance of small sets is biased upwards, so distance and floor compare
    sets of one size: half of the real sounds of the class, or all samples, whichever is less. Both are means over 10
    seeded choices. Classes with fewer than 4 real sounds are left out.
    """
    project = _Projection(real)
    results = {}
    for name in sampled:
        size = min(len(real.get(name, ())) // 2, len(sampled[name]))
        if size < 2:
            continue
        ours, theirs = project(real[name]), project(sampled[name])
        values, floors = [], []
        for split in range(SPLITS):
            random = generator(Purpose.FRECHET_SPLITS, (seed, split))
            order = random.permutation(len(ours))
            half, other = ours[order[:size]], ours[order[size : 2 * size]]
            values.append(frechet_distance(half, theirs[random.permutation(len(theirs))[:size]]))
            floors.append(frechet_distance(half, other))
        distance, floor = float(np.mean(values)), float(np.mean(floors))
        results[name] = Frechet(distance, floor, distance / floor if floor > 0 else None, size)
    return results


class _Projection:
    """Projects rows [N, D] on the leading principal components of real sounds, scaled to variance 1: [N, at most 8]."""

    def __init__(self, real: Described) -> None:
        rows = np.concatenate(list(real.values())).astype(np.float64)
        weights = np.concatenate([np.full(len(part), 1 / (len(part) * len(real))) for part in real.values()])[:, None]
        self.mean = (weights * rows).sum(0)
        self.scale = description_scale(real)
        standard = np.sqrt(weights) * (rows - self.mean) / self.scale
        _, singular, components = np.linalg.svd(standard, full_matrices=False)
        kept = int((singular[:DIRECTIONS] > 1e-6 * max(singular[0], 1e-12)).sum())
        self.components = components[:kept].T / singular[:kept]

    def __call__(self, rows: Array) -> NDArray[np.float64]:
        projected: NDArray[np.float64] = ((rows - self.mean) / self.scale) @ self.components
        return projected


def frechet_distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Squared Frechet (2-Wasserstein) distance between Gaussians fitted to rows [N, D] and [M, D].

    |mean difference|^2 + trace(A + B - 2 (A^1/2 B A^1/2)^1/2). The covariances A and B are shrunk towards their
    diagonals by D / (D + rows), so that they have full rank even with fewer rows than directions.
    """
    first, second = _covariance(a), _covariance(b)
    root = _root(first)
    cross = _root(root @ second @ root)
    apart = float(np.sum((a.mean(0) - b.mean(0)) ** 2))
    return max(apart + float(np.trace(first + second - 2 * cross)), 0.0)


def _covariance(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    covariance = np.atleast_2d(np.cov(rows, rowvar=False))
    share = len(covariance) / (len(covariance) + len(rows))
    shrunk: NDArray[np.float64] = (1 - share) * covariance + share * np.diag(np.diag(covariance))
    return shrunk


def _root(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Square root of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    root: NDArray[np.float64] = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root
