"""A stage: an instrument on an audio server, with the surfaces that play it, a recording, a log, and statistics."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ngs.pyo_instruments.commands.arguments import CommandError, Value
from ngs.pyo_instruments.commands.values_file import instrument_name
from ngs.pyo_instruments.instrument import Instrument
from ngs.pyo_instruments.stage.event_log import Event, EventLog, check, read_events
from ngs.pyo_instruments.stage.posix_signals import Signals
from ngs.pyo_instruments.stage.recorder import Recorder
from ngs.pyo_instruments.stage.server import AudioOutput, open_server
from ngs.pyo_instruments.timing.timed_queue import ClockBusy
from ngs.runtime.arrays import Array
from ngs.runtime.atomic import replaced
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.live.realtime import interpreter

if TYPE_CHECKING:
    from ngs.pyo_instruments.surfaces.midi import MidiIn

S = TypeVar("S", bound=contextlib.AbstractContextManager[Any])
AHEAD_SECONDS = 2.0  # by which replayed events are sent before their time


class Stage:
    """An instrument on an audio server, until the context is left.

    with Stage(AudioOutput("jack"), DrumMachine) as stage:
        stage.play(seconds=10)
    """

    def __init__(
        self, output: AudioOutput, kind: type[Instrument], bundle: Bundle | None = None, seed: int = 0,
        files: Sequence[Path] = (),
    ) -> None:  # fmt: skip
        """Raises StageError, and the instrument's ValueError."""
        self._server = open_server(output, kind.listens and not files)
        self.clock = self._server.clock
        try:
            self.instrument = kind(bundle, seed, files)
        except BaseException:
            self._server.close()
            raise
        self.recorder: Recorder | None = None
        self._file_hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
        self._surfaces: list[contextlib.AbstractContextManager[Any]] = []
        self._ports: list[MidiIn] = []
        self._log: EventLog | None = None
        self._start: list[tuple[str, tuple[Value, ...]]] = []  # commands before the first frame
        self._events: deque[Event] = deque()  # to be replayed
        self._stack = contextlib.ExitStack()
        self._signals = Signals()
        self._begun = False
        self._peak = 0.0  # of everything heard so far
        self.clock.taps.append(self._measure)
        self.instrument.log = lambda frame, address, values: self._start.append((address, values))

    def __enter__(self) -> Stage:
        self._stack.callback(self._forget)
        self._stack.enter_context(self._signals)
        interpreter.hurry()
        self._stack.callback(interpreter.rest)
        self.instrument.out()
        return self

    def __exit__(self, *exception: object) -> None:
        with self._stack:
            self._mute_ports(True)
            self._server.close(interrupted=exception[0] is not None)

    def record(self, path: Path, seconds: float | None) -> None:
        """Record what is heard, `seconds` at most. The file is there once the stage is left."""
        frames = None if seconds is None else round(seconds * self.clock.sample_rate)
        self.recorder = recorder = self._server.recorder(self.clock, path, frames)
        recorder.open()
        self._stack.callback(lambda: recorder.close(keep=self._begun))

    def log(self, path: Path) -> None:
        """Write every command from outside to a file, with its frame, for `replay`.

        Commands before `play` go into the first line.
        """
        self._log = log = EventLog(path)
        log.open()
        self._stack.callback(lambda: log.close(keep=self._begun))

    def replay(self, path: Path) -> None:
        """Carry out what a log has before its first frame, and the rest at its frames while the stage plays.

        Raises CommandError if the log was made with other settings or does not suit the instrument.
        """
        logged, start, events = read_events(path)
        logged["instrument"] = instrument_name(str(logged.get("instrument")))
        for name, value in self.head().items():
            if logged.get(name) != value:
                raise CommandError(f"{path} was made with {name} {logged.get(name)!r}, this is {value!r}")
        check(path, [*start, *events], self.instrument)
        for event in start:
            self.instrument.do(event.address, *event.values)
        self._events.extend(events)

    def add(self, surface: S) -> S:
        """Let a surface control the instrument while it plays: an `OscServer`, a `Screen`."""
        self._surfaces.append(surface)
        return surface

    def open(self, port: MidiIn) -> MidiIn:
        """Let a MIDI port control the instrument while it plays. Raises MidiError.

        The port is opened now, and muted until it plays: to open it while JACK runs would be heard as a dropout.
        """
        port.muted = True
        self._ports.append(self._stack.enter_context(port))
        return port

    def save_statistics(self, path: Path) -> None:
        """Write `statistics` to a JSON file at the end, however it ends."""

        def write() -> None:
            with replaced(path) as beside:
                beside.write_text(json.dumps(self.statistics(), indent=1) + "\n")

        self.at_end(write)

    def at_end(self, act: Callable[[], Any]) -> None:
        """Call something when the stage is left, if it has played. The last one registered is called first."""
        self._stack.callback(lambda: act() if self._begun else None)

    def play(self, seconds: float | None, look: Callable[[], Any] = lambda: None) -> None:
        """Play for so long, or until Ctrl-C if None. `look` is called ten times a second, offline once."""
        self.instrument.log = self._log.take if self._log else None
        if self._log:
            self._log.begin(self.head(), self._start)
        self._send_events()
        self._server.start()
        self._mute_ports(False)
        with contextlib.ExitStack() as surfaces:  # only now, when the clock alone carries out commands
            for each in self._surfaces:
                surfaces.enter_context(each)
            self._begun = True
            self._server.run(seconds, self._signals.check, lambda: self._attend(look))

    def status(self) -> dict[str, float]:
        """The callback's share of a block's time, late blocks, and voices that sound."""
        clock = self.clock.statistics()
        voices = sum(each.get("voices", 0) for each in self.clock.players().values())
        return {"cpu": clock.median_ms / clock.budget_ms, "late_blocks": clock.late_blocks, "voices": voices}

    def line(self) -> str:
        """How it goes, in a line of text."""
        told = self.statistics()
        clock = told["clock"]
        share = 100 * clock["median_ms"] / clock["budget_ms"]
        level = f"peak {20 * math.log10(max(self._peak, 1e-5)):.0f} dB{' OVER' * (self._peak > 1)}"
        lost = told["unrecorded_frames"] or ""
        return (
            f"{clock['frames'] / self.clock.sample_rate:.1f} s, {level}, callback {share:.0f} % of its time, "
            f"{told['late']} late reads, {told['stale']} hits repeated, {told['failures']} failures"
            f"{lost and f', {lost} unrecorded frames'}"
        )

    def head(self) -> dict[str, Any]:
        """Everything but the commands that decides the sound."""
        instrument = self.instrument
        return {
            "instrument": instrument.public_name, "bundle": instrument.bundle.manifest.graphs["decoder"].sha256,
            "seed": instrument.seed, "sample_rate": self.clock.sample_rate, "block": self.clock.block,
            "files": self._file_hashes,
        }  # fmt: skip

    def statistics(self) -> dict[str, Any]:
        """What happened so far: totals, the callback, and each player and surface."""
        clock, players = self.clock.statistics().to_dict(), self.clock.players()
        totals = {
            "late": sum(each.get("late", 0) for each in players.values()),
            "stale": sum(each.get("stale", 0) for each in players.values()),
            "failures": clock["failures"] + sum(each.get("failures", 0) for each in players.values()),
            "unrecorded_frames": self.recorder.lost if self.recorder else 0,
            "unlogged_commands": self._log.lost if self._log else 0,
        }
        found = {type(each).__name__: getattr(each, "statistics", None) for each in [*self._surfaces, *self._ports]}
        surfaces = {name: tell().to_dict() for name, tell in found.items() if tell}
        return {**self.head(), **totals, "clock": clock, "players": players, "surfaces": surfaces}

    def _attend(self, look: Callable[[], Any]) -> None:
        """What is to be done now and then while it plays."""
        self._send_events()
        if self._log:
            self._log.write()
        look()
        if self.recorder:
            self.recorder.drain()

    def _send_events(self) -> None:
        due = self.clock.frame + AHEAD_SECONDS * self.clock.sample_rate
        while self._events and self._events[0].frame < due:
            event = self._events[0]
            try:
                self.instrument.do(event.address, *event.values, at=event.frame)
            except ClockBusy:  # the next time
                return
            self._events.popleft()

    def _mute_ports(self, muted: bool) -> None:
        for port in self._ports:
            port.muted = muted

    def _measure(self, block: Array) -> None:
        self._peak = max(float(block.max()), -float(block.min()), self._peak)

    def _forget(self) -> None:
        """Break the cycles that hold the stage, so that its players end with it and not when Python ends."""
        self.clock.taps.remove(self._measure)
        self.instrument.log = None
        self._surfaces.clear()
        self._ports.clear()
