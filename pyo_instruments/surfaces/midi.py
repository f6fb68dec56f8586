"""MIDI input: keys, pedals, controllers and clock play an instrument.

    with MidiIn(instrument, "Launchpad", MidiMap.of(instrument)):
        ...

Controllers and pads do what a map says. Everything else goes to fixed addresses, if the instrument has them: keys to
"/note KEY VELOCITY" (velocity 0 on release), the sustain pedal to "/sustain", the pitch wheel to "/bend", the clock to
"/clock/tick", "/clock/start", "/clock/continue", "/clock/stop" and "/clock/position".
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import mido

from ngs.pyo_instruments.quiet_output import quiet
from ngs.pyo_instruments.surfaces.midi_map import MIDDLE, MidiMap, target
from ngs.runtime.errors import reason

if TYPE_CHECKING:
    from ngs.pyo_instruments.instrument import Instrument

JACK, VIRTUAL = "jack", "virtual"  # ports that we open for other programs to connect to
CLIENT = "ngs-midi"  # of JACK; pyo is the client "ngs"
LOOP = "Midi Through"  # ALSA's first port, which sends nothing by itself: the last choice
BACKEND = "mido.backends.rtmidi"
SUSTAIN, ALL_SOUND_OFF, ALL_NOTES_OFF = 64, 120, 123  # controller numbers
BEND_SEMITONES = 2.0  # range of the pitch wheel, up and down
LOWEST_BEND = 8192  # steps of the wheel, down
CLOCK = {"clock": "/clock/tick", "start": "/clock/start", "continue": "/clock/continue", "stop": "/clock/stop"}


class MidiError(OSError):
    """A port that cannot be opened; the line lists the ports there are."""


@dataclass(frozen=True)
class MidiStatistics:
    """What came in so far."""

    messages: int
    ignored: int  # the instrument has no command for them
    failures: int  # the instrument refused them
    last_failure: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def input_ports() -> list[str]:
    """The names of the MIDI inputs."""
    with quiet():
        try:
            return list(mido.Backend(BACKEND).get_input_names())
        except OSError:  # a system without MIDI
            return []


class MidiIn:
    """A MIDI port that plays an instrument between `start` and `stop`.

    port: part of the name of an input, None for the first; "jack" opens a port on the JACK server, "virtual" one of the
    system's, for other programs to connect to. Commands are carried out exactly one block after they arrive.
    muted: while it is True, messages are dropped and not counted.
    """

    def __init__(self, instrument: Instrument, port: str | None, mapping: MidiMap) -> None:
        self._instrument, self._wanted, self._map = instrument, port, mapping
        self.muted = False
        self.name = ""  # of the open port
        self._port: Any = None
        self._held: set[int] = set()  # keys
        self._last: int | None = None  # frame of the last message
        self._messages = self._ignored = self._failures = 0
        self._last_failure = ""
        self._take: dict[str, Callable[[Any, int | None], None]] = {
            "note_on": self._note, "note_off": self._note, "control_change": self._control, "pitchwheel": self._bend,
            "songpos": self._position,
        }  # fmt: skip

    def start(self) -> None:
        """Open the port and listen. Raises MidiError."""
        with quiet():
            self._port = self._open()
        self.name = f"{CLIENT}:{self._port.name}" if self._wanted in (JACK, VIRTUAL) else self._port.name

    def stop(self) -> None:
        """Close the port, and release the keys that are held."""
        if self._port:
            self._port.close()
            self._port = None
            self._let_go(self._now())

    def __enter__(self) -> MidiIn:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def statistics(self) -> MidiStatistics:
        """What happened so far; any thread may call it."""
        return MidiStatistics(self._messages, self._ignored, self._failures, self._last_failure)

    def take(self, message: Any) -> None:
        """Carry out a mido message that has just arrived; raises nothing."""
        if self.muted:
            return
        try:
            at = self._now()
            self._messages += 1
            if message.type in CLOCK:
                self._do(at, CLOCK[message.type])
            elif message.type in self._take:
                self._take[message.type](message, at)
            else:
                self._ignored += 1
        except Exception as error:  # in the library's thread it would be lost
            self._failures += 1
            self._last_failure = reason(error)

    def _note(self, message: Any, at: int | None) -> None:
        velocity = message.velocity if message.type == "note_on" else 0
        pad = target(self._map.notes, message.channel + 1, message.note)
        if pad:
            values = pad.struck(velocity)
            if values is not None:
                self._instrument.do(pad.address, *values, at=at)
            return
        (self._held.add if velocity else self._held.discard)(message.note)
        self._do(at, "/note", message.note, velocity)

    def _control(self, message: Any, at: int | None) -> None:
        mapped = target(self._map.controls, message.channel + 1, message.control)
        if mapped:
            values = mapped.turned(message.value)
            if values is not None:
                self._instrument.do(mapped.address, *values, at=at)
        elif message.control == SUSTAIN:
            self._do(at, "/sustain", int(message.value >= MIDDLE))
        elif message.control in (ALL_SOUND_OFF, ALL_NOTES_OFF):
            self._let_go(at)
        else:
            self._ignored += 1

    def _bend(self, message: Any, at: int | None) -> None:
        share = message.pitch / (LOWEST_BEND if message.pitch < 0 else LOWEST_BEND - 1)
        self._do(at, "/bend", BEND_SEMITONES * share)

    def _position(self, message: Any, at: int | None) -> None:
        self._do(at, "/clock/position", message.pos)

    def _let_go(self, at: int | None) -> None:
        while self._held:
            self._do(at, "/note", self._held.pop(), 0)

    def _do(self, at: int | None, address: str, *values: float) -> None:
        if address in self._instrument.commands:
            self._instrument.do(address, *values, at=at)
        else:
            self._ignored += 1

    def _now(self) -> int | None:
        """The frame for a message that arrives now, never before that of the message before."""
        at = self._instrument.clock.frame_at(time.perf_counter())
        if at is not None and self._last is not None:
            at = max(at, self._last)
        self._last = at
        return at

    def _open(self) -> Any:
        if self._wanted == JACK:
            try:
                jack = mido.Backend(f"{BACKEND}/UNIX_JACK")
                return jack.open_input("in", client_name=CLIENT, callback=self.take)
            except (OSError, ValueError) as error:  # no server, or a system without JACK
                raise MidiError("No JACK server runs that could open a MIDI port: start one (jackd)") from error
        backend = mido.Backend(BACKEND)
        if self._wanted == VIRTUAL:
            try:
                return backend.open_input("in", client_name=CLIENT, callback=self.take)
            except (OSError, RuntimeError, NotImplementedError) as error:
                raise MidiError("This system has no virtual MIDI ports: choose the port of a device") from error
        names = input_ports()
        matching = [name for name in names if self._wanted is None or self._wanted.lower() in name.lower()]
        matching.sort(key=lambda name: (name != self._wanted, LOOP in name))
        if not matching:
            there = f"there are: {', '.join(names)}" if names else 'there are none; on a JACK server, choose "jack"'
            wanted = "" if self._wanted is None else f" {self._wanted!r}"
            raise MidiError(f"There is no MIDI port{wanted}; {there}")
        try:
            return backend.open_input(matching[0], callback=self.take)
        except OSError as error:
            raise MidiError(f"The MIDI port {matching[0]!r} cannot be opened: another program may use it") from error
