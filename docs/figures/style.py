"""What all figures of the documentation share: colours, sizes, file formats."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from PIL import Image

# The colours of Okabe and Ito, which colour-blind readers can tell apart
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"  # without their yellow, which is too pale on white
INK, GREY, PALE, PAPER = "#222222", "#666666", "#BBBBBB", "#FFFFFF"
CLASSES = (BLACK, ORANGE, SKY, GREEN, BLUE, GREY, VERMILION, PURPLE)
PNG_COLOURS = 128
WIDTH_INCHES = 6.4  # text of 12 points is 18 pixels high on a page of 700 pixels, 9 on a phone
COLUMNS = 350  # of a waveform; a page has twice as many pixels

matplotlib.rcParams.update(
    {
        "font.size": 12, "axes.titlesize": 12, "axes.labelsize": 12, "xtick.labelsize": 11, "ytick.labelsize": 11,
        "legend.fontsize": 11, "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": GREY,
        "axes.titlelocation": "left", "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK,
        "ytick.color": INK, "figure.facecolor": PAPER, "savefig.facecolor": PAPER, "savefig.dpi": 150,
        "svg.hashsalt": "ngs", "path.simplify_threshold": 0.2,
    }
)  # fmt: skip


def figure(height_inches: float) -> Figure:
    """A figure as wide as a page."""
    return Figure(figsize=(WIDTH_INCHES, height_inches), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))


def save(drawn: Figure, path: Path) -> None:
    """Write SVG, or PNG with few colours: the same bytes each time, and readable on dark pages too."""
    if path.suffix == ".svg":
        drawn.savefig(path, metadata={"Date": None})
        return
    picture = io.BytesIO()
    drawn.savefig(picture, format="png", dpi=200)
    Image.open(picture).convert("RGB").quantize(PNG_COLOURS, Image.Quantize.MAXCOVERAGE).save(path, optimize=True)


def wave(
    axes: Axes, signal: NDArray[np.floating[Any]], sample_rate: float, colour: str, start_seconds: float = 0.0,
    offset: float = 0.0, columns: int = COLUMNS,
) -> None:  # fmt: skip
    """A waveform: for each column, a bar from its lowest to its highest sample."""
    size = max(len(signal) // columns, 1)
    parts = signal[: len(signal) // size * size].reshape(-1, size)
    seconds = start_seconds + (np.arange(len(parts)) + 0.5) * size / sample_rate
    axes.fill_between(seconds, offset + parts.min(1), offset + parts.max(1), color=colour, linewidth=0.6)
