"""Any sound, played with the grains of a bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ngs.pyo_instruments.players.inlet import Inlet
from ngs.pyo_instruments.players.port import EnginePort, turned
from ngs.pyo_instruments.timing.clock import Clock
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.resynthesis.resynthesis_engine import ResynthesisEngine
from ngs.runtime.synth.controls import RESYNTHESIS_CONTROLS, Control

CONTROLS = {"bal" if name == "mix" else name: each for name, each in RESYNTHESIS_CONTROLS.items()}  # pyo has a mix()


@turned(**{name: each.help for name, each in CONTROLS.items()})
class Resynth(EnginePort):
    """Plays a signal with the grains of a bundle, `latency` frames later, a stream for each of its streams.

    :Parent: :py:class:`PyoObject`

    :Args:

        input: PyoObject
            What is resynthesised.
        bundle: Bundle, path or None
            None is the bundle that comes with ngs.
        choices: string or dict, optional
            Class that the grains are played as.
        bal, gain, freeze, scatter, density: float or PyoObject, optional
            `bal` is the share of the resynthesis, the rest is the input, as late. For the others see
            `ngs.runtime.CONTROLS`.
        seed: int, optional
            Decides the noise.

    >>> s = Server(duplex=1).boot()
    >>> s.start()
    >>> drums = Resynth(Input(0), choices="Snare", bal=.8).out()
    """

    known: ClassVar[Mapping[str, Control]] = CONTROLS

    def __init__(
        self, input: Any, bundle: Bundle | str | Path | None = None, choices: Any = "", seed: int = 0, mul: Any = 1,
        add: Any = 0, **controls: Any,
    ) -> None:  # fmt: skip
        self.bundle = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
        clock = Clock.current()
        self._input, self._inlet, self._choices = input, Inlet(input), choices
        self._heard = np.zeros((len(self._inlet), clock.block), dtype=np.float32)
        engine = ResynthesisEngine(
            self.bundle,
            choices or {},
            clock.sample_rate,
            seed,
            len(self._inlet),
            block=clock.block,
            threaded=clock.live,
        )
        super().__init__(engine, mul, add)
        for name, value in ({name: each.start for name, each in CONTROLS.items()} | controls).items():
            self.give(name, value)

    def setInput(self, x: Any, fadetime: float = 0.05) -> None:
        """Replace the `input`, crossfaded: as many streams as there were."""
        self._input = x
        self._inlet.change(x, fadetime)

    def setChoices(self, x: Any) -> None:
        """Replace the `choices`. Raises ValueError."""
        self.bundle.condition(x or {})
        self._choices = x
        self.clock.send(lambda: self.engine.condition(x or {}, self.engine.time + self.clock.offset))

    input = property(lambda self: self._input, setInput, doc="What is resynthesised.")
    choices = property(lambda self: self._choices, setChoices, doc="Class that the grains are played as.")

    def turn(self, stream: int, **controls: float) -> None:
        if stream == 0:
            given = {"mix" if name == "bal" else name: x for name, x in controls.items()}
            self.engine.set(self.engine.time + self.clock.offset, **given)

    def render(self, out: Array) -> None:
        self.follow()
        for heard, view in zip(self._heard, self._inlet.views, strict=True):
            heard[:] = view
        self.engine.process(self._heard, out)
