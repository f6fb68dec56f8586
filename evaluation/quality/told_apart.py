"""Can sounds be told from real ones, and by what? A classifier tries."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ngs.evaluation.quality.descriptors import Described, descriptor_words
from ngs.runtime.arrays import Array
from ngs.runtime.chance import Purpose, generator

TREES = 100
FOLDS = 5
LEAST = 4  # sounds of a class on each side; fewer say nothing


@dataclass(frozen=True)
class ToldApart:
    """How well a classifier tells sounds from real ones: areas under its ROC curve, by class, and their mean.

    The area is the chance that of one real and one other sound it takes the right one for real: 0.5 is guessing, 1 is
    never wrong. Far below 0.5, the sounds are copies of single real ones.
    """

    by_class: dict[str, float]
    mean: float
    goes_by: str  # the part of the description that it heeds most, in words
    more: bool  # whether the sounds have more of it than real ones
    share: float  # of its decisions


def told_apart(
    real: Described, others: Described, sample_rate: int, seed: int, paired: bool = False
) -> ToldApart | None:  # fmt: skip
    """Cross-validate extremely randomised trees on descriptions, five-fold, where class and kind weigh the same.

    `paired`: the others are made of the last real sounds of their class, in that order, and share their folds. Classes
    with fewer than 4 sounds on a side are left out; None if that leaves none. Needs scikit-learn.
    """
    from sklearn.ensemble import ExtraTreesClassifier
    from sklearn.metrics import roc_auc_score

    names = [name for name in others if min(len(others[name]), len(real.get(name, ()))) >= LEAST]
    if not names:
        return None
    rows, other, cells, folds = _gathered([(real[name], others[name]) for name in names], seed, paired)
    scores, importance = np.zeros(len(rows)), np.zeros(rows.shape[1])
    for fold in np.unique(folds):
        out = folds == fold
        weights = 1 / np.maximum(np.bincount(cells[~out], minlength=2 * len(names)), 1)
        forest = ExtraTreesClassifier(TREES, random_state=seed, n_jobs=1)
        forest.fit(rows[~out], other[~out], sample_weight=weights[cells[~out]])
        scores[out] = forest.predict_proba(rows[out])[:, 1]
        importance += forest.feature_importances_
    by_class = {
        name: float(roc_auc_score(other[cells // 2 == at], scores[cells // 2 == at])) for at, name in enumerate(names)
    }
    word, share, more = _heeded(rows, cells, importance / importance.sum(), descriptor_words(sample_rate))
    return ToldApart(by_class, float(np.mean(list(by_class.values()))), word, more, share)


def halves(real: Described, seed: int) -> tuple[dict[str, Array], dict[str, Array]]:
    """Real sounds [N, D] of each class in two halves, drawn by the seed: what can be told apart by chance alone."""
    random = generator(Purpose.TOLD_APART, (seed, 1))
    mixed = {name: rows[random.permutation(len(rows))] for name, rows in real.items()}
    return (
        {name: rows[: len(rows) // 2] for name, rows in mixed.items()},
        {name: rows[len(rows) // 2 :] for name, rows in mixed.items()},
    )


def _gathered(
    classes: list[tuple[Array, Array]], seed: int, paired: bool
) -> tuple[Array, NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]:
    """All rows [N, D]; which are not real; their cells: twice the number of the class, + 1 if not real; their folds."""
    random = generator(Purpose.TOLD_APART, seed)
    rows, cells, folds = list[Array](), list[NDArray[np.int64]](), list[NDArray[np.int64]]()
    for at, (real, others) in enumerate(classes):
        dealt = random.permutation(len(real)) % FOLDS
        rows += [real, others]
        cells += [np.full(len(real), 2 * at), np.full(len(others), 2 * at + 1)]
        folds += [dealt, dealt[-len(others) :] if paired else random.permutation(len(others)) % FOLDS]
    cell = np.concatenate(cells)
    return np.concatenate(rows), cell % 2 == 1, cell, np.concatenate(folds)


def _heeded(
    rows: Array, cells: NDArray[np.int64], importance: NDArray[np.float64], words: list[str]
) -> tuple[str, float, bool]:
    """What is heeded most: its word, its share of the importance, and whether the sounds have more of it."""
    shares: dict[str, float] = {}
    for word, share in zip(words, importance.tolist(), strict=True):
        shares[word] = shares.get(word, 0.0) + share
    most = max(shares, key=lambda word: shares[word])
    here = np.array([word == most for word in words])
    values = rows[:, here].astype(np.float64)
    values = (values / np.maximum(values.std(0), 1e-9)) @ importance[here]
    more = np.mean([
        values[cells == cell + 1].mean() - values[cells == cell].mean() for cell in range(0, int(cells.max()), 2)
    ])  # fmt: skip
    return most, shares[most], bool(more > 0)
