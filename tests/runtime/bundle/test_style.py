"""Style: latents brought to the corpus by the graph of a bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.tiny import LATENT, POINTS

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.bundle.style import GRAINS_AT_ONCE, styled


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle, "cpu")


def path(grains: int) -> Array:
    return np.random.default_rng(2).standard_normal((grains, LATENT)).astype(np.float32)


@pytest.mark.parametrize("grains", [0, 1, GRAINS_AT_ONCE, GRAINS_AT_ONCE + 1])
def test_it_is_what_the_graph_gives(tiny: Bundle, grains: int) -> None:
    given, condition = path(grains), tiny.condition("Snare")
    made = styled(tiny, given, condition, 0.4)
    assert made.path.shape == given.shape and made.levels.shape == (grains,) and made.motion.shape == (grains, POINTS)
    for latent, found, level, motion in zip(given, *made, strict=True):
        inputs = {"latent": latent[None], "condition": condition[None], "amount": np.full((1, 1), 0.4, np.float32)}
        wanted = tiny.run("style", **inputs)
        np.testing.assert_allclose(found, wanted[0][0], atol=1e-6)
        assert level == pytest.approx(wanted[1][0, 0])
        np.testing.assert_allclose(motion, wanted[2][0], atol=1e-6)


def test_amount_0_is_the_path_itself_in_every_format(tiny: Bundle, tiny_older: Path) -> None:
    for bundle in (tiny, Bundle.open(tiny_older, "cpu")):
        given = path(5)
        made = styled(bundle, given, bundle.condition("Hat"), 0.0)
        np.testing.assert_array_equal(made.path, given)
        assert made.path is not given and (made.levels == 1).all() and not made.motion.any()


def test_format_3_knows_none(tiny_older: Path) -> None:
    bundle = Bundle.open(tiny_older, "cpu")
    with pytest.raises(BundleError, match="knows no style, as it is of format 3: export its run anew, or use style 0"):
        styled(bundle, path(1), bundle.condition({}), 0.1)
