"""The streaming contract: what everything that plays in blocks has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np

from ngs.runtime.arrays import Array

FLOAT32 = np.dtype(np.float32)


class AudioStream(ABC):
    """Sound in blocks: float32 [rows, n], of any n, changed in place.

    The samples of a row lie side by side; the rows may lie apart, as in a part of a longer block. The sound does not
    depend on the size of the blocks: chunked equals whole, to the bit. One thread, the host's, calls `process`. Errors
    that a bundle causes while it plays are counted, not raised.

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
        """Start again: the next sample is the first, as in a new stream. Settings stay. Not while a thread plays.

        Thread: any, when no other uses it. Waits: no. Memory: a little.
        """

    def _facts(self) -> list[str]:
        """What `repr` says of it."""
        return [f"{self.rows} row{'s' * (self.rows != 1)}", f"latency {self.latency}"]

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {', '.join(self._facts())}>"

    def _check(self, block: Array, written: bool = True) -> None:
        """Raise ValueError unless a block is an array of the stream's kind that can be `written`, or only read."""
        if (
            not isinstance(block, np.ndarray)
            or block.dtype != FLOAT32
            or block.ndim != 2
            or len(block) != self.rows
            or (block.strides[1] != 4 and block.shape[1] > 1)
            or (written and not block.flags.writeable)
        ):
            raise ValueError(
                f"a block is float32 [{self.rows}, n], this one is {_kind(block, written)}: process an array of your "
                "own that fits, and copy"
            )


class Source(AudioStream):
    """Makes sound."""

    @abstractmethod
    def process(self, out: Array) -> None:
        """Overwrite `out` with the next n samples. Raises ValueError for a wrong shape or dtype.

        Thread: the callback's. Waits: no. Memory: none.
        """

    def render(self, count: int) -> Array:
        """The next `count` samples in a new array, float32 [rows, count].

        Thread: that of `process`. Waits: as `process` does. Memory: the array.
        """
        out = np.zeros((self.rows, count), dtype=np.float32)
        self.process(out)
        return out


class Effect(AudioStream):
    """Turns sound into other sound."""

    @abstractmethod
    def process(self, given: Array, out: Array) -> None:
        """Overwrite `out` with what becomes of `given`, a block of the same shape; both may be one array.

        Raises ValueError for a wrong shape or dtype.

        Thread: the callback's. Waits: no. Memory: none.
        """

    def render(self, given: Array) -> Array:
        """What becomes of a block, in a new array of the same shape.

        Thread: that of `process`. Waits: as `process` does. Memory: the array.
        """
        given = np.ascontiguousarray(given)
        out = np.zeros_like(given)
        self.process(given, out)
        return out

    def _check_pair(self, given: Array, out: Array) -> None:
        self._check(given, written=False)
        self._check(out)
        if given.shape != out.shape:
            raise ValueError(f"blocks have one shape, these are {given.shape} and {out.shape}")


def _kind(block: object, written: bool) -> str:
    if not isinstance(block, np.ndarray):
        return f"a {type(block).__name__}"
    kind = f"{block.dtype} {block.shape}"
    if block.ndim == 2 and block.shape[1] > 1 and block.strides[1] != block.itemsize:
        kind += ", the samples of its rows not side by side"
    return kind + (", read-only" if written and not block.flags.writeable else "")
