"""What chance does to grains: `scatter` moves them off the path, `density` silences some."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.streams import Stream, seeded


class GrainChance:
    """The random draws for grains of one sound, one grain after another; a seed and its numbers decide them."""

    def __init__(self, bundle: Bundle, *seed: int) -> None:
        self._bundle, self._seed = bundle, seed

    def scatter(self, latent: Array, controls: Mapping[str, float]) -> None:
        """Move a latent [Z] by a random step, in place. At 1, steps are spread as the corpus is."""
        scatter = np.float32(controls["scatter"])
        if scatter > 0:
            spread = self._bundle.latent_spread
            latent += scatter * (self._draws.standard_normal(len(spread), dtype=np.float32) @ spread)

    def silences(self, controls: Mapping[str, float]) -> bool:
        """Whether the next grain is silent."""
        density = controls["density"]
        return density < 1 and self._draws.random() >= density

    @cached_property
    def _draws(self) -> np.random.Generator:
        return seeded(*self._seed, Stream.GRAINS)  # takes a while, and few sounds need it
