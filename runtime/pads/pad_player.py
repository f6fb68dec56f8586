"""Plays the hits of one pad: each from its sample on, and only a few at a time."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.arrays import Array

MOST_HITS = 256  # sounding or waiting for their sample, at most
STEAL_SECONDS = 0.005  # how long a hit fades when another needs its place
INAUDIBLE = 2.0  # decay times until a hit ends, at -120 dB
DECAY_LOG = -3 * np.log(10)  # natural logarithm of -60 dB


class Workspace:
    """Arrays for intermediate results, shared by the players of one thread."""

    def __init__(self) -> None:
        self.reserve(512)

    def reserve(self, count: int) -> None:
        """Make room for blocks of `count` samples."""
        self.scratch = np.zeros(count, dtype=np.float32)
        self.index = np.arange(count, dtype=np.float64)


class SoundingHit:
    """A hit that begins at sample `at`. What it plays depends on the sample only, not on the block it falls in."""

    __slots__ = ("at", "end", "fades", "fades_from", "gain", "rate", "samples")

    def __init__(self, samples: Array, at: int, gain: float, decay_samples: float | None) -> None:
        self.samples, self.at, self.gain = samples, at, np.float32(gain)
        self.rate, length = 0.0, len(samples)
        if decay_samples is not None:
            self.rate = DECAY_LOG / decay_samples
            length = min(length, int(INAUDIBLE * decay_samples))
        self.end = at + length
        self.fades: list[tuple[int, int]] = []  # (end, length) of ramps down; the lowest counts
        self.fades_from: float = np.inf

    def fade(self, at: int, length: int) -> None:
        """Fade out in `length` samples from sample `at` on."""
        end = at + length
        if any(other <= end and other - duration <= at for other, duration in self.fades):
            return  # the other ramp is lower everywhere
        self.fades.append((end, length))
        self.fades_from = min(self.fades_from, at)
        self.end = min(self.end, end)

    def add(self, row: Array, time: int, work: Workspace) -> None:
        """Add the hit to a block [n] that begins at sample `time`."""
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
        """The level that the ramps leave at samples [n]."""
        level = np.ones_like(at)
        for end, length in self.fades:
            np.minimum(level, (end - at) / length, out=level)
        return level


class PadPlayer:
    """The hits of one pad. At most `overlap` sound at a time: one more fades the oldest.

    retired: takes hits that have ended, for another thread to free.
    """

    def __init__(self, overlap: int, sample_rate: int, retired: deque[SoundingHit]) -> None:
        self.overlap, self.sample_rate = overlap, sample_rate
        self._steal = max(1, round(STEAL_SECONDS * sample_rate))
        self._waiting: list[SoundingHit] = []
        self._sounding: list[SoundingHit] = []  # in order of their beginning
        self._retired = retired

    @property
    def full(self) -> bool:
        """Whether there is no room for another hit."""
        return len(self._waiting) + len(self._sounding) >= MOST_HITS

    def begin(self, samples: Array, at: int, gain: float, decay: float | None) -> None:
        """Play a hit from sample `at` on. decay: seconds to -60 dB."""
        decay_samples = None if decay is None else decay * self.sample_rate
        self._waiting.append(SoundingHit(samples, at, gain, decay_samples))

    def fade(self, at: int, length: int) -> None:
        """Fade all hits out from sample `at` on. Those that would begin later are dropped."""
        self._waiting = [hit for hit in self._waiting if hit.at < at]
        for hit in (*self._sounding, *self._waiting):
            hit.fade(at, length)

    def clear(self) -> None:
        """Silence, at once."""
        self._retired.extend(self._sounding)
        self._waiting, self._sounding = [], []

    def add(self, row: Array, time: int, work: Workspace) -> None:
        """Add all hits to a block [n] that begins at sample `time`."""
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
        """Begin the hits that are due before sample `stop`, in order of time."""
        for hit in sorted((hit for hit in self._waiting if hit.at < stop), key=lambda hit: hit.at):
            playing = [other for other in self._sounding if other.end > hit.at and other.fades_from > hit.at]
            if len(playing) >= self.overlap:
                if playing[0].at == hit.at:
                    playing[0].end = hit.at  # not heard yet
                else:
                    playing[0].fade(hit.at, self._steal)
            self._sounding.append(hit)
        self._waiting = [hit for hit in self._waiting if hit.at >= stop]
