"""Windows, slicing and overlap-add, which training, graphs and hosts all do alike (paper, section 3.3).

Grain i covers the samples [i * hop, i * hop + L), with hop = L / 4. Windows are periodic Hann windows. The first grain
of a sound keeps its first half unwindowed, so that attacks survive. Overlap-add divides by the sum of the windows that
overlap at a sample, so that the slices of a signal add up to the signal, from sample 0 on.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ngs.runtime.arrays import Array
from ngs.runtime.chance import Draws, Purpose, Seed

OVERLAP = 4
LOWEST_HZ = 20.0  # below, nothing is heard; nothing is learned or decoded there
AUDIBLE = 0.05  # peak of a grain or hop; fainter ones, the ends of sounds, are all much alike


@lru_cache(maxsize=8)
def hann(length: int) -> Array:
    """Periodic Hann window, float32 [length]; read-only."""
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)
    window.setflags(write=False)
    return window


@lru_cache(maxsize=8)
def onset_window(length: int) -> Array:
    """Window of the first grain of a sound, whose first half is 1: float32 [length]; read-only."""
    window = hann(length).copy()
    window[: length // 2] = 1.0
    window.setflags(write=False)
    return window


@lru_cache(maxsize=8)
def analysis_windows(length: int) -> Array:
    """Analysis windows of the first grain of a sound and of all others: float32 [2, length]; read-only.

    Both have the same energy, so that a steady sound looks the same at its onset.
    """
    onset, window = onset_window(length), hann(length)
    windows: Array = np.stack((onset * np.sqrt(np.sum(window**2) / np.sum(onset**2)), window)).astype(np.float32)
    windows.setflags(write=False)
    return windows


def grain_count(samples: int, grain_length: int) -> int:
    """How many grains a signal of this length has."""
    return -(-samples * OVERLAP // grain_length)


def slice_grains(signal: Array, grain_length: int) -> Array:
    """Cut a signal [n] into grains [G, L], with zeros past its end; a read-only view of a padded copy."""
    hop = grain_length // OVERLAP
    grains = grain_count(len(signal), grain_length)
    padded = np.zeros(max(grains - 1, 0) * hop + grain_length, dtype=np.float32)
    padded[: len(signal)] = signal
    return sliding_window_view(padded, grain_length)[::hop][:grains]


def analysis_grains(signal: Array, grain_length: int) -> Array:
    """The windowed grains [G, L] of a signal [n], as the encoder reads them."""
    slices = slice_grains(signal, grain_length)
    return windowed_grains(slices, slice(0, len(slices)))


def windowed_grains(slices: Array, part: slice) -> Array:
    """Some of the grains of `analysis_grains`, [n, L], from all the slices [G, L] of the signal."""
    first, later = analysis_windows(slices.shape[1])
    grains: Array = slices[part] * later
    if part.start == 0:
        grains[:1] = slices[:1] * first
    return grains


def overlap_add(grains: Array, tail: bool = False) -> Array:
    """Window grains [G, L] and add them up: float32 [G * hop].

    With `tail` the last grains end under their windows: [(G + 3) * hop].
    """
    assembly = Assembly(*grains.shape)
    assembly.add(grains)
    return assembly.signal(tail)


class Assembly:
    """Overlap-add of G grains of length L that arrive in parts, so that only one part is in memory."""

    def __init__(self, grains: int, grain_length: int) -> None:
        self.grains, self.grain_length = grains, grain_length
        self.added = 0
        self._total = np.zeros((grains + OVERLAP - 1 if grains else 0, grain_length // OVERLAP), dtype=np.float32)

    def add(self, grains: Array, gains: Array | None = None) -> None:
        """Window the next grains [n, L] and add them; `gains` [OVERLAP, n, hop] take the place of the windows."""
        windows = hann(self.grain_length).reshape(OVERLAP, -1)
        quarters = grains.reshape(len(grains), *windows.shape)
        for shift, gain in enumerate(windows if gains is None else gains):
            place = self.added + shift
            self._total[place : place + len(grains)] += quarters[:, shift] * gain
        if self.added == 0 and len(grains) and gains is None:
            missing = onset_window(self.grain_length) - hann(self.grain_length)
            self._total[:OVERLAP] += (grains[0] * missing).reshape(windows.shape)
        self.added += len(grains)

    def signal(self, tail: bool = False) -> Array:
        """The signal, divided by the sum of the windows, as of `overlap_add`. Call once, with all grains added."""
        hop = self.grain_length // OVERLAP
        head = self._total[:OVERLAP]
        windows = np.zeros((2 * OVERLAP, hop), dtype=np.float32)
        for grain in range(OVERLAP):
            window = hann(self.grain_length) if grain else onset_window(self.grain_length)
            windows[grain : grain + OVERLAP] += window.reshape(OVERLAP, hop)
        head /= windows[: len(head)]
        self._total[OVERLAP:] *= 2 / OVERLAP  # the sum of the windows from the fourth hop on
        return self._total[: len(self._total) if tail else self.grains].reshape(-1)


class NoiseGrains:
    """The grains of `noise_grains`, one by one or some at a time, without end."""

    def __init__(self, seed: Seed, grain_length: int) -> None:
        self._draws, self._hop, self._started = Draws(Purpose.NOISE, seed), grain_length // OVERLAP, False
        self._past = np.zeros(0, dtype=np.float32)  # what the next grains share with those before

    def move_on(self, noise: Array) -> None:
        """Turn the noise [L] of one grain into that of the next, in place. The first call fills it."""
        fresh = noise
        if self._started:
            noise[: -self._hop] = noise[self._hop :]
            fresh = noise[-self._hop :]
        self._started = True
        self._draws.noise(fresh)

    def following(self, grains: int) -> Array:
        """The next grains, a read-only view [grains, L]. Use either this or `move_on`."""
        kept = self._past
        stream = np.empty(max(self._hop * (grains + OVERLAP - 1), len(kept)), dtype=np.float32)
        stream[: len(kept)] = kept
        self._draws.noise(stream[len(kept) :])
        self._past = stream[grains * self._hop :].copy()
        return sliding_window_view(stream, OVERLAP * self._hop)[:: self._hop][:grains]


def noise_stream(seed: Seed, samples: int) -> Array:
    """Uniform noise in [-1, 1), float32 [samples]. A longer stream of the same seed begins with the shorter one."""
    noise = np.empty(samples, dtype=np.float32)
    Draws(Purpose.NOISE, seed).noise(noise)
    return noise


def noise_grains(seed: Seed, grains: int, grain_length: int) -> Array:
    """Noise for the decoder, [G, L]. Overlapping grains share one stream of noise, so that they add up coherently."""
    hop = grain_length // OVERLAP
    if grains == 0:
        return np.zeros((0, grain_length), dtype=np.float32)
    stream = noise_stream(seed, (grains - 1) * hop + grain_length)
    return sliding_window_view(stream, grain_length)[::hop]
