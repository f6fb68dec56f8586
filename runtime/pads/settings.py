"""The settings of a pad and the arguments of a trigger: their ranges and checks."""

from __future__ import annotations

from typing import Any

import numpy as np

from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.pads.hits import SOURCES
from ngs.runtime.synth.controls import CONTROLS, LONGEST_FADE_SECONDS
from ngs.runtime.temperature import MOST_TEMPERATURE

SETTINGS = ("choices", "source", "temperature", "pitch", "fresh")
RANGES = {
    "temperature": (0.0, MOST_TEMPERATURE), "decay": (0.001, 60.0), "seconds": (0.0, LONGEST_FADE_SECONDS),
    **{name: (float(CONTROLS[name].low), float(CONTROLS[name].high)) for name in ("pitch", "gain")},
}  # fmt: skip
MOST_AHEAD = 1 << 31  # samples


def check_name(name: str) -> None:
    """Raise ValueError if a pad has no such setting."""
    if name not in SETTINGS:
        raise ValueError(f"There is no setting {name!r}; known: {', '.join(SETTINGS)}")


def check_argument(name: str, value: Any, bundle: Bundle, pads: int) -> None:
    """Raise ValueError if a setting or an argument of a trigger cannot have this value."""
    if name in RANGES:
        low, high = RANGES[name]
        number = isinstance(value, int | float | np.integer | np.floating)
        if not (number and low <= value <= high) and not (name == "decay" and value is None):  # nor NaN
            raise ValueError(f"{name} is {value!r}: choose {low:g} to {high:g}")
    elif name in ("pad", "offset"):
        last = pads - 1 if name == "pad" else MOST_AHEAD
        if not isinstance(value, int | np.integer) or not 0 <= value <= last:
            raise ValueError(f"{name} is {value!r}: choose a whole number, 0 to {last}")
    elif name == "choices":
        bundle.condition(value)
    elif name == "source":
        if value not in SOURCES:
            raise ValueError(f"There is no source {value!r}; known: {', '.join(SOURCES)}")
    elif name == "fresh":
        if not isinstance(value, bool | np.bool_):
            raise ValueError(f"fresh is {value!r}: choose True or False")
    else:
        check_name(name)
