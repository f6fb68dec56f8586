"""Training curves of a run, from the values that it wrote at each validation."""

from __future__ import annotations

import math
from pathlib import Path

from ngs.report.page_model import Chart, Series
from ngs.training.run_folder import read_history

PHASES = {"spectra": "grains (spectra)", "grains": "grains (sound)"}  # the others are called what they are
MEASURES = {
    "distance": ("Validation distance", "nepers of log power"),
    "kl_grain": ("KL of the grains", "nats a grain"),
}


def training_curves(run: Path) -> tuple[Chart, ...]:
    """Validation distance and KL over minutes, a series for each phase; none for a run without a history.

    Raises RunError for a damaged history.
    """
    lines: dict[str, dict[str, list[tuple[float, float]]]] = {measure: {} for measure in MEASURES}
    before = last = 0.0
    phase = None
    for entry in read_history(run):
        if entry.phase != phase:
            before, phase = before + last, entry.phase
        last = entry.seconds
        name = PHASES.get(entry.phase, entry.phase)
        for measure in MEASURES.keys() & entry.values.keys():
            if math.isfinite(entry.values[measure]):
                lines[measure].setdefault(name, []).append(((before + last) / 60, entry.values[measure]))
    return tuple(
        Chart(title, "minutes of training", unit, tuple(Series(name, tuple(at)) for name, at in lines[measure].items()))
        for measure, (title, unit) in MEASURES.items()
        if lines[measure]
    )
