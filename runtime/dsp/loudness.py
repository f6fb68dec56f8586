"""How loud a sound is to the ear: its K-weighted level (ITU-R BS.1770), in LUFS."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

WINDOW_SECONDS = 0.4
SILENT = -100.0  # LUFS; nothing is quieter
REFERENCE_HZ = 997.0
SHELF_HZ, SHELF_Q, SHELF_DB = 1681.974450955533, 0.7071752369554196, 3.999843853973347  # the head
SHELF_SLOPE = 0.4996667741545416  # the gain in the middle of the shelf, as a power of that above it
HIGH_PASS_HZ, HIGH_PASS_Q = 38.13547087602444, 0.5003270373238773  # the ear is nearly deaf below


def k_weighting(frequencies: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """The power response of the K-weighting at frequencies in Hz, of any shape; 1 at 997 Hz.

    The standard gives coefficients for 48 kHz. These are the analog filters behind them, a shelf and a high-pass, so
    that a sound is as loud at every sample rate; below 20 kHz the two differ by less than 0.02 dB. The standard takes
    0.691 dB off every level, which is the response at 997 Hz: here it is taken out of the response.
    """
    response: NDArray[np.float64] = _response(np.asarray(frequencies, np.float64)) / _response(np.array(REFERENCE_HZ))
    return response


def loudness(signal: NDArray[np.floating[Any]], sample_rate: int) -> float:
    """The loudness of the loudest 400 ms of a mono sound [n] at `sample_rate` Hz, in LUFS; at least -100.

    This is what meters call the maximum of the momentary loudness: the mean over a whole sound would make a hit
    quieter the longer it rings, and the 3 s of the short-term loudness are longer than the sounds. A sound shorter
    than 400 ms is followed by silence, so that it counts by its energy, as to the ear, which sums up that long. A sine
    of 997 Hz and amplitude 1 has -3.01 LUFS.
    """
    window = round(WINDOW_SECONDS * sample_rate)
    ahead = window // 2  # room for the weighting, which has no phase and so rings both ways
    length = 1 << (len(signal) + 2 * window - 1).bit_length()
    spectrum = np.fft.rfft(np.pad(np.asarray(signal, np.float64), (ahead, 0)), length)
    weighting = np.sqrt(k_weighting(np.fft.rfftfreq(length, 1 / sample_rate)))
    heard = np.fft.irfft(spectrum * weighting, length)[: len(signal) + 2 * ahead]
    energy = np.concatenate(([0.0], np.cumsum(np.square(heard))))
    window = min(window, len(heard))
    loudest = float((energy[window:] - energy[:-window]).max(initial=0.0)) / (WINDOW_SECONDS * sample_rate)
    return 10 * float(np.log10(max(loudest, 10 ** (SILENT / 10))))


def grain_loudness(magnitude: NDArray[np.floating[Any]], sample_rate: int) -> NDArray[np.float64]:
    """The K-weighted energies [N] in dB of decoded magnitudes [N, K], of either sign, at least -100.

    They compare grains of one bundle; they are not in LUFS.
    """
    bins = np.linspace(0, sample_rate / 2, magnitude.shape[1])
    energy = np.square(magnitude, dtype=np.float64) @ k_weighting(bins)
    decibels: NDArray[np.float64] = 10 * np.log10(np.maximum(energy, 10 ** (SILENT / 10)))
    return decibels


def _response(frequencies: NDArray[np.float64]) -> NDArray[np.float64]:
    above = 10 ** (SHELF_DB / 20)
    square, damping = np.square(frequencies / SHELF_HZ), np.square(frequencies / (SHELF_HZ * SHELF_Q))
    shelf = (np.square(1 - above * square) + above ** (2 * SHELF_SLOPE) * damping) / (np.square(1 - square) + damping)
    square, damping = np.square(frequencies / HIGH_PASS_HZ), np.square(frequencies / (HIGH_PASS_HZ * HIGH_PASS_Q))
    response: NDArray[np.float64] = shelf * np.square(square) / (np.square(1 - square) + damping)
    return response
