"""The latent map as a figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ngs.report.latent_map import LatentMap, contours
from ngs.runtime.manifest import Condition

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito (2008), told apart by everybody; beyond seven classes the shape tells them apart as well
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#b8a800")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
UNKNOWN = "#8a8a90"
DASHES = ("solid", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)), (0, (9, 2)))
MOST_NAMED = 24  # classes that are named on the map and in the legend


def draw_map(drawn: LatentMap, attribute: Condition, title: str) -> Figure:
    """Points by class with their densities and names, free paths over them, the variance that is explained."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.5, 8), dpi=150, layout="constrained")
    axes = figure.subplots()
    labels, places = drawn.grains.labels, drawn.places
    present = [label for label in range(-1, len(attribute.classes)) if (labels == label).any()]
    size = float(np.clip(30000 / len(places), 7, 40))
    for label in present:
        own = places[labels == label]
        colour, marker = _style(label)
        name = attribute.classes[label] if label >= 0 else "unknown"
        axes.scatter(
            own[:, 0], own[:, 1], s=size, color=colour, marker=marker, alpha=0.55, linewidths=0, label=name,
            rasterized=True, zorder=1 if label < 0 else 2,
        )  # fmt: skip
        for line in contours(own) if label >= 0 else []:
            axes.plot(*line.T, color=colour, linewidth=1.2, zorder=3)
    for label in [label for label in present if label >= 0][:MOST_NAMED]:
        _name(axes, drawn, label, attribute.classes[label])
    _limit(axes, drawn)
    handles, names = axes.get_legend_handles_labels()
    classes = figure.legend(
        handles[:MOST_NAMED], names[:MOST_NAMED], title=attribute.name, loc="outside right upper", markerscale=1.6,
        frameon=False,
    )  # fmt: skip
    for handle in classes.legend_handles:
        if handle is not None:
            handle.set_alpha(1)
    lines = []
    for (kind, path), dashes in zip(drawn.paths.items(), DASHES, strict=True):
        axes.plot(*path.T, color="white", linewidth=3.6, zorder=5, alpha=0.75)
        lines += axes.plot(*path.T, color="#1d1d1f", linewidth=1.5, linestyle=dashes, zorder=6, label=kind)
        axes.plot(*path[0], "o", color="white", markeredgecolor="#1d1d1f", markersize=7, zorder=7)
        axes.plot(*path[-1], "s", color="#1d1d1f", markersize=5, zorder=7)
    figure.legend(
        handles=lines, title="free paths, circle to square", loc="outside right lower", handlelength=4, frameon=False
    )
    axes.set_title(title, loc="left", fontsize=13)
    if drawn.explained:
        x, y, both = drawn.explained
        axes.set_xlabel(f"timbre axis 1, {x:.0%} of the variance of timbre (brighter to the right)")
        axes.set_ylabel(f"timbre axis 2, {y:.0%} of the variance")
        said = f"both axes explain {both:.0%}"
    else:
        axes.set(xlabel="UMAP 1", ylabel="UMAP 2")
        said = "near is alike, axes mean nothing"
    axes.text(1, 1.01, f"{len(places)} grains; {said}", transform=axes.transAxes, ha="right", va="bottom")
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _style(label: int) -> tuple[str, str]:
    if label < 0:
        return UNKNOWN, "."
    return COLOURS[label % len(COLOURS)], MARKERS[(label + label // len(COLOURS)) % len(MARKERS)]


def _name(axes: Axes, drawn: LatentMap, label: int, name: str) -> None:
    """Write a class where its points lie densest."""
    from matplotlib.patheffects import withStroke

    own = drawn.places[drawn.grains.labels == label]
    spread = own.std(axis=0) + 1e-9
    squared = np.square((own[:, None] - own[None, :400]) / spread).sum(axis=2)
    x, y = own[np.exp(-2 * squared).sum(axis=1).argmax()]
    axes.text(
        x, y, name, ha="center", va="center", fontsize=10, weight="bold",
        color=_style(label)[0], zorder=8, path_effects=[withStroke(linewidth=3.5, foreground="white")], clip_on=True,
    )  # fmt: skip


def _limit(axes: Axes, drawn: LatentMap) -> None:
    """Leave out of view the furthest 1 % of points, never a path."""
    everything = [np.percentile(drawn.places, (0.5, 99.5), axis=0), *drawn.paths.values()]
    low, high = (
        np.min([part.min(axis=0) for part in everything], 0),
        np.max([part.max(axis=0) for part in everything], 0),
    )
    margin = 0.05 * (high - low) + 1e-6
    axes.set(xlim=(low[0] - margin[0], high[0] + margin[0]), ylim=(low[1] - margin[1], high[1] + margin[1]))
