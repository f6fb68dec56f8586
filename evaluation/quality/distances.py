"""How far a sound is from the one it should be. The figures of docs/sound.md are defined here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ngs.evaluation.quality.envelope import LEVEL_WINDOW_SECONDS, envelopes
from ngs.evaluation.quality.spectra import Spectra
from ngs.runtime.arrays import Array

Figures = dict[str, float]
LSD_WINDOWS = (1024, 2048)
SCALES = (128, 256, 512, 1024, 2048)
FRAME_SECONDS = 0.005
ENVELOPE_FLOOR = 10 ** (-60 / 20)  # of the target's loudest level
LOWEST_DB = -100.0  # of a level difference: a silent reconstruction


def distances(target: Spectra, sound: Spectra) -> Figures:
    """All distances of a sound from its target, which has the same length and rate.

    lsd_1024, lsd_2048: root mean square over bins of the difference of log(5e-3 + |S|^2), mean over frames.
    multi_scale: mean absolute difference of the same, STFTs of 128, 256, 512, 1024, 2048 samples (paper, eq. 9).
    log_mel: mean absolute difference of log(1e-5 + power) in 64 bands, STFT of 1024 samples, all with 75 % overlap.
    envelope_db: mean absolute difference of the RMS level (Hann windows of 20 ms, every 5 ms, not below -60 dB of the
    target's loudest). level_db: energy of the sound above the target's, in dB, with its sign.
    """
    return spectral_distances(target, {window: sound.log_power(window) for window in SCALES}) | {
        "log_mel": float(np.abs(target.log_mel - sound.log_mel).mean()),
        "envelope_db": envelope_error_db(target.signal, sound.signal, target.sample_rate),
        "level_db": level_difference_db(target.signal, sound.signal),
    }


def spectral_distances(target: Spectra, log_powers: Mapping[int, Array]) -> Figures:
    """lsd_1024, lsd_2048 and multi_scale to log spectrograms [frames, bins] by window length (all of SCALES).

    Frames that only one of the two has are left out.
    """
    figures, total = {}, 0.0
    for window in SCALES:
        ours, other = target.log_power(window), log_powers[window]
        frames = min(len(ours), len(other))
        difference = ours[:frames] - other[:frames]
        total += float(np.abs(difference).mean())
        if window in LSD_WINDOWS:
            figures[f"lsd_{window}"] = float(np.sqrt((difference**2).mean(1)).mean())
    return figures | {"multi_scale": total / len(SCALES)}


def envelope_error_db(target: Array, sound: Array, sample_rate: int) -> float:
    """Mean absolute difference in dB of the levels of two signals [n]."""
    (ours,), (other,) = (envelopes(signal, sample_rate, LEVEL_WINDOW_SECONDS) for signal in (target, sound))
    every = max(round(FRAME_SECONDS / ours.step_seconds), 1)
    floor = max(float(ours.levels.max(initial=0.0)) * ENVELOPE_FLOOR, 1e-12)
    a, b = (20 * np.log10(np.maximum(envelope.levels[::every], floor)) for envelope in (ours, other))
    return float(np.abs(a - b).mean())


def level_difference_db(target: Array, sound: Array) -> float:
    """Energy of a signal over that of the target, in dB, not below -100."""
    energies = [float(np.sum(signal.astype(np.float64) ** 2)) for signal in (sound, target)]
    return 10 * float(np.log10(max(energies[0] / max(energies[1], 1e-20), 10 ** (LOWEST_DB / 10))))


def fitted(sound: Array, length: int) -> Array:
    """A signal cut, or followed by silence, to `length` samples."""
    return np.pad(sound[:length], (0, max(length - len(sound), 0)))


def mean_figures(figures: Sequence[Figures]) -> Figures:
    """Mean of each figure; none of nothing."""
    return {name: float(np.mean([one[name] for one in figures])) for name in figures[0]} if figures else {}
