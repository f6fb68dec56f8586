"""Resynthesiser: what comes in, or a sound file, played with the grains of a bundle.

Play it with `ngs play resynthesiser --file loop.wav` or `python -m ngs.pyo_instruments.resynthesiser`; without a file
it listens to the first input.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ngs.pyo_instruments.commands.command import ClassName, Number, Switch, control
from ngs.pyo_instruments.commands.key_actions import Nudge, Toggle
from ngs.pyo_instruments.instrument import Instrument
from ngs.pyo_instruments.players.inlet import never_freed
from ngs.pyo_instruments.players.resynth import Resynth
from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.runtime.dsp.audio_files import read_audio


class Resynthesiser(Instrument):
    """A signal through the latent space: dry and wet, as another class, frozen."""

    listens, most_files = True, 1

    KEYS = {" ": Toggle("/freeze"), "+": Nudge("/mix", 0.1), "-": Nudge("/mix", -0.1)}

    def __init__(self, bundle: Any = None, seed: int = 0, files: Any = (), mul: Any = 1, add: Any = 0) -> None:
        super().__init__(bundle, seed, files, mul, add)
        self._level = pyo.SigTo(1, 0.01, 1)
        self._drive = pyo.SigTo(1, 0.01, 1)
        if files:
            sound = read_audio(Path(files[0]), self.clock.sample_rate)
            table = never_freed(pyo.DataTable(len(sound)))
            np.asarray(table.getBuffer())[:] = sound
            self._source = pyo.TableScan(table, mul=self._drive)
        else:
            self._source = pyo.Input(0, mul=self._drive)
        self._resynth = Resynth(self._source, self.bundle, seed=seed, mul=self._level)
        self.sounds(pyo.Mix(self._resynth, voices=2))

    @control("/class", ClassName(open=True))
    def setClass(self, name: str) -> None:
        """Class that the grains are played as, "" for none."""
        self._resynth.setChoices(name)

    @control("/mix", Number("mix", 0, 1, 1))
    def setMix(self, mix: float) -> None:
        """Share of the resynthesis; the rest is the input, as late."""
        self._resynth.setBal(mix)

    @control("/freeze", Switch("on"))
    def setFreeze(self, on: int) -> None:
        """Go on with the grain that was last."""
        self._resynth.setFreeze(on)

    @control("/scatter", Number("scatter", 0, 4))
    def setScatter(self, scatter: float) -> None:
        """How far grains stray from what comes in."""
        self._resynth.setScatter(scatter)

    @control("/density", Number("density", 0, 1, 1))
    def setDensity(self, density: float) -> None:
        """Share of the grains that sound."""
        self._resynth.setDensity(density)

    @control("/drive", Number("drive", 0, 4, 1))
    def setDrive(self, drive: float) -> None:
        """Factor of the amplitude of what comes in."""
        self._drive.value = drive

    @control("/level", Number("level", 0, 2, 1))
    def setLevel(self, level: float) -> None:
        """Factor of the amplitude of what is heard."""
        self._level.value = level

    def meters(self) -> list[float]:
        """Peak of what is heard."""
        return self._resynth.peaks()


if __name__ == "__main__":
    from ngs.pyo_instruments.stage.perform import run

    run(Resynthesiser)
