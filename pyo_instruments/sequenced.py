"""Instruments that play steps: start, tempo, swing, and the clock of another machine."""

from __future__ import annotations

from typing import Any

from ngs.pyo_instruments import Number, Switch, Whole, action, control
from ngs.pyo_instruments.instrument import Instrument
from ngs.pyo_instruments.timing.transport import TEMPOS, Transport

TOLD_BPM = 0.1  # by which the tempo of an outside clock must change to be told


class Sequenced(Instrument):
    """An instrument with a transport: `play_step` is called for each step, before the block in which it begins."""

    unsaved = ("/play",)  # what is loaded while it plays neither stops nor starts it

    def __init__(self, bundle: Any = None, seed: int = 0, files: Any = (), mul: Any = 1, add: Any = 0) -> None:
        super().__init__(bundle, seed, files, mul, add)
        self.transport = Transport(self.clock.sample_rate)

    def play_step(self, number: int, offset: int) -> None:
        """Play step `number` since the start, `offset` frames into the next block."""
        raise NotImplementedError

    def process(self) -> None:
        """Play the steps of the next block."""
        for number, offset in self.transport.steps(self.clock.frame, self.clock.block):
            self.play_step(number, offset)

    @control("/play", Switch("on", 1))
    def setPlay(self, on: int) -> None:
        """Start with the first step, or stop; what sounds rings out."""
        if on:
            self.transport.start(self.clock.now)
        else:
            self.transport.stop()

    @control("/tempo", Number("tempo", *TEMPOS, 120, "bpm"))
    def setTempo(self, tempo: float) -> None:
        """Beats a minute, four steps each; an outside clock has its own."""
        self.transport.set_tempo(tempo, self.clock.now)

    @control("/swing", Number("swing", 0, 0.5))
    def setSwing(self, swing: float) -> None:
        """By what share of a step every second one comes late; 0.33 makes triplets."""
        self.transport.swing = swing

    @action("/clock/tick")
    def clock_tick(self) -> None:
        """A tick of an outside clock, 24 a beat: steps follow it."""
        self.transport.clock(self.clock.now)
        (told,) = self.values["/tempo"]
        if abs(self.transport.tempo - float(told)) >= TOLD_BPM:
            self.keep("/tempo", round(self.transport.tempo, 1))

    @action("/clock/start")
    def clock_start(self) -> None:
        """Begin with the first step at the next tick."""
        self.transport.start(self.clock.now, at_clock=True)
        self.keep("/play", 1)

    @action("/clock/continue")
    def clock_continue(self) -> None:
        """Go on with the step that comes next at the next tick."""
        self.transport.go_on(self.clock.now, at_clock=True)
        self.keep("/play", 1)

    @action("/clock/stop")
    def clock_stop(self) -> None:
        """Stop."""
        self.transport.stop()
        self.keep("/play", 0)

    @action("/clock/position", Whole("step", 0, 16383))
    def clock_position(self, step: int) -> None:
        """The step that comes next: at once while it plays, else when it starts or goes on."""
        self.transport.go_to(step, self.clock.now)
