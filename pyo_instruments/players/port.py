"""Sound from numpy to pyo: the base of all players."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ngs.pyo_instruments.commands.arguments import Number
from ngs.pyo_instruments.players.inlet import tables_of
from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.pyo_instruments.timing.clock import Clock
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.synth.controls import CONTROLS, Control

FALL_DB = 40.0  # of a meter, per second
MOST_GAIN = CONTROLS["gain"].high
UNITS = {"pitch": "semitones", "decay": "seconds"}


class Port(pyo.PyoObject):
    """A pyo object whose sound `render` makes, one block at a time.

    Each block is copied into tables that are one block long and that pyo scans: pyo plays exactly these frames.

    A player declares its `controls`. Each gets a method `setX`, a property and a slider in `ctrl`; `number` makes it
    the argument of an instrument's command.
    """

    controls: ClassVar[Mapping[str, Control]] = {}
    follows: ClassVar[bool] = False  # whether a control may be a pyo object

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, declared in vars(cls).get("controls", {}).items():
            _add_control(cls, name, declared.help)

    def __init__(self, streams: int, mul: Any = 1, add: Any = 0) -> None:
        super().__init__(mul, add)
        self.clock = Clock.current()
        self._given: dict[str, Any] = {}
        tables, self._views = tables_of(streams, self.clock.block)
        self._buffer = np.zeros((streams, self.clock.block), dtype=np.float32)
        self._scan = pyo.TableScan(tables, mul, add)
        self._base_objs = self._scan.getBaseObjects()
        self._peaks = np.zeros(streams, dtype=np.float32)
        self._fall = np.float32(10 ** (-FALL_DB * self.clock.block / self.clock.sample_rate / 20))
        self.clock.add(self)

    def render(self, out: Array) -> None:
        """Fill `out`, float32 [streams, block], with the next frames."""
        raise NotImplementedError

    def give(self, name: str, value: Any) -> None:
        """Set a control, as `setX` and the property do. Raises ValueError."""
        raise NotImplementedError

    def close(self) -> None:
        """Stop the threads that make the sound."""

    def __del__(self) -> None:
        if hasattr(self, "_scan"):
            self.close()
            for view in self._views:  # other objects may still read them
                view[:] = 0.0

    def statistics(self) -> dict[str, Any]:
        """Counts of what happened so far."""
        return {}

    def before_block(self) -> None:
        """Make the next block. The clock calls this."""
        try:
            self.render(self._buffer)
        except Exception as error:
            self._buffer[:] = 0.0  # silence, not the last block over and over
            self.clock.failed(error)
        for view, row in zip(self._views, self._buffer, strict=True):
            view[:] = row
        self._peaks *= self._fall
        np.maximum(self._peaks, self._buffer.max(axis=1), out=self._peaks)
        np.maximum(self._peaks, -self._buffer.min(axis=1), out=self._peaks)

    def peaks(self) -> list[float]:
        """The peak of each stream, before `mul`, as a meter shows it: it falls by 40 dB per second."""
        return [round(float(peak), 4) for peak in self._peaks]

    def ctrl(self, map_list: Any = None, title: str | None = None, wxnoserver: bool = False) -> None:
        """Open a window with a slider for each control that is not a pyo object."""
        self._map_list = [
            pyo.SLMap(declared.low, declared.high, "lin", name, self._given[name], dataOnly=not self.follows)
            for name, declared in self.controls.items()
            if not isinstance(self._given[name], pyo.PyoObject)
        ]
        super().ctrl(map_list, title, wxnoserver)

    @classmethod
    def number(cls, control: str, **other: Any) -> Number:
        """A control as the argument of a command. `other`: what differs, as in `start=0.5`."""
        declared = cls.controls[control]
        number = Number(control, declared.low, declared.high, declared.start, UNITS.get(control, ""))
        return replace(number, **other)


def open_bundle(bundle: Bundle | str | Path | None) -> Bundle:
    """The bundle itself, the one at a path, or for None the one that comes with ngs. Raises BundleError."""
    return bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)


def listed(x: Any) -> list[Any]:
    """A list as it is, anything else as a list of one."""
    return x if isinstance(x, list) else [x]


def _add_control(kind: type[Port], name: str, text: str) -> None:
    def write(port: Port, x: Any) -> None:
        port.give(name, x)

    write.__name__ = f"set{name.capitalize()}"
    write.__doc__ = f"Replace the `{name}`: {text}"
    setattr(kind, write.__name__, write)
    setattr(kind, name, property(lambda port: port._given[name], write, doc=text))
