"""How far a sound is from the one it should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ngs.evaluation.quality.envelope import LEVEL_WINDOW_SECONDS, envelopes
from ngs.evaluation.quality.spectra import Spectra
from ngs.runtime.arrays import Array

Measures = dict[str, float]  # measured values by name
LSD_WINDOWS = (1024, 2048)
SCALES = (128, 256, 512, 1024, 2048)
FRAME_SECONDS = 0.005
ENVELOPE_FLOOR = 10 ** (-60 / 20)  # of the target's loudest level
LOWEST_DB = -100.0  # the least level difference: that of silence


def distances(target: Spectra, sound: Spectra) -> Measures:
    """All distances of a sound from its target, which has the same length and sample rate.

    lsd_1024, lsd_2048: difference of log(5e-3 + |S|^2), root mean square over bins, mean over frames.
    multi_scale: its mean absolute value, over STFTs of 128, 256, 512, 1024 and 2048 samples (paper, eq. 9).
    log_mel: mean absolute difference of log(1e-5 + power) in 64 mel bands, STFT of 1024 samples.
    envelope_db: mean absolute difference of the RMS levels in Hann windows of 20 ms, every 5 ms; levels more than 60 dB
    below the target's loudest count as that.
    level_db: energy of the sound relative to the target's, in dB, signed.
    All STFTs overlap by 75 %.
    """
    return spectral_distances(target, {window: sound.log_power(window) for window in SCALES}) | {
        "log_mel": log_mel_distance(target, sound),
        "envelope_db": envelope_error_db(target.signal, sound.signal, target.sample_rate),
        "level_db": level_difference_db(target.signal, sound.signal),
    }


def spectral_distances(target: Spectra, log_powers: Mapping[int, Array]) -> Measures:
    """lsd_1024, lsd_2048 and multi_scale between a target and log spectrograms [frames, bins], one for each of SCALES.

    Frames that only one of the two has are left out.
    """
    measures, total = {}, 0.0
    for window in SCALES:
        ours, other = target.log_power(window), log_powers[window]
        frames = min(len(ours), len(other))
        difference = ours[:frames] - other[:frames]
        total += float(np.abs(difference).mean())
        if window in LSD_WINDOWS:
            measures[f"lsd_{window}"] = float(np.sqrt((difference**2).mean(1)).mean())
    return measures | {"multi_scale": total / len(SCALES)}


def log_mel_distance(target: Spectra, sound: Spectra) -> float:
    """log_mel between two sounds of one length."""
    return float(np.abs(target.log_mel - sound.log_mel).mean())


def envelope_error_db(target: Array, sound: Array, sample_rate: int) -> float:
    """Mean absolute difference of the levels of two signals [n], in dB."""
    (ours,), (other,) = (envelopes(signal, sample_rate, LEVEL_WINDOW_SECONDS) for signal in (target, sound))
    every = max(round(FRAME_SECONDS / ours.step_seconds), 1)
    floor = max(float(ours.levels.max(initial=0.0)) * ENVELOPE_FLOOR, 1e-12)
    a, b = (20 * np.log10(np.maximum(envelope.levels[::every], floor)) for envelope in (ours, other))
    return float(np.abs(a - b).mean())


def level_difference_db(target: Array, sound: Array) -> float:
    """Energy of a signal relative to that of the target, in dB, at least -100."""
    energies = [float(np.sum(signal.astype(np.float64) ** 2)) for signal in (sound, target)]
    return 10 * float(np.log10(max(energies[0] / max(energies[1], 1e-20), 10 ** (LOWEST_DB / 10))))


def fitted(sound: Array, length: int) -> Array:
    """A signal cut or padded with silence to `length` samples."""
    return np.pad(sound[:length], (0, max(length - len(sound), 0)))


def mean_measures(rows: Sequence[Measures]) -> Measures:
    """Mean of each measure over the rows that have it; nothing for no rows."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: float(np.mean([row[name] for row in rows if name in row])) for name in names}
