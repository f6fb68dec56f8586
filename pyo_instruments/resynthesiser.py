"""Resynthesiser: a sound file, or the audio input, played with the grains of a bundle.

Play it with `ngs play resynthesiser --file loop.wav` or `python -m ngs.pyo_instruments.resynthesiser`; without a file
it listens to the first input. Copy it and make it your own.
"""

from __future__ import annotations

from typing import Any

from ngs.pyo_instruments import ClassName, Instrument, Number, Resynth, Switch, control
from ngs.pyo_instruments.commands.key_actions import Nudge, Toggle
from ngs.pyo_instruments.players.inlet import loop_of
from ngs.pyo_instruments.quiet_pyo import pyo


class ResynthesisInstrument(Instrument):
    """A signal in the style of the bundle's sounds: as one of their classes, dry to wet, frozen."""

    KEYS = {
        " ": Toggle("/freeze", "freeze or move on"),
        "+": Nudge("/mix", 0.1, "more resynthesis"), "-": Nudge("/mix", -0.1, "more of the input"),
        "s": Nudge("/style", 0.1, "more like the bundle's sounds"), "a": Nudge("/style", -0.1, "more like the input"),
    }  # fmt: skip
    public_name = "resynthesiser"
    listens, most_files = True, 1

    def __init__(self, bundle: Any = None, seed: int = 0, files: Any = (), mul: Any = 1, add: Any = 0) -> None:
        super().__init__(bundle, seed, files, mul, add)
        self._level, self._drive = pyo.SigTo(1, 0.01, 1), pyo.SigTo(1, 0.01, 1)
        source = loop_of(files[0], mul=self._drive) if files else pyo.Input(0, mul=self._drive)
        self._resynth = Resynth(source, self.bundle, seed=seed, mul=self._level)
        self.sounds(pyo.Mix(self._resynth, voices=2))

    @control("/class", ClassName(open=True))
    def setClass(self, name: str) -> None:
        """Class of the grains, "" for none."""
        self._resynth.setChoices(name)

    @control("/style", Resynth.number("style"))
    def setStyle(self, style: float) -> None:
        """From the input itself (0) to the grains of the bundle's sounds (1)."""
        self._resynth.setStyle(style)

    @control("/mix", Resynth.number("bal", name="mix"))
    def setMix(self, mix: float) -> None:
        """Dry (0) to wet (1); both are equally late."""
        self._resynth.setBal(mix)

    @control("/freeze", Switch("on"))
    def setFreeze(self, on: int) -> None:
        """Repeat the last grain."""
        self._resynth.setFreeze(on)

    @control("/scatter", Resynth.number("scatter"))
    def setScatter(self, scatter: float) -> None:
        """How far grains stray from the input."""
        self._resynth.setScatter(scatter)

    @control("/density", Resynth.number("density"))
    def setDensity(self, density: float) -> None:
        """Share of the grains that sound."""
        self._resynth.setDensity(density)

    @control("/drive", Number("drive", 0, 4, 1))
    def setDrive(self, drive: float) -> None:
        """Level of the input."""
        self._drive.value = drive

    @control("/level", Number("level", 0, 2, 1))
    def setLevel(self, level: float) -> None:
        """Level of the output."""
        self._level.value = level

    def meters(self) -> list[float]:
        return self._resynth.peaks()


if __name__ == "__main__":
    from ngs.pyo_instruments import run

    run(ResynthesisInstrument)
