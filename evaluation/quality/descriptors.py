"""A sound as a row of numbers, which the classifier and the Frechet distance work on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ngs.corpus.reading import PEAK
from ngs.evaluation.quality.envelope import Crispness, crispness
from ngs.evaluation.quality.spectra import FLOOR, MEL_WINDOW, power_stft
from ngs.runtime.arrays import Array
from ngs.runtime.dsp.grains import OVERLAP
from ngs.runtime.dsp.timbre import mel_filters

Described = Mapping[str, Array]  # class -> descriptions of its sounds [N, D]
SECONDS = 1.5
SEGMENTS_SECONDS = (0.0, 0.03, 0.1, 0.3, 0.7, SECONDS)
BANDS = 32
LEAST_SCALE = 0.1
REGIONS = (  # words for bands, by the highest frequency of their middles
    (300.0, "below 300 Hz"), (2000.0, "from 300 Hz to 2 kHz"), (5000.0, "from 2 to 5 kHz"), (np.inf, "above 5 kHz"),
)  # fmt: skip


def normalised(signal: Array) -> Array:
    """A signal [n] scaled to a peak of 0.9, as in training; silence stays silence."""
    peak = float(np.abs(signal).max(initial=0.0))
    return signal * np.float32(PEAK / peak) if peak > 0 else signal


def describe(signal: Array, sample_rate: int, shape: Crispness | None = None) -> Array:
    """Describe the first 1.5 s of a sound [n] at `sample_rate` Hz, padded with silence: float32 [228].

    From log(5e-3 + power) in 32 mel bands (STFT of 1024 samples): the mean and the standard deviation over time, and
    the means of five segments, shorter at the start. Then the logarithms of attack, decay and length, and the crest.
    `shape` is that of the whole sound, if it is known: it spares measuring that of a sound of 1.5 s or less again.
    """
    length = round(SECONDS * sample_rate)
    if shape is None or len(signal) > length:
        shape = crispness(signal[:length], sample_rate)
    signal = normalised(signal[:length])
    bands = power_stft(np.pad(signal, (0, length - len(signal))), MEL_WINDOW)
    log_mel = np.log(np.float32(FLOOR) + bands @ mel_filters(MEL_WINDOW, sample_rate, BANDS).T)
    edges = [round(seconds * sample_rate * OVERLAP / MEL_WINDOW) for seconds in SEGMENTS_SECONDS]
    segments = [log_mel[start : max(end, start + 1)].mean(0) for start, end in zip(edges, edges[1:], strict=False)]
    times = np.log(np.array([shape.attack_ms, shape.decay_ms, shape.sounding_ms]) + 1.0)
    return np.concatenate((log_mel.mean(0), log_mel.std(0), *segments, times, [shape.crest_db])).astype(np.float32)


def description_scale(real: Described) -> NDArray[np.float64]:
    """The standard deviation of each number of a description over real sounds, [D]; every class weighs the same.

    At least a tenth of the mean of all: numbers that hardly vary among real sounds decide nothing.
    """
    parts = [rows.astype(np.float64) for rows in real.values()]
    mean = np.mean([part.mean(0) for part in parts], axis=0)
    scale: NDArray[np.float64] = np.sqrt(np.mean([np.square(part - mean).mean(0) for part in parts], axis=0))
    return np.maximum(scale, max(LEAST_SCALE * float(scale.mean()), 1e-9))


def descriptor_words(sample_rate: int) -> list[str]:
    """What each number of a description is, in words: [228]. Bands of one region, at one time, share their words."""
    middles = np.array([filter.argmax() for filter in mel_filters(MEL_WINDOW, sample_rate, BANDS)])
    regions = [next(word for highest, word in REGIONS if hz < highest) for hz in middles * sample_rate / MEL_WINDOW]
    times = [f"from {start:g} to {end:g} s" for start, end in zip(SEGMENTS_SECONDS, SEGMENTS_SECONDS[1:], strict=False)]
    times[0] = f"in the first {1000 * SEGMENTS_SECONDS[1]:g} ms"
    kinds = ("mean level {}", "change of level {}", *(f"level {{}} {time}" for time in times))
    return [kind.format(region) for kind in kinds for region in regions] + ["attack", "decay", "length", "crest"]
