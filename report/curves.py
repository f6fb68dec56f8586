"""Training curves of a run, from the line that it wrote at each validation."""

from __future__ import annotations

import json
import math
from pathlib import Path

from ngs.report.page_model import Chart, Series

PHASES = {
    "spectra": "grains (spectra)", "grains": "grains (sound)", "embedding": "embedding", "joint": "both levels",
}  # fmt: skip
MEASURES = {
    "distance": ("Validation distance", "nepers of log power"),
    "kl_grain": ("KL of the grains", "nats a grain"),
}


def training_curves(run: Path) -> tuple[Chart, ...]:
    """Validation distance and KL over minutes, a series for each phase; none for a run without a history.

    Raises ValueError for a damaged history.
    """
    path = run / "history.jsonl"
    if not path.is_file():
        return ()
    lines: dict[str, dict[str, list[tuple[float, float]]]] = {measure: {} for measure in MEASURES}
    before = last = 0.0
    phase = None
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            entry = json.loads(text)
            name, seconds = PHASES.get(entry["phase"], str(entry["phase"])), float(entry["seconds"])
            values = {measure: float(entry[measure]) for measure in MEASURES if measure in entry}
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}, line {number} is damaged ({error})") from error
        if name != phase:
            before, phase = before + last, name
        last = seconds
        for measure, value in values.items():
            if math.isfinite(value):
                lines[measure].setdefault(name, []).append(((before + seconds) / 60, value))
    return tuple(
        Chart(title, "minutes of training", unit, tuple(Series(name, tuple(at)) for name, at in lines[measure].items()))
        for measure, (title, unit) in MEASURES.items()
        if lines[measure]
    )
