"""The latent map as a matplotlib figure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ngs.report.latent_map import LatentMap, Places, contours
from ngs.runtime.bundle.manifest import Attribute

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito (2008), which everybody can tell apart, the yellow darker on white; style.css of a report has this order
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#b8a800", "#3b3b40")
MARKERS = ("o", "s", "^", "D", "v", "P")
UNKNOWN = "#8a8a90"
DASHES = ("solid", (0, (5, 2)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)), (0, (12, 2)))
MOST_NAMED = 24  # classes on the map and in the legend
INK = "#1d1d1f"
LONGEST = 28  # letters of a name


def draw_map(drawn: LatentMap, attribute: Attribute, title: str) -> Figure:
    """Points by class with their contours and names, and free paths over them; the axes say what they explain.

    Names may come from strangers: they are drawn as plain text, never as formulas.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"text.parse_math": False}):
        figure = Figure(figsize=(10.5, 8), dpi=150, layout="constrained")
        axes = figure.subplots()
        _draw_classes(figure, axes, drawn, attribute)
        _limit(axes, drawn)
        _draw_paths(figure, axes, drawn)
        axes.set_title(_short(title, 2 * LONGEST), loc="left", fontsize=13)
        _label_axes(axes, drawn)
        axes.spines[["top", "right"]].set_visible(False)
    return figure


def _draw_classes(figure: Figure, axes: Axes, drawn: LatentMap, attribute: Attribute) -> None:
    labels, places = drawn.grains.labels, drawn.places
    present = [label for label in range(-1, len(attribute.classes)) if (labels == label).any()]
    size = float(np.clip(30000 / len(places), 7, 40))
    handles: list[Artist] = []
    names = []
    for label in present:
        own = places[labels == label]
        colour, marker = _style(label)
        names.append(_short(attribute.classes[label]) if label >= 0 else "unknown")
        handle = axes.scatter(
            own[:, 0], own[:, 1], s=size, color=colour, marker=marker, alpha=0.55, linewidths=0,
            rasterized=True, zorder=1 if label < 0 else 2,
        )  # fmt: skip
        handles.append(handle)
        for line in contours(own) if label >= 0 else []:
            axes.plot(*line.T, color=colour, linewidth=1.2, zorder=3)
    for label in [label for label in present if label >= 0][:MOST_NAMED]:
        _name(axes, drawn, label, _short(attribute.classes[label]))
    more = f" (and {len(names) - MOST_NAMED} more)" if len(names) > MOST_NAMED else ""
    legend = figure.legend(
        handles[:MOST_NAMED], names[:MOST_NAMED], title=_short(attribute.name) + more, loc="outside right upper",
        markerscale=1.6, frameon=False,
    )  # fmt: skip
    for shown in legend.legend_handles:
        if shown is not None:
            shown.set_alpha(1)


def _draw_paths(figure: Figure, axes: Axes, drawn: LatentMap) -> None:
    lines = []
    for (kind, whole), dashes in zip(drawn.paths.items(), DASHES, strict=True):
        path = _once(whole) if kind == "circle" else whole
        width = 0.7 if kind == "walk" else 1.5  # a walk is everywhere
        axes.plot(*path.T, color="white", linewidth=2.4 * width, zorder=5, alpha=0.75)
        lines += axes.plot(*path.T, color=INK, linewidth=width, linestyle=dashes, zorder=6, label=kind)
        axes.plot(*path[0], "o", color="white", markeredgecolor=INK, markersize=7, zorder=7)
        axes.plot(*path[-1], "s", color=INK, markersize=5, zorder=7)
    figure.legend(
        handles=lines, title="free paths, circle to square", loc="outside right lower", handlelength=4, frameon=False
    )


def _label_axes(axes: Axes, drawn: LatentMap) -> None:
    if drawn.explained:
        x, y, both = drawn.explained
        brighter = " (brighter to the right)" if drawn.brighter else ""
        axes.set_xlabel(f"timbre axis 1, {x:.0%} of the variance of timbre{brighter}")
        axes.set_ylabel(f"timbre axis 2, adds {y:.0%}")
        said = f"both axes explain {both:.0%}"
    else:
        axes.set(xlabel="UMAP 1", ylabel="UMAP 2")
        said = "near is alike, axes mean nothing"
    axes.text(1, 1.01, f"{len(drawn.places)} grains; {said}", transform=axes.transAxes, ha="right", va="bottom")


def _short(text: str, longest: int = LONGEST) -> str:
    """One line of at most `longest` letters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def _once(path: Places) -> Places:
    """The first turn of a circle, closed."""
    step = np.linalg.norm(path[1] - path[0])
    back = np.flatnonzero(np.linalg.norm(path[2:] - path[0], axis=1) < 0.75 * step)
    return np.concatenate((path[: back[0] + 2], path[:1])) if len(back) else path


def _style(label: int) -> tuple[str, str]:
    if label < 0:
        return UNKNOWN, "."
    return COLOURS[label % len(COLOURS)], MARKERS[label % len(MARKERS)]


def _name(axes: Axes, drawn: LatentMap, label: int, name: str) -> None:
    """Write the name of a class where its points lie densest."""
    from matplotlib.patheffects import withStroke

    own = drawn.places[drawn.grains.labels == label]
    spread = own.std(axis=0) + 1e-9
    squared = np.square((own[:, None] - own[None, :400]) / spread).sum(axis=2)
    x, y = own[np.exp(-2 * squared).sum(axis=1).argmax()]
    axes.text(
        x, y, name, ha="center", va="center", fontsize=10, weight="bold",
        color=INK, zorder=8, path_effects=[withStroke(linewidth=3.5, foreground="white")], clip_on=True,
    )  # fmt: skip


def _limit(axes: Axes, drawn: LatentMap) -> None:
    """Leave the furthest 1 % of points out of view, but never a path."""
    everything = [np.percentile(drawn.places, (0.5, 99.5), axis=0), *drawn.paths.values()]
    low, high = (
        np.min([part.min(axis=0) for part in everything], 0),
        np.max([part.max(axis=0) for part in everything], 0),
    )
    margin = 0.05 * (high - low) + 1e-6
    axes.set(xlim=(low[0] - margin[0], high[0] + margin[0]), ylim=(low[1] - margin[1], high[1] + margin[1]))
