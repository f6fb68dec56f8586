"""A ring of audio between the thread that makes it and the callback that plays it: no locks, nothing allocated."""

from __future__ import annotations

import numpy as np

from ngs.runtime.arrays import Array


class Ring:
    """Frames of `channels`, one writer, one reader; time goes on for the reader whether there is audio or not.

    `written` and `read` count frames since the start; each is changed by one side only, after the frames are there.
    Where the writer is late the reader hears what it heard last, backwards and fading, then silence; then it fades in.
    """

    def __init__(self, capacity: int, channels: int, fade: int) -> None:
        """`capacity` in frames, a power of two; `fade` frames out and in around what was late."""
        self._frames = np.zeros((channels, capacity), dtype=np.float32)
        self._mask = capacity - 1
        if capacity & self._mask or fade > capacity // 2:
            raise ValueError("the capacity is a power of two, twice a fade at least")
        self._rise = np.linspace(0, 1, fade + 1, dtype=np.float32)[1:]
        self._past, self._echo = (np.zeros((channels, fade), dtype=np.float32) for _ in range(2))
        self._echoed = self._risen = fade  # frames of the echo that were played, and of the way back from silence
        self._missing = False
        self.written = self.read = self.late = 0

    @property
    def filled(self) -> int:
        """Frames that wait; below 0 the writer is late."""
        return self.written - self.read

    def write(self, block: Array) -> None:
        """Append frames [channels, n]; the writer sees to it that they fit (`filled` and a fade leave room)."""
        count = block.shape[1]
        start = self.written & self._mask
        first = min(count, self._mask + 1 - start)
        self._frames[:, start : start + first] = block[:, :first]
        self._frames[:, : count - first] = block[:, first:]
        self.written += count

    def skip(self) -> int:
        """Bring a late writer to where the reader is: the frames that were never played."""
        late = max(0, self.read - self.written)
        self.written += late
        return late

    def jump(self) -> None:
        """Bring a late reader to where the writer is: what it takes next fades in."""
        self.read, self._risen = self.written, 0

    def take(self, out: Array) -> None:
        """Fill `out` [channels, n] with the next frames; called by the reader alone."""
        count = out.shape[1]
        ready = min(max(self.written - self.read, 0), count)
        if ready:
            self._missing = False
            heard = out[:, :ready]
            self._copy(self.read, heard)
            if self._risen < len(self._rise):
                rising = min(ready, len(self._rise) - self._risen)
                heard[:, :rising] *= self._rise[self._risen : self._risen + rising]
                self._risen += rising
            self._add_echo(heard)
        if ready < count:
            self.late += self.written > 0
            rest = out[:, ready:]
            rest[:] = 0.0
            if not self._missing:
                self._missing = True
                self._listen_back(self.read + ready)
            self._add_echo(rest)
        self.read += count

    def _add_echo(self, out: Array) -> None:
        if self._echoed < len(self._rise):
            echo = self._echo[:, self._echoed : self._echoed + out.shape[1]]
            out[:, : echo.shape[1]] += echo
            self._echoed += echo.shape[1]

    def _listen_back(self, end: int) -> None:
        """Make an echo of what was heard up to `end`, on top of what is left of an earlier one."""
        unheard, left = len(self._rise) - self._risen, len(self._rise) - self._echoed
        self._copy(end - len(self._rise), self._past)
        self._past[:, :unheard] = 0.0  # from before the way back: it was skipped
        if unheard:
            self._past[:, unheard:] *= self._rise[: self._risen]
        self._past *= self._rise
        self._echo[:, :left] = self._echo[:, self._echoed :]
        self._echo[:, left:] = 0.0
        self._echo += self._past[:, ::-1]
        self._echoed = self._risen = 0

    def _copy(self, start: int, out: Array) -> None:
        count = out.shape[1]
        start &= self._mask
        first = min(count, self._mask + 1 - start)
        out[:, :first] = self._frames[:, start : start + first]
        out[:, first:] = self._frames[:, : count - first]
