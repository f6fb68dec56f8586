"""Style: latents brought to the grains of the corpus, by the graph `style` of a bundle."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.fields import BundleError

GRAINS_AT_ONCE = 64


class Styled(NamedTuple):
    """Latents that were moved, and what lets them sound as loud as they were, and move as they did."""

    path: Array  # [G, Z]
    levels: Array  # [G]: factors
    motion: Array  # [G, S]: what is added to the energy profile of each grain; S is 0 if grains have none


def styled(bundle: Bundle, path: Array, condition: Array, amount: float) -> Styled:
    """Latents [G, Z] moved towards the grains of the corpus that are most like them and have the classes of [C].

    amount: from 0, where they are, to 1, mixes of these grains. Raises BundleError if the bundle has no graph `style`,
    which came with format 4, and it is needed.
    """
    count, points = len(path), bundle.manifest.motion_points
    result = Styled(np.array(path, np.float32), np.ones(count, np.float32), np.zeros((count, points), np.float32))
    if amount == 0:
        return result
    if not bundle.manifest.has_style:
        raise BundleError(f"{bundle.path} knows no style, as it is of format 3: export its run anew, or use style 0")
    for at in range(0, count, GRAINS_AT_ONCE):
        part = slice(at, at + GRAINS_AT_ONCE)
        latents = result.path[part].copy()
        conditions = np.repeat(condition[None], len(latents), 0)
        amounts = np.full((len(latents), 1), amount, np.float32)
        moved, levels, *motion = bundle.run("style", latent=latents, condition=conditions, amount=amounts)
        result.path[part], result.levels[part] = moved, levels[:, 0]
        if motion:
            result.motion[part] = motion[0]
    return result


def path_style(bundle: Bundle, condition: Array) -> float:
    """The style of free paths under a condition [C]: with a class they stay among its grains, without they are free."""
    return float(bundle.manifest.has_style and condition.any())
