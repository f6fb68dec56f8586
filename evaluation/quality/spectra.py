"""Power spectrograms and mel bands, which distances, baselines and descriptors start from."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ngs.runtime.arrays import Array
from ngs.runtime.dsp.grains import OVERLAP, hann
from ngs.runtime.dsp.timbre import mel_filters

FLOOR = 5e-3  # added to |S|^2 before its logarithm (paper, eq. 9)
MEL_FLOOR, MEL_WINDOW = 1e-5, 1024


def power_stft(signal: Array, window_length: int) -> Array:
    """|STFT|^2 of a signal [n]: float32 [1 + 4n // window_length, window_length / 2 + 1].

    Periodic Hann windows, not normalised, with 75 % overlap; frames are centred on the samples 0, hop, 2 hop, ... and
    there is silence around the signal. The losses of training use the same, as torch.stft(..., pad_mode="constant").
    """
    padded = np.pad(signal, window_length // 2)
    frames = sliding_window_view(padded, window_length)[:: window_length // OVERLAP]
    spectrum = np.fft.rfft(frames * hann(window_length))
    power: Array = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return power


class Spectra:
    """A signal, float32 [n] at `sample_rate` Hz, and its log spectrograms, each computed when it is first asked for."""

    def __init__(self, signal: Array, sample_rate: int) -> None:
        self.signal, self.sample_rate = signal, sample_rate
        self._log_powers: dict[int, Array] = {}

    def log_power(self, window_length: int) -> Array:
        """log(5e-3 + |S|^2), float32 [frames, bins]."""
        if window_length not in self._log_powers:
            self._log_powers[window_length] = np.log(np.float32(FLOOR) + power_stft(self.signal, window_length))
        return self._log_powers[window_length]

    @cached_property
    def log_mel(self) -> Array:
        """log(1e-5 + power) in 64 mel bands, STFT of 1024 samples: float32 [frames, 64]."""
        mels = power_stft(self.signal, MEL_WINDOW) @ mel_filters(MEL_WINDOW, self.sample_rate).T
        logarithm: Array = np.log(np.float32(MEL_FLOOR) + mels)
        return logarithm
