"""The laws of latent paths."""

from pathlib import Path

import numpy as np
import pytest

from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.chance import Draws, Purpose
from ngs.runtime.dsp.paths import (
    KINDS,
    LOOP_MODES,
    LoudnessMap,
    back_and_forth,
    circle,
    free_path,
    linear,
    map_grid,
    map_place,
    spiral,
    walk,
)

A, B = np.array([0, 1, 2, 3], np.float32), np.array([4, -1, 0, 3], np.float32)
FIRST, SECOND = np.eye(4, dtype=np.float32)[:2]


def test_linear_has_both_ends_and_even_steps() -> None:
    path = linear(A, B, 9)
    np.testing.assert_allclose(path[[0, -1]], [A, B])
    np.testing.assert_allclose(np.diff(path, axis=0), np.tile((B - A) / 8, (8, 1)), atol=1e-6)


def test_back_and_forth_stays_on_the_segment_and_turns() -> None:
    path = back_and_forth(A, B, 300, Draws(Purpose.PATH, 0))
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
    path = walk(A, components, low, high, 2000, Draws(Purpose.PATH, 0), step=0.3)
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


def test_paths_start_and_end_in_the_class(tiny_bundle: Path) -> None:
    latent_map = Bundle.open(tiny_bundle, "cpu").latent_map
    start = free_path("linear", 5, 0, latent_map, 2)[0]
    place = int(np.argmin(np.linalg.norm(latent_map["points"] - start, axis=1)))
    assert latent_map["labels"][place, 0] == 2


def test_an_unknown_kind_is_named(tiny_bundle: Path) -> None:
    with pytest.raises(ValueError, match="zigzag.*linear"):
        free_path("zigzag", 5, 0, Bundle.open(tiny_bundle, "cpu").latent_map)


@pytest.mark.parametrize("kind", KINDS)
def test_free_paths_loop_without_a_jump(tiny_bundle: Path, kind: str) -> None:
    """In a loop the step from its end to its start is like any other. Paths that would jump turn back instead."""
    path = free_path(kind, 2048, 3, Bundle.open(tiny_bundle, "cpu").latent_map)
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    around = np.linalg.norm(path[0] - path[-1])
    assert (around < 1.01 * steps.max()) == (LOOP_MODES[kind] == "loop")
    extent = np.linalg.norm(path - path.mean(0), axis=1).max()
    assert steps.max() < 0.5 * extent


def flat_map(places: list[tuple[float, ...]], components: int = 2) -> dict[str, np.ndarray]:
    """A map whose points lie at given places x and y, and at random depths in all other directions."""
    rng = np.random.default_rng(1)
    axes = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    depth = rng.normal(size=(len(places), 6 - components)) @ axes[components:]
    mean = rng.normal(size=6)
    points = mean + np.array(places)[:, :components] @ axes[:components] + depth
    low, high = np.array([-1.0, -2.0])[:components], np.array([3.0, 2.0])[:components]
    arrays = {"mean": mean, "components": axes[:components], "low": low, "high": high, "points": points}
    return {name: array.astype(np.float32) for name, array in arrays.items()}


@pytest.mark.parametrize(("points", "size"), [(1, 5), (5, 2), (9, 17), (300, 17)])
def test_a_map_grid_is_regular_on_the_map(points: int, size: int) -> None:
    rng = np.random.default_rng(points)
    latent_map = flat_map([tuple(rng.uniform(-1, 2, 2)) for _ in range(points)])
    grid = map_grid(latent_map, size)
    assert grid.shape == (size, size, 6) and grid.dtype == np.float32 and np.isfinite(grid).all()
    x, y = np.moveaxis(map_place(latent_map, grid.reshape(-1, 6)).reshape(size, size, 2), 2, 0)
    line = np.linspace(0, 1, size)
    np.testing.assert_allclose(x, np.tile(line, (size, 1)), atol=1e-6)
    np.testing.assert_allclose(y, np.tile(line[:, None], (1, size)), atol=1e-6)
    np.testing.assert_array_equal(grid, map_grid(latent_map, size))


def test_a_node_at_a_grain_is_that_grain_and_between_them_is_a_mean() -> None:
    places = [(x, y) for y in (-2.0, -1.0, 0.0, 1.0, 2.0) for x in (-1.0, 0.0, 1.0, 2.0, 3.0)]
    latent_map = flat_map(places)
    points = latent_map["points"].reshape(5, 5, 6)
    np.testing.assert_allclose(map_grid(latent_map, 5), points, atol=1e-5)
    fine = map_grid(latent_map, 65)
    np.testing.assert_allclose(fine[::16, ::16], points, atol=1e-5)
    steps = [np.linalg.norm(np.diff(fine, axis=axis), axis=2).max() for axis in (0, 1)]
    assert max(steps) < 0.5 * np.linalg.norm(np.diff(points, axis=1), axis=2).max()  # no jump where neighbours change
    low, high = points.reshape(25, 6).min(0), points.reshape(25, 6).max(0)
    assert (fine >= low - 1).all() and (fine <= high + 1).all()


