"""Block diagrams: boxes, arrows and brackets on a sheet. Places are in inches from its top left corner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
from style import GREY, INK, PAPER, WIDTH_INCHES

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """Where a box is, and where arrows meet it."""

    x: float
    y: float
    width: float
    height: float

    @property
    def top(self) -> Point:
        return self.x + self.width / 2, self.y

    @property
    def bottom(self) -> Point:
        return self.x + self.width / 2, self.y + self.height

    @property
    def left(self) -> Point:
        return self.x, self.y + self.height / 2

    @property
    def right(self) -> Point:
        return self.x + self.width, self.y + self.height / 2


class Diagram:
    def __init__(self, height_inches: float) -> None:
        self.figure = Figure(figsize=(WIDTH_INCHES, height_inches))
        self._axes = self.figure.add_axes((0, 0, 1, 1))
        self._axes.set(xlim=(0, WIDTH_INCHES), ylim=(height_inches, 0))
        self._axes.axis("off")

    def box(
        self, x: float, y: float, width: float, height: float, text: str, detail: str = "", colour: str = INK,
        dashed: bool = False,
    ) -> Box:  # fmt: skip
        """A box with a line of text and a smaller one below it. Dashed boxes are inputs, outputs and states."""
        outline = FancyBboxPatch(
            (x, y), width, height, "round,pad=0,rounding_size=0.07", facecolor=PAPER, edgecolor=colour,
            linewidth=1.6, linestyle="--" if dashed else "-",
        )  # fmt: skip
        self._axes.add_patch(outline)
        middle = y + height / 2
        self.text(x + width / 2, middle - 0.1 if detail else middle, text)
        if detail:
            self.text(x + width / 2, middle + 0.12, detail, size=10.5, colour=GREY)
        return Box(x, y, width, height)

    def text(
        self, x: float, y: float, text: str, size: float = 12, colour: str = INK, align: str = "center",
        bold: bool = False,
    ) -> None:  # fmt: skip
        weight = "bold" if bold else "normal"
        self._axes.text(x, y, text, size=size, color=colour, ha=align, va="center", weight=weight, linespacing=1.25)

    def arrow(self, *points: Point, colour: str = INK) -> None:
        """An arrow through points, with its head at the last one."""
        for start, end in zip(points[:-2], points[1:-1], strict=True):
            self._axes.plot(*zip(start, end, strict=True), color=colour, linewidth=1.4, solid_capstyle="round")
        head = FancyArrowPatch(
            points[-2], points[-1], arrowstyle="-|>", mutation_scale=12, color=colour, linewidth=1.4, shrinkA=0,
            shrinkB=0,
        )  # fmt: skip
        self._axes.add_patch(head)

    def column(self, boxes: Sequence[Box]) -> None:
        """Arrows from each box to the one below it."""
        for upper, lower in zip(boxes, boxes[1:], strict=False):
            self.arrow(upper.bottom, lower.top)

    def bracket(self, x: float, top: float, bottom: float, text: str, colour: str) -> None:
        """A bracket to the right of things that belong together, with their name."""
        self._axes.plot(
            (x - 0.08, x, x, x - 0.08), (top, top, bottom, bottom), color=colour, linewidth=2.2, solid_joinstyle="round"
        )
        self.text(x + 0.08, (top + bottom) / 2, text, size=10.5, align="left")

    def band(self, y: float, height: float, text: str, colour: str, x: float = 0.3) -> None:
        """A tinted stripe across the sheet; its name starts at `x`."""
        stripe = Rectangle((0.05, y), WIDTH_INCHES - 0.1, height, facecolor=colour, alpha=0.13, linewidth=0)
        self._axes.add_patch(stripe)
        self.text(x, y + 0.18, text, size=11, align="left", bold=True)
