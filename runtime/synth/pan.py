"""Gain and pan, without clicks."""

from __future__ import annotations

import math

import numpy as np

from ngs.runtime.arrays import Array

SMOOTH_SECONDS = 0.01
SHORTEST_SECONDS = 0.002  # of a fade


class Pan:
    """The gains of both sides. They move in straight lines, without zipper noise or clicks."""

    def __init__(self, gain: float, pan: float, sample_rate: int, channels: int) -> None:
        """`channels`: 2, or 1, and then pan has no effect."""
        self._sample_rate, self._channels = sample_rate, channels
        self._end = self._start = self._sides(gain, pan)
        self._length, self.remaining = 1, 0  # samples of the line: in all, and still to come

    def go(self, gain: float, pan: float, seconds: float = SMOOTH_SECONDS) -> None:
        """Move to a gain and a pan within `seconds` (2 ms at least)."""
        self._start = self._now()
        self._end = self._sides(gain, pan)
        self._length = self.remaining = max(round(max(seconds, SHORTEST_SECONDS) * self._sample_rate), 1)

    def mix(self, samples: Array, out: Array) -> None:
        """Add samples [n] to the channels of `out` [c, n]. While a line goes on, n is at most `remaining`."""
        if self.remaining:
            done = self._length - self.remaining
            share = np.arange(done + 1, done + len(samples) + 1, dtype=np.float32) / np.float32(self._length)
        for side, (start, end) in enumerate(zip(self._start, self._end, strict=True)):
            if self.remaining:
                out[side] += samples * (start + share * (end - start))
            elif end:
                out[side] += samples * end
        self.remaining = max(0, self.remaining - len(samples))

    def _now(self) -> list[np.float32]:
        share = np.float32(1 - self.remaining / self._length)
        return [start + share * (end - start) for start, end in zip(self._start, self._end, strict=True)]

    def _sides(self, gain: float, pan: float) -> list[np.float32]:
        angle = (pan + 1) * math.pi / 4
        return (
            [np.float32(gain * side) for side in (math.cos(angle), math.sin(angle))]
            if self._channels == 2
            else [np.float32(gain)]
        )
