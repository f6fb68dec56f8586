"""Geometry of the page's drawings: ticks of axes, lines and markers as data of SVG paths."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ngs.report.page_model import Chart

MAP_SIZE = 1000  # the map's places, 0 to 1, in the units of its drawing
SHAPES = (  # markers, as they go on from a point
    "m-7 0a7 7 0 1 0 14 0a7 7 0 1 0-14 0z",
    "m-6-6h12v12h-12z",
    "m0-8l8 14h-16z",
    "m0-9l7 9l-7 9l-7-9z",
    "m0 8l8-14h-16z",
    "m-2.5-8h5v5.5h5.5v5h-5.5v5.5h-5v-5.5h-5.5v-5h5.5z",
)
COLOURS = 8  # of the palette in style.css
PLAIN_COLOURS = 7  # of them, told apart by everybody
CHART_WIDTH, CHART_HEIGHT = 420, 190

Point = tuple[float, float]


@dataclass(frozen=True)
class Tick:
    place: float
    label: str


@dataclass(frozen=True)
class Plot:
    """A chart in its drawing's units, y downwards."""

    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[tuple[str, str], ...]  # name and path of each series


def ticks(low: float, high: float, most: int) -> list[Tick]:
    """At most `most` round numbers from low to high (where these are apart), as they are and as text."""
    if not high > low:
        return [Tick(low, f"{low:g}")]
    size = 10.0 ** math.floor(math.log10((high - low) / most))
    steps = (size * factor for factor in (1, 2, 5, 10, 20, 50))
    step = next(step for step in steps if math.floor(high / step + 1e-9) - math.ceil(low / step - 1e-9) < most)
    digits = max(-math.floor(math.log10(step) + 1e-9), 0)
    numbers = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [Tick(number * step, f"{number * step:.{digits}f}" if number else "0") for number in numbers]


def shares(span: float) -> list[Tick]:
    """Ticks of the seconds of a picture: places 0 to 1."""
    return [Tick(tick.place / span, tick.label) for tick in ticks(0.0, span, 5)]


def spaced(frequencies: Iterable[tuple[str, float]], least: float = 0.11) -> list[Tick]:
    """Those ticks of the frequencies whose labels have room above the one before."""
    kept: list[Tick] = []
    for label, place in frequencies:
        if not kept or place - kept[-1].place >= least:
            kept.append(Tick(place, label))
    return kept


def line(points: Iterable[Point]) -> str:
    """Path through places of the map."""
    return "M" + "L".join(_on_map(*point) for point in points)


def dots(points: Iterable[Point], shape: str) -> str:
    """Path of a marker at each place of the map."""
    return "".join(f"M{_on_map(*point)}{shape}" for point in points)


def marker(number: int, classes: int) -> str:
    """Shape of a class; shapes tell apart what colours alone cannot."""
    return SHAPES[number % len(SHAPES) if classes > PLAIN_COLOURS else 0]


def plot(chart: Chart) -> Plot:
    points = [point for series in chart.series for point in series.points]
    x_low, x_high = _range([x for x, _ in points], 0.0)
    y_low, y_high = _range([y for _, y in points], 0.05)

    def across(x: float) -> float:
        return CHART_WIDTH * (x - x_low) / (x_high - x_low)

    def up(y: float) -> float:
        return CHART_HEIGHT * (y_high - y) / (y_high - y_low)

    return Plot(
        tuple(Tick(across(tick.place), tick.label) for tick in ticks(x_low, x_high, 7)),
        tuple(Tick(up(tick.place), tick.label) for tick in ticks(y_low, y_high, 7)),
        tuple(
            (series.name, "M" + "L".join(f"{across(x):.1f} {up(y):.1f}" for x, y in series.points))
            for series in chart.series
        ),
    )


def _range(values: Sequence[float], room: float) -> Point:
    """Lowest and highest, with room around them, and apart."""
    low, high = min(values), max(values)
    margin = room * (high - low) if high > low else 0.5
    return low - margin, high + margin


def _on_map(x: float, y: float) -> str:
    return f"{MAP_SIZE * x:.0f} {MAP_SIZE * (1 - y):.0f}"
