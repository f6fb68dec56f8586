"""Are sounds taken for the class that was asked for? A classifier of real sounds decides."""

from __future__ import annotations

import importlib.util
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ngs.evaluation.quality.descriptors import Described
from ngs.evaluation.quality.profiles import PAIRED
from ngs.runtime.arrays import Array

TREES = 300
FOLDS = 5
Guesses = dict[str, NDArray[Any]]  # for each class, what its sounds are taken for


def classifier_available() -> bool:
    """Whether scikit-learn is installed."""
    return importlib.util.find_spec("sklearn") is not None


@dataclass(frozen=True)
class Agreement:
    """How often a classifier of real sounds names the class that was asked for, by kind of sound.

    The kinds are "real" (held-back real sounds: the ceiling), "reconstructed", "through_embedding" and "sampled".
    """

    by_class: dict[str, dict[str, float]]  # by kind; only classes that have such sounds
    mean: dict[str, float]  # of the classes, by kind; only kinds that have sounds
    ratio: float | None  # of the means of sampled and real sounds, over the classes that have both
    taken_for: dict[str, str]  # the most frequent wrong answer to samples of each class that has one
    trained_on: int  # how many sounds


def agreement(
    reference: Described, held_back: Described | None, made: Mapping[str, Described], seed: int
) -> Agreement:  # fmt: skip
    """Train a random forest on `reference`, and let it name held-back real sounds, and what a bundle made, by kind.

    Without `held_back`, the paired kinds are made of the reference, in its order, and both are named by forests that
    are trained on other sounds, in a stratified cross-validation. A class with a single sound is trained on, but has
    no ceiling then. Needs scikit-learn and two classes in `reference`.
    """
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(TREES, class_weight="balanced_subsample", random_state=seed, n_jobs=1)
    kinds = {kind: {name: rows for name, rows in sounds.items() if name in reference} for kind, sounds in made.items()}
    crossed: dict[str, Guesses] = {}
    if held_back is None:
        paired = {kind: sounds for kind, sounds in kinds.items() if kind in PAIRED}
        crossed = _cross_validated(forest, {"real": reference} | paired, seed)
    else:
        kinds["real"] = {name: rows for name, rows in held_back.items() if name in reference}
    rows, names = _flat(reference)
    forest.fit(rows, names)
    guesses = {
        kind: {name: forest.predict(rows) for name, rows in sounds.items()}
        for kind, sounds in kinds.items()
        if held_back is not None or kind not in PAIRED
    } | crossed
    shares = {
        kind: {name: float(np.mean(guess == name)) for name, guess in sounds.items()}
        for kind, sounds in guesses.items()
    }
    sampled, real = shares["sampled"], shares["real"]
    both = [name for name in sampled if name in real]
    ceiling = float(np.mean([real[name] for name in both])) if both else 0.0
    wrong = {name: Counter(guess[guess != name].tolist()).most_common(1) for name, guess in guesses["sampled"].items()}
    return Agreement(
        by_class=shares, mean={kind: float(np.mean(list(of.values()))) for kind, of in shares.items() if of},
        ratio=float(np.mean([sampled[name] for name in both])) / ceiling if ceiling else None,
        taken_for={name: str(most[0][0]) for name, most in wrong.items() if most}, trained_on=len(rows),
    )  # fmt: skip


def _cross_validated(forest: Any, kinds: Mapping[str, Described], seed: int) -> dict[str, Guesses]:
    """What forests that were trained on other real sounds take sounds of each kind for; classes with two or more.

    The sounds of all kinds correspond to the real ones, and are named together with them.
    """
    from sklearn.model_selection import StratifiedKFold

    sizes = {name: len(rows) for name, rows in kinds["real"].items() if len(rows) > 1}
    if len(sizes) < 2:
        return {kind: {} for kind in kinds}
    flat = {kind: _flat({name: sounds[name] for name in sizes}) for kind, sounds in kinds.items()}
    rows, names = flat["real"]
    guesses = {kind: np.empty_like(names) for kind in kinds}
    folds = StratifiedKFold(min(FOLDS, min(sizes.values())), shuffle=True, random_state=seed)
    for trained, named in folds.split(rows, names):
        forest.fit(rows[trained], names[trained])
        for kind, (made, _) in flat.items():
            guesses[kind][named] = forest.predict(made[named])
    return {kind: {name: guess[names == name] for name in sizes} for kind, guess in guesses.items()}


def _flat(sounds: Described) -> tuple[Array, NDArray[Any]]:
    """All rows, and the class of each."""
    names = np.concatenate([np.full(len(rows), name, dtype=object) for name, rows in sounds.items()]).astype(str)
    return np.concatenate(list(sounds.values())), names
