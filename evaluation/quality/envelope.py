"""The level of a sound over time, and how crisp it is: attack, decay, and crest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.arrays import Array

STEP_SECONDS = 0.0005
ATTACK_WINDOW_SECONDS, LEVEL_WINDOW_SECONDS = 0.005, 0.020
SOUNDING = 10 ** (-40 / 20)  # of the envelope's peak; softer parts count neither for the mean level nor for the length


@dataclass(frozen=True)
class Envelope:
    """RMS levels, float64 [k] >= 0. The first is half a window before the signal starts."""

    levels: NDArray[np.float64]
    step_seconds: float


def envelopes(signal: Array, sample_rate: int, *windows_seconds: float) -> list[Envelope]:
    """RMS level of a signal [n] every half millisecond, once with Hann windows of each of these lengths.

    The power is that of the analytic signal, so that a low tone has a steady level, without a ripple at twice its
    frequency.
    """
    length = 1 << (len(signal) + sample_rate // 20).bit_length()
    spectrum = np.fft.fft(signal, length)
    spectrum[1 : length // 2] *= 2
    spectrum[length // 2 + 1 :] = 0
    analytic = np.fft.ifft(spectrum)
    step = max(round(STEP_SECONDS * sample_rate), 1)
    steps = -(-len(signal) // step)
    power = (analytic.real[: steps * step] ** 2 + analytic.imag[: steps * step] ** 2) / 2
    power = power.reshape(steps, step).mean(1)
    results = []
    for seconds in windows_seconds:
        window = np.hanning(max(round(seconds * sample_rate / step), 1) + 2)[1:-1]
        levels = np.sqrt(np.maximum(np.convolve(power, window / window.sum()), 0))
        results.append(Envelope(levels, step / sample_rate))
    return results


@dataclass(frozen=True)
class Crispness:
    """Attack, decay, crest and length of one sound; zeros for silence."""

    attack_ms: float  # from 10 % to 90 % of the peak of the 5 ms envelope; 2.5 ms for a click
    decay_ms: float  # from 90 % of the peak of the 20 ms envelope to 20 dB below the peak, or to the sound's end
    crest_db: float  # peak over RMS, of what is less than 40 dB below the envelope's peak
    sounding_ms: float  # from the first to the last sample as loud as that


def crispness(signal: Array, sample_rate: int) -> Crispness:
    """Measure the crispness of one sound, float32 [n] at `sample_rate` Hz."""
    fast, slow = envelopes(signal, sample_rate, ATTACK_WINDOW_SECONDS, LEVEL_WINDOW_SECONDS)
    peak = float(np.abs(signal).max(initial=0.0))
    if peak == 0.0:
        return Crispness(0.0, 0.0, 0.0, 0.0)
    loud = fast.levels / fast.levels.max()
    reached = int((loud >= 0.9).argmax())
    below = np.flatnonzero(loud[:reached] < 0.1)
    before = int(below[-1]) if len(below) else -1
    attack = (_crossing(loud, reached - 1, 0.9) - _crossing(loud, before, 0.1)) * fast.step_seconds
    level = slow.levels / slow.levels.max()
    top = int((level >= 0.9).argmax())
    under = np.flatnonzero(level[top:] < 0.1)
    end = _crossing(level, top + int(under[0]) - 1, 0.1) if len(under) else float(len(level) - 1)
    sounding = np.flatnonzero(level >= SOUNDING)
    ahead = LEVEL_WINDOW_SECONDS / 2  # by which the envelope begins before the signal
    first, last = (
        round((place * slow.step_seconds - ahead) * sample_rate) for place in (sounding[0], sounding[-1] + 1)
    )
    part = signal[max(first, 0) : max(last, 1)].astype(np.float64)
    rms = float(np.sqrt(np.mean(part**2)))
    crest = 20 * float(np.log10(peak / rms)) if rms > 0 else 0.0
    return Crispness(1e3 * attack, 1e3 * (end - top) * slow.step_seconds, crest, 1e3 * len(part) / sample_rate)


def _crossing(levels: NDArray[np.float64], index: int, threshold: float) -> float:
    """Where the threshold is crossed between `index` and `index` + 1, in steps; index -1 has the level 0."""
    start, end = (float(levels[place]) if place >= 0 else 0.0 for place in (index, index + 1))
    return index + (threshold - start) / (end - start) if end != start else float(index)
