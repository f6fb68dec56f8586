"""What lies below hearing is taken out of sounds: rumble, which a model would learn and play.

A low-passed copy is subtracted. Its filter, a windowed sinc, has no phase, so attacks stay where they are. Beyond both
ends of a sound it sees the sound's mirror image with the opposite sign, which gives no step there.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from ngs.runtime.arrays import Array
from ngs.runtime.dsp.grains import LOWEST_HZ

REACH_SECONDS = 0.25  # of the filter to either side: at 14 Hz 60 dB are lost, at 26 Hz less than 0.1
BLOCK = 1 << 18  # samples filtered at a time


def high_passed(samples: Array, sample_rate: int) -> Iterator[Array]:
    """A sound [n] at `sample_rate` (Hz) without what lies below LOWEST_HZ: the n samples in blocks, float32."""
    kernel = _low_pass(sample_rate)
    half, step = reach(sample_rate), min(BLOCK, len(samples))
    size = 1 << (step + 4 * half - 1).bit_length()
    response = np.fft.rfft(kernel, size)
    for start in range(0, len(samples), step):
        block = samples[start : start + step]
        around = _mirrored(samples, start - half, start + len(block) + half)
        low = np.fft.irfft(np.fft.rfft(around, size) * response, size)
        yield block - low[2 * half : 2 * half + len(block)].astype(np.float32)


def reach(sample_rate: int) -> int:
    """How many samples away a sample can have an effect."""
    return round(REACH_SECONDS * sample_rate)


def _mirrored(samples: Array, start: int, stop: int) -> Array:
    """Samples from `start` to `stop`; outside a sound it is mirrored with the opposite sign, again and again."""
    ends = [np.arange(start, min(stop, 0)), np.arange(max(start, len(samples)), stop)]
    outside = []
    for places in (end % (2 * len(samples)) for end in ends):
        mirrored = places >= len(samples)
        outside.append(samples[np.where(mirrored, 2 * len(samples) - 1 - places, places)] * np.where(mirrored, -1, 1))
    return np.concatenate((outside[0], samples[max(start, 0) : stop], outside[1]), dtype=np.float32)


@lru_cache(maxsize=4)
def _low_pass(sample_rate: int) -> npt.NDArray[np.float64]:
    """The kernel of the low-pass, an odd number of taps whose sum is 1; read-only."""
    time = np.arange(-reach(sample_rate), reach(sample_rate) + 1) / sample_rate
    kernel = np.sinc(2 * LOWEST_HZ * time) * np.blackman(len(time))
    kernel /= kernel.sum()
    kernel.setflags(write=False)
    return kernel
