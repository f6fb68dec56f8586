"""The tones of the locked excitation offline: fills many grains at once, as a synthesis graph does, with numpy's FFT.

A synthesis graph fills one hop in a call, with matrix products for its DFTs. Offline, all grains of a sound are known:
their phases are followed here, and if numpy has an FFT of 32-bit floats the grains are filled here too, in half the
time. The graph is the reference: `Filling.agrees` compares the two, and if they differ the graph runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.arrays import Array
from ngs.runtime.dsp.grains import OVERLAP, analysis_windows, hann, onset_window, overlap_add

Turns = NDArray[np.int32]  # phases in fixed point, 2^32 for a turn: sums wrap, and never lose precision

# Hann-shaped grains under Hann windows need a gain of 4 / 3, noise with levelled magnitudes 1.44 (measured on white
# noise). The rest makes up for decoded magnitudes, which are medians of logarithms and lie below the mean power.
GAIN = 1.45
PROFILE_FLOOR = 3e-3  # added to the share of a grain's energy before its logarithm
RISE = 64  # a sound rises from 0 within this fraction of a grain: 1 / 64
PROFILE_LIMIT = 24 * math.log(10) / 20  # nepers: gains of at most 24 dB, up or down
TINY = np.float32(1e-12)
AGREEMENT = 1e-5  # of the largest sample; for phases, in turns
HAS_FFT32 = np.fft.rfft(np.zeros(2, np.float32)).dtype == np.complex64  # numpy 1 computes with 64 bits


class Phases:
    """The phases of the tones of one sound, from grain to grain; zeros before the first, unless it was given."""

    def __init__(self) -> None:
        self._last: Turns | None = None

    def start(self, phase: Array) -> None:
        """Go on from the phases of the first grain, in turns [K]."""
        self._last = fixed_point(phase)

    def follow(self, peak: Array, advance: Array) -> Turns:
        """Follow the next n grains, whose `peak` and `advance` are [n, K]: phases before the first and after each,
        [n + 1, K].
        """
        count, bins = peak.shape
        turns = np.zeros((count + 1, bins), dtype=np.int32)
        if count == 0:
            return turns
        steps = fixed_point(advance)
        if self._last is None:
            # the sound starts two hops before the middle of its first grain
            steps[0] = 2 * steps[0] - (1 << 30)
        else:
            turns[0] = self._last
        rows = list(turns)
        for before, after, places, step in zip(rows, rows[1:], peak.astype(np.intp), steps, strict=False):
            before.take(places, out=after, mode="clip")
            np.add(after, step, out=after)
        self._last = turns[-1]
        return turns

    def before(self, peak: Array, advance: Array) -> Array:
        """The phases before each of the next n grains, as for `follow`, but in turns: float32 [n, K]."""
        return in_turns(self.follow(peak, advance)[:-1])


def fixed_point(advance: Array) -> Turns:
    """Turns in floating point as fixed-point numbers."""
    within = np.floor(advance + np.float32(0.5))
    np.subtract(advance, within, out=within)
    with np.errstate(invalid="ignore"):  # NaN is reported elsewhere
        turns: Turns = np.multiply(within, np.float32(1 << 32), out=within).astype(np.int32)
    return turns


def in_turns(turns: Turns) -> Array:
    """Fixed-point numbers as turns in [0, 1), with the 24 bits that float32 holds."""
    return (turns.view(np.uint32) >> 8).astype(np.float32) * np.float32(1 / (1 << 24))


def level_gains(profile: Array, steady: Array) -> Array:
    """Gains [..., S] that take a grain whose parts have the log energy shares `steady` [S] to those of `profile`."""
    gain: Array = np.exp(np.clip(0.5 * (profile - steady), -PROFILE_LIMIT, PROFILE_LIMIT))
    return gain


class Filling:
    """Fills the spectra of many grains of length L with tones and noise, under energy profiles of S points.

    Computes what `ngs.training.model.excitation` does, hop by hop, in torch and in synthesis graphs.
    """

    def __init__(self, grain_length: int, points: int) -> None:
        self.grain_length = grain_length
        self._windows = analysis_windows(grain_length)
        # phases are those at the middle of a grain
        self._signs = np.where(np.arange(grain_length // 2 + 1) % 2, -1, 1).astype(np.float32)
        steady = np.stack((self._windows[1], self._windows[0])).reshape(2, points, -1) ** 2
        shares = steady.mean(-1, dtype=np.float64)
        self._steady = np.log(shares / shares.mean(-1, keepdims=True) + PROFILE_FLOOR).astype(np.float32)
        time = np.arange(grain_length)
        place = np.clip((time + 0.5) * points / grain_length - 0.5, 0, points - 1)
        # linear between the middles of the parts
        curves = np.maximum(1 - np.abs(place - np.arange(points)[:, None]), 0)
        rising = curves.copy()
        rising[0] -= 0.5 + 0.5 * np.cos(np.pi * np.minimum(time * RISE / grain_length, 1))
        self._curves, self._rising = (
            (GAIN / 2 * shapes * window).astype(np.float32).reshape(points, OVERLAP, -1).transpose(1, 0, 2).copy()
            for shapes, window in ((curves, hann(grain_length)), (rising, onset_window(grain_length)))
        )

    def grains(self, magnitude: Array, turns: Turns, noise: Array, first: bool) -> Array:
        """Grains [n, L] of decoded `magnitude` [n, K], at twice their level, before their `gains`.

        `turns` [n, K] are the phases, `noise` is [n, L]. `first`: these grains begin with the first of their sound.
        """
        windowed = noise * self._windows[1]
        loud = np.abs(magnitude)
        noisy, tonal = loud - magnitude, loud + magnitude
        if first:
            windowed[0] = noise[0] * self._windows[0]
            noisy[0], tonal[0] = 2 * loud[0], 0
        spectrum = np.fft.rfft(windowed, norm="forward")  # with the default norm numpy would compute with 64 bits
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
        """What to multiply grains with profiles [n, S] by, windows included: [OVERLAP, n, hop]."""
        curves: Array = level_gains(profile, self._steady[0]) @ self._curves
        if first:
            curves[:, 0] = level_gains(profile[0], self._steady[1]) @ self._rising
        return curves

    def agrees(self, synthesis: Callable[..., tuple[Array, ...]]) -> bool:
        """Whether a synthesis graph, called with inputs by name, fills a few random grains as this does."""
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
