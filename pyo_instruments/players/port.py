"""Between numpy and pyo: streams that a pyo object gives, and samples of streams that it is given."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

import numpy as np

from ngs.pyo_instruments.players.inlet import Inlet, block_tables
from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.pyo_instruments.timing.clock import Clock
from ngs.runtime.arrays import Array
from ngs.runtime.synth.controls import CONTROLS, Control, check_controls
from ngs.runtime.synth.engine import EngineBusy

P = TypeVar("P", bound="EnginePort")
FALL_DB = 40.0  # of a meter, a second
STEADY_SECONDS = 0.04  # that are rendered ahead where no key is played: measured in docs/live.md
ENGINE_BLOCK = 256  # frames that an engine renders at a time
FOLLOWED_SECONDS = 0.01  # between two looks at a pyo object that turns a control


class Port(pyo.PyoObject):
    """A pyo object whose streams are made in numpy, a block at a time, by `render`.

    Each block is copied into tables of a block's length that `TableScan` reads sample by sample: what pyo plays are the
    very samples.
    """

    def __init__(self, streams: int, mul: Any = 1, add: Any = 0) -> None:
        super().__init__(mul, add)
        self.clock = Clock.current()
        tables, self._views = block_tables(streams, self.clock.block)
        self._buffer = np.zeros((streams, self.clock.block), dtype=np.float32)
        self._scan = pyo.TableScan(tables, mul, add)
        self._base_objs = self._scan.getBaseObjects()
        self._peaks = np.zeros(streams, dtype=np.float32)
        self._fall = np.float32(10 ** (-FALL_DB * self.clock.block / self.clock.sample_rate / 20))
        self.clock.add(self)

    def render(self, out: Array) -> None:
        """Fill `out` float32 [streams, block] with the next samples."""
        raise NotImplementedError

    def close(self) -> None:
        """End what plays."""

    def __del__(self) -> None:
        if hasattr(self, "_scan"):
            self.close()
            for view in self._views:  # others may play them still
                view[:] = 0.0

    def statistics(self) -> dict[str, Any]:
        """What happened so far."""
        return {}

    def process(self) -> None:
        """Make the next block: the clock calls it."""
        try:
            self.render(self._buffer)
        except Exception as error:  # not the last block again and again
            self._buffer[:] = 0.0
            self.clock.failed(error)
        for view, row in zip(self._views, self._buffer, strict=True):
            view[:] = row
        self._peaks *= self._fall
        np.maximum(self._peaks, self._buffer.max(axis=1), out=self._peaks)
        np.maximum(self._peaks, -self._buffer.min(axis=1), out=self._peaks)

    def peaks(self) -> list[float]:
        """Peaks [streams], before `mul`, as a meter shows them: they fall slowly, 40 dB a second."""
        return [round(float(peak), 4) for peak in self._peaks]


def ahead(clock: Clock, seconds: float = STEADY_SECONDS) -> int:
    """Frames that an engine renders ahead: so many seconds, or what it needs for the server's blocks."""
    return max(round(seconds * clock.sample_rate), 2 * ENGINE_BLOCK + clock.block)


class EnginePort(Port):
    """Streams that an engine plays, each with controls of its own: `turned` makes setters and properties of them.

    A control is a number, a list of numbers, or a pyo object, whose value is taken every 10 ms. All that is asked for
    is heard `latency` frames later, and exactly then.
    """

    def __init__(self, engine: Any, mul: Any = 1, add: Any = 0) -> None:
        """`engine`: an Engine of an output and one channel for each stream."""
        super().__init__(engine.channels * getattr(engine, "outputs", 1), mul, add)
        self.engine = engine
        self._given: dict[str, Any] = {}
        self._followed: dict[str, tuple[Inlet, list[float]]] = {}
        self._pace = max(round(FOLLOWED_SECONDS * self.clock.sample_rate / self.clock.block), 1)  # blocks
        engine.start()

    @property
    def latency(self) -> int:
        """Frames from what is asked for to what is heard."""
        latency: int = self.engine.latency
        return latency + self.clock.block

    @property
    def due(self) -> int:
        """The engine's time of what is heard of what is carried out now."""
        return int(self.engine.time) + self.latency + self.clock.offset

    def turn(self, stream: int, **controls: float) -> None:
        """Turn controls of what a stream plays, and will play. Called by the clock."""
        raise NotImplementedError

    def render(self, out: Array) -> None:
        self.follow()
        self.engine.process(out)

    def give(self, name: str, value: Any) -> None:
        """Set a control to a number, a list, or a pyo object that it follows. Raises ValueError."""
        if isinstance(value, pyo.PyoObject):
            inlet = Inlet(value)
            self.clock.send(lambda: self._followed.__setitem__(name, (inlet, [math.nan] * len(self))))
        else:
            values = [float(each) for each in pyo.convertArgsToLists(value)[0]]
            for each in values:
                check_controls({name: each}, self.known)
            self.clock.send(lambda: self._turn_all(name, values))
        self._given[name] = value

    known: ClassVar[Mapping[str, Control]] = CONTROLS

    def _turn_all(self, name: str, values: list[float]) -> None:
        self._followed.pop(name, None)
        for stream in range(len(self)):
            self.turn(stream, **{name: values[stream % len(values)]})

    def follow(self) -> None:
        """Take the values of the pyo objects that turn controls, when it is time."""
        if not self._followed or self.clock.frame // self.clock.block % self._pace:
            return
        try:
            for name, (inlet, last) in self._followed.items():
                low, high = self.known[name].low, self.known[name].high
                for stream in range(len(last)):
                    value = min(max(float(inlet.views[stream % len(inlet)][-1]), low), high)
                    if value == value != last[stream]:  # NaN is no value
                        last[stream] = value
                        self.turn(stream, **{name: value})
        except EngineBusy as error:  # what plays goes on
            self.clock.failed(error)

    def ctrl(self, map_list: Any = None, title: str | None = None, wxnoserver: bool = False) -> None:
        """Open a window of sliders, one for each control that no pyo object turns."""
        self._map_list = [
            pyo.SLMap(self.known[name].low, self.known[name].high, "lin", name, value)
            for name, value in self._given.items()
            if not isinstance(value, pyo.PyoObject)
        ]
        super().ctrl(map_list, title, wxnoserver)

    def statistics(self) -> dict[str, Any]:
        told: dict[str, Any] = self.engine.statistics().to_dict()
        return told

    def close(self) -> None:
        if hasattr(self, "engine"):
            self.engine.stop()


def turned(**controls: str) -> Callable[[type[P]], type[P]]:
    """Give a port `setX` and a property for each control: name and docstring."""

    def add(kind: type[P]) -> type[P]:
        for name, text in controls.items():
            _add_control(kind, name, text)
        return kind

    return add


def _add_control(kind: type[EnginePort], name: str, text: str) -> None:
    def write(port: EnginePort, x: Any) -> None:
        port.give(name, x)

    write.__name__ = f"set{name.capitalize()}"
    write.__doc__ = f"Replace the `{name}`: {text}"
    setattr(kind, write.__name__, write)
    setattr(kind, name, property(lambda port: port._given[name], write, doc=text))
