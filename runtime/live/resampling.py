"""soxr in blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import soxr

from ngs.runtime.arrays import Array

PIECE = 32  # samples


def variable_rate_stream(highest: float, target: float) -> Any:
    """A mono stream of soxr's from any rate up to `highest` to the rate `target`, in float32."""
    return soxr.ResampleStream(highest, target, 1, dtype="float32", quality="HQ", vr=True)


class PieceResampler:
    """Resamples in pieces of one size, so that the result does not depend on the size of the host's blocks.

    Equal rates pass through, bit for bit.
    """

    def __init__(self, source: int, target: int) -> None:
        self._stream = variable_rate_stream(source, target) if source != target else None
        self._piece, self._count = np.zeros(PIECE, np.float32), 0

    def convert(self, samples: Array) -> list[Array]:
        """What comes out for the next samples [n], in parts."""
        if self._stream is None:
            return [samples]
        parts = []
        while len(samples):
            count = min(len(samples), PIECE - self._count)
            self._piece[self._count : self._count + count] = samples[:count]
            self._count += count
            samples = samples[count:]
            if self._count == PIECE:
                parts.append(self._stream.resample_chunk(self._piece))
                self._count = 0
        return parts
