"""TODO."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

MOST_OUTPUTS = 256


@dataclass(frozen=True)
class Control:
    """Something a musician turns: its range, where it stands at first, and what it does."""

    low: float
    high: float
    start: float
    help: str


CONTROLS: Mapping[str, Control] = {
    "gain": Control(0, 4, 1, "Factor of the amplitude."),
    "pan": Control(-1, 1, 0, "From left to right, at equal power: -3 dB on both sides in the middle."),
    "pitch": Control(-24, 24, 0, "Semitones, by resampling."),
    "speed": Control(-8, 8, 1, "Grains of the path to a grain that is played: 0 stands still, below 0 is backwards."),
    "freeze": Control(0, 1, 0, "Above 0.5 the position stands still, whatever the speed."),
    "scatter": Control(0, 4, 0, "How far grains stray from the path at random; 1: as the corpus is spread."),
    "density": Control(0, 1, 1, "Share of the grains that sound."),
    "position": Control(0, 1, 0, "Where on the path the next grain is from: 0 the start, 1 the end."),
    "morph": Control(0, 1, 0, "Of a table of paths: between which of them the next grain is from, 0 the first."),
}

RESYNTHESIS_CONTROLS: Mapping[str, Control] = {
    "mix": Control(0, 1, 1, "Share of the resynthesis; the rest is the input, at the same latency."),
    **{name: CONTROLS[name] for name in ("gain", "freeze", "scatter", "density")},
}


def check_controls(values: Mapping[str, float], known: Mapping[str, Control] = CONTROLS) -> dict[str, float]:
    """The values as floats. Raises ValueError for a control that does not exist or a value out of its range."""
    checked = {}
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"There is no control {name!r}; known: {', '.join(known)}")
        control = known[name]
        if not isinstance(value, int | float | np.number) or not control.low <= value <= control.high:  # NaN is nowhere
            raise ValueError(f"{name} is {value!r}: choose {control.low:g} to {control.high:g}")
        checked[name] = float(value)
    return checked


def check_frame(at: float) -> int:
    """The nearest frame to a time in frames. Raises ValueError where it is no number."""
    try:
        return round(at)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"at is {at!r}: a time in frames is a number") from None


def check_sample_rate(sample_rate: float) -> int:
    """A rate in hertz, whole. Raises ValueError where it is out of range."""
    if not 1000 <= sample_rate <= 384000 or sample_rate != round(sample_rate):
        raise ValueError(f"sample_rate is {sample_rate!r} Hz: choose a whole number, 1000 to 384000")
    return round(sample_rate)


def check_outputs(outputs: int, channels: int) -> None:
    """Raise ValueError where there cannot be so many outputs of so many channels."""
    if not isinstance(outputs, int | np.integer) or not 1 <= outputs <= MOST_OUTPUTS:
        raise ValueError(f"outputs is {outputs!r}: choose 1 to {MOST_OUTPUTS}")
    if channels not in (1, 2):
        raise ValueError(f"channels is {channels!r}: choose 1 or 2")


def check_release(seconds: float) -> float:
    """The seconds of a release. Raises ValueError where they are not 0 to 60."""
    if not 0 <= seconds <= 60:
        raise ValueError(f"release is {seconds!r}: choose 0 to 60 seconds")
    return seconds
