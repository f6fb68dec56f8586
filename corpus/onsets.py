"""Where something happens in a recording: spectral flux and level, frame by frame, and the onsets among them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ngs.corpus.reading import END_DB, ONSET_KEPT_SECONDS

FULL_SCALE = 32767  # of 16-bit samples
WINDOW_SECONDS = 0.047  # of a frame, at most; a frame begins every half of it
FRAMES_AT_ONCE = 2048
COMPRESSION = (
    1000.0  # magnitudes are compared as log(1 + COMPRESSION * magnitude): what lies below -60 dB hardly counts
)
NEAR, BEFORE, AFTER = (
    1,
    4,
    2,
)  # frames: an onset is the largest of its neighbours, and above the mean of those around it
RISE = 0.15  # how far above, in nepers
RISE_SECONDS = 0.002  # of the blocks that tell where in its frame an onset lies
HEARD = 10 ** (END_DB / 20)  # level, relative to the recording's peak


@dataclass(frozen=True)
class Activity:
    """What happens in a recording, in F frames that begin `hop` samples apart."""

    flux: (
        np.ndarray
    )  # float32 [F]: how far the log spectrum rises from the frame before, in nepers, the mean of all bins
    level: np.ndarray  # float32 [F]: the largest |sample| of the hop, 1 at the recording's peak
    hop: int  # samples

    @property
    def heard(self) -> np.ndarray:
        """Which hops are not silent, bool [F]."""
        heard: np.ndarray = self.level > HEARD
        return heard


def hop_of(sample_rate: int) -> int:
    """Samples from one frame to the next."""
    return int(max(2 ** int(math.log2(WINDOW_SECONDS * sample_rate)) // 2, 16))


def activity(samples: np.ndarray, sample_rate: int) -> Activity:
    """What happens in a recording, int16 [n] with a peak of 32767, read block by block."""
    hop = hop_of(sample_rate)
    frames = -(-len(samples) // hop)
    window = np.hanning(2 * hop).astype(np.float32)
    window /= FULL_SCALE * window.sum() / 2
    flux, level = np.zeros(frames, np.float32), np.zeros(frames, np.float32)
    last = np.zeros(hop + 1, np.float32)
    for start in range(0, frames, FRAMES_AT_ONCE):
        stop = min(start + FRAMES_AT_ONCE, frames)
        block = np.zeros((stop - start + 1) * hop, np.float32)  # a frame is its own hop and the one before
        first = max(start - 1, 0) * hop
        found = samples[first : stop * hop]
        place = hop if start == 0 else 0
        block[place : place + len(found)] = found
        level[start:stop] = np.abs(block[hop:]).reshape(-1, hop).max(1) / FULL_SCALE
        spectra = np.abs(np.fft.rfft(np.lib.stride_tricks.sliding_window_view(block, 2 * hop)[::hop] * window))
        spectra = np.log1p(np.float32(COMPRESSION) * spectra.astype(np.float32))
        before = np.concatenate((last[None], spectra[:-1]))
        flux[start:stop] = np.maximum(spectra - before, 0).mean(1)
        last = spectra[-1]
    if len(samples) % hop:  # what ends within the last frame is no onset
        flux[-1] = 0
    return Activity(flux, level, hop)


def onsets(found: Activity, samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """The onsets of a recording, int16 [n], whose activity was found: int64 [number], in samples, ascending.

    A frame has an onset if its flux is the largest of its neighbours and stands out from the mean of those around it
    (Boeck, Krebs, Schedl, 2012). The onset is 1 ms before the steepest rise of the level there.
    """
    flux, count = found.flux.astype(np.float64), len(found.flux)
    padded = np.pad(flux, NEAR)
    largest = flux >= np.lib.stride_tricks.sliding_window_view(padded, 2 * NEAR + 1).max(1)
    sums = np.concatenate(([0.0], np.cumsum(flux)))
    first, last = np.maximum(np.arange(count) - BEFORE, 0), np.minimum(np.arange(count) + AFTER + 1, count)
    around = (sums[last] - sums[first]) / (last - first)
    frames = np.flatnonzero(largest & (flux > around + RISE) & found.heard)
    frames = frames[np.diff(frames, prepend=-NEAR - 1) > NEAR]
    return np.unique([steepest(samples, int(frame), found.hop, sample_rate) for frame in frames]).astype(np.int64)


def steepest(samples: np.ndarray, frame: int, hop: int, sample_rate: int) -> int:
    """The sample 1 ms before the steepest rise of the level of a recording, int16 [n], in one of its frames."""
    size = max(round(RISE_SECONDS * sample_rate), 1)
    start = max((frame - 1) * hop - size, 0)
    part = np.abs(samples[start : (frame + 1) * hop].astype(np.float32))
    levels = part[: len(part) // size * size].reshape(-1, size).max(1, initial=0)
    rises = np.diff(levels)
    if len(rises) == 0 or rises.max() <= 0:
        return start
    rise = start + (int(rises.argmax()) + 1) * size
    return max(rise - round(ONSET_KEPT_SECONDS * sample_rate), 0)


def beginning(samples: np.ndarray, frame: int, hop: int, sample_rate: int) -> int:
    """The sample 1 ms before a recording, int16 [n], is first heard in the hop of a frame."""
    loud = np.abs(samples[frame * hop : (frame + 1) * hop].astype(np.float32)) > HEARD * FULL_SCALE
    return max(frame * hop + int(loud.argmax()) - round(ONSET_KEPT_SECONDS * sample_rate), 0)
