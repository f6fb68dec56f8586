"""Are sampled sounds taken for the class that was asked for? A classifier of real sounds decides."""

from __future__ import annotations

import importlib.util
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ngs.evaluation.quality.descriptors import Described
from ngs.runtime.arrays import Array

TREES = 300
FOLDS = 5


def classifier_available() -> bool:
    """Whether scikit-learn is installed."""
    return importlib.util.find_spec("sklearn") is not None


@dataclass(frozen=True)
class Agreement:
    """How often a classifier of real sounds names the class that was asked for: by class, and the mean of classes."""

    sampled: dict[str, float]
    real: dict[str, float]  # held-back real sounds: the ceiling; only classes that have some
    sampled_mean: float
    real_mean: float | None
    ratio: float | None  # of the two means, over the classes that have both
    taken_for: dict[str, str]  # the most frequent wrong answer for each class that has one
    trained_on: int  # how many sounds


def agreement(reference: Described, held_back: Described | None, sampled: Described, seed: int) -> Agreement:
    """Train a random forest on `reference`, and let it name the samples and the held-back real sounds.

    Without `held_back` the ceiling comes from stratified cross-validation over the reference. A class with a single
    sound is trained on, but has no ceiling. Needs scikit-learn and two classes in `reference`.
    """
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(TREES, class_weight="balanced_subsample", random_state=seed, n_jobs=1)
    rows = np.concatenate(list(reference.values()))
    names = np.concatenate([np.full(len(rows), name, dtype=object) for name, rows in reference.items()]).astype(str)
    ceiling = _cross_validated(forest, rows, names, seed) if held_back is None else {}
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


def _cross_validated(forest: Any, rows: Array, names: NDArray[Any], seed: int) -> dict[str, float]:
    """Share of sounds that a forest trained on the others names rightly, by class; classes with two sounds or more."""
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    sizes = {str(name): int((names == name).sum()) for name in dict.fromkeys(names.tolist())}
    sizes = {name: size for name, size in sizes.items() if size > 1}
    if len(sizes) < 2:
        return {}
    chosen = np.isin(names, list(sizes))
    folds = StratifiedKFold(min(FOLDS, min(sizes.values())), shuffle=True, random_state=seed)
    guesses = cross_val_predict(forest, rows[chosen], names[chosen], cv=folds)
    return {name: float(np.mean(guesses[names[chosen] == name] == name)) for name in sizes}
