"""Frames of sounds and their timbres: which real ones are nearest, and which class a frame is heard as."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ngs.evaluation.quality.distances import Measures
from ngs.evaluation.quality.envelope import SOUNDING
from ngs.evaluation.quality.spectra import power_stft
from ngs.runtime.arrays import Array
from ngs.runtime.chance import Purpose, generator
from ngs.runtime.dsp.timbre import timbre

MOST_FRAMES = 20000
BLOCK = 256  # frames that are looked up at a time
TREES, FOLDS = 100, 3
DECIBELS = 20 / np.log(10)  # of a neper


def frame_timbres(signal: Array, sample_rate: int, window_length: int) -> tuple[Array, NDArray[np.bool_]]:
    """The timbres [F, B] of the frames of a signal [n], and which of them are heard, [F].

    Frames are those of `power_stft`, timbres those of `ngs.runtime.dsp.timbre`, so scaled that their Euclidean distance
    is the root mean square over mel bands, in dB. Heard is what is within 40 dB of the loudest frame.
    """
    power = power_stft(signal, window_length)
    nepers = timbre(np.sqrt(power), sample_rate)
    energy = power.sum(1)
    rows: Array = (DECIBELS / np.sqrt(nepers.shape[1]) * nepers).astype(np.float32)
    return rows, energy > SOUNDING**2 * energy.max(initial=0.0)


def mean_change(rows: Array, heard: NDArray[np.bool_]) -> float | None:
    """The mean distance of the timbres [F, B] of frames that follow each other; None if no two of them are heard."""
    both = heard[1:] & heard[:-1]
    return float(np.linalg.norm(rows[1:] - rows[:-1], axis=1)[both].mean()) if both.any() else None


class FrameLibrary:
    """The timbres of heard frames of real sounds: at most `most`, as many of each class as far as it has them.

    The seed draws them. They are `rows` [N, B]; `names` [N] has their classes, `owners` [N] numbers of their sounds.
    """

    def __init__(self, seed: int, most: int = MOST_FRAMES) -> None:
        self._random, self._most = generator(Purpose.TRANSFER_FRAMES, seed), most
        self._parts: list[tuple[Array, NDArray[Any], NDArray[np.int64], NDArray[np.float64]]] = []

    def add(self, rows: Array, name: str, owner: int) -> None:
        """Add frames [F, B] of a sound of the class `name`. `owner` is a number for the sound."""
        count = len(rows)
        names, owners = np.full(count, name, object), np.full(count, owner, np.int64)
        self._parts.append((rows, names, owners, self._random.random(count)))
        if sum(len(part[0]) for part in self._parts) > 2 * self._most:
            self._merge()

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def rows(self) -> Array:
        return self._merge()[0]

    @property
    def names(self) -> NDArray[Any]:
        return self._merge()[1]

    @property
    def owners(self) -> NDArray[np.int64]:
        return self._merge()[2]

    def distances(self, rows: Array, owners: NDArray[np.int64] | None = None) -> Array:
        """The distances [N], in dB, of timbres [N, B] to the nearest frame of the library.

        Those of the sounds `owners` [N] do not count. Infinite where there is none.
        """
        known, _, of, _ = self._merge()
        squares = np.square(known).sum(1)
        nearest = np.full(len(rows), np.inf, np.float32)
        for at in range(0, len(rows) if len(known) else 0, BLOCK):
            block = rows[at : at + BLOCK]
            distances = squares - 2 * block @ known.T
            if owners is not None:
                distances[owners[at : at + BLOCK, None] == of] = np.inf
            nearest[at : at + BLOCK] = distances.min(1) + np.square(block).sum(1)
        return np.sqrt(np.maximum(nearest, 0))

    def _merge(self) -> tuple[Array, NDArray[Any], NDArray[np.int64], NDArray[np.float64]]:
        """All parts as one, with at most `most` frames: the first of each class, in the order of their numbers."""
        if not self._parts:
            return np.zeros((0, 1), np.float32), np.zeros(0, object), np.zeros(0, np.int64), np.zeros(0)
        if len(self._parts) > 1 or len(self._parts[0][0]) > self._most:
            rows, names, owners, numbers = (
                np.concatenate([part[column] for part in self._parts]) for column in range(4)
            )
            _, classes = np.unique(names.astype(str), return_inverse=True)
            order = np.lexsort((numbers, classes))
            place = np.empty(len(order), np.int64)  # of a frame in its class
            sizes = np.bincount(classes)
            place[order] = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
            kept = np.sort(np.lexsort((numbers, place))[: self._most])
            self._parts = [(rows[kept], names[kept], owners[kept], numbers[kept])]
        return self._parts[0]


class FrameEar:
    """Extremely randomised trees that hear the class of a frame, trained on a library. Needs scikit-learn."""

    def __init__(self, reference: FrameLibrary, seed: int) -> None:
        self._trees = _trees(seed)
        self._trees.fit(reference.rows, reference.names.astype(str))
        self.classes = set(self._trees.classes_.tolist())

    def share(self, rows: Array, name: str) -> float:
        """The share of frames with timbres [N, B] that are heard as the class `name`."""
        return float(np.mean(self._trees.predict(rows) == name))

    def own_shares(self, held_back: FrameLibrary) -> Measures:
        """The share of the frames of each class that are heard as it."""
        return _own_shares(held_back.names, self._trees.predict(held_back.rows), self.classes)


def crossed_shares(reference: FrameLibrary, seed: int) -> Measures:
    """The share of the frames of each class that are heard as it, by trees that were trained on other sounds.

    Only of classes with two sounds or more. Needs scikit-learn.
    """
    from sklearn.model_selection import GroupKFold

    names, owners = reference.names.astype(str), reference.owners
    known = {name for name in set(names.tolist()) if len(set(owners[names == name])) > 1}
    if not known:
        return {}
    guesses, trees = np.empty_like(names), _trees(seed)
    for trained, named in GroupKFold(min(FOLDS, len(set(owners)))).split(names, groups=owners):
        guesses[named] = trees.fit(reference.rows[trained], names[trained]).predict(reference.rows[named])
    return _own_shares(names, guesses, known)


def _own_shares(names: NDArray[Any], guesses: NDArray[Any], classes: set[str]) -> Measures:
    return {name: float(np.mean(guesses[names == name] == name)) for name in sorted(classes & set(names))}


def _trees(seed: int) -> Any:
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(TREES, class_weight="balanced", random_state=seed, n_jobs=1)
