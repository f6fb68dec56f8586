"""Free latent paths as arrays [T, Z] (paper, section 5): lines, oscillations, circles, spirals, and random walks.

Also grids of latents over the map of a bundle's corpus, which two controls play.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.arrays import Array
from ngs.runtime.chance import Draws, Purpose, Seed

KINDS = ("linear", "back-and-forth", "circle", "spiral", "walk")
# How a note loops each kind without a jump. The last grain of a circle lies one step before its first; all others end
# far from where they began, so they are played back and forth.
LOOP_MODES: Mapping[str, str] = {kind: "loop" if kind == "circle" else "back-and-forth" for kind in KINDS}
NEIGHBOURS = 8  # grains of the corpus that make a node of the grid
PASSED = 32  # grains of the corpus whose loudness a path takes
PLACES_AT_ONCE = 256


def linear(start: Array, end: Array, length: int) -> Array:
    """A straight line from `start` to `end`, both included: [length, Z]."""
    return _along(start, end, np.linspace(0, 1, length))


def back_and_forth(start: Array, end: Array, length: int, draws: Draws, step: float = 0.06) -> Array:
    """Back and forth between `start` and `end`, in random steps of up to `2 * step` of the distance: [length, Z]."""
    travelled = np.concatenate(([0.0], np.cumsum(2 * step * draws.uniform(length - 1))))
    return _along(start, end, 1 - np.abs(travelled % 2 - 1))


def circle(center: Array, axis: Array, other: Array, length: int, turns: float = 1.0) -> Array:
    """Around `center` in the plane of two axes [Z], whose lengths are the radii. Ends one step before its start."""
    angle = 2 * np.pi * turns * np.arange(length) / length
    return _around(center, axis, other, angle, np.ones(length))


def spiral(center: Array, axis: Array, other: Array, length: int, turns: float = 4.0) -> Array:
    """Around `center` as a circle, from the center outwards."""
    share = np.linspace(0, 1, length)
    return _around(center, axis, other, 2 * np.pi * turns * share, share)


def walk(
    start: Array, components: Array, low: Array, high: Array, length: int, draws: Draws, step: float = 0.08
) -> Array:
    """A random walk from `start` along K components [K, Z], reflected at the sides `low` and `high` [K] of a box."""
    span = high - low
    moves = step * draws.normal(length * len(span)).reshape(length, -1) * span
    moves[0] = 0.0
    place = low + _reflect((np.cumsum(moves, 0) - low) / span) * span
    path: Array = (start + place @ components).astype(np.float32)
    return path


def free_path(
    kind: str, length: int, seed: Seed, latent_map: Mapping[str, NDArray[Any]], label: int | None = None
) -> Array:
    """A free path of one of KINDS through the latents of a bundle's corpus: [length, Z].

    It starts at, and lines end at, grains of the corpus; with `label`, of that class of the first attribute. Circles
    and spirals lie in the plane of the map and are as wide as the corpus spreads; walks use all axes of the map. Raises
    ValueError for an unknown kind.
    """
    if kind not in KINDS:
        raise ValueError(f"There is no kind of path {kind!r}; known: {', '.join(KINDS)}")
    draws = Draws(Purpose.PATH, seed)
    points = latent_map["points"]
    if label is not None and (latent_map["labels"][:, 0] == label).any():
        points = points[latent_map["labels"][:, 0] == label]
    start, end = _anchors(points, latent_map, draws)
    if kind == "linear":
        return linear(start, end, length)
    if kind == "back-and-forth":
        return back_and_forth(start, end, length, draws)
    components = latent_map["components"]
    spread = np.std((points - points.mean(0)) @ components.T, 0)
    if kind == "walk":
        return _within(latent_map, walk(start, components, -spread, spread + 1e-9, length, draws))
    axes, low, high = (latent_map[name][:2] for name in ("components", "low", "high"))
    span = high - low
    wide = span > 0
    # round on the map, with its center in a place with room around it
    radius = min(0.8 * float(np.mean(spread[:2][wide] / span[wide])), 0.5) if wide.any() else 0.0
    place = (start - latent_map["mean"]) @ axes.T
    center = start + (np.clip(place, low + radius * span, high - radius * span) - place) @ axes
    radii = np.zeros((2, start.size), np.float32)
    radii[: len(axes)] = radius * span[:, None] * axes
    shape = circle if kind == "circle" else spiral
    turns = max(round(length / 80), 1)
    return _within(latent_map, shape(center, radii[0], radii[1], length, turns))


def map_grid(latent_map: Mapping[str, NDArray[Any]], size: int = 17) -> Array:
    """Latents on a regular grid over the map, from low to high of its first two components: float32 [size, size, Z].

    The second axis of the array goes along the first component, the first axis along the second. A frozen note that
    has this as its path plays it with `position` as x and `morph` as y. A node is the weighted mean of the grains of
    the corpus nearest to it on the map (weights of Franke and Little, 1980), moved along the map to the node itself;
    close to a grain it is that grain. Nothing changes in a direction in which the map has no extent. Raises ValueError
    if size is below 2.
    """
    if size < 2:
        raise ValueError(f"size is {size}: choose 2 or more nodes")
    points = np.asarray(latent_map["points"], dtype=np.float64)
    columns, axes, low, span = _plane(latent_map)
    places = map_place(latent_map, points)[:, columns]
    line = np.linspace(0, 1, size)
    grid = np.empty((size, size, points.shape[1]), dtype=np.float32)
    for row, y in zip(grid, line, strict=True):
        nodes = np.stack((line, np.full(size, y)), axis=1)[:, columns]
        means = _weights(np.linalg.norm(nodes[:, None] - places, axis=2)) @ points
        missing = low + nodes * span - (means - latent_map["mean"]) @ axes.T
        row[:] = means + missing @ axes
    return grid


def map_place(latent_map: Mapping[str, NDArray[Any]], latents: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Where latents [N, Z] lie on the map: x and y [N, 2], from 0 at low to 1 at high of its first two components.

    Grains of the corpus may lie a little outside. In a direction in which the map has no extent, everything is at 0.5.
    """
    columns, axes, low, span = _plane(latent_map)
    places = np.full((len(latents), 2), 0.5)
    places[:, columns] = ((np.asarray(latents, dtype=np.float64) - latent_map["mean"]) @ axes.T - low) / span
    return places


