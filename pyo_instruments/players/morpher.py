"""The sounds between two sounds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ngs.pyo_instruments.players.engine_port import EnginePort, engine_for, select
from ngs.pyo_instruments.players.inlet import Inlet
from ngs.pyo_instruments.players.port import MOST_GAIN, open_bundle
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.levels import morph_levels
from ngs.runtime.bundle.prior import embeddings_between
from ngs.runtime.bundle.seeds import drawn_embedding
from ngs.runtime.dsp.audio_files import read_audio
from ngs.runtime.offline.render import embed
from ngs.runtime.synth.notes import Note
from ngs.runtime.temperature import TEMPERATURE

STAGES = 9  # sounds that are decoded between the ends, both included; in between, grains are mixed
SHORTEST_SECONDS = 0.02  # of a period
VOICES = 6  # sounds that may ring at once


class Morpher(EnginePort):
    """Plays sounds between two sounds, in stereo, at each trigger or periodically; `morph` moves while they sound.

    :Parent: :py:class:`PyoObject`

    :Args:

        bundle: Bundle, path or None
            None is the bundle that comes with ngs.
        start, end: int, string or array, optional
            The two sounds: a number draws one, a string names a sound file, an array is an embedding [E].
        choices: string or dict, optional
            Class of both sounds.
        trig: PyoObject, optional
            Each trigger plays a sound; its value is the gain.
        period: float, optional
            Seconds from one sound to the next, at least 0.02; 0 waits for triggers.
        temperature: float, optional
            How far drawn sounds stray from the typical.
        morph, speed, scatter, density, pitch, pan, gain: float or PyoObject, optional
            See `ngs.runtime.CONTROLS`.

    >>> s = Server().boot()
    >>> s.start()
    >>> slide = Sine(.1, mul=.5, add=.5)
    >>> m = Morpher(start=1, end=2, choices="Tom", period=.5, morph=slide).out()
    """

    controls = select("morph", "speed", "scatter", "density", "pitch", "pan", "gain")

    def __init__(
        self, bundle: Bundle | str | Path | None = None, start: Any = 1, end: Any = 2, choices: Any = "",
        trig: Any = None, period: float = 0.0, temperature: float = TEMPERATURE, mul: Any = 1, add: Any = 0,
        **controls: Any,
    ) -> None:  # fmt: skip
        self.bundle = open_bundle(bundle)
        self._temperature, self._period = temperature, float(period)
        self._sounds: dict[str, Array] = {}  # of files, at the bundle's sample rate
        self._inlet = None if trig is None else Inlet(trig)
        self._played: Note | None = None  # with the paths between the ends
        self._turned: dict[str, float] = {}
        self._count = 0
        self._last: int | None = None  # frame at which the period last played a sound
        super().__init__(engine_for(self.bundle, VOICES), mul, add, **controls)
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

    start = property(lambda self: self._ends[0], setStart, doc="The first sound.")
    end = property(lambda self: self._ends[1], setEnd, doc="The second sound.")
    choices = property(lambda self: self._choices, setChoices, doc="Class of both sounds.")
    period = property(lambda self: self._period, setPeriod, doc="Seconds between sounds.")

    def turn(self, output: int, **controls: float) -> None:
        self._turned |= controls
        self.engine.set(None, self.due, **controls)

    def render(self, out: Array) -> None:
        if self._inlet is not None:
            for offset, gain in self._inlet.triggers(0):
                self._play(gain, offset)
        self._play_periods()
        super().render(out)

    def _play_periods(self) -> None:
        """Play the sounds that begin in this block, if there is a period."""
        frame, block = self.clock.frame, self.clock.block
        while self._period > 0:
            period = max(round(max(self._period, SHORTEST_SECONDS) * self.clock.sample_rate), 1)
            begin = frame if self._last is None else max(self._last + period, frame)
            if begin >= frame + block:
                break
            self._play(1.0, begin - frame)
            self._last = begin

    def _play(self, gain: float, offset: int) -> None:
        if self._played is None or not gain > 0:  # nor NaN
            return
        controls = self._turned | {"gain": min(gain, MOST_GAIN) * self._turned["gain"]}
        self._count += 1
        self.engine.note_on(replace(self._played, index=self._count, controls=controls), self.due + offset)

    def _prepare(self, start: Any, end: Any, choices: Any) -> None:
        self.bundle.condition(choices or {})
        for each in (start, end):
            self._check(each)
        self._ends, self._choices = (start, end), choices
        self.prepare(0, lambda _: self._made(start, end, choices), lambda note: setattr(self, "_played", note))

    def _check(self, end: Any) -> None:
        """Read a file, if it was not read yet. Raises AudioError, or ValueError for a start or end that cannot be."""
        if isinstance(end, str | Path):
            if str(end) not in self._sounds:
                self._sounds[str(end)] = read_audio(Path(end), self.bundle.manifest.sample_rate)
        elif isinstance(end, int):
            if end < 0:
                raise ValueError(f"a drawn sound has a number from 0, not {end}")
        elif np.shape(end) != (self.bundle.manifest.embedding_size,) or not np.isfinite(end).all():
            raise ValueError(f"an embedding is {self.bundle.manifest.embedding_size} numbers, not {np.shape(end)}")

    def _made(self, start: Any, end: Any, choices: Any) -> Note:
        """A note with the paths [STAGES, T, Z] between two sounds."""
        condition = self.bundle.condition(choices or {})
        conditions = np.repeat(condition[None], STAGES, axis=0)
        ends = self._embedding(start, condition), self._embedding(end, condition)
        embeddings = embeddings_between(self.bundle, *ends, conditions)
        paths = self.bundle.run("embedding_decoder", embedding=embeddings, condition=conditions)[0]
        levels = morph_levels(self.bundle, embeddings, conditions, (isinstance(start, int), isinstance(end, int)))
        return Note(choices or {}, path=paths, levels=levels)

    def _embedding(self, end: Any, condition: Array) -> Array:
        if isinstance(end, int):
            return drawn_embedding(self.bundle, condition, self._temperature, end)
        if isinstance(end, str | Path):
            return embed(self.bundle, self._sounds[str(end)], condition)
        return np.asarray(end, dtype=np.float32)
