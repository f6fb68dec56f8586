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
from ngs.runtime.dsp.grains import OVERLAP, hann

Turns = NDArray[np.int32]  # phases in fixed point, 2^32 for a turn: sums wrap, and never lose precision

# Hann-shaped grains under Hann windows need a gain of 4 / 3, noise with levelled magnitudes 1.44 (measured on white
# noise). The rest makes up for decoded magnitudes, which are medians of logarithms and lie below the mean power.
GAIN = 1.45
PROFILE_FLOOR = 3e-3  # added to the share of a grain's energy before its logarithm
PROFILE_LIMIT = 24 * math.log(10) / 20  # nepers: gains of at most 24 dB, up or down
TINY = np.float32(1e-12)
AGREEMENT = 1e-5  # of the largest sample; for phases, in turns
HAS_FFT32 = np.fft.rfft(np.zeros(2, np.float32)).dtype == np.complex64  # numpy 1 computes with 64 bits


class Phases:
    """The phases of the tones of one sound, from grain to grain, on from those of its first grain, in turns [K]."""

    def __init__(self, phase: Array) -> None:
        self._last = fixed_point(phase)

    def follow(self, peak: Array, advance: Array) -> Turns:
        """Follow the next n grains, whose `peak` and `advance` are [n, K]: phases before the first and after each,
        [n + 1, K].
        """
        count, bins = peak.shape
        turns = np.zeros((count + 1, bins), dtype=np.int32)
        turns[0] = self._last
        rows, steps = list(turns), fixed_point(advance)
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


class Filling:
    """Fills the spectra of many grains of length L with tones and noise, under energy profiles of S points.

    Computes what `ngs.training.model.excitation` does, hop by hop, in torch and in synthesis graphs.
    """

    def __init__(self, grain_length: int, points: int) -> None:
        self.grain_length = grain_length
        self._window = hann(grain_length)
        # phases are those at the middle of a grain
        self._signs = np.where(np.arange(grain_length // 2 + 1) % 2, -1, 1).astype(np.float32)
        shares = (self._window.reshape(points, -1) ** 2).mean(-1, dtype=np.float64)
        self._steady = np.log(shares / shares.mean() + PROFILE_FLOOR).astype(np.float32)
        time = np.arange(grain_length)
        place = np.clip((time + 0.5) * points / grain_length - 0.5, 0, points - 1)
        # linear between the middles of the parts
        curves = np.maximum(1 - np.abs(place - np.arange(points)[:, None]), 0)
        windowed = (GAIN / 2 * curves * self._window).astype(np.float32)
        self._curves = windowed.reshape(points, OVERLAP, -1).transpose(1, 0, 2).copy()

    def grains(self, magnitude: Array, turns: Turns, noise: Array) -> Array:
        """Grains [n, L] of decoded `magnitude` [n, K], at twice their level, before their `gains`.

        `turns` [n, K] are the phases, `noise` is [n, L].
        """
        loud = np.abs(magnitude)
        noisy, tonal = loud - magnitude, loud + magnitude
        # with the default norm numpy would compute with 64 bits
        spectrum = np.fft.rfft(noise * self._window, norm="forward")
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

    def gains(self, profile: Array) -> Array:
        """What to multiply grains with profiles [n, S] by, windows included: [OVERLAP, n, hop]."""
        curves: Array = np.exp(np.clip(0.5 * (profile - self._steady), -PROFILE_LIMIT, PROFILE_LIMIT)) @ self._curves
        return curves

    def agrees(self, synthesis: Callable[[dict[str, Array]], tuple[Array, ...]]) -> bool:
        """Whether a synthesis graph, called with its inputs by name, fills a few random grains as this does."""
        rng, count, bins = np.random.default_rng(0), 4, self.grain_length // 2 + 1
        peak = np.clip(np.arange(bins) + rng.integers(-1, 2, (count, bins)), 0, bins - 1).astype(np.float32)
        frame = {
            "magnitude": rng.normal(0, 1, (count, bins)).astype(np.float32),
            "peak": peak,
            "advance": rng.uniform(-0.5, 1.25, (count, bins)).astype(np.float32),
            "profile": rng.normal(0, 3, (count, len(self._steady))).astype(np.float32),
        }
        frame["magnitude"][:, 0] = 0.0
        noise = rng.uniform(-1, 1, (count, self.grain_length)).astype(np.float32)
        turns = Phases(rng.uniform(0, 1, bins).astype(np.float32)).follow(peak, frame["advance"])
        theirs, phase = synthesis({**frame, "noise": noise, "phase": in_turns(turns[:-1])})
        theirs = theirs * self._window
        gains = self.gains(frame["profile"]).swapaxes(0, 1).reshape(theirs.shape)
        ours = self.grains(frame["magnitude"], turns[1:], noise) * gains
        apart = phase - in_turns(turns[1:])
        return bool(
            np.abs(ours - theirs).max() < AGREEMENT * np.abs(theirs).max()
            and np.abs(apart - np.rint(apart)).max() < AGREEMENT
        )
