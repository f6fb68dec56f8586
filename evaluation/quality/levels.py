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
FAINTEST = 10 ** (-60 / 10)  # of the same; frames in which the target has less are left out
LEAST_SHARE = 10 ** (-40 / 10)  # of the target's power at a time; bands that hold less are left out
SOUNDING = 10 ** (-30 / 10)  # of the power of a band in its loudest frame; softer frames of the band are left out
LEAST = 10 ** (-80 / 10)  # of the power of the loudest frame: what silence counts as


def level_errors(target: Array, sound: Array, sample_rate: int) -> Measures:
    """Levels of a sound [n] minus those of its target [n], in dB, means over frames: by time, and by time and band.

    `loud`: the frames of the target within 20 dB of its loudest; `tail`: the softer ones; `onset`: the first 50 ms,
    soft or loud. Their level is K-weighted. `loud_low`, `loud_middle`, `loud_high` and so on: the power below 300 Hz,
    from 300 to 2000 Hz and above, unweighted. Only frames in which the target is within 60 dB of its loudest count, and
    only bands that hold a ten-thousandth of its power at that time, while they are within 30 dB of their own loudest
    frame. What has no such frame or band is missing. Frames of about 23 ms, 75 % overlap.
    """
    window = 1 << max(round(np.log2(WINDOW_SECONDS * sample_rate)), 4)
    ours, theirs = (power_stft(signal, window).astype(np.float64) for signal in (target, sound))
    frequencies = np.fft.rfftfreq(window, 1 / sample_rate)
    heard = k_weighting(frequencies)
    level = ours @ heard
    loudest = float(level.max(initial=0.0))
    present, loud = level > FAINTEST * loudest, level >= LOUD * loudest
    onset = np.arange(len(level)) * window / OVERLAP < ONSET_SECONDS * sample_rate
    errors, total = {}, ours.sum(1)
    for time, frames in zip(TIMES, (loud & present, onset & present, ~loud & present), strict=True):
        if not frames.any():
            continue
        errors[time] = _difference_db(level[frames], theirs[frames] @ heard, loudest)
        for name, (low, high) in BANDS.items():
            band = (frequencies >= low) & (frequencies < high)
            a, b = (power[np.ix_(frames, band)].sum(1) for power in (ours, theirs))
            if a.mean() > LEAST_SHARE * total[frames].mean():
                sounding = a > SOUNDING * a.max()
                errors[f"{time}_{name}"] = _difference_db(a[sounding], b[sounding], float(total.max()))
    return errors


def _difference_db(target: NDArray[np.float64], sound: NDArray[np.float64], loudest: float) -> float:
    """The mean difference of the levels of powers [frames]."""
    ours, theirs = (10 * np.log10(np.maximum(power, LEAST * loudest)) for power in (target, sound))
    return float(np.mean(theirs - ours))
