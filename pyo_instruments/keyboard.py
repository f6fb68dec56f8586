"""Keyboard: MIDI notes play the pitches of a bundle, or its drums by the General MIDI map.

Play it with `ngs play keyboard --midi NAME` or `python -m ngs.pyo_instruments.keyboard`; copy it and make it your own.
"""

from __future__ import annotations

from typing import Any

from ngs.pyo_instruments import ClassName, HitPlayer, Instrument, NotePlayer, Number, Switch, Whole, action, control
from ngs.pyo_instruments.commands.key_actions import Press
from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.runtime.bundle.pitches import pitch_attribute, pitch_class
from ngs.runtime.drum_names import drum_class

DRUM_KEYS = (36, 38, 42, 46, 39, 45, 49, 56)  # played by the digits of the computer's keyboard
DRUM_NAMES = "kick, snare, hats, clap, tom, crash, cowbell"


class Keyboard(Instrument):
    """Held notes if the bundle knows pitches; otherwise drums, a new hit for each key."""

    KEYS = {
        **{name: Press("/note", (key, 100), DRUM_NAMES) for name, key in zip("12345678", DRUM_KEYS, strict=True)},
        **{
            name: Press("/note", (60 + key, 100), "notes from middle C up, if the bundle has pitches")
            for key, name in enumerate("zsxdcvgbhnjm,")
        },
        " ": Press("/off", (), "all notes off"),
    }  # fmt: skip

    def __init__(self, bundle: Any = None, seed: int = 0, files: Any = (), mul: Any = 1, add: Any = 0) -> None:
        super().__init__(bundle, seed, files, mul, add)
        self._pitches = pitch_attribute(self.bundle.manifest.attributes)
        self._level = pyo.SigTo(0.6, 0.01, 0.6)
        self._name, self._sustained, self._waiting = "", 0, set[int]()
        self._player: Any
        if self._pitches:
            self._player = NotePlayer(self.bundle, seed=seed, mul=self._level)
        else:
            self._player = HitPlayer(self.bundle, list(self.classes), seed=seed, mul=self._level)
        self.sounds(pyo.Mix(self._player, voices=2) if self._pitches else self._player.mix(1).mix(2))

    @action("/note", Whole("key", 0, 127), Whole("velocity", 0, 127))
    def note(self, key: int, velocity: int) -> None:
        """Play a MIDI key (60 is middle C); velocity 0 releases it."""
        if velocity == 0:
            self._release(key)
        elif self._pitches:
            self._waiting.discard(key)
            pitch, semitones = pitch_class(key, self._pitches.classes)
            choices = {self._pitches.name: pitch}
            first = self.bundle.manifest.attributes[0].name
            if self._name and first != self._pitches.name:
                choices[first] = self._name
            self._player.note_on(key, choices, velocity / 127, semitones)
        elif name := drum_class(key, self.classes):
            self._player.hit(self.classes.index(name), velocity / 127)

    @action("/off")
    def off(self) -> None:
        """Release all keys."""
        self._waiting.clear()
        if self._pitches:
            for key in range(128):
                self._player.note_off(key)

    @action("/silence")
    def silence(self) -> None:
        """End everything that sounds at once, whatever the pedal holds."""
        self._waiting.clear()
        self._player.silence()

    @control("/sustain", Switch("on"))
    def setSustain(self, on: int) -> None:
        """Sustain pedal: released notes ring until it goes up."""
        self._sustained = on
        while self._waiting and not on:
            self._release(self._waiting.pop())

    @control("/bend", HitPlayer.number("pitch", name="bend"))
    def setBend(self, bend: float) -> None:
        """Bend the held notes."""
        if self._pitches:
            self._player.bend(bend)

    @control("/class", ClassName(open=True))
    def setClass(self, name: str) -> None:
        """Class of the next notes, "" for any; on drums the key decides."""
        self._name = name

    @control("/temperature", HitPlayer.number("temperature"))
    def setTemperature(self, temperature: float) -> None:
        """How far new sounds stray from the typical."""
        if self._pitches:
            self._player.temperature = temperature
        else:
            self._player.setTemperature(temperature)

    @control("/release", Number("release", 0, 10, 0.2, "seconds"))
    def setRelease(self, release: float) -> None:
        """Fade of a released note."""
        if self._pitches:
            self._player.release = release

    @control("/level", Number("level", 0, 2, 0.6))
    def setLevel(self, level: float) -> None:
        """Level of the sound."""
        self._level.value = level

    def meters(self) -> list[float]:
        return self._player.peaks()  # type: ignore[no-any-return]

    def _release(self, key: int) -> None:
        if self._sustained:
            self._waiting.add(key)
        elif self._pitches:
            self._player.note_off(key)


if __name__ == "__main__":
    from ngs.pyo_instruments import run

    run(Keyboard)
