"""The level of a sound over time, and how crisp it is: attack, decay, and crest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.arrays import Array

STEP_SECONDS = 0.0005
ATTACK_WINDOW_SECONDS, LEVEL_WINDOW_SECONDS = 0.005, 0.020
THRESHOLDS = np.arange(1, 10) / 10  # of the envelope's peak, through which a sound rises
SLOW = 3.0  # times the mean: steps from one threshold to the next that belong to the attack no more
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

    attack_ms: float  # the rise of the 5 ms envelope; 2.5 ms for a click
    decay_ms: float  # from the end of the rise of the 20 ms envelope to 20 dB below its peak, or to the sound's end
    crest_db: float  # peak over RMS, of what is less than 40 dB below the envelope's peak
    sounding_ms: float  # from the first to the last sample as loud as that


def crispness(signal: Array, sample_rate: int) -> Crispness:
    """Measure the crispness of one sound, float32 [n] at `sample_rate` Hz."""
    fast, slow = envelopes(signal, sample_rate, ATTACK_WINDOW_SECONDS, LEVEL_WINDOW_SECONDS)
    peak = float(np.abs(signal).max(initial=0.0))
    if peak == 0.0:
        return Crispness(0.0, 0.0, 0.0, 0.0)
    start, top = _rise(fast.levels / fast.levels.max())
    attack = (top - start) * fast.step_seconds
    level = slow.levels / slow.levels.max()
    _, top = _rise(level)
    after = int(np.ceil(top))
    under = np.flatnonzero(level[after:] < 0.1)
    end = _crossing(level, after + int(under[0]) - 1, 0.1) if len(under) else float(len(level) - 1)
    sounding = np.flatnonzero(level >= SOUNDING)
    ahead = LEVEL_WINDOW_SECONDS / 2  # by which the envelope begins before the signal
    first, last = (
        round((place * slow.step_seconds - ahead) * sample_rate) for place in (sounding[0], sounding[-1] + 1)
    )
    part = signal[max(first, 0) : max(last, 1)].astype(np.float64)
    rms = float(np.sqrt(np.mean(part**2)))
    crest = 20 * float(np.log10(peak / rms)) if rms > 0 else 0.0
    return Crispness(1e3 * attack, 1e3 * (end - top) * slow.step_seconds, crest, 1e3 * len(part) / sample_rate)


def _rise(levels: NDArray[np.float64]) -> tuple[float, float]:
    """Where the attack starts and ends, in steps, of levels whose highest is 1.

    From 10 % to 90 %, or as far as the level rises at about one speed: steps of 10 % at either end that take over three
    times as long as the mean of those kept are left out (the weakest effort method of the Timbre Toolbox; Peeters et
    al. 2011). A held note's attack then ends where its plateau begins, wherever on the plateau its peak may be.
    """
    soft = np.flatnonzero(levels[: int((levels >= THRESHOLDS[-1]).argmax())] < THRESHOLDS[0])
    onset = int(soft[-1]) if len(soft) else -1
    reached = [onset + int((levels[onset + 1 :] >= each).argmax()) for each in THRESHOLDS]
    times = [_crossing(levels, before, each) for before, each in zip(reached, THRESHOLDS, strict=True)]
    efforts, first, last = np.diff(times), 0, len(times) - 1
    while last - first > 1:
        slow = SLOW * efforts[first:last].mean()
        if efforts[last - 1] > slow:
            last -= 1
        elif efforts[first] > slow:
            first += 1
        else:
            break
    return float(times[first]), float(times[last])


def _crossing(levels: NDArray[np.float64], index: int, threshold: float) -> float:
    """Where the threshold is crossed between `index` and `index` + 1, in steps; index -1 has the level 0."""
    start, end = (float(levels[place]) if place >= 0 else 0.0 for place in (index, index + 1))
    return index + (threshold - start) / (end - start) if end != start else float(index)
