"""One hit per trigger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ngs.pyo_instruments.players.inlet import Inlet
from ngs.pyo_instruments.players.port import MOST_GAIN, Port, open_bundle
from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.pads.pads import Pads
from ngs.runtime.pads.settings import RANGES
from ngs.runtime.synth.controls import CONTROLS, Control
from ngs.runtime.temperature import TEMPERATURE

SHORTEST_DECAY, LONGEST_DECAY = RANGES["decay"]


class HitPlayer(Port):
    """Plays hits of a bundle's classes, one stream per class, each hit new.

    A hit is made before its trigger comes, so it sounds at the very sample of the trigger, one block later. `hit` plays
    one from Python.

    :Parent: :py:class:`PyoObject`

    :Args:

        bundle: Bundle, path or None
            None is the bundle that comes with ngs.
        classes: string or list of strings
            Class of each stream, of the bundle's first attribute.
        trig: PyoObject or list of PyoObjects, optional
            Triggers; the value of a trigger is the gain of its hit.
        temperature: float or list of floats, optional
            How far sounds stray from the typical, 0 to 2.
        pitch: float or list of floats, optional
            Semitones, -24 to 24.
        decay: float or list of floats, optional
            Seconds to -60 dB; 0 lets hits ring.
        fresh: int or list of ints, optional
            1: a new hit for each trigger; 0: the same one until `resample`.
        seed: int, optional
            The same seed gives the same hits.
        overlap: int, optional
            Hits of one stream that may sound at once.

    >>> s = Server().boot()
    >>> s.start()
    >>> beat = Beat(time=.125, taps=16, w1=[90, 20], w2=[40, 60], w3=[20, 40]).play()
    >>> drums = HitPlayer(classes=["Kick", "Hat"], trig=beat).out()
    """

    controls = {
        "temperature": Control(0, 2, TEMPERATURE, "How far sounds stray from the typical."),
        "pitch": replace(CONTROLS["pitch"], help="Semitones; hits that sound keep their pitch."),
        "decay": Control(0, 10, 0, "Seconds to -60 dB, 0 to let hits ring; hits that sound keep their decay."),
    }

    def __init__(
        self, bundle: Bundle | str | Path | None = None, classes: str | Sequence[str] = "Kick", trig: Any = None,
        temperature: Any = TEMPERATURE, pitch: Any = 0.0, decay: Any = 0.0, fresh: Any = 1, seed: int = 0,
        overlap: int = 4, mul: Any = 1, add: Any = 0,
    ) -> None:  # fmt: skip
        self.bundle = open_bundle(bundle)
        names = [classes] if isinstance(classes, str) else list(classes)
        count = max(len(names), len(trig) if trig is not None else 1)
        self._trig, self._inlet = trig, None if trig is None else Inlet(trig)
        super().__init__(count, mul, add)
        self.pads = Pads(self.bundle, self.clock.sample_rate, count, seed, overlap=overlap, threaded=self.clock.live)
        self._decays = [0.0] * count
        self.setClasses(names)
        self.setFresh(fresh)
        for name, value in (("temperature", temperature), ("pitch", pitch), ("decay", decay)):
            self.give(name, value)
        self.pads.start()

    def hit(self, stream: int = 0, gain: float = 1.0, offset: int = 0) -> None:
        """Play a hit of a stream, `offset` frames into the next block. Raises ValueError."""
        self.pads.check(pad=stream, offset=offset)
        self.clock.send(lambda: self._hit(stream, gain, self.clock.offset + offset))

    def resample(self, stream: int = 0) -> None:
        """Play a new hit at the next trigger of a stream, even if it repeats its hit. Raises ValueError."""
        self.pads.check(pad=stream)
        self.clock.send(lambda: self.pads.resample(stream))

    def silence(self) -> None:
        """End all hits that sound, and those that were asked for and have not begun."""
        self.clock.send(lambda: self.pads.choke(offset=self.clock.offset))

    def last(self, stream: int = 0) -> tuple[Array, int]:
        """The hit of a stream that sounded last, float32 [n], and its number. Raises ValueError."""
        hit = self.pads.last(stream)
        if hit is None:
            raise ValueError(f"Stream {stream} has not sounded yet")
        return hit

    def set(self, stream: int, decay: float | None = None, **what: Any) -> None:
        """Set what one stream plays: `decay`, or what `Pads.set` takes. Raises ValueError."""
        self._check(stream, decay, **what)

        def change() -> None:
            if decay is not None:
                self._decays[stream] = float(decay)
            self.pads.set(stream, **what)

        self.clock.send(change)

    def give(self, name: str, value: Any) -> None:
        """Set a control to a number, or to a list with a number per stream. Raises ValueError."""
        self._set_all(name, [float(each) for each in pyo.convertArgsToLists(value)[0]])
        self._given[name] = value

    def setClasses(self, x: str | Sequence[str]) -> None:
        """Replace the `classes`. Raises ValueError."""
        self._set_all("choices", [x] if isinstance(x, str) else list(x))
        self._classes = x

    def setFresh(self, x: Any) -> None:
        """Replace `fresh`."""
        self._set_all("fresh", [bool(each) for each in pyo.convertArgsToLists(x)[0]])
        self._fresh = x

    def setTrig(self, x: Any) -> None:
        """Replace the `trig`, by as many streams as there were."""
        self._trig = x
        if self._inlet is None:
            self._inlet = Inlet(x)
        else:
            self._inlet.change(x)

    classes = property(lambda self: self._classes, setClasses, doc="The class of each stream.")
    fresh = property(lambda self: self._fresh, setFresh, doc="Whether each trigger plays a new hit.")
    trig = property(lambda self: self._trig, setTrig, doc="The triggers.")

    def render(self, out: Array) -> None:
        if self._inlet is not None:
            for stream in range(len(out)):
                for offset, gain in self._inlet.triggers(stream):
                    self._hit(stream, gain, offset)
        self.pads.process(out)

    def statistics(self) -> dict[str, Any]:
        return self.pads.statistics().to_dict()

    def close(self) -> None:
        if hasattr(self, "pads"):
            self.pads.stop()

    def _hit(self, stream: int, gain: float, offset: int) -> None:
        if gain > 0:  # not NaN
            decay = self._decays[stream]
            self.pads.trigger(stream, offset, min(gain, MOST_GAIN), max(decay, SHORTEST_DECAY) if decay else None)

    def _set_all(self, name: str, values: list[Any]) -> None:
        """Set something for all streams, or for none if a value is wrong."""
        for each in values:
            self._check(0, **{name: each})
        for stream in range(self.pads.count):
            self.set(stream, **{name: values[stream % len(values)]})

    def _check(self, stream: int, decay: float | None = None, **what: Any) -> None:
        self.pads.check(pad=stream, **what)
        if decay is not None and not 0 <= decay <= LONGEST_DECAY:
            raise ValueError(f"decay is {decay!r}: choose 0 to {LONGEST_DECAY:g} seconds")
