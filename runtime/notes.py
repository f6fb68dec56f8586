"""What a synth plays: notes, and the controls that may change while they sound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.bundle import Bundle

Array = NDArray[np.float32]
MODES = ("once", "loop", "back-and-forth")
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


@dataclass(frozen=True, eq=False)
class Note:
    """A sound to be played.

    What sounds is drawn by `seed` and `index` as `render.sample` draws it, or given by `embedding` [E] or by `path`
    (at most one of the two): [T, Z], or a table [K, T, Z] of paths that `morph` goes through. `choices` are classes by
    attribute, or one of the first attribute; open attributes are completed from the corpus.
    """

    choices: Mapping[str, str] | str = field(default_factory=dict)
    seed: int = 0
    index: int = 0  # number of the sound among those of the seed
    temperature: float = 0.7
    embedding: Array | None = None
    path: Array | None = None
    onset: bool = True  # a path that starts in the middle of sounds has none: it is under way, and fades in in 10 ms
    mode: str = "once"  # at the end of the path
    hold: bool = False  # goes on after the end of the path until it is released; an embedding's path is written on
    seconds: float | None = None  # released after so long
    release: float = 0.05  # seconds of its fade where `seconds` are over
    controls: Mapping[str, float] = field(default_factory=dict)
    output: int = 0  # of the synth, to which it goes

    def check(self, bundle: Bundle, outputs: int = 1) -> None:
        """Raise ValueError where a bundle, or a synth of so many outputs, cannot play this."""
        bundle.condition(self.choices)
        check_controls(self.controls)
        if not all(isinstance(number, int | np.integer) and number >= 0 for number in (self.seed, self.index)):
            raise ValueError(f"seed and index are {self.seed!r} and {self.index!r}: choose whole numbers from 0")
        if self.mode not in MODES:
            raise ValueError(f"There is no mode {self.mode!r}; known: {', '.join(MODES)}")
        if not 0 <= self.temperature <= 10:
            raise ValueError(f"temperature is {self.temperature!r}: choose 0 to 10")
        if self.seconds is not None and not 0 < self.seconds < 1e6:
            raise ValueError(f"seconds are {self.seconds!r}: choose above 0")
        check_release(self.release)
        if not isinstance(self.output, int | np.integer) or not 0 <= self.output < outputs:
            raise ValueError(f"output is {self.output!r}: choose {f'0 to {outputs - 1}' if outputs > 1 else '0'}")
        if self.embedding is not None and self.path is not None:
            raise ValueError("a note has an embedding or a path, not both")
        manifest = bundle.manifest
        if self.embedding is not None:
            size = manifest.embedding_size
            _check_array("embedding", self.embedding, np.shape(self.embedding) == (size,), f"({size},)")
        if self.path is not None:
            shape, size = np.shape(self.path), manifest.latent_size
            fits = len(shape) in (2, 3) and shape[-1] == size and 0 not in shape
            _check_array("path", self.path, fits, f"(T, {size}) or (K, T, {size})")


def _check_array(name: str, value: Array, fits: bool, needed: str) -> None:
    if not fits:
        raise ValueError(f"{name} is {np.shape(value)}, this bundle needs {needed}")
    if not np.isfinite(value).all():
        raise ValueError(f"{name} holds NaN or infinite values")
