"""Geometry of the page's drawings: ticks of axes, and lines and markers as SVG path data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ngs.report.page_model import Chart

MAP_SIZE = 1000  # units of the drawing that places on the map, 0 to 1, are scaled to
SHAPES = (  # of markers, relative to the point they mark
    "m-7 0a7 7 0 1 0 14 0a7 7 0 1 0-14 0z",
    "m-6-6h12v12h-12z",
    "m0-8l8 14h-16z",
    "m0-9l7 9l-7 9l-7-9z",
    "m0 8l8-14h-16z",
    "m-2.5-8h5v5.5h5.5v5h-5.5v5.5h-5v-5.5h-5.5v-5h5.5z",
)
COLOURS = 8  # of the palette in style.css
DISTINCT_COLOURS = 7  # of them, which everybody can tell apart
CHART_WIDTH, CHART_HEIGHT = 420, 190

Point = tuple[float, float]


@dataclass(frozen=True)
class Tick:
    place: float
    label: str


@dataclass(frozen=True)
class Plot:
    """A chart in the units of its drawing, y downwards."""

    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[tuple[str, str], ...]  # name and path data of each series


def ticks(low: float, high: float, most: int) -> list[Tick]:
    """At most `most` round numbers from `low` to `high`; only `low` if the two are equal."""
    if not high > low:
        return [Tick(low, f"{low:g}")]
    size = 10.0 ** math.floor(math.log10((high - low) / most))
    steps = (size * factor for factor in (1, 2, 5, 10, 20, 50))
    step = next(step for step in steps if math.floor(high / step + 1e-9) - math.ceil(low / step - 1e-9) < most)
    digits = max(-math.floor(math.log10(step) + 1e-9), 0)
    numbers = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [Tick(number * step, f"{number * step:.{digits}f}" if number else "0") for number in numbers]


def second_ticks(span: float) -> list[Tick]:
    """Ticks for `span` seconds, at places from 0 to 1."""
    return [Tick(tick.place / span, tick.label) for tick in ticks(0.0, span, 5)]


def spaced(frequencies: Iterable[tuple[str, float]], least: float = 0.11) -> list[Tick]:
    """Ticks for labels and their places, without those whose label would touch the one below."""
    kept: list[Tick] = []
    for label, place in frequencies:
        if not kept or place - kept[-1].place >= least:
            kept.append(Tick(place, label))
    return kept


def on_map(x: float, y: float) -> tuple[int, int]:
    """A place on the map in units of its drawing, y downwards."""
    return round(MAP_SIZE * x), round(MAP_SIZE * (1 - y))


def line(points: Iterable[Point]) -> str:
    """A line through places on the map, as path data."""
    return "M" + "L".join(f"{x} {y}" for x, y in _on_map(points))


def coordinates(points: Iterable[Point]) -> str:
    """A line through places on the map, as the points of a polyline."""
    return " ".join(f"{x},{y}" for x, y in _on_map(points))


def dots(points: Iterable[Point], shape: str) -> str:
    """A marker at each place on the map."""
    return "".join(f"M{x} {y}{shape}" for x, y in _on_map(points))


def marker(number: int, classes: int) -> str:
    """The marker of a class. Shapes differ only if there are more classes than distinct colours."""
    return SHAPES[number % len(SHAPES) if classes > DISTINCT_COLOURS else 0]


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
    """Lowest and highest value with `room` around them, as a share of their distance; never equal."""
    low, high = min(values), max(values)
    margin = room * (high - low) if high > low else 0.5
    return low - margin, high + margin


def _on_map(points: Iterable[Point]) -> Iterator[tuple[int, int]]:
    return (on_map(*point) for point in points)
