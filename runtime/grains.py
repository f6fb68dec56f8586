"""Windows, slicing and overlap-add: the law that training, graphs and hosts agree on (paper, section 3.3).

Grain i covers the samples [i * hop, i * hop + L), hop = L / 4. Windows are periodic Hann; the first grain of an
event keeps its first half unwindowed, so attacks survive. Overlap-add divides by the sum of the windows that really
overlap, so grains that are slices of a signal give that signal back from sample 0.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Array = NDArray[np.float32]
OVERLAP = 4


@lru_cache(maxsize=8)
def hann(length: int) -> Array:
    """Periodic Hann window, float32 [length]; read-only."""
    window = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)).astype(np.float32)
    window.setflags(write=False)
    return window


@lru_cache(maxsize=8)
def onset_window(length: int) -> Array:
    """Window of the first grain of an event: its first half is 1; float32 [length]; read-only."""
    window = hann(length).copy()
    window[: length // 2] = 1.0
    window.setflags(write=False)
    return window


def grain_count(samples: int, grain_length: int) -> int:
    """Grains that cover a signal."""
    return -(-samples * OVERLAP // grain_length)


def slice_grains(signal: Array, grain_length: int) -> Array:
    """Cut a signal [n] into its grains [G, L], zeros past the end; a read-only view of a padded copy."""
    hop = grain_length // OVERLAP
    grains = grain_count(len(signal), grain_length)
    padded = np.zeros(max(grains - 1, 0) * hop + grain_length, dtype=np.float32)
    padded[: len(signal)] = signal
    return sliding_window_view(padded, grain_length)[::hop][:grains]


def analysis_grains(signal: Array, grain_length: int) -> Array:
    """Windowed grains [G, L] as the encoder reads them: the onset's has the energy of a Hann window."""
    grains = slice_grains(signal, grain_length) * hann(grain_length)
    if len(grains):
        onset, window = onset_window(grain_length), hann(grain_length)
        grains[0] = slice_grains(signal, grain_length)[0] * onset
        grains[0] *= np.sqrt(np.sum(window**2) / np.sum(onset**2))
    return grains


def overlap_add(grains: Array, tail: bool = False) -> Array:
    """Window grains [G, L] and assemble them: float32 [G * hop].

    With `tail` silent grains follow until the last one has ended: [(G + 3) * hop], faded out by the windows.
    """
    count, length = grains.shape
    hop = length // OVERLAP
    if count == 0:
        return np.zeros(0, dtype=np.float32)
    windowed = grains * hann(length)
    windowed[0] = grains[0] * onset_window(length)
    hops = count + OVERLAP - 1
    total = _shifted_sum(windowed.reshape(count, OVERLAP, hop), hops)
    # the sum of the windows repeats from the fourth hop on
    head = min(hops, OVERLAP)
    windows = np.tile(hann(length), (head, 1))
    windows[0] = onset_window(length)
    total[:head] /= _shifted_sum(windows.reshape(head, OVERLAP, hop), head)
    total[head:] *= 1 / OVERLAP * 2
    return total[: hops if tail else count].reshape(-1)


def _shifted_sum(quarters: Array, hops: int) -> Array:
    """Add the quarters [G, 4, hop] of grains where they fall: [hops, hop]."""
    total = np.zeros((hops, quarters.shape[2]), dtype=np.float32)
    for shift in range(OVERLAP):
        end = min(len(quarters) + shift, hops)
        total[shift:end] += quarters[: end - shift, shift]
    return total


def noise_stream(seed: int, samples: int) -> Array:
    """Uniform noise in [-1, 1), float32 [samples]: a longer stream of the same seed begins with the shorter one."""
    generator = np.random.Generator(np.random.Philox(key=seed))
    stream = generator.random(samples, dtype=np.float32)
    stream *= 2
    stream -= 1
    return stream


def noise_grains(seed: int, grains: int, grain_length: int) -> Array:
    """Noise for the decoder, [G, L]: overlapping grains share one stream, so that they add up instead of fighting."""
    hop = grain_length // OVERLAP
    if grains == 0:
        return np.zeros((0, grain_length), dtype=np.float32)
    stream = noise_stream(seed, (grains - 1) * hop + grain_length)
    return sliding_window_view(stream, grain_length)[::hop]
