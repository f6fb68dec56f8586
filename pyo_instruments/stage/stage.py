"""Where an instrument plays: a sound card, a JACK server, or a file, made as fast as it can be."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import math
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ngs.pyo_instruments.commands.command import CommandError, Value
from ngs.pyo_instruments.instrument import Instrument
from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.pyo_instruments.stage.event_log import Event, EventLog, check, read_events
from ngs.pyo_instruments.stage.posix_signals import Signals
from ngs.pyo_instruments.stage.recorder import Recorder
from ngs.pyo_instruments.surfaces.quiet import quiet
from ngs.pyo_instruments.timing.clock import Clock, ClockBusy
from ngs.runtime.arrays import Array
from ngs.runtime.atomic import replaced
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.live.realtime import interpreter

if TYPE_CHECKING:
    from ngs.pyo_instruments.surfaces.midi import MidiIn

S = TypeVar("S", bound=contextlib.AbstractContextManager[Any])
CHANNELS = 2
LOOK_SECONDS = 0.1  # between two looks at what plays
AHEAD_SECONDS = 2.0  # that events of a file are sent before their time
LAST_SECONDS = 0.15  # in which the sound fades when it is stopped
WITHOUT_CARD = "without one, write to a file: --audio offline --record take.wav --seconds 10"


class StageError(OSError):
    """Audio that cannot be opened: one line that says what can be done."""


@dataclass(frozen=True)
class Sound:
    """How the sound comes out."""

    audio: str = "portaudio"
    device: str | None = None  # part of a name, or a number of `ngs doctor`
    sample_rate: int = 48000  # asked for: JACK has its own
    block: int = 128


def booted(sound: Sound, listens: bool) -> pyo.Server:
    """A server, not yet started. Raises StageError."""
    kind = "manual" if sound.audio == "offline" else sound.audio
    device = _device(sound.device) if kind == "portaudio" else None
    os.environ["JACK_NO_START_SERVER"] = "1"
    with quiet():
        server = pyo.Server(
            sr=sound.sample_rate, nchnls=CHANNELS, buffersize=sound.block, duplex=int(listens), audio=kind,
            jackname="ngs", verbosity=0,
        )  # fmt: skip
        server.deactivateMidi()
        if device is not None:
            server.setOutputDevice(device)
        server.boot()
    if not server.getIsBooted():
        if kind == "jack":
            raise StageError(f"No JACK server runs: start one (jackd, or PipeWire's pw-jack); {WITHOUT_CARD}")
        raise StageError(f"The sound card cannot be opened at {sound.sample_rate} Hz: see `ngs doctor`; {WITHOUT_CARD}")
    Clock.of(server)
    return server


class Stage:
    """A server with an instrument on it, until it is told to end.

    with Stage(Sound("jack"), DrumMachine) as stage:
        stage.play(seconds=10)
    """

    def __init__(
        self, sound: Sound, kind: type[Instrument], bundle: Bundle | None = None, seed: int = 0,
        files: Sequence[Path] = (),
    ) -> None:  # fmt: skip
        """Raises StageError, and ValueError of the instrument."""
        self._server = booted(sound, kind.listens and not files)
        self.clock = Clock.of(self._server)
        try:
            self.instrument = kind(bundle, seed, files)
        except BaseException:
            self.clock.close()
            self._server.shutdown()
            raise
        self.recorder: Recorder | None = None
        self._sounds = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
        self._surfaces: list[contextlib.AbstractContextManager[Any]] = []
        self._ports: list[MidiIn] = []
        self._log: EventLog | None = None
        self._start: list[tuple[str, tuple[Value, ...]]] = []  # commands before the first frame
        self._events: deque[Event] = deque()
        self._stack = contextlib.ExitStack()
        self._signals = Signals()
        self._playing = self._begun = False
        self._peak = 0.0  # of what was heard
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
        with self._stack, quiet():
            self._playing = False
            if self._server.getIsStarted():
                self._server.setAmp(0.0)
                if self.clock.live and exception[0] is not None:
                    time.sleep(LAST_SECONDS)
                self._server.stop()
            self.clock.close()
            self._server.shutdown()

    def _forget(self) -> None:
        """Hold nothing that holds the stage: what plays goes with it, not when Python ends."""
        self.clock.taps.remove(self._measure)
        self.instrument.log = None
        self._surfaces.clear()
        self._ports.clear()

    def _measure(self, block: Array) -> None:
        self._peak = max(float(block.max()), -float(block.min()), self._peak)

    def record(self, path: Path, seconds: float | None) -> None:
        """Record what is heard; the file is there when the stage is left."""
        frames = None if seconds is None else round(seconds * self.clock.sample_rate)
        self.recorder = recorder = Recorder(self.clock, path, frames)
        recorder.open()
        self._stack.callback(lambda: recorder.close(keep=self._begun))

    def replay(self, path: Path) -> None:
        """Carry out what the log of a file has before its first frame; the rest will happen at its frames.

        Raises CommandError, with a line's number, where it was made with another instrument or does not fit.
        """
        head, start, events = read_events(path)
        for name, value in self.head().items():
            if head.get(name) != value:
                raise CommandError(f"{path} was made with {name} {head.get(name)!r}, this is {value!r}")
        check(path, [*start, *events], self.instrument)
        for event in start:
            self.instrument.do(event.address, *event.values)
        self._events.extend(events)

    def log(self, path: Path) -> None:
        """Write every command from outside to a file, with its frame; `replay` plays it again.

        What was set before `play` is the first line's.
        """
        self._log = log = EventLog(path)
        log.open()
        self._stack.callback(lambda: log.close(keep=self._begun))

    def add(self, surface: S) -> S:
        """What controls the instrument while it plays: an `OscServer`, a `Screen`."""
        self._surfaces.append(surface)
        return surface

    def open(self, port: MidiIn) -> MidiIn:
        """The same for a port of MIDI, which is opened now: while it sounds, JACK would wait for Python, and be heard.

        What comes before the server runs, or after, is not taken. Raises MidiError.
        """
        take = port.take
        port.take = lambda message: take(message) if self._playing else None  # type: ignore[method-assign]
        self._ports.append(self._stack.enter_context(port))
        return port

    def tell(self, path: Path) -> None:
        """Write `statistics` to a JSON file at the end, however it ends."""

        def write() -> None:
            with replaced(path) as beside:
                beside.write_text(json.dumps(self.statistics(), indent=1) + "\n")

        self.at_end(write)

    def at_end(self, act: Callable[[], Any]) -> None:
        """Do something when the stage is left, if it has played, before what was asked for earlier."""
        self._stack.callback(lambda: act() if self._begun else None)

    def status(self) -> dict[str, float]:
        """How it goes: share of a block's time that the callback takes, late blocks, voices that sound."""
        clock = self.clock.statistics()
        voices = sum(each.get("voices", 0) for each in self.clock.players().values())
        return {"cpu": clock.median_ms / clock.budget_ms, "late_blocks": clock.late_blocks, "voices": voices}

    def line(self) -> str:
        """How it goes, in words."""
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
        """What decides the sound beside the commands."""
        instrument = self.instrument
        return {
            "instrument": type(instrument).__name__, "bundle": instrument.bundle.manifest.graphs["decoder"].sha256,
            "seed": instrument.seed, "sample_rate": self.clock.sample_rate, "block": self.clock.block,
            "files": self._sounds,
        }  # fmt: skip

    def statistics(self) -> dict[str, Any]:
        """What happened so far: the callback, each player and surface, and how far they fell behind in all."""
        clock, players = self.clock.statistics().to_dict(), self.clock.players()
        behind = {
            "late": sum(each.get("late", 0) for each in players.values()),
            "stale": sum(each.get("stale", 0) for each in players.values()),
            "failures": clock["failures"] + sum(each.get("failures", 0) for each in players.values()),
            "unrecorded_frames": self.recorder.lost if self.recorder else 0,
            "unlogged_commands": self._log.lost if self._log else 0,
        }
        found = {type(each).__name__: getattr(each, "statistics", None) for each in [*self._surfaces, *self._ports]}
        surfaces = {name: tell().to_dict() for name, tell in found.items() if tell}
        return {**self.head(), **behind, "clock": clock, "players": players, "surfaces": surfaces}

    def play(self, seconds: float | None, look: Callable[[], Any] = lambda: None) -> None:
        """Play for so long, or until Ctrl-C; `look` is called ten times a second."""
        self.instrument.log = self._log.take if self._log else None
        if self._log:
            self._log.begin(self.head(), self._start)
        self._send_events()
        with quiet():
            self._server.start()
        self._playing = True
        with contextlib.ExitStack() as surfaces:  # while the server runs: the clock alone acts then
            for each in self._surfaces:
                surfaces.enter_context(each)
            self._begun = True
            if self.clock.live:
                self._live(seconds, look)
            else:
                assert seconds is not None
                self._offline(seconds, look)

    def _write_log(self) -> None:
        if self._log:
            self._log.write()

    def _live(self, seconds: float | None, look: Callable[[], Any]) -> None:
        end = None if seconds is None else seconds * self.clock.sample_rate + self.clock.block
        seen, stuck = -1, 0
        while end is None or self.clock.frame < end:
            self._signals.check()
            self._send_events()
            self._write_log()
            look()
            left = LOOK_SECONDS if end is None else (end - self.clock.frame) / self.clock.sample_rate
            time.sleep(min(LOOK_SECONDS, max(left, 0.002)))
            stuck, seen = (stuck + 1 if self.clock.frame == seen else 0), self.clock.frame
            if stuck > 2 / LOOK_SECONDS:
                raise StageError("The sound has stopped: the sound card or the JACK server has gone")

    def _offline(self, seconds: float, look: Callable[[], Any]) -> None:
        end = round(seconds * self.clock.sample_rate)
        pause = self.clock.sample_rate // self.clock.block
        for number in itertools.count():
            if self.clock.frame >= end:
                break
            self._signals.check()
            if number % pause == 0:
                self._send_events()
                self._write_log()
                look()
                if self.recorder:
                    self.recorder.drain()
            self._server.process()
        self.clock.hear()

    def _send_events(self) -> None:
        due = self.clock.frame + AHEAD_SECONDS * self.clock.sample_rate
        while self._events and self._events[0].frame < due:
            event = self._events[0]
            try:
                self.instrument.do(event.address, *event.values, at=event.frame)
            except ClockBusy:
                return
            self._events.popleft()


def _device(wanted: str | None) -> int | None:
    """Number of the output device of a name, or of that number."""
    with quiet():
        names, numbers = pyo.pa_get_output_devices()
    if not names:
        raise StageError(f"There is no sound card; {WITHOUT_CARD}")
    if wanted is None:
        return None
    for name, number in zip(names, numbers, strict=True):
        if wanted == str(number) or wanted.lower() in name.lower():
            return int(number)
    raise StageError(f"There is no sound card {wanted!r}; there are: {', '.join(names)}")
