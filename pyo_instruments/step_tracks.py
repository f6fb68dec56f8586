"""Tracks of steps, typed as text: what drum machines have in common, whatever sounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ngs.pyo_instruments.commands.arguments import Number, Switch, Text
from ngs.pyo_instruments.commands.command import action, control
from ngs.pyo_instruments.instrument import NOWHERE, bar
from ngs.pyo_instruments.sequenced import Sequenced
from ngs.runtime.offline.patterns import LEVELS, STEPS

REST = "." * STEPS


class StepTracks(Sequenced):
    """Tracks with a pattern of steps, mute and solo; `play_track` is called for each step that is not a rest."""

    counts = {"track": 8, "step": STEPS}

    def __init__(self, bundle: Any = None, seed: int = 0, files: Any = (), mul: Any = 1, add: Any = 0) -> None:
        super().__init__(bundle, seed, files, mul, add)
        self.tracks = range(self.counts["track"])
        self._patterns = [REST for _ in self.tracks]
        self._muted, self._soloed = [0 for _ in self.tracks], [0 for _ in self.tracks]

    def play_track(self, track: int, gain: float, offset: int) -> None:
        """Play a step of a track, `offset` frames into the next block."""
        raise NotImplementedError

    def track_name(self, track: int) -> str:
        """The name of a track on the screen."""
        return ""

    def track_words(self, track: int) -> str:
        """A word on a track for the screen."""
        return ""

    def play_step(self, number: int, offset: int) -> None:
        step = number % STEPS
        self.tell("/position", step + 1)
        for track, pattern in enumerate(self._patterns):
            audible = self._soloed[track] if any(self._soloed) else not self._muted[track]
            if pattern[step] in LEVELS and audible:
                self.play_track(track, LEVELS[pattern[step]], offset)

    @control("/track/{track}/pattern", Text("pattern", f"[.oxX]{{{STEPS}}}", f"{STEPS} steps of . o x X", REST))
    def setPattern(self, track: int, pattern: str) -> None:
        """All steps of a track: . is a rest, o a soft hit, x a hit, X an accent."""
        self._patterns[track] = pattern

    @action("/track/{track}/step/{step}", Number("level", 0, 1))
    def step(self, track: int, step: int, level: float) -> None:
        """One step: 0 is a rest, up to 0.5 a soft hit, up to 0.85 a hit, above that an accent."""
        symbol = "." if level == 0 else "o" if level <= 0.5 else "x" if level <= 0.85 else "X"
        pattern = self._patterns[track]
        self.setPattern(track, pattern[:step] + symbol + pattern[step + 1 :])

    @control("/track/{track}/mute", Switch("mute"))
    def setMute(self, track: int, mute: int) -> None:
        """Mute the steps of a track; a hit that sounds rings out."""
        self._muted[track] = mute

    @control("/track/{track}/solo", Switch("solo"))
    def setSolo(self, track: int, solo: int) -> None:
        """Play only the tracks that are soloed."""
        self._soloed[track] = solo

    def screen(self, cursor: Mapping[str, int] = NOWHERE) -> list[str]:
        """The values of the whole machine, then a line per track: name, steps, meter."""
        now = int(self.transport.place(self.clock.frame)) % STEPS if self.transport.running else -1
        head = "   ".join(f"{name} {self.values['/' + name][0]:g}" for name in ("tempo", "swing", "level", "play"))
        return [head, *(self._line(track, now, peak, cursor) for track, peak in enumerate(self.meters()))]

    def _line(self, track: int, now: int, peak: float, cursor: Mapping[str, int]) -> str:
        place = cursor.get("step") if cursor.get("track") == track else None
        steps = "".join(
            f"({symbol})" if step == place else f"[{symbol}]" if step == now else f" {symbol} "
            for step, symbol in enumerate(self._patterns[track])
        )
        flags = "M" * self._muted[track] + "S" * self._soloed[track]
        words = f"{bar(peak, 8)} {self.track_words(track):<4} {flags}"
        return f"{track + 1:2} {self.track_name(track):<8.8}{steps} {words}".rstrip()
