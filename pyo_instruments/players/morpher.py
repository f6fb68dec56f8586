"""Sounds between two sounds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ngs.pyo_instruments.players.inlet import Inlet
from ngs.pyo_instruments.players.port import EnginePort, ahead, turned
from ngs.pyo_instruments.timing.clock import Clock
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.seeds import drawn_embedding
from ngs.runtime.dsp.audio_files import read_audio
from ngs.runtime.offline.render import embed, interpolate
from ngs.runtime.synth.controls import CONTROLS
from ngs.runtime.synth.engine import Engine
from ngs.runtime.synth.notes import Note

STAGES = 9  # sounds that are decoded from one end to the other; between them grains are mixed
SHORTEST_SECONDS = 0.02  # of a period
VOICES = 6  # that may ring at once
PLAYED = ("morph", "speed", "scatter", "density", "pitch", "pan", "gain")


@turned(**{name: CONTROLS[name].help for name in PLAYED})
class Morpher(EnginePort):
    """Plays sounds between two, in stereo: at each trigger, or again and again; `morph` is heard while they sound.

    :Parent: :py:class:`PyoObject`

    :Args:

        bundle: Bundle, path or None
            None is the bundle that comes with ngs.
        start, end: int, string or array, optional
            What to morph from and to: a number draws a sound, a string is a sound file, an array an embedding [E].
        choices: string or dict, optional
            Class of both.
        trig: PyoObject, optional
            A trigger plays a sound; its value is the gain.
        period: float, optional
            Seconds from one sound to the next, 0.02 at least; 0 for triggers only.
        morph, speed, scatter, density, pitch, pan, gain: float or PyoObject, optional
            See `ngs.runtime.CONTROLS`.

    >>> s = Server().boot()
    >>> s.start()
    >>> slide = Sine(.1, mul=.5, add=.5)
    >>> m = Morpher(start=1, end=2, choices="Tom", period=.5, morph=slide).out()
    """

    def __init__(
        self, bundle: Bundle | str | Path | None = None, start: Any = 1, end: Any = 2, choices: Any = "",
        trig: Any = None, period: float = 0.0, temperature: float = 0.7, mul: Any = 1, add: Any = 0, **controls: Any,
    ) -> None:  # fmt: skip
        self.bundle = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
        self._temperature, self._period = temperature, float(period)
        self._sounds: dict[str, Array] = {}  # of files, at the bundle's rate
        self._inlet = None if trig is None else Inlet(trig)
        self._played: Note | None = None  # in each of its sounds
        self._turned: dict[str, float] = {}
        self._count = self._newest = 0
        self._last: int | None = None  # frame at which the last sound of a period began
        clock = Clock.current()
        engine = Engine(self.bundle, clock.sample_rate, voices=VOICES, ahead=ahead(clock), threaded=clock.live)
        super().__init__(engine, mul, add)
        for name, value in ({name: CONTROLS[name].start for name in PLAYED} | controls).items():
            self.give(name, value)
        self._prepare(start, end, choices)

    def play_note(self, gain: float = 1.0) -> None:
        """Play a sound from Python."""
        self.clock.send(lambda: self._play(gain, 0))

    def setStart(self, x: Any) -> None:
        """Replace the `start`. Raises AudioError, ValueError."""
        self._prepare(x, self._ends[1], self._choices)

    def setEnd(self, x: Any) -> None:
        """Replace the `end`. Raises AudioError, ValueError."""
        self._prepare(self._ends[0], x, self._choices)

    def setChoices(self, x: Any) -> None:
        """Replace the `choices`. Raises ValueError."""
        self._prepare(*self._ends, x)

    def setPeriod(self, x: float) -> None:
        """Replace the `period`."""
        self._period = float(x)

    start = property(lambda self: self._ends[0], setStart, doc="What to morph from.")
    end = property(lambda self: self._ends[1], setEnd, doc="What to morph to.")
    choices = property(lambda self: self._choices, setChoices, doc="Class of both.")
    period = property(lambda self: self._period, setPeriod, doc="Seconds between sounds.")

    def turn(self, stream: int, **controls: float) -> None:
        self._turned |= controls
        if stream == 0:
            self.engine.set(None, self.due, **controls)

    def render(self, out: Array) -> None:
        if self._inlet is not None:
            trigger = self._inlet.views[0]
            for offset in np.flatnonzero(trigger):
                self._play(float(trigger[offset]), int(offset))
        frame, block = self.clock.frame, self.clock.block
        while self._period > 0:
            period = max(round(max(self._period, SHORTEST_SECONDS) * self.clock.sample_rate), 1)
            due = frame if self._last is None else max(self._last + period, frame)
            if due >= frame + block:
                break
            self._play(1.0, due - frame)
            self._last = due
        super().render(out)

    def _play(self, gain: float, offset: int) -> None:
        if self._played is None or not gain > 0:  # NaN is none
            return
        controls = self._turned | {"gain": min(gain, 4.0) * self._turned["gain"]}
        self._count += 1
        self.engine.note_on(replace(self._played, index=self._count, controls=controls), self.due + offset)

    def _prepare(self, start: Any, end: Any, choices: Any) -> None:
        self.bundle.condition(choices or {})
        for each in (start, end):
            self._check(each)
        self._ends, self._choices = (start, end), choices
        self._newest += 1
        serial = self._newest

        def make() -> Note | None:
            return self._made(start, end, choices) if self._newest == serial else None

        def use(note: Note | None) -> None:
            if note is not None and self._newest == serial:  # of a flood, the last
                self._played = note

        self.clock.prepare(make, use)

    def _check(self, end: Any) -> None:
        """Read a file, once; raise ValueError for what is no end."""
        if isinstance(end, str | Path):
            if str(end) not in self._sounds:
                self._sounds[str(end)] = read_audio(Path(end), self.bundle.manifest.sample_rate)
        elif isinstance(end, int):
            if end < 0:
                raise ValueError(f"a drawn sound has a number from 0, not {end}")
        elif np.shape(end) != (self.bundle.manifest.embedding_size,) or not np.isfinite(end).all():
            raise ValueError(f"an embedding is {self.bundle.manifest.embedding_size} numbers, not {np.shape(end)}")

    def _embedding(self, end: Any, condition: Array) -> Array:
        if isinstance(end, int):
            return drawn_embedding(self.bundle, self._temperature, end, 0)
        if isinstance(end, str | Path):
            return embed(self.bundle, self._sounds[str(end)], condition)
        return np.asarray(end, dtype=np.float32)

    def _made(self, start: Any, end: Any, choices: Any) -> Note:
        """A note of the paths [STAGES, T, Z] between two embeddings."""
        condition = self.bundle.condition(choices or {})
        embeddings = interpolate(self._embedding(start, condition), self._embedding(end, condition), STAGES)
        conditions = np.repeat(condition[None], STAGES, axis=0)
        return Note(
            choices or {}, path=self.bundle.run("embedding_decoder", embedding=embeddings, condition=conditions)[0]
        )
