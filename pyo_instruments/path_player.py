"""Path player: grains along a path through the latent space, without end, or at a place of its map.

Play it with `ngs play path-player` or `python -m ngs.pyo_instruments.path_player`; copy it and change it to taste.
"""

from __future__ import annotations

from typing import Any

from ngs.pyo_instruments import Choice, ClassName, Number, Switch, action, control
from ngs.pyo_instruments.commands.key_actions import Nudge, Press, Toggle
from ngs.pyo_instruments.instrument import Instrument
from ngs.pyo_instruments.players.grain_player import GrainPlayer
from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.runtime.dsp.paths import KINDS, map_grid


class PathPlayer(Instrument):
    """Two paths of a kind, left and right, whose grains go on and on; or a place on the map that is moved by hand."""

    KEYS = {
        **{str(number): Press("/kind", (kind,), f"{kind} path") for number, kind in enumerate(KINDS, 1)},
        " ": Toggle("/freeze"), "n": Press("/new", label="new path"), "m": Toggle("/map", "path or map"),
        "+": Nudge("/speed", 0.25), "-": Nudge("/speed", -0.25),
        "s": Nudge("/scatter", 0.1), "a": Nudge("/scatter", -0.1),
    }  # fmt: skip

    def __init__(self, bundle: Any = None, seed: int = 0, files: Any = (), mul: Any = 1, add: Any = 0) -> None:
        super().__init__(bundle, seed, files, mul, add)
        self._grid = map_grid(self.bundle.latent_map)
        self._kind, self._on_map, self._frozen = "circle", 0, 0
        self._level, self._reverb = pyo.SigTo(0.5, 0.01, 0.5), pyo.SigTo(0.15, 0.05, 0.15)
        self._grains = GrainPlayer(self.bundle, [self._kind, self._kind], seed=seed, mul=self._level)
        self.sounds(pyo.Freeverb(self._grains, size=0.8, damp=0.5, bal=self._reverb))

    @control("/kind", Choice("kind", KINDS, "circle"))
    def setKind(self, kind: str) -> None:
        """Kind of the path: each time another one."""
        self._kind = kind
        self._go()

    @action("/new")
    def new(self) -> None:
        """Another path of the kind."""
        self._go()

    @control("/class", ClassName(open=True))
    def setClass(self, name: str) -> None:
        """Class of the grains, "" for any."""
        self._grains.setChoices([name, name])

    @control("/map", Switch("on"))
    def setMap(self, on: int) -> None:
        """Stay at a place of the latent map (1), or follow the path (0)."""
        self._on_map = on
        self._grains.setFreeze(max(on, self._frozen))
        self._go()

    @control("/xy", Number("x", 0, 1, 0.5), Number("y", 0, 1, 0.5))
    def setXy(self, x: float, y: float) -> None:
        """Place on the latent map, where it is on: from left to right, from bottom to top."""
        self._grains.setPosition(x)
        self._grains.setMorph(y)

    @control("/speed", Number("speed", -8, 8, 1))
    def setSpeed(self, speed: float) -> None:
        """Grains of the path to a grain that is played; below 0 backwards."""
        self._grains.setSpeed(speed)

    @control("/freeze", Switch("on"))
    def setFreeze(self, on: int) -> None:
        """Stand still."""
        self._frozen = on
        self._grains.setFreeze(max(on, self._on_map))

    @control("/scatter", Number("scatter", 0, 4, 0.1))
    def setScatter(self, scatter: float) -> None:
        """How far grains stray from the path."""
        self._grains.setScatter(scatter)

    @control("/density", Number("density", 0, 1, 1))
    def setDensity(self, density: float) -> None:
        """Share of the grains that sound."""
        self._grains.setDensity(density)

    @control("/pitch", Number("pitch", -24, 24, 0, "semitones"))
    def setPitch(self, pitch: float) -> None:
        """Pitch, by resampling."""
        self._grains.setPitch(pitch)

    @control("/level", Number("level", 0, 2, 0.5))
    def setLevel(self, level: float) -> None:
        """Factor of the amplitude."""
        self._level.value = level

    @control("/reverb", Number("reverb", 0, 1, 0.15))
    def setReverb(self, reverb: float) -> None:
        """Share of the reverberation."""
        self._reverb.value = reverb

    def meters(self) -> list[float]:
        """Peaks of left and right."""
        return self._grains.peaks()

    def _go(self) -> None:
        self._grains.setPath([self._grid, self._grid] if self._on_map else [self._kind, self._kind])


if __name__ == "__main__":
    from ngs.pyo_instruments.stage.perform import run

    run(PathPlayer)
