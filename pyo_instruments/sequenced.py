"""Instruments that play steps: start and stop, tempo, swing, and a MIDI clock."""

from __future__ import annotations

from typing import Any

from ngs.pyo_instruments.commands.arguments import Number, Switch, Whole
from ngs.pyo_instruments.commands.command import action, control
from ngs.pyo_instruments.instrument import Instrument
from ngs.pyo_instruments.timing.transport import TEMPOS, Transport

TOLD_BPM = 0.1  # listeners hear of the MIDI clock's tempo when it changes by this much


class Sequenced(Instrument):
    """An instrument with a transport, which calls `play_step` for each step, before the block in which it begins."""

    unsaved = ("/play",)  # loading values while it plays neither stops nor restarts it

    def __init__(self, bundle: Any = None, seed: int = 0, files: Any = (), mul: Any = 1, add: Any = 0) -> None:
        super().__init__(bundle, seed, files, mul, add)
        self.transport = Transport(self.clock.sample_rate)

    def play_step(self, number: int, offset: int) -> None:
        """Play step `number`, counted from the start, `offset` frames into the next block."""
        raise NotImplementedError

    def before_block(self) -> None:
        """Play the steps of the next block."""
        for number, offset in self.transport.steps(self.clock.frame, self.clock.block):
            self.play_step(number, offset)

    @control("/play", Switch("on", 1))
    def setPlay(self, on: int) -> None:
        """Start at the first step, or stop and let the hits ring out."""
        if on:
            self.transport.start(self.clock.now)
        else:
            self.transport.stop()

    @control("/tempo", Number("tempo", *TEMPOS, 120, "bpm"))
    def setTempo(self, tempo: float) -> None:
        """Tempo in beats per minute, four steps to a beat; a MIDI clock overrides it."""
        self.transport.set_tempo(tempo, self.clock.now)

    @control("/swing", Number("swing", 0, 0.5))
    def setSwing(self, swing: float) -> None:
        """Delay of every second step, as a share of a step; 0.33 makes triplets."""
        self.transport.swing = swing

    @action("/clock/tick")
    def clock_tick(self) -> None:
        """Follow a tick of a MIDI clock, 24 to a beat."""
        self.transport.clock(self.clock.now)
        (told,) = self.values["/tempo"]
        if abs(self.transport.tempo - float(told)) >= TOLD_BPM:
            self.keep("/tempo", round(self.transport.tempo, 1))

    @action("/clock/start")
    def clock_start(self) -> None:
        """Start at the first step, with the next tick."""
        self.transport.start(self.clock.now, at_clock=True)
        self.keep("/play", 1)

    @action("/clock/continue")
    def clock_continue(self) -> None:
        """Continue where it stopped, with the next tick."""
        self.transport.go_on(self.clock.now, at_clock=True)
        self.keep("/play", 1)

    @action("/clock/stop")
    def clock_stop(self) -> None:
        """Stop."""
        self.transport.stop()
        self.keep("/play", 0)

    @action("/clock/position", Whole("step", 0, 16383))
    def clock_position(self, step: int) -> None:
        """Jump to a step: at once while it plays, otherwise when it continues."""
        self.transport.go_to(step, self.clock.now)
