"""Controls: what a musician turns while sound plays, and the checks of what a host passes in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

MOST_OUTPUTS = 256
LONGEST_FADE_SECONDS = 60.0


@dataclass(frozen=True)
class Control:
    """Something a musician turns: its range, its first value, and what it does."""

    low: float
    high: float
    start: float
    help: str


CONTROLS: Mapping[str, Control] = {
    "gain": Control(0, 4, 1, "Loudness, as a factor of the amplitude."),
    "pan": Control(-1, 1, 0, "From left to right at equal power: in the middle, both sides are at -3 dB."),
    "pitch": Control(-24, 24, 0, "Transposition in semitones. Higher is also shorter."),
    "speed": Control(-8, 8, 1, "How fast it moves along the path: 1 is normal, 0 stands still, below 0 is backwards."),
    "freeze": Control(0, 1, 0, "Above 0.5, the position stands still at any speed."),
    "scatter": Control(0, 4, 0, "How far grains stray from the path at random: at 1, as widely as the corpus."),
    "density": Control(0, 1, 1, "Share of the grains that sound; the others are silent, at random."),
    "position": Control(0, 1, 0, "Where on the path the next grain comes from: 0 is the start, 1 the end."),
    "morph": Control(0, 1, 0, "Where in a table of paths the next grain comes from: 0 is the first path, 1 the last."),
}

RESYNTHESIS_CONTROLS: Mapping[str, Control] = {
    "mix": Control(0, 1, 1, "Share of the resynthesis; the rest is the input, delayed to match."),
    "style": Control(0, 1, 1, "From the input itself (0) to the grains of the corpus that are most like it (1)."),
    **{name: CONTROLS[name] for name in ("gain", "freeze", "scatter", "density")},
}


def check_controls(values: Mapping[str, float], known: Mapping[str, Control] = CONTROLS) -> dict[str, float]:
    """The values as floats. Raises ValueError for an unknown control or a value out of its range."""
    checked = {}
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"There is no control {name!r}; known: {', '.join(known)}")
        control = known[name]
        if not isinstance(value, int | float | np.number) or not control.low <= value <= control.high:  # nor NaN
            raise ValueError(f"{name} is {value!r}: choose {control.low:g} to {control.high:g}")
        checked[name] = float(value)
    return checked


def check_sample_rate(sample_rate: float) -> int:
    """A rate in hertz as a whole number. Raises ValueError if it is out of range."""
    if not 1000 <= sample_rate <= 384000 or sample_rate != round(sample_rate):
        raise ValueError(f"sample_rate is {sample_rate!r} Hz: choose a whole number, 1000 to 384000")
    return round(sample_rate)


def check_outputs(outputs: int, channels: int) -> None:
    """Raise ValueError if there cannot be this many outputs, or channels in each."""
    if not isinstance(outputs, int | np.integer) or not 1 <= outputs <= MOST_OUTPUTS:
        raise ValueError(f"outputs is {outputs!r}: choose 1 to {MOST_OUTPUTS}")
    if channels not in (1, 2):
        raise ValueError(f"channels is {channels!r}: choose 1 or 2")


def check_fade(name: str, seconds: float) -> None:
    """Raise ValueError if a fade or a release cannot take this long."""
    if not 0 <= seconds <= LONGEST_FADE_SECONDS:
        raise ValueError(f"{name} is {seconds!r}: choose 0 to {LONGEST_FADE_SECONDS:g} seconds")
