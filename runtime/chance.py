"""One law for all random draws, which a host in any language can follow (docs/bundle-format.md, "Chance").

Philox4x64-10 (Salmon et al., 2011) turns a key of two 64-bit words and a counter of four into four random words. The
key is (seed, purpose), the counter (block, index, track, grain). Blocks count from 1, as NumPy's Philox has them. So no
draw depends on how many others there are.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.arrays import Array

# A seed alone, or with the numbers of one of its sounds: (seed, index), (seed, index, track), ... Those left out are 0.
Seed = int | tuple[int, ...]
WORD = 1 << 64
NUMBERS = ("seed", "index", "track", "grain")


class Purpose(IntEnum):
    """What a draw decides: the second word of the key."""

    NOISE = 0
    EMBEDDING = 1
    CLASS = 2
    OPEN_ATTRIBUTES = 3
    SCATTER = 4
    DENSITY = 5
    PATH = 6
    PATH_KIND = 7
    # of evaluations and reports; no host needs them
    NEAREST_GRAINS = 32
    FRECHET_SPLITS = 33
    SELECTION = 34
    REPORT_PAIRS = 35
    REPORT_GRAINS = 36
    REPORT_CLASSES = 37
    TOLD_APART = 38
    TRANSFER_FRAMES = 39


class Draws:
    """The draws of a seed, or of a sound, for one purpose, one after another. Raises ValueError for a bad seed."""

    def __init__(self, purpose: Purpose, seed: Seed) -> None:
        self._philox = philox(purpose, seed)

    def uniform(self, count: int) -> NDArray[np.float64]:
        """Numbers in [0, 1), float64 [count]: the upper 53 bits of a word each."""
        words: NDArray[np.uint64] = self._philox.random_raw(count) >> np.uint64(11)
        return words.astype(np.float64) * 2.0**-53

    def below(self, most: int, count: int) -> NDArray[np.int64]:
        """Whole numbers from 0 to `most` - 1: int64 [count]."""
        return (self.uniform(count) * most).astype(np.int64)

    def normal(self, count: int) -> Array:
        """Numbers from N(0, 1), float32 [count]: two from two words (Box and Muller, 1958), rounded at the end."""
        pairs = self.uniform(count + count % 2).reshape(-1, 2)
        radius, angle = np.sqrt(-2 * np.log(1 - pairs[:, 0])), 2 * np.pi * pairs[:, 1]
        np.multiply(radius, np.cos(angle), out=pairs[:, 0])
        np.multiply(radius, np.sin(angle), out=pairs[:, 1])
        return pairs.reshape(-1)[:count].astype(np.float32)

    def noise(self, out: Array) -> None:
        """Fill `out` [n], n a multiple of 4 but in the last call, with noise in [-1, 1): 16 bits each, lowest first."""
        words = self._philox.random_raw(-(-len(out) // 4)).astype("<u8", copy=False)
        np.multiply(words.view("<i2")[: len(out)], np.float32(1 / 32768), out=out)


def philox(purpose: Purpose, seed: Seed) -> np.random.Philox:
    """The random words of a purpose and a seed, as a bit generator. Raises ValueError for a bad seed."""
    first, *others = check_seed(seed)
    counter = np.array([0, *others, *[0] * (3 - len(others))], dtype=np.uint64)
    return np.random.Philox(key=np.array([first, purpose], dtype=np.uint64), counter=counter)


def generator(purpose: Purpose, seed: Seed) -> np.random.Generator:
    """For evaluations and reports, whose permutations no host needs: NumPy draws them in its own way."""
    return np.random.Generator(philox(purpose, seed))


def check_seed(seed: Any) -> tuple[int, ...]:
    """The numbers of a seed. Raises ValueError if one is no whole number of 64 bits."""
    numbers = seed if isinstance(seed, tuple) else (seed,)
    for name, number in zip(NUMBERS, numbers, strict=False):
        if not isinstance(number, int | np.integer) or not 0 <= number < WORD:
            raise ValueError(f"{name} is {number!r}: choose a whole number from 0 to 2 ** 64 - 1")
    return tuple(map(int, numbers))
