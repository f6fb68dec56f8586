"""Plays the hits of a pad: each begins at its sample, few at a time, and what is too much fades."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.arrays import Array

MOST_HITS = 256  # that sound, or wait for their sample
STEAL_SECONDS = 0.005  # in which one fades where another needs its place
INAUDIBLE = 2.0  # times the decay, -120 dB: a hit ends there
DECAY_LOG = -3 * np.log(10)  # -60 dB


class Workspace:
    """What players of a thread compute in."""

    def __init__(self) -> None:
        self.reserve(512)

    def reserve(self, count: int) -> None:
        self.scratch = np.zeros(count, dtype=np.float32)
        self.index = np.arange(count, dtype=np.float64)


class SoundingHit:
    """A hit at an absolute sample; every value depends on where it is, not on the block it is computed in."""

    __slots__ = ("at", "end", "fades", "fades_from", "gain", "rate", "samples")

    def __init__(self, samples: Array, at: int, gain: float, decay_samples: float | None) -> None:
        self.samples, self.at, self.gain = samples, at, np.float32(gain)
        self.rate, length = 0.0, len(samples)
        if decay_samples is not None:
            self.rate = DECAY_LOG / decay_samples
            length = min(length, int(INAUDIBLE * decay_samples))
        self.end = at + length
        self.fades: list[tuple[int, int]] = []  # (end, length) of ramps down, of which the lowest counts
        self.fades_from: float = np.inf

    def fade(self, at: int, length: int) -> None:
        """Ramp down to 0 from sample `at` on."""
        end = at + length
        if any(other <= end and other - duration <= at for other, duration in self.fades):
            return  # it is lower throughout
        self.fades.append((end, length))
        self.fades_from = min(self.fades_from, at)
        self.end = min(self.end, end)

    def add(self, row: Array, time: int, work: Workspace) -> None:
        """Add to a block [n] that begins at sample `time`."""
        start, stop = max(self.at - time, 0), min(self.end - time, len(row))
        if stop <= start:
            return
        count, place = stop - start, time + start
        samples = self.samples[place - self.at : place - self.at + count]
        if self.gain != 1 or self.rate or self.fades:
            samples = np.multiply(samples, self.gain, out=work.scratch[:count])
            if self.rate:
                samples *= np.exp(self.rate * (work.index[:count] + (place - self.at)))
            if place + count > self.fades_from:
                samples *= self._level(place + work.index[:count])
        row[start:stop] += samples

    def _level(self, at: NDArray[np.float64]) -> NDArray[np.float64]:
        """What the ramps leave at samples [n]."""
        level = np.ones_like(at)
        for end, length in self.fades:
            np.minimum(level, (end - at) / length, out=level)
        return level


class PadPlayer:
    """The hits of one pad, at most `overlap` of them at a time: one more fades the oldest.

    retired: hits that have ended, to be freed by another thread.
    """

    def __init__(self, overlap: int, sample_rate: int, retired: deque[SoundingHit]) -> None:
        self.overlap, self.sample_rate = overlap, sample_rate
        self._steal = max(1, round(STEAL_SECONDS * sample_rate))
        self._waiting: list[SoundingHit] = []
        self._sounding: list[SoundingHit] = []  # in the order in which they began
        self._retired = retired

    @property
    def full(self) -> bool:
        """Whether there are as many hits as there may be."""
        return len(self._waiting) + len(self._sounding) >= MOST_HITS

    def begin(self, samples: Array, at: int, gain: float, decay: float | None) -> None:
        """A hit from sample `at` on; decay: seconds to -60 dB."""
        decay_samples = None if decay is None else decay * self.sample_rate
        self._waiting.append(SoundingHit(samples, at, gain, decay_samples))

    def fade(self, at: int, length: int) -> None:
        """Fade from sample `at` on what was begun; what would begin later does not."""
        self._waiting = [hit for hit in self._waiting if hit.at < at]
        for hit in (*self._sounding, *self._waiting):
            hit.fade(at, length)

    def add(self, row: Array, time: int, work: Workspace) -> None:
        """Add the hits to a block [n] that begins at sample `time`."""
        stop = time + len(row)
        if self._waiting:
            self._let_in(stop)
        ended = 0
        for hit in self._sounding:
            hit.add(row, time, work)
            ended += hit.end <= stop
        if ended:
            self._retired.extend(hit for hit in self._sounding if hit.end <= stop)
            self._sounding = [hit for hit in self._sounding if hit.end > stop]

    def _let_in(self, stop: int) -> None:
        """Hits that begin before sample `stop`, in the order of their samples."""
        for hit in sorted((hit for hit in self._waiting if hit.at < stop), key=lambda hit: hit.at):
            playing = [other for other in self._sounding if other.end > hit.at and other.fades_from > hit.at]
            if len(playing) >= self.overlap:
                if playing[0].at == hit.at:
                    playing[0].end = hit.at  # it was never heard
                else:
                    playing[0].fade(hit.at, self._steal)
            self._sounding.append(hit)
        self._waiting = [hit for hit in self._waiting if hit.at >= stop]
