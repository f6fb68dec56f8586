"""Baselines that need no network: the nearest grains of other sounds, and the mean sound of the class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ngs.evaluation.quality.distances import SCALES, Measures, spectral_distances
from ngs.evaluation.quality.latents import AUDIBLE_SHARE
from ngs.evaluation.quality.spectra import FLOOR, Spectra
from ngs.runtime.arrays import Array
from ngs.runtime.chance import Purpose, generator
from ngs.runtime.dsp.grains import OVERLAP, analysis_grains, overlap_add, slice_grains
from ngs.runtime.dsp.timbre import MELS, mel_filters

MOST_GRAINS = 20000
BLOCK = 256  # grains that are looked up at a time
MEL_SHARE_FLOOR = 1e-5  # of a grain's power: bands that hold less count as equal
MEAN_SECONDS = 10.0  # how long a mean sound is; nothing later is compared with it


class GrainLibrary:
    """Concatenative synthesis: replaces every grain of a sound by the nearest grain of other sounds, at its level.

    The distance between grains is Euclidean, in the logarithms of the shares that 64 mel bands have in their power.
    The library holds audible grains, at most `most` of them, drawn by the seed.
    """

    def __init__(self, grain_length: int, sample_rate: int, seed: int, most: int = MOST_GRAINS) -> None:
        self.grain_length, self.sample_rate, self.most = grain_length, sample_rate, most
        self._random = generator(Purpose.NEAREST_GRAINS, seed)
        self._parts: list[tuple[Array, Array, Array, NDArray[np.int64], NDArray[np.float64]]] = []
        self._held = 0

    def add(self, signal: Array, owner: int) -> None:
        """Add the grains of a sound [n]. `owner` is a number for the sound."""
        descriptors, levels, audible = self._describe(signal)
        grains = slice_grains(signal, self.grain_length)[audible]
        count = len(grains)
        owners = np.full(count, owner, np.int64)
        self._parts.append((grains, descriptors[audible], levels[audible], owners, self._random.random(count)))
        self._held += count
        if self._held > 2 * self.most:
            self._merge()

    def rebuild(self, signal: Array, owner: int = -1) -> Array | None:
        """Rebuild a sound [n] from the grains of all sounds but `owner`: float32 [n], or None without such grains."""
        self._merge()
        grains, descriptors, levels, owners, _ = self._parts[0]
        allowed = np.flatnonzero(owners != owner)
        if len(allowed) == 0:
            return None
        if len(allowed) < len(owners):
            descriptors = descriptors[allowed]
        wanted, wanted_levels, _ = self._describe(signal)
        squares = (descriptors**2).sum(1)
        blocks = [wanted[at : at + BLOCK] for at in range(0, len(wanted), BLOCK)]
        nearest = allowed[np.concatenate([(squares - 2 * block @ descriptors.T).argmin(1) for block in blocks])]
        made = grains[nearest] * (wanted_levels / levels[nearest])[:, None]
        return overlap_add(made.astype(np.float32))[: len(signal)]

    def _describe(self, signal: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Descriptors [G, 64] and RMS levels [G] of all grains, and which of them are audible, [G]."""
        grains = analysis_grains(signal, self.grain_length)
        power = np.abs(np.fft.rfft(grains)) ** 2
        mels = power @ mel_filters(self.grain_length, self.sample_rate).T
        share = mels / np.maximum(mels.sum(1, keepdims=True), 1e-20)
        levels = np.sqrt((grains**2).mean(1))
        audible = np.abs(grains).max(1, initial=0.0) > AUDIBLE_SHARE * np.abs(signal).max(initial=0.0)
        descriptors: Array = np.log(MEL_SHARE_FLOOR + share).astype(np.float32)
        return descriptors, levels, audible

    def _merge(self) -> None:
        """Merge all parts into one of at most `most` grains, those of the lowest random numbers."""
        if not self._parts:
            self._parts = [(
                np.zeros((0, self.grain_length), np.float32), np.zeros((0, MELS), np.float32),
                np.zeros(0, np.float32), np.zeros(0, np.int64), np.zeros(0),
            )]  # fmt: skip
        if len(self._parts) == 1 and len(self._parts[0][0]) <= self.most:
            return
        order = np.concatenate([part[-1] for part in self._parts])
        kept = np.sort(np.argsort(order, kind="stable")[: self.most])
        grains, descriptors, levels, owners, numbers = (
            np.concatenate([part[column] for part in self._parts])[kept] for column in range(5)
        )
        self._parts = [(grains, descriptors, levels, owners, numbers)]
        self._held = len(kept)


class MeanSounds:
    """The mean log spectrogram of the sounds of each class, aligned at their start and followed by silence."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, int], NDArray[np.float64]] = {}
        self._counts: dict[str, int] = {}

    def add(self, name: str, sound: Spectra) -> None:
        """Add a sound to the class `name`."""
        self._counts[name] = self._counts.get(name, 0) + 1
        for window in SCALES:
            above = self._above_floor(sound, window)
            total = self._sums.get((name, window), np.zeros((0, above.shape[1])))
            if len(total) < len(above):
                total = np.pad(total, ((0, len(above) - len(total)), (0, 0)))
            total[: len(above)] += above
            self._sums[name, window] = total

    def distances(self, name: str, sound: Spectra, own: bool) -> Measures | None:
        """lsd_1024, lsd_2048 and multi_scale between a sound and the mean sound of its class.

        `own`: the sound was added, and is taken out of the mean. None if the class has no (other) sound.
        """
        count = self._counts.get(name, 0) - own
        if count < 1:
            return None
        means = {}
        for window in SCALES:
            above = self._above_floor(sound, window)
            total = np.zeros(above.shape)
            known = self._sums[name, window][: len(above)]
            total[: len(known)] = known
            means[window] = ((total - above if own else total) / count + np.log(FLOOR)).astype(np.float32)
        return spectral_distances(sound, means)

    @staticmethod
    def _above_floor(sound: Spectra, window: int) -> Array:
        """Log spectrogram of the first seconds above that of silence."""
        frames = int(MEAN_SECONDS * sound.sample_rate * OVERLAP / window)
        above: Array = sound.log_power(window)[:frames] - np.float32(np.log(FLOOR))
        return above
