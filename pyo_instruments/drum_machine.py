"""Drum machine: 8 tracks of 16 steps, a new hit at every step.

Play it with `ngs play drum-machine` or `python -m ngs.pyo_instruments.drum_machine`; copy it and make it your own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ngs.pyo_instruments import Choice, ClassName, HitPlayer, Number, Switch, Whole, action, control, request
from ngs.pyo_instruments.commands.key_actions import Nudge, Press, Toggle
from ngs.pyo_instruments.instrument import NOWHERE
from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.pyo_instruments.step_tracks import StepTracks
from ngs.runtime.drum_names import drum_class, in_order
from ngs.runtime.dsp.audio_files import write_audio
from ngs.runtime.offline.patterns import BUILT_IN, load_pattern


class DrumMachine(StepTracks):
    """Tracks of steps, each with a class of the bundle: a new hit at every step, or the same one until resampled."""

    KEYS = {
        **{str(track): Press(f"/track/{track}/hit", (1.0,), "hit the track with that number") for track in range(1, 9)},
        " ": Toggle("/play", "play or stop"),
        "+": Nudge("/tempo", 1, "tempo up"), "-": Nudge("/tempo", -1, "tempo down"),
        ".": Press("/track/{track}/step/{step}", (0.0,), "step: rest"),
        "o": Press("/track/{track}/step/{step}", (0.35,), "step: soft hit"),
        "x": Press("/track/{track}/step/{step}", (0.7,), "step: hit"),
        "X": Press("/track/{track}/step/{step}", (1.0,), "step: accent"),
        "m": Toggle("/track/{track}/mute", "mute this track"), "s": Toggle("/track/{track}/solo", "solo this track"),
        "f": Toggle("/track/{track}/fresh", "a new hit every time, or the same hit"),
        "u": Nudge("/track/{track}/level", 0.05, "track louder"),
        "j": Nudge("/track/{track}/level", -0.05, "track softer"),
        "h": Nudge("/track/{track}/pan", -0.1, "track to the left"),
        "k": Nudge("/track/{track}/pan", 0.1, "track to the right"),
        "i": Nudge("/track/{track}/pitch", 1, "next hits a semitone up"),
        "y": Nudge("/track/{track}/pitch", -1, "next hits a semitone down"),
        "e": Press("/track/{track}/keep", (), "save the last hit as WAV"),
        "n": Press("/sample_note", ("/track/{track}/class",), "draw a new hit from the embedding"),
        "p": Press("/sample_path", ("/track/{track}/class",), "draw a new hit from a free path"),
    }  # fmt: skip
    overlap = 4  # hits of one track that may ring at once
    first_tempo, first_level, first_pattern = 122.0, 0.8, "house"

    def __init__(self, bundle: Any = None, seed: int = 0, files: Any = (), mul: Any = 1, add: Any = 0) -> None:
        super().__init__(bundle, seed, files, mul, add)
        classes = in_order(self.classes)
        names = [classes[track % len(classes)] for track in self.tracks]
        self._level = pyo.SigTo(1, 0.01, 1)
        self._levels = [pyo.SigTo(self.first_level, 0.01, self.first_level) for _ in self.tracks]
        self._pans = [pyo.SigTo(0.5, 0.01, 0.5) for _ in self.tracks]
        self.hits = HitPlayer(self.bundle, names, seed=seed, overlap=self.overlap, mul=self._levels)
        starts: dict[str, Any] = {"/tempo": self.first_tempo}
        for track, name in enumerate(names, 1):
            starts |= {f"/track/{track}/class": name, f"/track/{track}/level": self.first_level}
        self.sounds(pyo.Pan(self.hits, outs=2, pan=self._pans, spread=0, mul=self._level).mix(2), starts)
        self.pattern(self.first_pattern)

    def play_track(self, track: int, gain: float, offset: int) -> None:
        self.hits.hit(track, gain, offset)

    def track_name(self, track: int) -> str:
        return str(self.values[f"/track/{track + 1}/class"][0])

    def track_words(self, track: int) -> str:
        return "new" if self.values[f"/track/{track + 1}/fresh"][0] else "same"

    def screen(self, cursor: Mapping[str, int] = NOWHERE) -> list[str]:
        """The lines of all step tracks, then the values of the track under the cursor."""
        number = cursor.get("track", 0) + 1
        values = (
            f"{name} {self.values[f'/track/{number}/{name}'][0]:g}" for name in ("level", "pan", "pitch", "decay")
        )
        return [*super().screen(cursor), "   ".join((f"track {number}", *values))]

    def tracks_of(self, name: str) -> list[int]:
        """The tracks of a class."""
        return [track for track in self.tracks if self.track_name(track) == name]

    def meters(self) -> list[float]:
        return self.hits.peaks()

    # the whole machine

    @control("/level", Number("level", 0, 2, 1))
    def setLevel(self, level: float) -> None:
        """Level of the whole machine."""
        self._level.value = level

    @action("/pattern", Choice("pattern", tuple(BUILT_IN)))
    def pattern(self, name: str) -> None:
        """Load one of the patterns that come with ngs, each line into the track of its class."""
        steps = {each.class_name: each.text for each in load_pattern(name, self.classes)}
        for track in self.tracks:
            self.setPattern(track, steps.pop(self.track_name(track), "." * self.counts["step"]))

    @action("/sample_note", ClassName())
    def sample_note(self, name: str) -> None:
        """Draw a new hit for every track of a class, from the embedding."""
        for track in self.tracks_of(name):
            self.setSource(track, "note")
            self.resample(track)

    @action("/sample_path", ClassName())
    def sample_path(self, name: str) -> None:
        """Draw a new hit for every track of a class, from a free path through its grains."""
        for track in self.tracks_of(name):
            self.setSource(track, "path")
            self.resample(track)

    @action("/note", Whole("key", 0, 127), Whole("velocity", 0, 127))
    def note(self, key: int, velocity: int) -> None:
        """Play a MIDI key: the first track whose class is that drum in General MIDI."""
        tracks = self.tracks_of(drum_class(key, self.classes) or "")
        if velocity and tracks:
            self.hits.hit(tracks[0], velocity / 127)

    @action("/silence")
    def silence(self) -> None:
        """End all hits that sound at once; the steps go on."""
        self.hits.silence()

    # a track

    @action("/track/{track}/hit", Number("gain", 0, 2))
    def hit(self, track: int, gain: float) -> None:
        """Play a hit now."""
        self.hits.hit(track, gain)

    @action("/track/{track}/resample")
    def resample(self, track: int) -> None:
        """Draw a new hit for a track that repeats its hit."""
        self.hits.resample(track)

    @request("/track/{track}/keep")
    def keep_hit(self, track: int) -> str:
        """Save the hit that sounded last as CLASS-NUMBER.wav in the instrument's folder."""
        samples, number = self.hits.last(track)
        name = re.sub(r"[^\w -]", "_", self.track_name(track))  # no path, whatever the class is called
        path = self.folder / f"{name}-{number}.wav"
        write_audio(path, samples, self.clock.sample_rate)
        return f"Saved {path}"

    @control("/track/{track}/class", ClassName())
    def setClass(self, track: int, name: str) -> None:
        """Class of a track."""
        self.hits.set(track, choices=name)

    @control("/track/{track}/source", Choice("source", ("note", "path"), "note"))
    def setSource(self, track: int, source: str) -> None:
        """Where new hits come from: the embedding (note), or free paths through the grains of the class (path)."""
        self.hits.set(track, source=source)

    @control("/track/{track}/fresh", Switch("fresh", 1))
    def setFresh(self, track: int, fresh: int) -> None:
        """Play a new hit at every step (1), or the same one until it is resampled (0)."""
        self.hits.set(track, fresh=bool(fresh))

    @control("/track/{track}/temperature", HitPlayer.number("temperature"))
    def setTemperature(self, track: int, temperature: float) -> None:
        """How far new hits stray from the typical."""
        self.hits.set(track, temperature=temperature)

    @control("/track/{track}/pitch", HitPlayer.number("pitch"))
    def setPitch(self, track: int, pitch: float) -> None:
        """Pitch of the next hits."""
        self.hits.set(track, pitch=pitch)

    @control("/track/{track}/decay", HitPlayer.number("decay"))
    def setDecay(self, track: int, decay: float) -> None:
        """Time to -60 dB of the next hits; 0 lets them ring."""
        self.hits.set(track, decay=decay)

    @control("/track/{track}/level", Number("level", 0, 2, 0.8))
    def setTrackLevel(self, track: int, level: float) -> None:
        """Level of a track."""
        self._levels[track].value = level

    @control("/track/{track}/pan", Number("pan", -1, 1))
    def setPan(self, track: int, pan: float) -> None:
        """Pan, from left (-1) to right (1)."""
        self._pans[track].value = (pan + 1) / 2


if __name__ == "__main__":
    from ngs.pyo_instruments import run

    run(DrumMachine)
