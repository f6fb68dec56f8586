"""Random streams: every kind of draw, of sounds, of the evaluation and of the report, has one of its own."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Stream(IntEnum):
    """The last number of a stream: what it decides. The stream of embeddings has none."""

    NOISE = 1
    CLASS = 2
    OPEN_ATTRIBUTES = 3
    GRAINS = 4  # scatter and density, grain by grain; for a one-shot path, its kind
    NEAREST_GRAINS = 31
    FRECHET_SPLITS = 47
    SELECTION = 53
    TOLD_APART = 59
    REPORT_PAIRS = 67
    REPORT_GRAINS = 71
    REPORT_CLASSES = 73


def seeded(seed: int, *stream: int) -> np.random.Generator:
    """A counter-based random generator for a seed, and for a stream within it that the numbers name."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *stream])))
