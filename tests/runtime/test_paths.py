"""The laws of latent paths."""

from pathlib import Path

import numpy as np
import pytest

from ngs.runtime.bundle import Bundle
from ngs.runtime.paths import KINDS, back_and_forth, circle, free_path, linear, spiral, walk

A, B = np.array([0, 1, 2, 3], np.float32), np.array([4, -1, 0, 3], np.float32)
FIRST, SECOND = np.eye(4, dtype=np.float32)[:2]


def test_linear_has_both_ends_and_even_steps() -> None:
    path = linear(A, B, 9)
    np.testing.assert_allclose(path[[0, -1]], [A, B])
    np.testing.assert_allclose(np.diff(path, axis=0), np.tile((B - A) / 8, (8, 1)), atol=1e-6)


def test_back_and_forth_stays_on_the_segment_and_turns() -> None:
    path = back_and_forth(A, B, 300, np.random.default_rng(0))
    share = (path - A) @ (B - A) / np.sum((B - A) ** 2)
    assert share.min() >= -1e-6 and share.max() <= 1 + 1e-6
    np.testing.assert_allclose(path, A + share[:, None] * (B - A), atol=1e-5)
    directions = np.sign(np.diff(share))
    assert 1 in directions and -1 in directions


def test_circle_is_closed_and_round() -> None:
    path = circle(A, 2 * FIRST, 2 * SECOND, 16)
    np.testing.assert_allclose(np.linalg.norm(path - A, axis=1), 2, atol=1e-5)
    steps = np.linalg.norm(np.diff(np.vstack((path, path[:1])), axis=0), axis=1)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-4)  # also from the last one to the first


def test_spiral_grows_from_its_center() -> None:
    radius = np.linalg.norm(spiral(A, FIRST, SECOND, 50) - A, axis=1)
    assert radius[0] == pytest.approx(0, abs=1e-6) and radius[-1] == pytest.approx(1, abs=1e-5)
    assert np.all(np.diff(radius) > 0)


def test_walk_stays_in_its_box_and_leaves_other_directions_alone() -> None:
    components = np.stack((FIRST, SECOND))
    low, high = np.array([-1, -2]), np.array([1, 0.5])
    path = walk(A, components, low, high, 2000, np.random.default_rng(0), step=0.3)
    place = (path - A) @ components.T
    np.testing.assert_allclose(path[0], A, atol=1e-5)
    assert np.all(place >= low - 1e-5) and np.all(place <= high + 1e-5)
    np.testing.assert_allclose(path[:, 2:] - A[2:], 0, atol=1e-6)
    assert len(np.unique(place[:, 0].round(3))) > 100


@pytest.mark.parametrize("length", [1, 2, 40])
@pytest.mark.parametrize("kind", KINDS)
def test_free_paths_are_finite_and_seeded(tiny_bundle: Path, kind: str, length: int) -> None:
    latent_map = Bundle.open(tiny_bundle, "cpu").latent_map
    path = free_path(kind, length, 3, latent_map, 1)
    assert path.shape == (length, 4) and path.dtype == np.float32 and np.isfinite(path).all()
    np.testing.assert_array_equal(path, free_path(kind, length, 3, latent_map, 1))
    assert not np.array_equal(path, free_path(kind, length, 4, latent_map, 1))


def test_anchors_are_of_the_class(tiny_bundle: Path) -> None:
    latent_map = Bundle.open(tiny_bundle, "cpu").latent_map
    start = free_path("linear", 5, 0, latent_map, 2)[0]
    place = int(np.argmin(np.linalg.norm(latent_map["points"] - start, axis=1)))
    assert latent_map["labels"][place, 0] == 2


def test_an_unknown_kind_is_named(tiny_bundle: Path) -> None:
    with pytest.raises(ValueError, match="zigzag.*linear"):
        free_path("zigzag", 5, 0, Bundle.open(tiny_bundle, "cpu").latent_map)
