"""Drum machine: 8 tracks of 16 steps, a fresh hit at every step.

Play it with `ngs play drum-machine` or `python -m ngs.pyo_instruments.drum_machine`; copy it and change it to taste.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ngs.pyo_instruments import (
    Choice,
    ClassName,
    Number,
    Switch,
    Text,
    Whole,
    action,
    control,
    request,
)
from ngs.pyo_instruments.commands.key_actions import Nudge, Press, Toggle
from ngs.pyo_instruments.instrument import NOWHERE, bar
from ngs.pyo_instruments.players.hit_player import HitPlayer
from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.pyo_instruments.sequenced import Sequenced
from ngs.pyo_instruments.timing.gm import drum_class, in_order
from ngs.runtime.dsp.audio_files import write_audio
from ngs.runtime.offline.patterns import BUILT_IN, LEVELS, STEPS, load_pattern

REST = "." * STEPS
STEP_KEYS = {".": "step: rest", "o": "step: soft hit", "x": "step: hit", "X": "step: accent"}


class DrumMachine(Sequenced):
    """Tracks of steps, a class of the bundle each: every step sounds anew, or the same until it is resampled."""

    counts = {"track": 8, "step": STEPS}
    KEYS = {
        **{str(track): Press(f"/track/{track}/hit", (1.0,)) for track in range(1, 9)},
        " ": Toggle("/play", "play or stop"), "+": Nudge("/tempo", 1), "-": Nudge("/tempo", -1),
        **{symbol: Press("/track/{track}/step/{step}", (LEVELS.get(symbol, 0.0),), label)
           for symbol, label in STEP_KEYS.items()},
        "m": Toggle("/track/{track}/mute"), "s": Toggle("/track/{track}/solo"),
        "f": Toggle("/track/{track}/fresh", "fresh hits or the same"),
        "e": Press("/track/{track}/keep", label="keep hit"),
        "n": Press("/sample_note", ("/track/{track}/class",), "new sound from a note"),
        "p": Press("/sample_path", ("/track/{track}/class",), "new sound from a path"),
    }  # fmt: skip
    overlap = 4  # hits of a track that may ring at once
    first_tempo, first_level, first_pattern = 122.0, 0.8, "house"

    def __init__(self, bundle: Any = None, seed: int = 0, files: Any = (), mul: Any = 1, add: Any = 0) -> None:
        super().__init__(bundle, seed, files, mul, add)
        tracks = range(self.counts["track"])
        self._patterns = [REST for _ in tracks]
        self._muted, self._soloed = [0 for _ in tracks], [0 for _ in tracks]
        self._levels = [pyo.SigTo(self.first_level, 0.01, self.first_level) for _ in tracks]
        self._pans = [pyo.SigTo(0.5, 0.01, 0.5) for _ in tracks]
        self._level = pyo.SigTo(1, 0.01, 1)
        ordered = in_order(self.classes)
        names = [ordered[track % len(ordered)] for track in tracks]
        self.hits = HitPlayer(self.bundle, names, seed=seed, overlap=self.overlap, mul=self._levels)
        starts: dict[str, Any] = {"/tempo": self.first_tempo}
        starts |= {f"/track/{track + 1}/class": name for track, name in enumerate(names)}
        starts |= {f"/track/{track + 1}/level": self.first_level for track in tracks}
        self.sounds(pyo.Pan(self.hits, outs=2, pan=self._pans, spread=0, mul=self._level).mix(2), starts)
        self.pattern(self.first_pattern)

    def play_step(self, number: int, offset: int) -> None:
        step = number % STEPS
        self.tell("/position", step + 1)
        for track, pattern in enumerate(self._patterns):
            audible = self._soloed[track] if any(self._soloed) else not self._muted[track]
            if pattern[step] in LEVELS and audible:
                self.hits.hit(track, LEVELS[pattern[step]], offset)

    def tracks_of(self, name: str) -> list[int]:
        """The tracks of a class."""
        return [track for track in range(len(self._patterns)) if self.values[f"/track/{track + 1}/class"] == (name,)]

    def meters(self) -> list[float]:
        """Peaks of the tracks."""
        return self.hits.peaks()

    # the whole machine

    @control("/level", Number("level", 0, 2, 1))
    def setLevel(self, level: float) -> None:
        """Factor of the amplitude of all."""
        self._level.value = level

    @action("/pattern", Choice("pattern", tuple(BUILT_IN)))
    def pattern(self, name: str) -> None:
        """Take a pattern that comes with ngs, for the tracks of its classes."""
        steps: dict[Any, str] = {each.class_name: each.text for each in load_pattern(name, self.classes)}
        for track in range(len(self._patterns)):
            self.setPattern(track, steps.pop(self.values[f"/track/{track + 1}/class"][0], REST))

    @action("/sample_note", ClassName())
    def sample_note(self, name: str) -> None:
        """Draw a new sound from the embedding for every track of a class."""
        for track in self.tracks_of(name):
            self.setSource(track, "note")
            self.resample(track)

    @action("/sample_path", ClassName())
    def sample_path(self, name: str) -> None:
        """Draw a new sound for every track of a class: a free path through its grains."""
        for track in self.tracks_of(name):
            self.setSource(track, "path")
            self.resample(track)

    @action("/note", Whole("key", 0, 127), Whole("velocity", 0, 127))
    def note(self, key: int, velocity: int) -> None:
        """A key of MIDI: the first track of its class in the drum map of General MIDI."""
        name = drum_class(key, self.classes)
        if velocity and name and self.tracks_of(name):
            self.hits.hit(self.tracks_of(name)[0], velocity / 127)

    # a track

    @control("/track/{track}/pattern", Text("pattern", f"[.oxX]{{{STEPS}}}", f"{STEPS} steps of . o x X", REST))
    def setPattern(self, track: int, pattern: str) -> None:
        """All steps of a track: . a rest, o soft, x a hit, X an accent."""
        self._patterns[track] = pattern

    @action("/track/{track}/step/{step}", Number("level", 0, 1))
    def step(self, track: int, step: int, level: float) -> None:
        """One step: 0 a rest, up to 0.5 soft, up to 0.85 a hit, above an accent."""
        symbol = "." if level == 0 else "o" if level <= 0.5 else "x" if level <= 0.85 else "X"
        pattern = self._patterns[track]
        self.setPattern(track, pattern[:step] + symbol + pattern[step + 1 :])

    @action("/track/{track}/hit", Number("gain", 0, 2))
    def hit(self, track: int, gain: float) -> None:
        """Play a hit of a track at once."""
        self.hits.hit(track, gain)

    @action("/track/{track}/resample")
    def resample(self, track: int) -> None:
        """Draw a new sound, where a track keeps its own."""
        self.hits.resample(track)

    @request("/track/{track}/keep")
    def keep_hit(self, track: int) -> None:
        """Write the hit that sounded last to CLASS-NUMBER.wav in the folder of the instrument."""
        samples, number = self.hits.last(track)
        name = re.sub(r"[^\w -]", "_", str(self.values[f"/track/{track + 1}/class"][0]))  # a bundle's: no path
        write_audio(self.folder / f"{name}-{number}.wav", samples, self.clock.sample_rate)

    @control("/track/{track}/class", ClassName())
    def setClass(self, track: int, name: str) -> None:
        """Class of a track."""
        self.hits.set(track, choices=name)

    @control("/track/{track}/source", Choice("source", ("note", "path"), "note"))
    def setSource(self, track: int, source: str) -> None:
        """What sounds are drawn from: the embedding, or free paths through the class's grains."""
        self.hits.set(track, source=source)

    @control("/track/{track}/fresh", Switch("fresh", 1))
    def setFresh(self, track: int, fresh: int) -> None:
        """A new sound at every step, or the same until it is resampled."""
        self.hits.set(track, fresh=bool(fresh))

    @control("/track/{track}/temperature", Number("temperature", 0, 2, 0.7))
    def setTemperature(self, track: int, temperature: float) -> None:
        """How far sounds stray from the usual."""
        self.hits.set(track, temperature=temperature)

    @control("/track/{track}/pitch", Number("pitch", -24, 24, 0, "semitones"))
    def setPitch(self, track: int, pitch: float) -> None:
        """Pitch of the hits to come."""
        self.hits.set(track, pitch=pitch)

    @control("/track/{track}/decay", Number("decay", 0, 10, 0, "seconds"))
    def setDecay(self, track: int, decay: float) -> None:
        """Time to -60 dB of the hits to come; 0 lets them ring."""
        self.hits.set(track, decay=decay)

    @control("/track/{track}/level", Number("level", 0, 2, 0.8))
    def setTrackLevel(self, track: int, level: float) -> None:
        """Factor of the amplitude."""
        self._levels[track].value = level

    @control("/track/{track}/pan", Number("pan", -1, 1))
    def setPan(self, track: int, pan: float) -> None:
        """From left to right."""
        self._pans[track].value = (pan + 1) / 2

    @control("/track/{track}/mute", Switch("mute"))
    def setMute(self, track: int, mute: int) -> None:
        """No new hits of a track."""
        self._muted[track] = mute

    @control("/track/{track}/solo", Switch("solo"))
    def setSolo(self, track: int, solo: int) -> None:
        """New hits of tracks that are soloed only."""
        self._soloed[track] = solo

    def screen(self, cursor: Mapping[str, int] = NOWHERE) -> list[str]:
        """The values of all, then a line a track: class, steps, meter."""
        now = int(self.transport.place(self.clock.frame)) % STEPS if self.transport.running else -1
        first = ["   ".join(f"{name} {self.values['/' + name][0]:g}" for name in ("tempo", "swing", "level", "play"))]
        return first + [self._line(track, now, peak, cursor) for track, peak in enumerate(self.meters())]

    def _line(self, track: int, now: int, peak: float, cursor: Mapping[str, int]) -> str:
        place = cursor.get("step") if cursor.get("track") == track else None
        steps = "".join(
            f"({symbol})" if step == place else f"[{symbol}]" if step == now else f" {symbol} "
            for step, symbol in enumerate(self._patterns[track])
        )
        flags = "M" * self._muted[track] + "S" * self._soloed[track]
        name = self.values[f"/track/{track + 1}/class"][0]
        return f"{track + 1:2} {name:<8.8}{steps} {bar(peak, 8)} {flags}"


if __name__ == "__main__":
    from ngs.pyo_instruments.stage.perform import run

    run(DrumMachine)
