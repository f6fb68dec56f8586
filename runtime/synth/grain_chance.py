"""What chance does to grains: `scatter` moves them off the path, `density` silences some."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.chance import Draws, Purpose, Seed, check_seed


class GrainChance:
    """The random draws for the grains of one sound, (seed, index). Those of a grain depend on its number only."""

    def __init__(self, bundle: Bundle, seed: Seed) -> None:
        numbers = check_seed(seed)
        self._bundle, self._seed = bundle, (*numbers, *[0] * (3 - len(numbers)))

    def scatter(self, grain: int, latent: Array, controls: Mapping[str, float]) -> None:
        """Move the latent [Z] of a grain by a random step, in place. At 1, steps are spread as the corpus is."""
        scatter = np.float32(controls["scatter"])
        if scatter > 0:
            spread = self._bundle.latent_spread
            latent += scatter * (Draws(Purpose.SCATTER, (*self._seed, grain)).normal(len(spread)) @ spread)

    def silences(self, grain: int, controls: Mapping[str, float]) -> bool:
        """Whether a grain is silent."""
        density = controls["density"]
        return density < 1 and bool(Draws(Purpose.DENSITY, (*self._seed, grain)).uniform(1)[0] >= density)
