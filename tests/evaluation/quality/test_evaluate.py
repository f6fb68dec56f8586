"""Sampled sounds are those that `ngs render` draws. Everything else is tested through the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ngs.evaluation.quality.evaluate import Options, sample_class
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.offline.render import sample


def test_samples_are_those_that_render_draws(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle, provider="cpu")
    three, two = (sample_class(bundle, "Kick", Options(samples=count, seed=1)) for count in (3, 2))
    assert len(three) == 3
    for ours, theirs in zip(three, two, strict=False):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(three[2], sample(bundle, bundle.condition("Kick"), 0.7, 1, 2))