class LoudnessMap:
    """The loudness that latents should have: the mean amplitude of the grains of a corpus around them.

    On all axes of a latent map, the nearest grains count most; those further than the 32nd count nothing. On a
    continuous path the loudness is continuous. The latent map has the `loudness` of its points.
    """

    def __init__(self, latent_map: Mapping[str, NDArray[Any]]) -> None:
        span = latent_map["high"].astype(np.float64) - latent_map["low"]
        self._axes = latent_map["components"][span > 0] / span[span > 0, None]
        self._points = np.asarray(latent_map["points"], np.float64) @ self._axes.T
        self._amplitudes = 10 ** (latent_map["loudness"].astype(np.float64) / 20)

    def at(self, latents: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """The loudness [N] in dB of latents [N, Z]."""
        places = np.asarray(latents, np.float64) @ self._axes.T
        parts = (places[at : at + PLACES_AT_ONCE] for at in range(0, len(places), PLACES_AT_ONCE))
        found = [_closeness(_distances(part, self._points)) @ self._amplitudes for part in parts]
        return 20 * np.log10(np.concatenate(found)) if found else np.zeros(0)


def _closeness(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights [N, M] of points at these distances; smooth, and 0 from the 32nd nearest on."""
    last = min(PASSED, distances.shape[1]) - 1
    reach = np.partition(distances, last, axis=1)[:, [last]] * (1 + 1e-9) + 1e-9
    closeness = np.maximum(1 - (distances / reach) ** 2, 0) ** 2
    weights: NDArray[np.float64] = closeness / closeness.sum(axis=1, keepdims=True)
    return weights


def _distances(places: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The distances [N, M] of places [N, K] from points [M, K]."""
    squares = (places**2).sum(1)[:, None] + (points**2).sum(1) - 2 * places @ points.T
    distances: NDArray[np.float64] = np.sqrt(np.maximum(squares, 0))
    return distances


def _plane(latent_map: Mapping[str, NDArray[Any]]) -> tuple[NDArray[Any], ...]:
    """Those of the first two components that have an extent: their numbers, axes [n, Z], lows and spans [n]."""
    axes, low, high = (latent_map[name][:2].astype(np.float64) for name in ("components", "low", "high"))
    columns = np.flatnonzero(high > low)
    return columns, axes[columns], low[columns], (high - low)[columns]


def _weights(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights [nodes, points] of the points nearest to each node; they fall to 0 at the next point's distance."""
    last = min(NEIGHBOURS, distances.shape[1] - 1)
    reach = np.partition(distances, last, axis=1)[:, [last]] + 1e-9  # avoids 0 / 0 if all are equally far
    nearness = np.maximum(reach - distances, 0) / (reach * (distances + 1e-9))
    weights = nearness**2
    total: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return total


def _within(latent_map: Mapping[str, NDArray[Any]], path: Array) -> Array:
    """Move what a path [T, Z] has beyond the map to its edge: beyond it everything is as loud as it can be."""
    components = latent_map["components"]
    place = (path - latent_map["mean"]) @ components.T
    inside: Array = path + (np.clip(place, latent_map["low"], latent_map["high"]) - place) @ components
    return inside.astype(np.float32)


def _anchors(points: Array, latent_map: Mapping[str, NDArray[Any]], draws: Draws) -> tuple[Array, Array]:
    """Two latents of the corpus: of a few random pairs, the one that lies furthest apart on the map."""
    pairs = points[draws.below(len(points), 16).reshape(8, 2)]
    distances = np.linalg.norm((pairs[:, 0] - pairs[:, 1]) @ latent_map["components"].T, axis=1)
    start, end = pairs[int(np.argmax(distances))]
    return start, end


def _along(start: Array, end: Array, share: NDArray[np.float64]) -> Array:
    path: Array = (start + share[:, None] * (end - start)).astype(np.float32)
    return path


def _around(center: Array, axis: Array, other: Array, angle: NDArray[np.float64], radius: NDArray[np.float64]) -> Array:
    turned = (radius * np.cos(angle))[:, None] * axis + (radius * np.sin(angle))[:, None] * other
    path: Array = (center + turned).astype(np.float32)
    return path


def _reflect(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fold numbers into 0 to 1, as between two mirrors."""
    return 1 - np.abs(share % 2 - 1)
