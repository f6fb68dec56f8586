"""The locked excitation offline, many grains at once: by the law of a synthesis graph, with numpy's FFT.

A synthesis graph fills one hop a call, its DFTs are matrix products. Offline all grains of a sound are known: their
phases are followed here, and where numpy has an FFT of 32-bit floats the grains are filled here too, in half the time.
The graph stays the law: `Filling.agrees` compares the two, and a graph that says otherwise is run itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.arrays import Array
from ngs.runtime.dsp.grains import OVERLAP, analysis_windows, hann, onset_window, overlap_add

Turns = NDArray[np.int32]  # fixed point, 2^32 a turn: sums wrap by themselves, and lose nothing however long a sound is

# Hann-shaped grains under Hann windows need 4 / 3, noise of levelled magnitudes 1.44 (measured on white noise); the
# rest makes up for what is decoded: medians of log magnitudes, which lie below the mean power
GAIN = 1.45
PROFILE_FLOOR = 3e-3  # of the share of a grain's energy
RISE = 64  # the share of a grain within which a sound rises from 0
PROFILE_LIMIT = 24 * math.log(10) / 20  # gains and losses of 24 dB
TINY = np.float32(1e-12)
AGREEMENT = 1e-5  # of the largest sample, and in turns
HAS_FFT32 = np.fft.rfft(np.zeros(2, np.float32)).dtype == np.complex64  # numpy 1 computes in 64 bits


class Phases:
    """The phases of one sound's tones, from grain to grain: zeros before the first."""

    def __init__(self) -> None:
        self._last: Turns | None = None

    def follow(self, peak: Array, advance: Array) -> Turns:
        """Through the next n grains of `peak` and `advance` [n, K]: the phases before the first and after each.

        [n + 1, K]
        """
        count, bins = peak.shape
        turns = np.zeros((count + 1, bins), dtype=np.int32)
        if count == 0:
            return turns
        steps = fixed_point(advance)
        if self._last is None:
            steps[0] = 2 * steps[0] - (1 << 30)  # from the start of the sound: two hops before the middle of a grain
        else:
            turns[0] = self._last
        rows = list(turns)
        for before, after, places, step in zip(rows, rows[1:], peak.astype(np.intp), steps, strict=False):
            before.take(places, out=after, mode="clip")
            np.add(after, step, out=after)
        self._last = turns[-1]
        return turns

    def before(self, peak: Array, advance: Array) -> Array:
        """The phases that go into the next n grains of `peak` and `advance` [n, K]: turns, float32 [n, K]."""
        return in_turns(self.follow(peak, advance)[:-1])


def fixed_point(advance: Array) -> Turns:
    """Turns as fixed-point numbers."""
    within = np.floor(advance + np.float32(0.5))
    np.subtract(advance, within, out=within)
    with np.errstate(invalid="ignore"):  # NaN, which is reported elsewhere
        turns: Turns = np.multiply(within, np.float32(1 << 32), out=within).astype(np.int32)
    return turns


def in_turns(turns: Turns) -> Array:
    """Fixed-point numbers as turns in [0, 1): 24 bits of them, all that float32 holds."""
    return (turns.view(np.uint32) >> 8).astype(np.float32) * np.float32(1 / (1 << 24))


def level_gains(profile: Array, steady: Array) -> Array:
    """Gains [..., S] that bring a grain of log shares `steady` [S] to those of `profile`."""
    gain: Array = np.exp(np.clip(0.5 * (profile - steady), -PROFILE_LIMIT, PROFILE_LIMIT))
    return gain


