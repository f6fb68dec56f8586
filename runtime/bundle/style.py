"""Style: latents brought to the grains of the corpus, by the graph `style` of a bundle."""

from __future__ import annotations

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.fields import BundleError

GRAINS_AT_ONCE = 64


def styled(bundle: Bundle, path: Array, condition: Array, amount: float) -> tuple[Array, Array]:
    """Latents [G, Z] moved towards the grains of the corpus that are most like them and have the classes of [C].

    amount: from 0, where they are, to 1, mixes of these grains. Also returns the levels [G] at which they are as loud
    as before. Raises BundleError if the bundle has no graph `style`, which came with format 4, and it is needed.
    """
    moved, levels = np.array(path, np.float32), np.ones(len(path), np.float32)
    if amount == 0:
        return moved, levels
    if not bundle.manifest.has_style:
        raise BundleError(f"{bundle.path} knows no style, as it is of format 3: export its run anew, or use style 0")
    for at in range(0, len(path), GRAINS_AT_ONCE):
        part = slice(at, at + GRAINS_AT_ONCE)
        count = len(moved[part])
        given = np.repeat(condition[None], count, axis=0), np.full((count, 1), amount, np.float32)
        latents, factors = bundle.run("style", latent=moved[part].copy(), condition=given[0], amount=given[1])
        moved[part], levels[part] = latents, factors[:, 0]
    return moved, levels
