"""A fresh hit a trigger."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ngs.pyo_instruments.players.inlet import Inlet
from ngs.pyo_instruments.players.port import Port
from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.pads.pads import Pads
from ngs.runtime.pads.settings import RANGES


class HitPlayer(Port):
    """Plays hits of a bundle's classes that were never heard before, a stream a class.

    A hit is made before it is asked for, so that it sounds at the very sample of its trigger, a block later than the
    trigger is made; `hit` plays one from Python.

    :Parent: :py:class:`PyoObject`

    :Args:

        bundle: Bundle, path or None
            None is the bundle that comes with ngs.
        classes: string or list of strings
            Class of the bundle's first attribute, a stream each.
        trig: PyoObject or list of PyoObjects, optional
            Streams of triggers; the value of a trigger is the gain of its hit.
        temperature: float or list of floats, optional
            How far sounds stray from the usual, 0 to 2.
        pitch: float or list of floats, optional
            Semitones, -24 to 24.
        decay: float or list of floats, optional
            Seconds to -60 dB, 0 for as it is.
        fresh: int or list of ints, optional
            1: a new hit for each trigger; 0: the same until `resample`.
        seed: int, optional
            Decides every sound.

    >>> s = Server().boot()
    >>> s.start()
    >>> beat = Beat(time=.125, taps=16, w1=[90, 20], w2=[40, 60], w3=[20, 40]).play()
    >>> drums = HitPlayer(classes=["Kick", "Hat"], trig=beat).out()
    """

    def __init__(
        self, bundle: Bundle | str | Path | None = None, classes: str | Sequence[str] = "Kick", trig: Any = None,
        temperature: Any = 0.7, pitch: Any = 0.0, decay: Any = 0.0, fresh: Any = 1, seed: int = 0, overlap: int = 4,
        mul: Any = 1, add: Any = 0,
    ) -> None:  # fmt: skip
        self.bundle = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
        names = [classes] if isinstance(classes, str) else list(classes)
        count = max(len(names), len(trig) if trig is not None else 1)
        self._trig, self._inlet = trig, None if trig is None else Inlet(trig)
        super().__init__(count, mul, add)
        self.pads = Pads(self.bundle, self.clock.sample_rate, count, seed, overlap=overlap, threaded=self.clock.live)
        self._decays = [0.0] * count
        for set_up, value in (
            (self.setClasses, names), (self.setTemperature, temperature), (self.setPitch, pitch),
            (self.setDecay, decay), (self.setFresh, fresh),
        ):  # fmt: skip
            set_up(value)
        self.pads.start()

    def hit(self, stream: int = 0, gain: float = 1.0, offset: int = 0) -> None:
        """Play a hit of a stream, `offset` samples into the next block. Raises ValueError."""
        self.pads.check(pad=stream, offset=offset)
        self.clock.send(lambda: self._hit(stream, gain, self.clock.offset + offset))

    def resample(self, stream: int = 0) -> None:
        """Let the next trigger of a stream play a new hit, whether it is fresh or not. Raises ValueError."""
        self.pads.check(pad=stream)
        self.clock.send(lambda: self.pads.resample(stream))

    def last(self, stream: int = 0) -> tuple[Array, int]:
        """The hit of a stream that sounded last, float32 [n], and its number. Raises ValueError."""
        hit = self.pads.last(stream)
        if hit is None:
            raise ValueError(f"Stream {stream} has not sounded yet")
        return hit

    def set(self, stream: int, decay: float | None = None, **what: Any) -> None:
        """Set what one stream plays: `decay`, or what `Pads.set` takes. Raises ValueError."""
        self.pads.check(pad=stream, **what)
        if decay is not None:
            _check_decay(decay)

        def change() -> None:
            if decay is not None:
                self._decays[stream] = float(decay)
            self.pads.set(stream, **what)

        self.clock.send(change)

    def setClasses(self, x: str | Sequence[str]) -> None:
        """Replace the `classes`."""
        self._each(x, lambda value: {"choices": value})
        self._classes = x

    def setTemperature(self, x: Any) -> None:
        """Replace the `temperature`."""
        self._each(x, lambda value: {"temperature": float(value)})
        self._temperature = x

    def setPitch(self, x: Any) -> None:
        """Replace the `pitch`; hits that sound keep theirs."""
        self._each(x, lambda value: {"pitch": float(value)})
        self._pitch = x

    def setFresh(self, x: Any) -> None:
        """Replace `fresh`."""
        self._each(x, lambda value: {"fresh": bool(value)})
        self._fresh = x

    def setDecay(self, x: Any) -> None:
        """Replace the `decay`; hits that sound keep theirs."""
        values = [float(each) for each in pyo.convertArgsToLists(x)[0]]
        for each in values:
            _check_decay(each)
        for stream in range(len(self._decays)):
            self.set(stream, decay=pyo.wrap(values, stream))
        self._decay = x

    def setTrig(self, x: Any) -> None:
        """Replace the `trig`: as many streams as there were."""
        self._trig = x
        if self._inlet is None:
            self._inlet = Inlet(x)
        else:
            self._inlet.change(x)

    classes = property(lambda self: self._classes, setClasses, doc="Class of the bundle, a stream each.")
    temperature = property(lambda self: self._temperature, setTemperature, doc="How far sounds stray from the usual.")
    pitch = property(lambda self: self._pitch, setPitch, doc="Semitones.")
    fresh = property(lambda self: self._fresh, setFresh, doc="Whether each trigger plays a new hit.")
    decay = property(lambda self: self._decay, setDecay, doc="Seconds to -60 dB.")
    trig = property(lambda self: self._trig, setTrig, doc="Streams of triggers.")

    def render(self, out: Array) -> None:
        if self._inlet is not None:
            for stream in range(len(out)):
                trigger = self._inlet.views[stream % len(self._inlet)]
                if trigger.any():
                    for offset in np.flatnonzero(trigger):
                        self._hit(stream, float(trigger[offset]), int(offset))
        self.pads.process(out)

    def ctrl(self, map_list: Any = None, title: str | None = None, wxnoserver: bool = False) -> None:
        """Open a window of sliders."""
        sliders = {"temperature": (0, 2), "pitch": (-24, 24), "decay": (0, 10)}
        self._map_list = [
            pyo.SLMap(*ends, "lin", name, getattr(self, name), dataOnly=True) for name, ends in sliders.items()
        ]
        super().ctrl(map_list, title, wxnoserver)

    def statistics(self) -> dict[str, Any]:
        return asdict(self.pads.statistics())

    def close(self) -> None:
        if hasattr(self, "pads"):
            self.pads.stop()

    def _hit(self, stream: int, gain: float, offset: int) -> None:
        if gain > 0:  # NaN is none
            decay = self._decays[stream]
            self.pads.trigger(stream, offset, min(gain, 4.0), max(decay, RANGES["decay"][0]) if decay else None)

    def _each(self, x: Any, what: Any) -> None:
        values = pyo.convertArgsToLists(x)[0]
        wanted = [what(pyo.wrap(values, stream)) for stream in range(len(self))]
        for each in wanted:
            self.pads.check(**each)
        for stream, each in enumerate(wanted):
            self.clock.send(functools.partial(self.pads.set, stream, **each))


def _check_decay(seconds: float) -> None:
    longest = RANGES["decay"][1]
    if not 0 <= seconds <= longest:
        raise ValueError(f"decay is {seconds!r}: choose 0 to {longest:g} seconds")