class Filling:
    """Spectra of grains of length L with profiles of S points, filled with tones and noise: the law of excitation.py of
    `ngs.training`, for many grains at once."""

    def __init__(self, grain_length: int, points: int) -> None:
        self.grain_length = grain_length
        self._windows = analysis_windows(grain_length)
        self._signs = np.where(np.arange(grain_length // 2 + 1) % 2, -1, 1).astype(np.float32)  # phases: of the middle
        steady = np.stack((self._windows[1], self._windows[0])).reshape(2, points, -1) ** 2
        shares = steady.mean(-1, dtype=np.float64)
        self._steady = np.log(shares / shares.mean(-1, keepdims=True) + PROFILE_FLOOR).astype(np.float32)
        time = np.arange(grain_length)
        place = np.clip((time + 0.5) * points / grain_length - 0.5, 0, points - 1)
        curves = np.maximum(1 - np.abs(place - np.arange(points)[:, None]), 0)  # linear between the middles of parts
        rising = curves.copy()
        rising[0] -= 0.5 + 0.5 * np.cos(np.pi * np.minimum(time * RISE / grain_length, 1))
        self._curves, self._rising = (
            (GAIN / 2 * shapes * window).astype(np.float32).reshape(points, OVERLAP, -1).transpose(1, 0, 2).copy()
            for shapes, window in ((curves, hann(grain_length)), (rising, onset_window(grain_length)))
        )

    def grains(self, magnitude: Array, turns: Turns, noise: Array, first: bool) -> Array:
        """Grains [n, L] of twice the decoded `magnitude` [n, K], before their `gains`.

        turns [n, K]: the phases of these grains. noise: [n, L]. `first`: the first of them is the first of its sound.
        """
        windowed = noise * self._windows[1]
        loud = np.abs(magnitude)
        noisy, tonal = loud - magnitude, loud + magnitude
        if first:
            windowed[0] = noise[0] * self._windows[0]
            noisy[0], tonal[0] = 2 * loud[0], 0
        spectrum = np.fft.rfft(windowed, norm="forward")  # any norm but the usual, for which numpy computes in 64 bits
        level = np.abs(spectrum)
        level += TINY
        np.divide(noisy, level, out=level)
        spectrum *= level
        tonal *= self._signs
        angle = turns.astype(np.float32)
        angle *= np.float32(2 * np.pi / (1 << 32))
        part = np.cos(angle)
        part *= tonal
        spectrum.real += part
        np.sin(angle, out=part)
        part *= tonal
        spectrum.imag += part
        return np.fft.irfft(spectrum, n=self.grain_length).astype(np.float32, copy=False)

    def gains(self, profile: Array, first: bool) -> Array:
        """What grains of profiles [n, S] are multiplied by, their windows included: [OVERLAP, n, hop]."""
        curves: Array = level_gains(profile, self._steady[0]) @ self._curves
        if first:
            curves[:, 0] = level_gains(profile[0], self._steady[1]) @ self._rising
        return curves

    def agrees(self, synthesis: Callable[..., tuple[Array, ...]]) -> bool:
        """Whether a synthesis graph, run on inputs by name, fills a few drawn grains as this does."""
        rng, count, bins = np.random.default_rng(0), 4, self.grain_length // 2 + 1
        peak = np.clip(np.arange(bins) + rng.integers(-1, 2, (count, bins)), 0, bins - 1).astype(np.float32)
        frame = {
            "magnitude": rng.normal(0, 1, (count, bins)).astype(np.float32),
            "peak": peak,
            "advance": rng.uniform(-0.5, 1.25, (count, bins)).astype(np.float32),
            "profile": rng.normal(0, 3, (count, self._steady.shape[1])).astype(np.float32),
        }
        frame["magnitude"][:, 0] = 0.0
        noise = rng.uniform(-1, 1, (count, self.grain_length)).astype(np.float32)
        turns = Phases().follow(peak, frame["advance"])
        onset = np.eye(count, 1, dtype=np.float32)
        theirs, phase = synthesis(**frame, noise=noise, onset=onset, phase=in_turns(turns[:-1]))
        ours = self.grains(frame["magnitude"], turns[1:], noise, first=True)
        ours, theirs = (
            overlap_add(ours, True, self.gains(frame["profile"], first=True)), overlap_add(theirs, True)
        )  # fmt: skip
        apart = phase - in_turns(turns[1:])
        return bool(
            np.abs(ours - theirs).max() < AGREEMENT * np.abs(theirs).max()
            and np.abs(apart - np.rint(apart)).max() < AGREEMENT
        )
