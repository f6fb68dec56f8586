"""Pitch over time: YIN (de Cheveigné and Kawahara, 2002), its steps 1 to 5."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ngs.evaluation.quality.envelope import SOUNDING
from ngs.runtime.arrays import Array

LOWEST_HZ, HIGHEST_HZ = 50.0, 2000.0
THRESHOLD = 0.2  # of the normalised difference; frames that stay above it have no pitch
WINDOW_SECONDS, STEP_SECONDS = 0.025, 0.01
PASSED_HZ = 4000.0  # at most; partials near the Nyquist frequency make dips narrower than the steps between lags


def pitches(signal: Array, sample_rate: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The pitch of a signal [n] every 10 ms, in Hz, [F]; and which frames are heard, [F].

    It is 0 where there is none, or none from 50 Hz to 2 kHz. Heard is what is within 40 dB of the loudest frame.
    Frames cover 25 ms and the longest period; a shorter signal has none.
    """
    window, longest = round(WINDOW_SECONDS * sample_rate), round(sample_rate / LOWEST_HZ)
    step = round(STEP_SECONDS * sample_rate)
    covered = window + longest + 1
    if len(signal) < covered:
        return np.zeros(0), np.zeros(0, np.bool_)
    frames = sliding_window_view(_low_passed(signal, sample_rate), covered)[::step]
    energy = np.square(frames).sum(1)
    heard = energy > SOUNDING**2 * energy.max()
    hz = np.zeros(len(frames))
    hz[heard] = _pitches_of(frames[heard], window, sample_rate)
    return hz, heard


def _low_passed(signal: Array, sample_rate: int) -> NDArray[np.float64]:
    spectrum = np.fft.rfft(signal)
    spectrum[np.fft.rfftfreq(len(signal), 1 / sample_rate) > min(PASSED_HZ, sample_rate / 4)] = 0
    passed: NDArray[np.float64] = np.fft.irfft(spectrum, len(signal))
    return passed


def _pitches_of(frames: NDArray[np.float64], window: int, sample_rate: int) -> NDArray[np.float64]:
    difference = _differences(frames, window)
    lags = np.arange(1, difference.shape[1])
    mean = np.cumsum(difference[:, 1:], 1) / lags
    normalised = np.ones_like(difference)
    np.divide(difference[:, 1:], mean, out=normalised[:, 1:], where=mean > 0)

    middle = normalised[:, 1:-1]
    dips = (middle < THRESHOLD) & (middle <= normalised[:, :-2]) & (middle <= normalised[:, 2:])
    dips &= lags[:-1] >= sample_rate / HIGHEST_HZ - 1
    rows, lag = np.arange(len(frames)), dips.argmax(1) + 1
    before, at, after = (difference[rows, lag + shift] for shift in (-1, 0, 1))
    curvature = before - 2 * at + after
    found = dips.any(1) & (curvature > 0)
    hz = np.zeros(len(frames))
    hz[found] = sample_rate / (lag + (before - after) / 2 / np.maximum(curvature, 1e-20))[found]
    return hz


def _differences(frames: NDArray[np.float64], window: int) -> NDArray[np.float64]:
    """Squared differences of the first `window` samples of frames [F, n] and those a lag later: [F, n - window + 1]."""
    count = frames.shape[1] - window + 1
    size = 1 << (frames.shape[1] - 1).bit_length()
    correlation = np.fft.irfft(np.fft.rfft(frames, size) * np.fft.rfft(frames[:, :window], size).conj(), size)
    total = np.pad(np.cumsum(np.square(frames), 1), ((0, 0), (1, 0)))
    energy = total[:, window:] - total[:, :count]
    differences: NDArray[np.float64] = np.maximum(energy[:, :1] + energy - 2 * correlation[:, :count], 0.0)
    return differences
