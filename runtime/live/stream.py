"""The streaming contract: what everything that plays in blocks has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from ngs.runtime.arrays import Array


class AudioStream(ABC):
    """Sound in blocks: float32 [rows, n], of any n, changed in place.

    The sound does not depend on the size of the blocks: chunked equals whole, to the bit. One thread, the host's,
    calls `process`. Errors that a bundle causes while it plays are counted, not raised.

    latency: samples, the same for every block size. A `Source` plays a new request after `latency` samples;
    an `Effect` plays what it makes of an input sample after `latency` samples.
    """

    latency: int

    @property
    @abstractmethod
    def rows(self) -> int:
        """Rows of a block: channels, of all outputs together."""

    @abstractmethod
    def reset(self) -> None:
        """Start again: the next sample is the first, as in a new stream. Settings stay. Not while a thread plays."""

    def _check(self, block: Array) -> None:
        if block.ndim != 2 or len(block) != self.rows or block.dtype != np.float32:
            raise ValueError(f"a block is float32 [{self.rows}, n], this one is {block.dtype} {block.shape}")


class Source(AudioStream):
    """Makes sound."""

    @abstractmethod
    def process(self, out: Array) -> None:
        """Overwrite `out` with the next n samples. Raises ValueError for a wrong shape or dtype."""

    def render(self, count: int) -> Array:
        """The next `count` samples in a new array, float32 [rows, count]."""
        out = np.zeros((self.rows, count), dtype=np.float32)
        self.process(out)
        return out


class Effect(AudioStream):
    """Turns sound into other sound."""

    @abstractmethod
    def process(self, given: Array, out: Array) -> None:
        """Overwrite `out` with what becomes of `given`, a block of the same shape; both may be one array.

        Raises ValueError for a wrong shape or dtype.
        """

    def render(self, given: Array) -> Array:
        """What becomes of a block, in a new array of the same shape."""
        out = np.zeros_like(given)
        self.process(given, out)
        return out

    def _check_pair(self, given: Array, out: Array) -> None:
        self._check(given)
        self._check(out)
        if given.shape != out.shape:
            raise ValueError(f"blocks have one shape, these are {given.shape} and {out.shape}")
