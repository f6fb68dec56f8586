"""Sampled sounds against real ones: are they taken for the class asked for, are they as varied as real ones?"""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.seeds import Stream, seeded
from ngs.runtime.offline.render import sample

Described = Mapping[str, Array]  # class -> descriptions of its sounds [N, D]
TREES = 300
FOLDS = 5
DIRECTIONS = 8  # principal components that the Frechet distance sees
SPLITS = 10


def sample_class(bundle: Bundle, condition: Array, count: int, temperature: float, seed: int) -> list[Array]:
    """The sounds that `ngs render BUNDLE sample --count COUNT` draws under a condition [C], float32 [n] each."""
    return [sample(bundle, condition, temperature, seed, index) for index in range(count)]


def classifier_available() -> bool:
    """Whether scikit-learn is installed."""
    return importlib.util.find_spec("sklearn") is not None


@dataclass(frozen=True)
class Agreement:
    """How often a classifier of real sounds names the right class; by class, and the mean of the classes."""

    sampled: dict[str, float]
    real: dict[str, float]  # held-back real sounds, the ceiling; classes that have some
    sampled_mean: float
    real_mean: float | None
    ratio: float | None  # of the means over the classes that have both
    taken_for: dict[str, str]  # most frequent wrong class of each class's samples, where there was one
    trained_on: int  # sounds


def agreement(reference: Described, held_back: Described | None, sampled: Described, seed: int) -> Agreement:
    """Train a random forest on `reference` and let it name samples and held-back real sounds.

    Without `held_back` the ceiling is stratified cross-validation over the reference; classes of one sound are
    trained on but have no ceiling. Needs scikit-learn and two classes in `reference`.
    """
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    forest = RandomForestClassifier(TREES, class_weight="balanced_subsample", random_state=seed, n_jobs=1)
    rows = np.concatenate(list(reference.values()))
    names = np.concatenate([np.full(len(rows), name, dtype=object) for name, rows in reference.items()]).astype(str)
    ceiling: dict[str, float] = {}
    if held_back is None:
        sizes = {name: len(rows) for name, rows in reference.items() if len(rows) > 1}
        if len(sizes) > 1:
            chosen = np.isin(names, list(sizes))
            folds = StratifiedKFold(min(FOLDS, min(sizes.values())), shuffle=True, random_state=seed)
            guesses = cross_val_predict(forest, rows[chosen], names[chosen], cv=folds)
            ceiling = {name: float(np.mean(guesses[names[chosen] == name] == name)) for name in sizes}
    forest.fit(rows, names)
    if held_back is not None:
        ceiling = {
            name: float(np.mean(forest.predict(rows) == name)) for name, rows in held_back.items() if name in reference
        }
    named = {name: forest.predict(rows) for name, rows in sampled.items() if name in reference}
    shares = {name: float(np.mean(guesses == name)) for name, guesses in named.items()}
    wrong = {name: Counter(guesses[guesses != name].tolist()).most_common(1) for name, guesses in named.items()}
    both = [name for name in shares if name in ceiling]
    real_mean = float(np.mean([ceiling[name] for name in both])) if both else None
    return Agreement(
        sampled=shares, real=ceiling, sampled_mean=float(np.mean(list(shares.values()))), real_mean=real_mean,
        ratio=float(np.mean([shares[name] for name in both])) / real_mean if real_mean else None,
        taken_for={name: str(most[0][0]) for name, most in wrong.items() if most}, trained_on=len(rows),
    )  # fmt: skip


@dataclass(frozen=True)
class Frechet:
    distance: float  # between real and sampled sounds
    floor: float  # between two halves of the real sounds
    sounds: int  # on each side


def frechet_by_class(real: Described, sampled: Described, seed: int) -> dict[str, Frechet]:
    """Frechet distances of samples to real sounds, a class at a time, in 8 principal directions of all real sounds.

    Directions are scaled to variance 1 over the real sounds, each class weighing the same. Distance and floor are
    between sets of the same size, half of the class's real sounds or all samples, whichever is less, because the
    distance of small sets is biased upwards; both are means over 10 seeded choices. Classes of fewer than 4 real sounds
    are left out.
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
            random = seeded(seed, Stream.FRECHET_SPLITS, split)
            order = random.permutation(len(ours))
            half, other = ours[order[:size]], ours[order[size : 2 * size]]
            values.append(frechet_distance(half, theirs[random.permutation(len(theirs))[:size]]))
            floors.append(frechet_distance(half, other))
        results[name] = Frechet(float(np.mean(values)), float(np.mean(floors)), size)
    return results


class _Projection:
    """Rows [N, D] onto the leading principal components of real sounds, scaled to variance 1: [N, at most 8]."""

    def __init__(self, real: Described) -> None:
        rows = np.concatenate(list(real.values())).astype(np.float64)
        weights = np.concatenate([np.full(len(part), 1 / (len(part) * len(real))) for part in real.values()])[:, None]
        self.mean = (weights * rows).sum(0)
        self.scale = np.sqrt((weights * (rows - self.mean) ** 2).sum(0)) + 1e-6
        standard = np.sqrt(weights) * (rows - self.mean) / self.scale
        _, singular, components = np.linalg.svd(standard, full_matrices=False)
        kept = int((singular[:DIRECTIONS] > 1e-6 * max(singular[0], 1e-12)).sum())
        self.components = components[:kept].T / singular[:kept]

    def __call__(self, rows: Array) -> NDArray[np.float64]:
        projected: NDArray[np.float64] = ((rows - self.mean) / self.scale) @ self.components
        return projected


def frechet_distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Squared Frechet (2-Wasserstein) distance of Gaussians fitted to rows [N, D] and [M, D].

    |mean difference|^2 + trace(A + B - 2 (A^1/2 B A^1/2)^1/2). Covariances are shrunk towards their diagonals by
    D / (D + rows), so that fewer rows than directions still give one of full rank.
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
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    root: NDArray[np.float64] = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root
