"""MIDI input: keys, pedals, controllers and clock play an instrument.

    with MidiIn(instrument, "Launchpad", MidiMap.of(instrument)):
        ...

Controllers and pads do what a map says. Everything else goes to fixed addresses, if the instrument has them: keys to
"/note KEY VELOCITY" (velocity 0 on release), the sustain pedal to "/sustain", the pitch wheel to "/bend", "all sound
off" to "/silence", the clock to "/clock/tick", "/clock/start", "/clock/continue", "/clock/stop" and "/clock/position".

Nothing hangs: what is held, pressed or bent is let go when a message says so, when the cable of a device that sends
active sensing is pulled, when the device is gone, and at the end.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mido

from ngs.pyo_instruments.commands.arguments import Value
from ngs.pyo_instruments.quiet_output import quiet
from ngs.pyo_instruments.surfaces.active_sensing import ActiveSensing
from ngs.pyo_instruments.surfaces.midi_map import MIDDLE, MapError, MidiMap, check_bindable, target
from ngs.pyo_instruments.surfaces.notices import Notices
from ngs.runtime.errors import reason

if TYPE_CHECKING:
    from ngs.pyo_instruments.instrument import Instrument

JACK, VIRTUAL = "jack", "virtual"  # ports that we open for other programs to connect to
CLIENT = "ngs-midi"  # of JACK; pyo is the client "ngs"
LOOP = "Midi Through"  # ALSA's first port, which sends nothing by itself: the last choice
BACKEND = "mido.backends.rtmidi"
JACK_API = "UNIX_JACK"  # to look at its ports would be heard as a dropout
ALSA_NUMBERS = re.compile(r" \d+:\d+$")  # at the end of a name; they may be others when a device returns
SUSTAIN, ALL_SOUND_OFF, RESET_CONTROLLERS = 64, 120, 121  # controller numbers
ALL_NOTES_OFF = range(123, 128)  # the four modes after the first mean it as well
UNLEARNED = {0, 6, 32, 38, *range(96, 102), *range(120, 128)}  # banks, parameter numbers, modes: no knobs
LOOK_SECONDS = 1.0  # between two looks at which devices there are
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


def input_ports_of(api: str) -> list[str]:
    """The names of the MIDI inputs of one API of the system, such as LINUX_ALSA."""
    return list(mido.Backend(f"{BACKEND}/{api}").get_input_names())


class MidiIn:
    """A MIDI port that plays an instrument between `start` and `stop`.

    port: part of the name of an input, None for the first; "jack" opens a port on the JACK server, "virtual" one of the
    system's, for other programs to connect to. A device that is unplugged is opened again when it returns. Commands
    are carried out exactly one block after they arrive.
    saved: where `learn` saves the map; None saves nothing. notices: hears of learned knobs and of devices that come and
    go. muted: while it is True, messages are dropped and not counted.
    """

    def __init__(
        self, instrument: Instrument, port: str | None, mapping: MidiMap, saved: Path | None = None,
        notices: Notices | None = None,
    ) -> None:  # fmt: skip
        self._instrument, self._wanted, self.map, self.saved = instrument, port, mapping, saved
        self._notices = notices or Notices()
        self.muted = False
        self.name = ""  # of the open port
        self.learning = ""  # the address that the next knob or pad is bound to
        self._port: Any = None
        self._api = ""  # of the port
        # by channel and key: what ends it, an address with the values to send
        self._ends: dict[tuple[int, int], tuple[str, tuple[Value, ...]]] = {}
        self._rests: dict[str, Value] = {}  # of the pedal and the wheel, by address, if they are not there
        self._last: int | None = None  # frame of the last message
        self._messages = self._ignored = self._failures = 0
        self._last_failure = ""
        self._sensing = ActiveSensing(instrument.clock, self._lost)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._take: dict[str, Callable[[Any, int | None], bool]] = {
            "note_on": self._note, "note_off": self._note, "control_change": self._control, "pitchwheel": self._bend,
            "songpos": self._position, "reset": self._reset, "active_sensing": lambda message, at: True,
        }  # fmt: skip

    def start(self) -> None:
        """Open the port and listen. Raises MidiError."""
        with quiet():
            self._port = self._open()
        self.name = f"{CLIENT}:{self._port.name}" if self._wanted in (JACK, VIRTUAL) else self._port.name
        self._api = self._port.api
        if self._wanted not in (JACK, VIRTUAL) and self._api != JACK_API:
            self._stopping.clear()
            self._thread = threading.Thread(target=self._watch, name="ngs midi", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Close the port, and let go what is held."""
        if self._thread:
            self._stopping.set()
            self._thread.join()
            self._thread = None
        self._close()
        self._let_go(self._now())

    def __enter__(self) -> MidiIn:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def statistics(self) -> MidiStatistics:
        """What happened so far; any thread may call it."""
        return MidiStatistics(self._messages, self._ignored, self._failures, self._last_failure)

    def learn(self, address: str) -> None:
        """Bind the next knob that is turned, or pad that is hit, to a command; "" binds none. Raises MapError."""
        if address:
            check_bindable(address, self._instrument.commands)
        self.learning = address

    def receive(self, data: Sequence[int]) -> None:
        """Carry out the bytes of a message that has just arrived; raises nothing."""
        try:
            message = mido.Message.from_bytes(data)
        except (ValueError, IndexError):  # IndexError: data that is cut off
            self._messages, self._ignored = self._messages + 1, self._ignored + 1
        else:
            self.take(message)

    def take(self, message: Any) -> None:
        """Carry out a mido message that has just arrived; raises nothing."""
        if self.muted:
            return
        try:
            at = self._now()
            self._messages += 1
            self._sensing.heard(message.type == "active_sensing")
            if self.learning and self._learned(message):
                return
            if message.type in CLOCK:
                known = self._do(at, CLOCK[message.type])
            else:
                known = message.type in self._take and self._take[message.type](message, at)
            self._ignored += not known
        except Exception as error:  # in the library's thread it would be lost
            self._failed(error)

    def look(self) -> None:
        """Look whether the device is still there, and open it again if it is back. Raises nothing."""
        try:  # asking the open port makes no client of its own in the system
            names = self._port._rt.get_ports() if self._port else input_ports_of(self._api)
        except Exception:  # the system may be changing its devices just now
            return
        if self._port is not None and self.name not in names:
            self._close()
            self._lost()
            self._notices.say(f"MIDI: {self.name} is gone; it will be opened again when it returns")
        elif self._port is None:
            self._let_go(self._soon())  # what was refused when the device went
        if self._port is None:
            back = [name for name in names if _device(name) == _device(self.name)]
            if back:
                with contextlib.suppress(Exception):  # not ready yet: the next time
                    self._port = self._opened(mido.Backend(f"{BACKEND}/{self._api}"), back[0])
                    self.name = back[0]
                    self._notices.say(f"MIDI: {self.name} is back")

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            self.look()

    def _close(self) -> None:
        """Close the port, if one is open."""
        port, self._port = self._port, None
        if port:
            with contextlib.suppress(Exception):  # its device may be gone, and what is held still has to end
                port.close()

    def _failed(self, error: Exception) -> None:
        self._failures, self._last_failure = self._failures + 1, reason(error)

    def _learned(self, message: Any) -> bool:
        """Bind a message to the address that is to be learned. Whether it was one to bind."""
        if message.type == "control_change" and message.control not in UNLEARNED:
            section, number = "controls", message.control
        elif message.type == "note_on" and message.velocity:
            section, number = "notes", message.note
        else:
            return False
        address, channel = self.learning, message.channel + 1
        try:
            bound = self.map.bound(section, (channel, number), address, self._instrument)
        except MapError as error:  # a pad cannot do what a knob does
            self._notices.say(f"MIDI: {address} is not for {'knobs' if section == 'controls' else 'pads'}: {error}")
            return True
        self.learning, self.map = "", bound
        where = "for this time only"
        if self.saved:
            try:
                bound.write(self.saved)
                where = f"saved in {self.saved}"
            except OSError as error:
                where = f"not saved: {reason(error)}"
        self._notices.say(f"MIDI: {section[:-1]} {channel}:{number} is {address}, {where}")
        return True

    def _note(self, message: Any, at: int | None) -> bool:
        velocity = message.velocity if message.type == "note_on" else 0
        place = message.channel, message.note
        pad = target(self.map.notes, message.channel + 1, message.note)
        address = pad.address if pad else "/note"
        values = pad.struck(velocity) if pad else (message.note, velocity)
        end = pad.struck(0) if pad else (message.note, 0)
        if velocity and end is not None:
            self._ends[place] = address, end
        known = values is None or self._do(at, address, *values)
        if not velocity or end is None:  # an end that is refused stays, to be tried again
            self._ends.pop(place, None)
        return known

    def _control(self, message: Any, at: int | None) -> bool:
        mapped = target(self.map.controls, message.channel + 1, message.control)
        if mapped:
            values = mapped.turned(message.value)
            if values is not None:
                self._instrument.do(mapped.address, *values, at=at)
            return True
        if message.control == SUSTAIN:
            return self._turn(at, "/sustain", int(message.value >= MIDDLE))
        if message.control == ALL_SOUND_OFF:
            self._silence(at)
        elif message.control == RESET_CONTROLLERS:
            self._rest(at)
        elif message.control in ALL_NOTES_OFF:
            self._end_notes(at)
        else:
            return False
        return True

    def _bend(self, message: Any, at: int | None) -> bool:
        share = message.pitch / (LOWEST_BEND if message.pitch < 0 else LOWEST_BEND - 1)
        return self._turn(at, "/bend", BEND_SEMITONES * share)

    def _position(self, message: Any, at: int | None) -> bool:
        return self._do(at, "/clock/position", message.pos)

    def _reset(self, message: Any, at: int | None) -> bool:
        self._silence(at)
        self._rest(at)
        return True

    def _lost(self) -> None:
        """The cable was pulled, or the device is gone: what it would have ended ends."""
        at = self._soon()
        self._silence(at)
        self._rest(at)

    def _turn(self, at: int | None, address: str, value: Value) -> bool:
        """Move the pedal or the wheel."""
        if value:
            self._rests[address] = type(value)(0)
        known = self._do(at, address, value)
        if not value:
            self._rests.pop(address, None)
        return known

    def _end_notes(self, at: int | None) -> None:
        for place in list(self._ends):  # two threads may get here
            end = self._ends.pop(place, None)
            if end and not self._ended(at, end[0], *end[1]):
                self._ends.setdefault(place, end)  # for the next time, unless the key was pressed again

    def _let_go(self, at: int | None) -> None:
        self._end_notes(at)
        self._rest(at)

    def _silence(self, at: int | None) -> None:
        self._end_notes(at)
        self._ended(at, "/silence")

    def _rest(self, at: int | None) -> None:
        for address in list(self._rests):
            value = self._rests.pop(address, None)
            if value is not None and not self._ended(at, address, value):
                self._rests.setdefault(address, value)

    def _ended(self, at: int | None, address: str, *values: Value) -> bool:
        """Carry out a command that ends something. Whether it was taken: what is refused keeps no other from ending."""
        try:
            self._do(at, address, *values)
        except Exception as error:
            self._failed(error)
            return False
        return True

    def _do(self, at: int | None, address: str, *values: Value) -> bool:
        """Carry out a command, if the instrument has it."""
        known = address in self._instrument.commands
        if known:
            self._instrument.do(address, *values, at=at)
        return known

    def _now(self) -> int | None:
        """The frame for a message that arrives now, never before that of the message before."""
        at = self._instrument.clock.frame_at(time.perf_counter())
        if at is not None and self._last is not None:
            at = max(at, self._last)
        self._last = at
        return at

    def _soon(self) -> int | None:
        """The frame for what no message asks for: as a command from outside, which a log has."""
        clock, at = self._instrument.clock, self._now()
        return clock.frame + clock.block if at is None and clock.ticking else at

    def _open(self) -> Any:
        if self._wanted == JACK:
            try:
                return self._opened(mido.Backend(f"{BACKEND}/{JACK_API}"), "in", client_name=CLIENT)
            except (OSError, ValueError) as error:  # no server, or a system without JACK
                raise MidiError("No JACK server runs that could open a MIDI port: start one (jackd)") from error
        backend = mido.Backend(BACKEND)
        if self._wanted == VIRTUAL:
            try:
                return self._opened(backend, "in", client_name=CLIENT)
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
            return self._opened(backend, matching[0])
        except OSError as error:
            raise MidiError(f"The MIDI port {matching[0]!r} cannot be opened: another program may use it") from error

    def _opened(self, backend: Any, name: str, **how: str) -> Any:
        """Open a port. mido leaves active sensing out, and broken messages would end in a traceback on the screen."""
        port = backend.open_input(name, **how)
        port._rt.ignore_types(sysex=True, timing=False, active_sense=False)
        port._rt.cancel_callback()
        port._rt.set_callback(lambda event, data: self.receive(event[0]))
        return port


def _device(name: str) -> str:
    """The name of a port without what may be another when its device returns."""
    return ALSA_NUMBERS.sub("", name)
