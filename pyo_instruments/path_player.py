"""Path player: an endless stream of grains along a path through the latent space, or at a place on its map.

Play it with `ngs play path-player` or `python -m ngs.pyo_instruments.path_player`; copy it and make it your own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ngs.pyo_instruments import Choice, ClassName, GrainPlayer, Instrument, Number, Switch, action, control
from ngs.pyo_instruments.commands.key_actions import Move, Nudge, Press, Toggle
from ngs.pyo_instruments.instrument import NOWHERE
from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.pyo_instruments.text_map import TextMap
from ngs.runtime.dsp.paths import KINDS, map_place


class PathPlayer(Instrument):
    """Two endless paths of a kind, one left and one right; or a place on the latent map that you move by hand."""

    KEYS = {
        **{str(number): Press("/kind", (kind,), f"{kind} path") for number, kind in enumerate(KINDS, 1)},
        " ": Toggle("/freeze", "freeze or move on"), "n": Press("/new", (), "new path of this kind"),
        "m": Toggle("/map", "follow the path, or stay at a place on the map"),
        "left": Move("/xy", (-0.02, 0.0), "move on the map"), "right": Move("/xy", (0.02, 0.0), "move on the map"),
        "up": Move("/xy", (0.0, 0.05), "move on the map"), "down": Move("/xy", (0.0, -0.05), "move on the map"),
        "+": Nudge("/speed", 0.25, "faster"), "-": Nudge("/speed", -0.25, "slower, then backwards"),
        "s": Nudge("/scatter", 0.1, "stray further from the path"), "a": Nudge("/scatter", -0.1, "stray less"),
    }  # fmt: skip

    def __init__(self, bundle: Any = None, seed: int = 0, files: Any = (), mul: Any = 1, add: Any = 0) -> None:
        super().__init__(bundle, seed, files, mul, add)
        self._drawn: TextMap | None = None  # made when it is first shown
        self._kind, self._on_map, self._frozen = "circle", 0, 0
        self._level, self._reverb = pyo.SigTo(0.5, 0.01, 0.5), pyo.SigTo(0.15, 0.05, 0.15)
        self._grains = GrainPlayer(self.bundle, [self._kind, self._kind], seed=seed, mul=self._level)
        self.sounds(pyo.Freeverb(self._grains, size=0.8, damp=0.5, bal=self._reverb))

    @control("/kind", Choice("kind", KINDS, "circle"))
    def setKind(self, kind: str) -> None:
        """Follow a new path of this kind."""
        self._kind = kind
        self._go()

    @action("/new")
    def new(self) -> None:
        """Follow another path of the same kind."""
        self._go()

    @control("/class", ClassName(open=True))
    def setClass(self, name: str) -> None:
        """Class of the grains, "" for any."""
        self._grains.setChoices([name, name])

    @control("/map", Switch("on"))
    def setMap(self, on: int) -> None:
        """Stay at a place on the latent map (1), or follow the path (0)."""
        self._on_map = on
        self._grains.setFreeze(max(on, self._frozen))
        self._go()

    @control("/xy", Number("x", 0, 1, 0.5), Number("y", 0, 1, 0.5))
    def setXy(self, x: float, y: float) -> None:
        """Place on the latent map: x from left to right, y from bottom to top."""
        self._grains.setPosition(x)
        self._grains.setMorph(y)

    @control("/speed", GrainPlayer.number("speed"))
    def setSpeed(self, speed: float) -> None:
        """Speed along the path; 1 is the original speed, below 0 runs backwards."""
        self._grains.setSpeed(speed)

    @control("/freeze", Switch("on"))
    def setFreeze(self, on: int) -> None:
        """Stand still on the path."""
        self._frozen = on
        self._grains.setFreeze(max(on, self._on_map))

    @control("/scatter", GrainPlayer.number("scatter", start=0.1))
    def setScatter(self, scatter: float) -> None:
        """How far grains stray from the path."""
        self._grains.setScatter(scatter)

    @control("/density", GrainPlayer.number("density"))
    def setDensity(self, density: float) -> None:
        """Share of the grains that sound."""
        self._grains.setDensity(density)

    @control("/pitch", GrainPlayer.number("pitch"))
    def setPitch(self, pitch: float) -> None:
        """Pitch, by resampling."""
        self._grains.setPitch(pitch)

    @control("/level", Number("level", 0, 2, 0.5))
    def setLevel(self, level: float) -> None:
        """Level of the sound."""
        self._level.value = level

    @control("/reverb", Number("reverb", 0, 1, 0.15))
    def setReverb(self, reverb: float) -> None:
        """Share of the reverb."""
        self._reverb.value = reverb

    def meters(self) -> list[float]:
        return self._grains.peaks()

    def screen(self, cursor: Mapping[str, int] = NOWHERE) -> list[str]:
        """The values; while a place on the map sounds, the map too: grains of the corpus, and the place."""
        if not self._on_map:
            return super().screen(cursor)
        if self._drawn is None:
            latent_map = self.bundle.latent_map
            self._drawn = TextMap(map_place(latent_map, latent_map["points"]))
        x, y = (float(each) for each in self.values["/xy"])
        return [*super().screen(cursor), *self._drawn.lines(x, y)]

    def _go(self) -> None:
        path = "map" if self._on_map else self._kind
        self._grains.setPath([path, path])


if __name__ == "__main__":
    from ngs.pyo_instruments import run

    run(PathPlayer)
