"""A sound as a row of numbers, which the classifier and the Frechet distance work on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ngs.corpus.reading import PEAK
from ngs.evaluation.quality.envelope import crispness
from ngs.evaluation.quality.spectra import FLOOR, MEL_WINDOW, power_stft
from ngs.runtime.arrays import Array
from ngs.runtime.dsp.grains import OVERLAP
from ngs.runtime.dsp.timbre import mel_filters

Described = Mapping[str, Array]  # class -> descriptions of its sounds [N, D]
SECONDS = 1.5
SEGMENTS_SECONDS = (0.0, 0.03, 0.1, 0.3, 0.7, SECONDS)
BANDS = 32


def normalised(signal: Array) -> Array:
    """A signal [n] scaled to a peak of 0.9, as in training; silence stays silence."""
    peak = float(np.abs(signal).max(initial=0.0))
    return signal * np.float32(PEAK / peak) if peak > 0 else signal


def describe(signal: Array, sample_rate: int) -> Array:
    """Describe the first 1.5 s of a sound [n] at `sample_rate` Hz, padded with silence: float32 [228].

    From log(5e-3 + power) in 32 mel bands (STFT of 1024 samples): the mean and the standard deviation over time, and
    the means of five segments, shorter at the start. Then the logarithms of attack, decay and length, and the crest.
    """
    length = round(SECONDS * sample_rate)
    signal = normalised(signal[:length])
    bands = power_stft(np.pad(signal, (0, length - len(signal))), MEL_WINDOW)
    log_mel = np.log(np.float32(FLOOR) + bands @ mel_filters(MEL_WINDOW, sample_rate, BANDS).T)
    edges = [round(seconds * sample_rate * OVERLAP / MEL_WINDOW) for seconds in SEGMENTS_SECONDS]
    segments = [log_mel[start : max(end, start + 1)].mean(0) for start, end in zip(edges, edges[1:], strict=False)]
    shape = crispness(signal, sample_rate)
    times = np.log(np.array([shape.attack_ms, shape.decay_ms, shape.sounding_ms]) + 1.0)
    return np.concatenate((log_mel.mean(0), log_mel.std(0), *segments, times, [shape.crest_db])).astype(np.float32)
