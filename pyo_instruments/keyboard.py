"""Keyboard: MIDI notes play the pitches of a bundle, or its drums as General MIDI has them.

Play it with `ngs play keyboard --midi NAME` or `python -m ngs.pyo_instruments.keyboard`.
"""

from __future__ import annotations

from typing import Any

from ngs.pyo_instruments import ClassName, Number, Switch, Whole, action, control
from ngs.pyo_instruments.commands.key_actions import Press
from ngs.pyo_instruments.instrument import Instrument
from ngs.pyo_instruments.players.hit_player import HitPlayer
from ngs.pyo_instruments.players.note_player import NotePlayer
from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.pyo_instruments.timing.gm import drum_class, pitch_attribute, pitch_class

DRUM_KEYS = (36, 38, 42, 46, 39, 45, 49, 56)  # of the computer's digits


class Keyboard(Instrument):
    """Held notes of a bundle that knows pitches; of one that does not, a fresh hit a key."""

    KEYS = {
        **{name: Press("/note", (key, 100), "drum") for name, key in zip("12345678", DRUM_KEYS, strict=True)},
        **{name: Press("/note", (60 + key, 100)) for key, name in enumerate("zsxdcvgbhnjm,")},
        " ": Press("/off", label="all notes off"),
    }  # fmt: skip

    def __init__(self, bundle: Any = None, seed: int = 0, files: Any = (), mul: Any = 1, add: Any = 0) -> None:
        super().__init__(bundle, seed, files, mul, add)
        self._attribute = pitch_attribute(self.bundle.manifest.attributes)
        self._level = pyo.SigTo(0.6, 0.01, 0.6)
        self._name, self._sustained, self._waiting = "", 0, set[int]()
        self._player: Any
        if self._attribute:
            self._player = NotePlayer(self.bundle, seed=seed, mul=self._level)
        else:
            self._player = HitPlayer(self.bundle, list(self.classes), seed=seed, mul=self._level)
        self.sounds(pyo.Mix(self._player, voices=2) if self._attribute else self._player.mix(1).mix(2))

    @action("/note", Whole("key", 0, 127), Whole("velocity", 0, 127))
    def note(self, key: int, velocity: int) -> None:
        """A key of MIDI, 60 the middle C; velocity 0 lets it go."""
        if velocity == 0:
            self._let_go(key)
        elif self._attribute is None:
            name = drum_class(key, self.classes)
            if name:
                self._player.hit(self.classes.index(name), velocity / 127)
        else:
            self._waiting.discard(key)
            pitch, semitones = pitch_class(key, self._attribute.classes)
            choices = {self._attribute.name: pitch}
            if self._name and self._attribute.name != self.bundle.manifest.attributes[0].name:
                choices[self.bundle.manifest.attributes[0].name] = self._name
            self._player.note_on(key, choices, velocity / 127, semitones)

    @action("/off")
    def off(self) -> None:
        """Let all keys go."""
        if self._attribute:
            for key in range(128):
                self._player.note_off(key)

    def _let_go(self, key: int) -> None:
        if self._sustained:
            self._waiting.add(key)
        elif self._attribute:
            self._player.note_off(key)

    @control("/sustain", Switch("on"))
    def setSustain(self, on: int) -> None:
        """The pedal: notes that are let go ring on until it is released."""
        self._sustained = on
        while self._waiting and not on:
            self._let_go(self._waiting.pop())

    @control("/bend", Number("bend", -24, 24, 0, "semitones"))
    def setBend(self, bend: float) -> None:
        """Bend the notes that are held."""
        if self._attribute:
            self._player.bend(bend)

    @control("/class", ClassName(open=True))
    def setClass(self, name: str) -> None:
        """Class of the notes to come, "" for any; drums have theirs by the key."""
        self._name = name

    @control("/temperature", Number("temperature", 0, 2, 0.7))
    def setTemperature(self, temperature: float) -> None:
        """How far sounds stray from the usual."""
        if self._attribute:
            self._player.temperature = temperature
        else:
            self._player.setTemperature(temperature)

    @control("/release", Number("release", 0, 10, 0.2, "seconds"))
    def setRelease(self, release: float) -> None:
        """Fade of a note that is let go."""
        if self._attribute:
            self._player.release = release

    @control("/level", Number("level", 0, 2, 0.6))
    def setLevel(self, level: float) -> None:
        """Factor of the amplitude."""
        self._level.value = level

    def meters(self) -> list[float]:
        """Peaks of what is heard."""
        return self._player.peaks()  # type: ignore[no-any-return]


if __name__ == "__main__":
    from ngs.pyo_instruments.stage.perform import run

    run(Keyboard)