def test_a_map_without_a_second_direction_or_without_extent_has_a_grid() -> None:
    latent_map = flat_map([(0.5,), (1.0,), (2.5,)], components=1)
    grid = map_grid(latent_map, 9)
    np.testing.assert_array_equal(grid, np.tile(grid[:1], (9, 1, 1)))
    place = map_place(latent_map, grid[3])
    np.testing.assert_allclose(place, np.stack((np.linspace(0, 1, 9), np.full(9, 0.5)), axis=1), atol=1e-6)
    latent_map = flat_map([(0.5, 0.0), (1.0, 0.0)])
    latent_map["high"] = latent_map["low"]
    assert np.isfinite(map_grid(latent_map, 3)).all() and (map_place(latent_map, latent_map["points"]) == 0.5).all()
    with pytest.raises(ValueError, match="size is 1: choose 2"):
        map_grid(latent_map, 1)


def test_the_shipped_map_has_a_surface() -> None:
    latent_map = Bundle.open(provider="cpu").latent_map
    grid = map_grid(latent_map)
    places = map_place(latent_map, latent_map["points"])
    inside = ((places > 0) & (places < 1)).all(axis=1)
    assert inside.mean() > 0.9  # 2nd to 98th percentiles
    depth = np.linalg.norm(latent_map["points"] - latent_map["mean"], axis=1).max()
    assert np.linalg.norm(grid - latent_map["mean"], axis=2).max() < 1.5 * depth


@pytest.mark.parametrize("label", [None, 1, 7])
@pytest.mark.parametrize("seed", range(4))
def test_a_circle_is_round_on_the_map_and_stays_on_it(seed: int, label: int | None) -> None:
    latent_map = Bundle.open().latent_map
    path = free_path("circle", 64, seed, latent_map, label)
    place = map_place(latent_map, path)
    assert place.min() >= -1e-4 and place.max() <= 1 + 1e-4
    radius = np.linalg.norm(place - place.mean(0), axis=1)
    np.testing.assert_allclose(radius, radius[0], rtol=1e-3)
    assert 0.03 < radius[0] <= 0.5
    axes, moved = latent_map["components"][:2], path - path.mean(0)
    assert np.abs(moved - moved @ axes.T @ axes).max() < 1e-4  # in the plane of the map


def test_on_a_map_with_one_axis_a_circle_goes_back_and_forth() -> None:
    latent_map = dict(Bundle.open().latent_map)
    latent_map |= {name: latent_map[name][:1] for name in ("components", "low", "high")}
    path = free_path("circle", 64, 0, latent_map)
    place = (path - latent_map["mean"]) @ latent_map["components"][0]
    assert latent_map["low"][0] - 1e-3 <= place.min() < place.max() - 0.1 <= latent_map["high"][0] + 1e-3
    np.testing.assert_allclose(place, place[::-1][np.r_[-1, :63]], atol=1e-3)


def test_the_loudness_of_a_path_lies_between_that_of_the_grains_and_has_no_jumps(tiny_bundle: Path) -> None:
    latent_map = Bundle.open(tiny_bundle).latent_map
    start, end = latent_map["points"][[3, 8]]
    loudness = LoudnessMap(latent_map).at(linear(start, end, 4000))
    assert latent_map["loudness"].min() < loudness.min() < loudness.max() < latent_map["loudness"].max()
    assert np.abs(np.diff(loudness)).max() < 0.02 < np.ptp(loudness)
    same = {**latent_map, "loudness": np.full_like(latent_map["loudness"], -7)}
    np.testing.assert_allclose(LoudnessMap(same).at(latent_map["points"]), -7)


def test_the_loudness_of_a_place_is_that_of_near_grains_alone(tiny_bundle: Path) -> None:
    latent_map = Bundle.open(tiny_bundle).latent_map
    place = latent_map["points"][[3]]
    span = latent_map["high"] - latent_map["low"]
    distances = np.linalg.norm((latent_map["points"] - place) @ latent_map["components"].T / span, axis=1)
    far = np.argsort(distances)[32:]
    louder = latent_map["loudness"].copy()
    louder[far] += 40
    assert LoudnessMap({**latent_map, "loudness": louder}).at(place) == LoudnessMap(latent_map).at(place)
