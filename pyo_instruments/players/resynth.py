"""Any signal, played with the grains of a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ngs.pyo_instruments.players.engine_port import EnginePort
from ngs.pyo_instruments.players.inlet import Inlet
from ngs.pyo_instruments.players.port import open_bundle
from ngs.pyo_instruments.timing.clock import Clock
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.resynthesis.resynthesis_engine import ResynthesisEngine
from ngs.runtime.synth.controls import RESYNTHESIS_CONTROLS

ENGINE_NAMES = {"bal": "mix"}  # a pyo object has a method `mix`


class Resynth(EnginePort):
    """Plays each stream of a signal with the grains of a bundle, `latency` frames later.

    :Parent: :py:class:`PyoObject`

    :Args:

        input: PyoObject
            The signal.
        bundle: Bundle, path or None
            None is the bundle that comes with ngs.
        choices: string or dict, optional
            Class of the grains.
        bal, style, gain, freeze, scatter, density: float or PyoObject, optional
            `bal` is the share of the resynthesis; the rest is the input, equally late. `style` goes from the input
            itself (0) to the grains of the corpus (1). For the others see `ngs.runtime.CONTROLS`.
        seed: int, optional
            The same seed gives the same noise.

    >>> s = Server(duplex=1).boot()
    >>> s.start()
    >>> drums = Resynth(Input(0), choices="Snare", style=.8).out()
    """

    controls = {"bal": RESYNTHESIS_CONTROLS["mix"]} | {
        name: each for name, each in RESYNTHESIS_CONTROLS.items() if name != "mix"
    }

    def __init__(
        self, input: Any, bundle: Bundle | str | Path | None = None, choices: Any = "", seed: int = 0, mul: Any = 1,
        add: Any = 0, **controls: Any,
    ) -> None:  # fmt: skip
        self.bundle = open_bundle(bundle)
        clock = Clock.current()
        self._input, self._inlet, self._choices = input, Inlet(input), choices
        self._heard = np.zeros((len(self._inlet), clock.block), dtype=np.float32)
        engine = ResynthesisEngine(
            self.bundle, choices or {}, clock.sample_rate, seed, len(self._inlet), clock.block, threaded=clock.live,
            max_block=clock.block,
        )  # fmt: skip
        super().__init__(engine, mul, add, **controls)

    def setInput(self, x: Any, fadetime: float = 0.05) -> None:
        """Crossfade to another `input`, of as many streams, in `fadetime` seconds."""
        self._input = x
        self._inlet.change(x, fadetime)

    def setChoices(self, x: Any) -> None:
        """Replace the `choices`. Raises ValueError."""
        self.bundle.condition(x or {})
        self._choices = x
        self.clock.send(lambda: self.engine.condition(x or {}, self.engine.time + self.clock.offset))

    input = property(lambda self: self._input, setInput, doc="The signal.")
    choices = property(lambda self: self._choices, setChoices, doc="Class of the grains.")

    def turn(self, output: int, **controls: float) -> None:
        known = {ENGINE_NAMES.get(name, name): value for name, value in controls.items()}
        self.engine.set(self.engine.time + self.clock.offset, **known)

    def render(self, out: Array) -> None:
        self.follow()
        for heard, view in zip(self._heard, self._inlet.views, strict=True):
            heard[:] = view
        self.engine.process(self._heard, out)
