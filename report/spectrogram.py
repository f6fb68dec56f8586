"""What pictures of a sound show: the outline of its waveform, and a spectrogram over octaves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.arrays import Array

LOWEST_HZ = 30.0
ROWS = 320  # of a spectrogram, evenly in octaves from LOWEST_HZ
RANGE_DB = 80.0
WINDOW_SECONDS = 0.046
MOST_FRAMES = 2000
TICKS_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)


def outline(samples: Array, columns: int) -> Array:
    """Lowest and highest sample of each of `columns` parts of a signal [n]: float32 [2, columns], n columns at most."""
    edges = np.linspace(0, len(samples), min(len(samples), columns) + 1).astype(int)[:-1]
    return np.stack((np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)))


def spectrogram(
    samples: Array, rate: int, highest_hz: float, rows: int = ROWS, most_frames: int = MOST_FRAMES
) -> NDArray[np.float64]:
    """Power of a signal [n] at `rate` Hz over time and octaves: [rows, frames], rows from LOWEST_HZ to `highest_hz`.

    A row is the loudest bin in its band. At low frequencies, where rows are finer than bins, it is interpolated between
    two bins. A sine of amplitude 1 has the power 1.
    """
    window_length = int(2 ** round(np.log2(WINDOW_SECONDS * rate)))
    hop = max(window_length // 8, -(-len(samples) // most_frames))
    window = np.hanning(window_length + 1)[:-1]
    padded = np.pad(samples, window_length // 2)
    starts = np.arange(0, len(samples), hop)
    frames = np.lib.stride_tricks.sliding_window_view(padded, window_length)[starts]
    power = np.abs(np.fft.rfft(frames * window) * (2 / window.sum())).T ** 2
    edges = LOWEST_HZ * (highest_hz / LOWEST_HZ) ** (np.arange(rows + 1) / rows) * window_length / rate
    image = np.zeros((rows, len(starts)))
    for row, (low, high) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        inside = power[int(np.ceil(low)) : int(np.ceil(high))]
        if low >= window_length / 2:
            break
        if len(inside) > 1:
            image[row] = inside.max(0)
        else:
            below = min(int((low + high) / 2), window_length // 2 - 1)
            share = min((low + high) / 2 - below, 1.0)
            image[row] = power[below] * (1 - share) + power[below + 1] * share
    return image


def frequency_ticks(highest_hz: float) -> list[tuple[str, float]]:
    """Labels of frequencies and their places, from 0 at LOWEST_HZ to 1 at `highest_hz`."""
    octaves = np.log2(highest_hz / LOWEST_HZ)
    return [
        (f"{hz // 1000}k" if hz >= 1000 else str(hz), float(np.log2(hz / LOWEST_HZ) / octaves))
        for hz in TICKS_HZ
        if hz < highest_hz
    ]
