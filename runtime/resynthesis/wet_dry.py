"""The mix of a resynthesised signal with its input, both delayed to the same latency."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.arrays import Array
from ngs.runtime.synth.pan import SMOOTH_SECONDS

Levels = tuple[float, float]  # of wet and dry


class WetDry:
    """Queues of the wet and the dry signal, and the levels at which they are mixed. Levels move in straight lines."""

    def __init__(self, latency: int, levels: Levels, sample_rate: int) -> None:
        self.wet, self.dry = Delay(latency), Delay(latency)
        self._start = self._end = np.array(levels)[:, None]
        self._step, self._done = 1 / (SMOOTH_SECONDS * sample_rate), 0  # per sample; samples since the line began

    def mix(self, levels: Levels, out: Array) -> None:
        """Overwrite `out` [n] with the next samples, on the way to these levels."""
        count = len(out)
        wet, dry = self._follow(levels, count)
        out[:] = wet * self.wet.get(count) + dry * self.dry.get(count)

    def _follow(self, levels: Levels, count: int) -> Array:
        """The next levels: [2, count], or [2, 1] if they are constant."""
        wanted = np.array(levels)[:, None]
        if (wanted != self._end).any():
            self._start, self._end, self._done = self._line(np.array([self._done])), wanted, 0
        if (self._step * self._done >= np.abs(self._end - self._start)).all():
            return self._end.astype(np.float32)
        self._done += count
        return self._line(np.arange(self._done - count + 1, self._done + 1)).astype(np.float32)

    def _line(self, samples: NDArray[np.int64]) -> NDArray[np.float64]:
        """The levels at these samples of the line."""
        way, gone = self._end - self._start, self._step * samples
        line: NDArray[np.float64] = np.where(gone < np.abs(way), self._start + np.sign(way) * gone, self._end)
        return line


class Delay:
    """A queue of samples that begins with zeros."""

    def __init__(self, zeros: int) -> None:
        self._parts, self._first, self._zeros = deque[Array](), 0, zeros

    def put(self, samples: Array) -> None:
        """Append samples [n]."""
        if len(samples):
            self._parts.append(samples.copy())

    def get(self, count: int) -> Array:
        """The next samples. They must have been put in."""
        out = np.zeros(count, dtype=np.float32)
        done = min(count, self._zeros)
        self._zeros -= done
        while done < count:
            part = self._parts[0][self._first : self._first + count - done]
            out[done : done + len(part)] = part
            done += len(part)
            self._first += len(part)
            if self._first == len(self._parts[0]):
                self._parts.popleft()
                self._first = 0
        return out
