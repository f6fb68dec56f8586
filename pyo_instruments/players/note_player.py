"""Notes that are held, polyphonic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ngs.pyo_instruments.players.port import EnginePort, ahead, turned
from ngs.pyo_instruments.timing.clock import Clock
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.synth.controls import CONTROLS
from ngs.runtime.synth.engine import Engine
from ngs.runtime.synth.notes import Note

MOST_GAIN = CONTROLS["gain"].high
PLAYED = ("scatter", "density", "pan", "gain")


@turned(**{name: CONTROLS[name].help for name in PLAYED})
class NotePlayer(EnginePort):
    """Plays drawn sounds as long as they are held, in stereo.

    :Parent: :py:class:`PyoObject`

    :Args:

        bundle: Bundle, path or None
            None is the bundle that comes with ngs.
        voices: int, optional
            Notes at once; one more takes the oldest's place.
        temperature: float, optional
            How far sounds stray from the usual.
        release: float, optional
            Seconds in which a note fades once it is let go.
        scatter, density, pan, gain: float or PyoObject, optional
            See `ngs.runtime.CONTROLS`.

    >>> s = Server().boot()
    >>> s.start()
    >>> notes = NotePlayer("orchestra.ngs").out()
    >>> notes.note_on(60, {"pitch": "C4"})
    >>> notes.note_off(60)
    """

    def __init__(
        self, bundle: Bundle | str | Path | None = None, voices: int = 16, temperature: float = 0.7,
        release: float = 0.2, seed: int = 0, mul: Any = 1, add: Any = 0, **controls: Any,
    ) -> None:  # fmt: skip
        self.bundle = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
        self.temperature, self.release, self.seed = temperature, release, seed
        self._held: dict[int, tuple[int, float, float]] = {}  # key -> number, velocity, pitch
        self._turned: dict[str, float] = {}
        self._count, self._bend = 0, 0.0
        clock = Clock.current()
        super().__init__(
            Engine(
                self.bundle, clock.sample_rate, voices, ahead=ahead(clock, 0.008 + 0.0005 * voices), threaded=clock.live
            ),
            mul,
            add,
        )
        for name, value in ({name: CONTROLS[name].start for name in PLAYED} | controls).items():
            self.give(name, value)

    def note_on(self, key: int, choices: Any = "", gain: float = 1.0, pitch: float = 0.0) -> None:
        """Hold a note under a key of your choice; `pitch` in semitones."""
        self.bundle.condition(choices or {})
        self.clock.send(lambda: self._on(key, choices or {}, gain, pitch))

    def note_off(self, key: int) -> None:
        """Let a note go."""
        self.clock.send(lambda: self._off(key))

    def bend(self, semitones: float) -> None:
        """Bend what is held, and what comes."""
        self.clock.send(lambda: self._bend_all(semitones))

    def turn(self, stream: int, **controls: float) -> None:
        if stream:
            return
        self._turned |= controls
        gain = controls.pop("gain", None)
        if controls:
            self.engine.set(None, self.due, **controls)
        if gain is not None:
            for number, velocity, _ in self._held.values():
                self.engine.set(number, self.due, gain=min(gain * velocity, MOST_GAIN))

    def _on(self, key: int, choices: Any, gain: float, pitch: float) -> None:
        self._off(key)
        self._count += 1
        bent = min(max(pitch + self._bend, -24.0), 24.0)
        note = Note(
            choices, self.seed, self._count, self.temperature, hold=True,
            controls=self._turned | {"gain": min(gain * self._turned["gain"], MOST_GAIN), "pitch": bent},
        )  # fmt: skip
        self._held[key] = self.engine.note_on(note, self.due), gain, pitch

    def _off(self, key: int) -> None:
        if key in self._held:
            self.engine.note_off(self._held.pop(key)[0], self.release, self.due)

    def _bend_all(self, semitones: float) -> None:
        self._bend = semitones
        for number, _, pitch in self._held.values():
            self.engine.set(number, self.due, pitch=min(max(pitch + semitones, -24.0), 24.0))
