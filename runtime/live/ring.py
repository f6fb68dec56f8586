"""A ring buffer between the thread that makes audio and the callback that plays it: no locks, no allocation."""

from __future__ import annotations

import numpy as np

from ngs.runtime.arrays import Array

FADE_SECONDS = 0.005  # how long engines fade before and after a gap


class Ring:
    """Carries frames from one writer to one reader. The reader's time goes on even if no frames are ready.

    `written` and `read` count frames since the start. Each is changed by one side only, after the frames are in place.
    If the writer is late, the reader gets an echo (what it heard last, backwards and fading), then silence; when there
    is audio again it fades in.
    """

    def __init__(self, capacity: int, channels: int, fade: int) -> None:
        """`capacity`: frames, a power of two. `fade`: frames of the fades before and after a gap."""
        self._frames = np.zeros((channels, capacity), dtype=np.float32)
        self._mask = capacity - 1
        if capacity & self._mask or fade > capacity // 2:
            raise ValueError(f"capacity is {capacity}: choose a power of two, at least twice the fade of {fade} frames")
        self._rise = np.linspace(0, 1, fade + 1, dtype=np.float32)[1:]
        self._past, self._echo = (np.zeros((channels, fade), dtype=np.float32) for _ in range(2))
        self._echoed = self._risen = fade  # frames played of the echo, and of the fade in
        self._missing = False
        self.written = self.read = self.late = 0

    @property
    def filled(self) -> int:
        """Frames ready to be read. Negative if the writer is late."""
        return self.written - self.read

    def write(self, block: Array) -> None:
        """Append frames [channels, n]. The writer must leave room for `filled` and a fade."""
        count = block.shape[1]
        start = self.written & self._mask
        first = min(count, self._mask + 1 - start)
        self._frames[:, start : start + first] = block[:, :first]
        self._frames[:, : count - first] = block[:, first:]
        self.written += count

    def skip(self) -> int:
        """Move a late writer to the reader's place. Returns how many frames were lost."""
        late = max(0, self.read - self.written)
        self.written += late
        return late

    def jump(self) -> None:
        """Move a late reader to the writer's place. What it takes next fades in."""
        self.read, self._risen = self.written, 0

    def take(self, out: Array) -> None:
        """Fill `out` [channels, n] with the next frames. Only the reader calls this."""
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
        """Prepare the echo of what was heard up to `end`; what is left of an earlier echo is added."""
        unheard, left = len(self._rise) - self._risen, len(self._rise) - self._echoed
        self._copy(end - len(self._rise), self._past)
        self._past[:, :unheard] = 0.0  # skipped before the fade in, so never heard
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
