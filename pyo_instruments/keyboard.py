"""Keyboard: MIDI notes play the pitches of a bundle, or its drums as General MIDI has them.

Play it with `ngs play keyboard --midi NAME` or `python -m ngs.pyo_instruments.keyboard`.
"""

from __future__ import annotations

from typing import Any

from ngs.pyo_instruments.gm import drum_class, pitch_attribute, pitch_class
from pyo import Mix, SigTo

from ngs.pyo_instruments.commands import ClassName, Number, Switch, Whole, action, control
from ngs.pyo_instruments.hit_player import HitPlayer
from ngs.pyo_instruments.instrument import Instrument
from ngs.pyo_instruments.note_player import NotePlayer


class Keyboard(Instrument):
    """Held notes of a bundle that knows pitches; of one that does not, a fresh hit a key."""

    def __init__(self, bundle: Any = None, seed: int = 0, files: Any = (), mul: Any = 1, add: Any = 0) -> None:
        super().__init__(bundle, seed, files, mul, add)
        self.attribute = pitch_attribute(self.bundle.manifest.conditions)
        self.level = SigTo(0.6, 0.01, 0.6)
        self.name, self.sustained, self.waiting = "", 0, set[int]()
        self.player: Any
        if self.attribute:
            self.player = NotePlayer(self.bundle, seed=seed, mul=self.level)
        else:
            self.player = HitPlayer(self.bundle, list(self.classes), seed=seed, mul=self.level)
        self.sounds(Mix(self.player, voices=2) if self.attribute else self.player.mix(1).mix(2))

    @action("/note", Whole("key", 0, 127), Whole("velocity", 0, 127))
    def note(self, key: int, velocity: int) -> None:
        """A key of MIDI, 60 the middle C; velocity 0 lets it go."""
        if velocity == 0:
            self._let_go(key)
        elif self.attribute is None:
            name = drum_class(key, self.classes)
            if name:
                self.player.hit(self.classes.index(name), velocity / 127)
        else:
            self.waiting.discard(key)
            pitch, semitones = pitch_class(key, self.attribute.classes)
            choices = {self.attribute.name: pitch}
            if self.name and self.attribute.name != self.bundle.manifest.conditions[0].name:
                choices[self.bundle.manifest.conditions[0].name] = self.name
            self.player.note_on(key, choices, velocity / 127, semitones)

    def _let_go(self, key: int) -> None:
        if self.sustained:
            self.waiting.add(key)
        elif self.attribute:
            self.player.note_off(key)

    @control("/sustain", Switch("on"))
    def setSustain(self, on: int) -> None:
        """The pedal: notes that are let go ring on until it is released."""
        self.sustained = on
        while self.waiting and not on:
            self._let_go(self.waiting.pop())

    @control("/bend", Number("bend", -24, 24, 0, "semitones"))
    def setBend(self, bend: float) -> None:
        """Bend the notes that are held."""
        if self.attribute:
            self.player.bend(bend)

    @control("/class", ClassName(open=True))
    def setClass(self, name: str) -> None:
        """Class of the notes to come, "" for any; drums have theirs by the key."""
        self.name = name

    @control("/temperature", Number("temperature", 0, 2, 0.7))
    def setTemperature(self, temperature: float) -> None:
        """How far sounds stray from the usual."""
        if self.attribute:
            self.player.temperature = temperature
        else:
            self.player.setTemperature(temperature)

    @control("/release", Number("release", 0, 10, 0.2, "seconds"))
    def setRelease(self, release: float) -> None:
        """Fade of a note that is let go."""
        if self.attribute:
            self.player.release = release

    @control("/level", Number("level", 0, 2, 0.6))
    def setLevel(self, level: float) -> None:
        """Factor of the amplitude."""
        self.level.value = level

    def meters(self) -> list[float]:
        """Peaks of what is heard."""
        return self.player.take_peaks()  # type: ignore[no-any-return]


if __name__ == "__main__":
    from ngs.cli.play import run

    run(Keyboard)
