"""The latent space in two dimensions: axes of timbre or UMAP, contours of the classes, free paths."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ngs.report.map_grains import Grains, corpus_loudest, magnitudes_of
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.dsp.paths import KINDS, free_path, map_place
from ngs.runtime.dsp.timbre import explained, timbre
from ngs.runtime.offline.render import grains_for

PROJECTIONS = ("timbre", "umap")
PATH_SECONDS = 6.0
GRID = 160  # cells of a density along each side
MARGIN = 0.1  # around the points, as a share of their extent: densities fade out there
ENCLOSED = (0.5, 0.85)  # shares of a class within its two contours
FEWEST = 5  # grains that a density can be estimated from

Places = NDArray[np.float64]


@dataclass(frozen=True)
class LatentMap:
    """Grains in the plane. With "timbre" the axes are those of the live instruments: 0 to 1 spans the corpus."""

    projection: str
    grains: Grains
    places: Places  # [N, 2]
    explained: tuple[float, float, float] | None  # shares of the variance of timbre: x, what y adds, both; not by UMAP
    brighter: bool  # whether timbre gets brighter to the right
    paths: Mapping[str, Places]  # kind -> [T, 2]


def latent_map(bundle: Bundle, grains: Grains, projection: str = "timbre", seed: int = 0) -> LatentMap:
    """Place grains on the plane, and a free path of every kind: the first with the seed `seed`, the next `seed + 1`.

    "timbre" takes the first two axes of the bundle's map, the directions of the latent space along which timbre
    changes most (`ngs.runtime.dsp.timbre`). "umap" (McInnes, Healy and Melville, 2018) keeps grains of similar timbre
    together; its axes have no meaning. Raises ValueError for another projection or too few grains, ImportError when
    umap-learn is missing.
    """
    if projection not in PROJECTIONS:
        raise ValueError(f"There is no projection {projection!r}; known: {', '.join(PROJECTIONS)}")
    loudest = corpus_loudest(bundle)

    def heard(latents: NDArray[np.float32]) -> NDArray[np.float64]:
        return timbre(magnitudes_of(bundle, latents), bundle.manifest.sample_rate, loudest)

    timbres = heard(grains.latents)
    place: Callable[[NDArray[np.float32]], Places]
    shares = None
    if projection == "timbre":
        place = lambda latents: map_place(bundle.latent_map, latents)  # noqa: E731
        places = place(grains.latents)
        first, both = explained(places[:, :1], timbres), explained(places, timbres)
        shares = (first, both - first, both)
    else:
        reducer = _umap(timbres, seed)
        place = lambda latents: np.asarray(reducer.transform(heard(latents)), np.float64)  # noqa: E731
        places = np.asarray(reducer.embedding_, np.float64)
    length = grains_for(PATH_SECONDS, bundle)
    paths = {
        kind: place(free_path(kind, length, seed + number, bundle.latent_map)) for number, kind in enumerate(KINDS)
    }
    return LatentMap(projection, grains, places, shares, _rises(places[:, 0], timbres), paths)


def document(bundle: Bundle, drawn: LatentMap, seed: int) -> dict[str, Any]:
    """The map as `ngs map --json` prints it."""
    attribute, grains = bundle.manifest.attributes[0], drawn.grains
    shares = dict(zip(("x", "y", "both"), drawn.explained, strict=True)) if drawn.explained else None
    points = [
        {
            "x": round(x, 5), "y": round(y, 5),
            "class": attribute.classes[label] if label >= 0 else None,
            "file": grains.files[owner] if owner >= 0 else None,
            "seconds": round(time, 4) if owner >= 0 else None,
        }
        for (x, y), label, owner, time in zip(
            drawn.places.tolist(), grains.labels.tolist(), grains.owners.tolist(), grains.times.tolist(), strict=True
        )
    ]  # fmt: skip
    return {
        "bundle": str(bundle.path), "projection": drawn.projection, "explained_variance": shares,
        "attribute": attribute.name, "classes": list(attribute.classes), "points": points,
        "paths": [
            {"kind": kind, "seed": seed + number, "points": path.round(5).tolist()}
            for number, (kind, path) in enumerate(drawn.paths.items())
        ],
    }  # fmt: skip


def contours(places: Places) -> list[Places]:
    """Closed lines [n, 2] around the densest half and 85 % of points [N, 2]; none for fewer than FEWEST points."""
    import contourpy

    if len(places) < FEWEST:
        return []
    low, extent = places.min(axis=0), np.ptp(places, axis=0)
    # a kernel narrower than by Scott's rule, because classes fall into groups; never 0, even if points lie on a line
    width = np.maximum(0.7 * places.std(axis=0) * len(places) ** (-1 / 6), 0.01 * extent.max() + 1e-9)
    low, extent = low - 3 * width - MARGIN * extent, extent * (1 + 2 * MARGIN) + 6 * width
    centres = (np.arange(GRID) + 0.5) / GRID
    columns, rows = (
        np.exp(-0.5 * ((low[axis] + centres[:, None] * extent[axis] - places[:, axis]) / width[axis]) ** 2)
        for axis in (0, 1)
    )
    density = rows @ columns.T
    ordered = np.sort(density, axis=None)[::-1]
    enclosed = np.cumsum(ordered) / ordered.sum()
    lines = contourpy.contour_generator(low[0] + centres * extent[0], low[1] + centres * extent[1], density)
    return [
        np.asarray(line, np.float64)
        for share in ENCLOSED
        for line in lines.lines(float(ordered[np.searchsorted(enclosed, share)]))
    ]


def _rises(places: NDArray[np.float64], timbres: NDArray[np.float64]) -> bool:
    """Whether places [N] correlate with the brightness of timbres [N, B], by more than a half."""
    brightness = timbres @ np.linspace(-1, 1, timbres.shape[1])
    centred, other = places - places.mean(), brightness - brightness.mean()
    return float(centred @ other) > 0.5 * float(np.linalg.norm(centred) * np.linalg.norm(other))


def _umap(timbres: NDArray[np.float64], seed: int) -> Any:
    import warnings

    import umap

    if len(timbres) < FEWEST:
        raise ValueError(f"UMAP needs {FEWEST} grains or more, there are {len(timbres)}: leave out --projection umap")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # UMAP warns that a seed limits it to one thread
        neighbours = min(15, len(timbres) - 1)
        return umap.UMAP(n_neighbors=neighbours, min_dist=0.1, random_state=seed).fit(timbres)
