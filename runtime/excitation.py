"""Phases of tones over grains, offline: the state of a synthesis graph for many hops at once.

A synthesis graph moves the phases by one hop a call. Offline all grains of a sound go through it in one call; the
phases each of them starts from are computed here, by the same law as the graph's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


class Phases:
    """The phases of one sound's tones in turns, float32 [K], from grain to grain: zeros before the first."""

    def __init__(self) -> None:
        self._last: Array | None = None

    def before(self, peak: Array, advance: Array) -> Array:
        """The phases that go into the next n grains of `peak` and `advance` [n, K]: float32 [n, K]."""
        follow = peak.astype(np.intp)
        phases = np.zeros((len(peak) + 1, peak.shape[1]), dtype=np.float32)
        if self._last is not None:
            phases[0] = self._last
        for grain in range(len(peak)):
            first = grain == 0 and self._last is None
            step = 2 * advance[0] - np.float32(0.25) if first else advance[grain]
            turns = phases[grain][follow[grain]] + step
            np.subtract(turns, np.floor(turns), out=phases[grain + 1])
        if len(peak):
            self._last = phases[-1]
        return phases[:-1]
