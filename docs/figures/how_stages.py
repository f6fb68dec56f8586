"""The course of a training, from the history of a run.

history.jsonl comes from `ngs hits sounds --count 40`, then `ngs train sounds --out run --steps
grain=900,embedding=800,joint=40`, in one thread.
"""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path

from matplotlib.figure import Figure
from style import BLUE, GREEN, GREY, ORANGE, VERMILION, figure

from ngs.runtime import Bundle

HISTORY = Path(__file__).with_name("history.jsonl")
COLOURS = {"spectra": BLUE, "grains": GREEN, "embedding": ORANGE, "joint": VERMILION}
MARKS = {"spectra": "o", "grains": "s", "embedding": "^", "joint": "D"}


def stages(_: Bundle) -> Figure:
    """Validation distance over seconds of training, phase by phase."""
    entries = [json.loads(line) for line in HISTORY.read_text().splitlines()]
    drawn = figure(3.7)
    axes = drawn.subplots()
    start = 0.0
    for phase, group in groupby(entries, key=lambda entry: str(entry["phase"])):
        points = list(group)
        seconds = [start + point["seconds"] for point in points]
        distances = [point["distance"] for point in points]
        axes.plot(seconds, distances, "-", marker=MARKS[phase], markersize=5, color=COLOURS[phase])
        axes.text((start + seconds[-1]) / 2, 0.1965, phase, ha="center")
        start = seconds[-1]
        axes.axvline(start, color=GREY, linewidth=0.8, linestyle=":")
    axes.set(xlabel="seconds of training", ylabel="validation distance", xlim=(0, start), ylim=(0.13, 0.2))
    return drawn
