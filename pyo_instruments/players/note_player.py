"""Held notes, polyphonic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ngs.pyo_instruments.players.engine_port import EnginePort, engine_for, select, within
from ngs.pyo_instruments.players.port import open_bundle
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.synth.controls import CONTROLS
from ngs.runtime.synth.notes import Note
from ngs.runtime.temperature import TEMPERATURE

SILENCE_SECONDS = 0.01  # in which everything that sounds fades, without a click


class NotePlayer(EnginePort):
    """Plays drawn sounds for as long as they are held, in stereo.

    :Parent: :py:class:`PyoObject`

    :Args:

        bundle: Bundle, path or None
            None is the bundle that comes with ngs.
        voices: int, optional
            Notes at once; one more takes the place of the oldest.
        temperature: float, optional
            How far sounds stray from the typical.
        release: float, optional
            Seconds in which a released note fades.
        seed: int, optional
            The same seed gives the same sounds.
        scatter, density, pan, gain: float or PyoObject, optional
            See `ngs.runtime.CONTROLS`.

    >>> s = Server().boot()
    >>> s.start()
    >>> notes = NotePlayer("orchestra.ngs").out()
    >>> notes.note_on(60, {"pitch": "C4"})
    >>> notes.note_off(60)
    """

    controls = select("scatter", "density", "pan", "gain")

    def __init__(
        self, bundle: Bundle | str | Path | None = None, voices: int = 16, temperature: float = TEMPERATURE,
        release: float = 0.2, seed: int = 0, mul: Any = 1, add: Any = 0, **controls: Any,
    ) -> None:  # fmt: skip
        self.bundle = open_bundle(bundle)
        self.temperature, self.release, self.seed = temperature, release, seed
        self._held: dict[int, tuple[int, float, float]] = {}  # key -> number of the note, gain, pitch
        self._turned: dict[str, float] = {}
        self._count, self._bend = 0, 0.0
        super().__init__(engine_for(self.bundle, voices, 0.008 + 0.0005 * voices), mul, add, **controls)

    def note_on(self, key: int, choices: Any = "", gain: float = 1.0, pitch: float = 0.0) -> None:
        """Play a note and hold it under `key`, any number you like; `pitch` in semitones. Raises ValueError."""
        self.bundle.condition(choices or {})
        self.clock.send(lambda: self._on(key, choices or {}, gain, pitch))

    def note_off(self, key: int) -> None:
        """Release a note."""
        self.clock.send(lambda: self._off(key))

    def silence(self) -> None:
        """Fade all notes out at once, those that were released before included."""
        self.clock.send(self._silence)

    def bend(self, semitones: float) -> None:
        """Bend the notes that are held, and those to come."""
        self.clock.send(lambda: self._bend_all(semitones))

    def turn(self, output: int, **controls: float) -> None:
        self._turned |= controls
        gain = controls.pop("gain", None)
        if controls:
            self.engine.set(None, self.due, **controls)
        if gain is not None:
            for number, own_gain, _ in self._held.values():
                self.engine.set(number, self.due, gain=within(CONTROLS["gain"], gain * own_gain))

    def _on(self, key: int, choices: Any, gain: float, pitch: float) -> None:
        self._off(key)
        self._count += 1
        own = {
            "gain": within(CONTROLS["gain"], gain * self._turned["gain"]),
            "pitch": within(CONTROLS["pitch"], pitch + self._bend),
        }
        note = Note(choices, self.seed, self._count, self.temperature, hold=True, controls=self._turned | own)
        self._held[key] = self.engine.note_on(note, self.due), gain, pitch

    def _off(self, key: int) -> None:
        if key in self._held:
            self.engine.note_off(self._held.pop(key)[0], self.release, self.due)

    def _silence(self) -> None:
        self._held.clear()
        self.engine.all_off(SILENCE_SECONDS, self.due)

    def _bend_all(self, semitones: float) -> None:
        self._bend = semitones
        for number, _, pitch in self._held.values():
            self.engine.set(number, self.due, pitch=within(CONTROLS["pitch"], pitch + semitones))
