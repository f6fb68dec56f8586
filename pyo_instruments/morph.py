"""Morph: the sounds between two sounds, on a slider.

Play it with `ngs play morph`, `ngs play morph --file a.wav --file b.wav` or `python -m ngs.pyo_instruments.morph`; copy
it and make it your own.
"""

from __future__ import annotations

from typing import Any

from ngs.pyo_instruments import ClassName, Instrument, Morpher, Number, Whole, action, control
from ngs.pyo_instruments.commands.key_actions import Nudge, Press
from ngs.pyo_instruments.quiet_pyo import pyo


class Morph(Instrument):
    """Two sounds, drawn or from files, and everything in between: played again and again, or when you hit it."""

    KEYS = {
        " ": Press("/hit", (1.0,), "play a sound"),
        "+": Nudge("/morph", 0.05, "closer to the second sound"),
        "-": Nudge("/morph", -0.05, "closer to the first sound"),
        "a": Nudge("/start", 1, "draw another first sound"), "b": Nudge("/end", 1, "draw another second sound"),
    }  # fmt: skip
    most_files = 2

    def __init__(self, bundle: Any = None, seed: int = 0, files: Any = (), mul: Any = 1, add: Any = 0) -> None:
        super().__init__(bundle, seed, files, mul, add)
        self._files = [*files, None, None]
        self._level = pyo.SigTo(1, 0.01, 1)
        self._morpher = Morpher(self.bundle, period=0.5, mul=self._level)
        ends = [0 if number <= len(files) else 2 * seed + number for number in (1, 2)]
        self.sounds(self._morpher, {"/start": ends[0], "/end": ends[1], "/class": self.classes[-1]})

    @control("/morph", Morpher.number("morph", start=0.5))
    def setMorph(self, morph: float) -> None:
        """From the first sound (0) to the second (1), also while they sound."""
        self._morpher.setMorph(morph)

    @control("/start", Whole("number", 0, 1 << 30))
    def setStart(self, number: int) -> None:
        """First sound: each number draws another one; 0 is the first file, if there is one."""
        self._morpher.setStart(self._files[0] if number == 0 and self._files[0] else number)

    @control("/end", Whole("number", 0, 1 << 30))
    def setEnd(self, number: int) -> None:
        """Second sound: each number draws another one; 0 is the second file, if there is one."""
        self._morpher.setEnd(self._files[1] if number == 0 and self._files[1] else number)

    @control("/class", ClassName(open=True))
    def setClass(self, name: str) -> None:
        """Class of both sounds, "" for any."""
        self._morpher.setChoices(name)

    @control("/period", Number("period", 0, 10, 0.5, "seconds"))
    def setPeriod(self, period: float) -> None:
        """Time from one sound to the next; 0 waits for /hit."""
        self._morpher.setPeriod(period)

    @action("/hit", Number("gain", 0, 2))
    def hit(self, gain: float) -> None:
        """Play a sound now."""
        self._morpher.play_note(gain)

    @control("/speed", Morpher.number("speed", low=0.05))
    def setSpeed(self, speed: float) -> None:
        """Speed of the sound; its pitch stays."""
        self._morpher.setSpeed(speed)

    @control("/scatter", Morpher.number("scatter"))
    def setScatter(self, scatter: float) -> None:
        """How far grains stray from the sound."""
        self._morpher.setScatter(scatter)

    @control("/pitch", Morpher.number("pitch"))
    def setPitch(self, pitch: float) -> None:
        """Pitch, by resampling."""
        self._morpher.setPitch(pitch)

    @control("/level", Number("level", 0, 2, 1))
    def setLevel(self, level: float) -> None:
        """Level of the sound."""
        self._level.value = level

    def meters(self) -> list[float]:
        return self._morpher.peaks()


if __name__ == "__main__":
    from ngs.pyo_instruments import run

    run(Morph)
