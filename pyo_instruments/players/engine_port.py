"""The base of the players whose sound an engine renders ahead, in a thread of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from ngs.pyo_instruments.players.inlet import Inlet
from ngs.pyo_instruments.players.port import Port
from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.pyo_instruments.timing.clock import Clock
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.live.schedule import EngineBusy
from ngs.runtime.synth.controls import CONTROLS, Control, check_controls
from ngs.runtime.synth.engine import Engine
from ngs.runtime.synth.notes import Note

STEADY_SECONDS = 0.04  # rendered ahead if nobody plays keys; docs/speed.md has the measurements
ENGINE_BLOCK = 256  # frames that an engine renders at a time
FOLLOWED_SECONDS = 0.01  # between two looks at a pyo object that a control follows


class EnginePort(Port):
    """A port that plays an engine. Each output of the engine has controls of its own.

    A control is a number, a list of numbers (one per output), or a pyo object, whose value is read every 10 ms. A
    change is heard exactly `latency` frames later.
    """

    follows: ClassVar[bool] = True

    def __init__(self, engine: Any, mul: Any = 1, add: Any = 0, **controls: Any) -> None:
        """`controls`: where they begin, if not at their declared start. Raises ValueError."""
        self._outputs: int = getattr(engine, "outputs", 1)
        super().__init__(self._outputs * engine.channels, mul, add)
        self.engine = engine
        self._followed: dict[str, tuple[Inlet, list[float]]] = {}  # and the last value for each output
        self._pace = max(round(FOLLOWED_SECONDS * self.clock.sample_rate / self.clock.block), 1)  # blocks
        self._serial = 0  # of what was prepared last
        self._newest: dict[int, int] = {}
        engine.start()
        for name, value in ({name: each.start for name, each in self.controls.items()} | controls).items():
            self.give(name, value)

    @property
    def latency(self) -> int:
        """Frames from a change to the moment it is heard."""
        return int(self.engine.latency) + self.clock.block

    @property
    def due(self) -> int:
        """The engine's frame at which a change made now is heard."""
        return int(self.engine.time) + self.latency + self.clock.offset

    def turn(self, output: int, **controls: float) -> None:
        """Change controls of what an output plays now and later. The clock calls this."""
        raise NotImplementedError

    def render(self, out: Array) -> None:
        self.follow()
        self.engine.process(out)

    def give(self, name: str, value: Any) -> None:
        """Set a control to a number, a list, or a pyo object that it follows. Raises ValueError."""
        if isinstance(value, pyo.PyoObject):
            inlet = Inlet(value)
            self.clock.send(lambda: self._followed.__setitem__(name, (inlet, [math.nan] * self._outputs)))
        else:
            values = [float(each) for each in pyo.convertArgsToLists(value)[0]]
            for each in values:
                check_controls({name: each}, self.controls)
            self.clock.send(lambda: self._turn_all(name, values))
        self._given[name] = value

    def follow(self) -> None:
        """Read the pyo objects that controls follow, if it is time."""
        if not self._followed or self.clock.frame // self.clock.block % self._pace:
            return
        try:
            for name, (inlet, last) in self._followed.items():
                for output in range(self._outputs):
                    value = within(self.controls[name], float(inlet.views[output % len(inlet)][-1]))
                    if value != last[output] and not math.isnan(value):
                        last[output] = value
                        self.turn(output, **{name: value})
        except EngineBusy as error:  # what plays goes on
            self.clock.failed(error)

    def prepare(self, key: int, make: Callable[[int], Note], use: Callable[[Note], None]) -> None:
        """Make a note outside the callback, from its serial number, and use it when its time has come.

        If the same `key` is asked for again before that, only the last note is made and used.
        """
        self._serial += 1
        serial = self._newest[key] = self._serial

        def make_last() -> Note | None:
            return make(serial) if self._newest[key] == serial else None

        def use_last(note: Note | None) -> None:
            if note is not None and self._newest[key] == serial:
                use(note)

        self.clock.prepare(make_last, use_last)

    def statistics(self) -> dict[str, Any]:
        told: dict[str, Any] = self.engine.statistics().to_dict()
        return told

    def close(self) -> None:
        if hasattr(self, "engine"):
            self.engine.stop()

    def _turn_all(self, name: str, values: list[float]) -> None:
        self._followed.pop(name, None)
        for output in range(self._outputs):
            self.turn(output, **{name: values[output % len(values)]})


def engine_for(bundle: Bundle, voices: int, seconds: float = STEADY_SECONDS, **layout: int) -> Engine:
    """An engine for the current clock that renders `seconds` ahead, or as much as the server's blocks need."""
    clock = Clock.current()
    ahead = max(round(seconds * clock.sample_rate), 2 * ENGINE_BLOCK + clock.block)
    return Engine(bundle, clock.sample_rate, voices, block=ENGINE_BLOCK, ahead=ahead, threaded=clock.live, **layout)


def select(*names: str) -> Mapping[str, Control]:
    """Some of `ngs.runtime.CONTROLS`."""
    return {name: CONTROLS[name] for name in names}


def within(control: Control, value: float) -> float:
    """The value nearest to `value` that the control can take; NaN stays NaN."""
    return min(max(value, control.low), control.high)
