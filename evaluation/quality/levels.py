"""How much quieter or louder a sound is than the one it should be: by time, and by band."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ngs.evaluation.quality.distances import Measures
from ngs.evaluation.quality.spectra import power_stft
from ngs.runtime.arrays import Array
from ngs.runtime.dsp.grains import OVERLAP
from ngs.runtime.dsp.loudness import k_weighting

WINDOW_SECONDS = 0.023  # the nearest power of two of samples
TIMES = ("loud", "onset", "tail")
BANDS = {"low": (0.0, 300.0), "middle": (300.0, 2000.0), "high": (2000.0, np.inf)}  # Hz
ONSET_SECONDS = 0.05
LOUD = 10 ** (-20 / 10)  # of the power of the loudest frame; softer frames are the tail
FAINTEST, FAINTEST_BAND = 10 ** (-60 / 10), 10 ** (-40 / 10)  # where the target has less, nothing is compared
LEAST = 10 ** (-80 / 10)  # what a silent frame counts as


def level_errors(target: Array, sound: Array, sample_rate: int) -> Measures:
    """Levels of a sound [n] minus those of its target [n], in dB, means over frames: by time, and by time and band.

    `loud`: the frames of the target within 20 dB of its loudest; `tail`: the softer ones; `onset`: the first 50 ms,
    soft or loud. Their level is K-weighted. `loud_low`, `loud_middle`, `loud_high` and so on: the power below 300 Hz,
    from 300 to 2000 Hz and above, unweighted. Only frames in which the target is within 60 dB of its loudest count, and
    bands of frames within 40 dB; where there are none, the measure is missing. Frames of about 23 ms, 75 % overlap.
    """
    window = 1 << max(round(np.log2(WINDOW_SECONDS * sample_rate)), 4)
    ours, theirs = (power_stft(signal, window).astype(np.float64) for signal in (target, sound))
    frequencies = np.fft.rfftfreq(window, 1 / sample_rate)
    heard = k_weighting(frequencies)
    level = ours @ heard
    loud = level >= LOUD * level.max(initial=0.0)
    onset = np.arange(len(level)) * window / OVERLAP < ONSET_SECONDS * sample_rate
    times = dict(zip(TIMES, (loud, onset, ~loud), strict=True))

    errors = _errors(times, level, theirs @ heard, FAINTEST * level.max(initial=0.0))
    faintest = FAINTEST_BAND * ours.sum(1).max(initial=0.0)
    for name, (low, high) in BANDS.items():
        band = ((frequencies >= low) & (frequencies < high)).astype(np.float64)
        found = _errors(times, ours @ band, theirs @ band, faintest)
        errors |= {f"{time}_{name}": error for time, error in found.items()}
    return errors


def _errors(
    times: dict[str, NDArray[np.bool_]], target: NDArray[np.float64], sound: NDArray[np.float64], faintest: float
) -> Measures:
    """Mean differences of levels in dB, from powers [frames], where the target has more than `faintest`."""
    present = target > faintest
    chosen = {name: time & present for name, time in times.items()}
    least = np.maximum(sound, LEAST * target.max(initial=0.0))
    return {
        name: float(10 * np.log10(least[frames] / target[frames]).mean())
        for name, frames in chosen.items()
        if frames.any()
    }
