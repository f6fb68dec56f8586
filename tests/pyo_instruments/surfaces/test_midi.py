"""MIDI input: what each message does, maps and their errors, ports, and messages through a JACK server."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import jack
import mido
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from ngs.pyo_instruments import Choice, Number, Switch, Text, Whole, action, control
from ngs.pyo_instruments.drum_and_bass import DrumAndBass
from ngs.pyo_instruments.drum_machine import DrumMachine
from ngs.pyo_instruments.instrument import Instrument
from ngs.pyo_instruments.keyboard import Keyboard
from ngs.pyo_instruments.morph import Morph
from ngs.pyo_instruments.path_player import PathPlayer
from ngs.pyo_instruments.resynthesiser import ResynthesisInstrument
from ngs.pyo_instruments.surfaces import midi, midi_map
from ngs.pyo_instruments.surfaces.midi import MidiError, MidiIn
from ngs.pyo_instruments.surfaces.midi_map import FOLDER, MapError, MidiMap
from ngs.pyo_instruments.surfaces.notices import Notices
from ngs.pyo_instruments.timing import clock

pyo = pytest.importorskip("pyo")

PATIENCE_SECONDS = 60.0  # for other programs; no assertion
Rooms = Callable[..., AbstractContextManager[Any]]


class Desk(Instrument):
    """Records the commands it gets."""

    counts = {"track": 2}

    def __init__(self, bundle: Any) -> None:
        super().__init__(bundle)
        self.sounds(pyo.Sig(0))
        self.done: list[tuple[Any, ...]] = []
        self.log = lambda frame, address, values: self.done.append((address, *values))

    @action("/note", Whole("key", 0, 127), Whole("velocity", 0, 127))
    def note(self, key: int, velocity: int) -> None:
        """A key."""

    @control("/sustain", Switch("on"))
    def setSustain(self, on: int) -> None:
        """The pedal."""

    @control("/bend", Number("bend", -2, 2))
    def setBend(self, bend: float) -> None:
        """The wheel."""

    @action("/clock/tick")
    def tick(self) -> None:
        """A clock tick."""

    @action("/clock/start")
    def start(self) -> None:
        """The clock starts."""

    @action("/clock/position", Whole("step", 0, 16383))
    def position(self, step: int) -> None:
        """The song position."""

    @control("/tempo", Number("tempo", 20, 400, 120))
    def setTempo(self, tempo: float) -> None:
        """A number."""

    @control("/count", Whole("count", 0, 10))
    def setCount(self, count: int) -> None:
        """A whole number."""

    @control("/mode", Choice("mode", ("note", "path", "walk"), "note"))
    def setMode(self, mode: str) -> None:
        """A choice."""

    @control("/name", Text("name", "[a-z]*", "small letters"))
    def setName(self, name: str) -> None:
        """A text."""

    @action("/track/{track}/hit", Number("gain", 0, 2, 1))
    def hit(self, track: int, gain: float) -> None:
        """A hit."""

    @control("/track/{track}/mute", Switch("mute"))
    def setMute(self, track: int, mute: int) -> None:
        """A switch."""

    @action("/fresh")
    def fresh(self) -> None:
        """Something without arguments."""


@pytest.fixture
def desk(room: Any, tiny_bundle: Path) -> Iterator[Desk]:
    yield Desk(tiny_bundle)


def done(desk: Desk, mapping: MidiMap, *messages: Any) -> list[tuple[Any, ...]]:
    """The commands that messages became."""
    listening = MidiIn(desk, None, mapping)
    for message in messages:
        listening.take(message)
    assert listening.statistics().failures == 0, listening.statistics()
    return desk.done


def controller(number: int, value: int, channel: int = 0) -> Any:
    return mido.Message("control_change", control=number, value=value, channel=channel)


def key(number: int, velocity: int, channel: int = 0) -> Any:
    return mido.Message("note_on", note=number, velocity=velocity, channel=channel)


def read(desk: Desk, path: Path, text: str) -> MidiMap:
    path.write_text(text)
    return MidiMap.read(path, desk)


def test_keys_pedals_wheels_and_the_clock_are_commands(desk: Desk) -> None:
    told = done(
        desk, MidiMap(), key(60, 100), key(60, 0), mido.Message("note_off", note=61, velocity=64), controller(64, 64),
        controller(64, 63), mido.Message("pitchwheel", pitch=8191), mido.Message("pitchwheel", pitch=0),
        mido.Message("pitchwheel", pitch=-8192), mido.Message("clock"), mido.Message("start"),
        mido.Message("songpos", pos=32),
    )  # fmt: skip
    assert told == [
        ("/note", 60, 100), ("/note", 60, 0), ("/note", 61, 0), ("/sustain", 1), ("/sustain", 0), ("/bend", 2.0),
        ("/bend", 0.0), ("/bend", -2.0), ("/clock/tick",), ("/clock/start",), ("/clock/position", 32),
    ]  # fmt: skip


def test_messages_without_a_command_are_counted(desk: Desk) -> None:
    listening = MidiIn(desk, None, MidiMap())
    for kind in ("stop", "continue", "aftertouch", "program_change"):  # the desk has no /clock/stop
        listening.take(mido.Message(kind))
    listening.take(controller(74, 1))
    assert desk.done == []
    assert listening.statistics() == midi.MidiStatistics(messages=5, ignored=5, failures=0, last_failure="")


def test_a_refused_command_is_counted_and_not_raised(desk: Desk, monkeypatch: Any) -> None:
    listening = MidiIn(desk, None, MidiMap())
    monkeypatch.setattr(desk, "do", lambda *arguments, **how: desk.bundle.condition("no class"))
    listening.take(key(60, 100))
    assert listening.statistics().failures == 1
    assert "no class" in listening.statistics().last_failure
    assert json.loads(json.dumps(listening.statistics().to_dict()))["failures"] == 1


@pytest.mark.parametrize("number", [120, 123, 124, 125, 126, 127])
def test_all_held_keys_can_be_released_together(desk: Desk, number: int) -> None:
    told = done(desk, MidiMap(), key(60, 100), key(62, 100), key(60, 0), controller(number, 0))
    assert told[3:] == [("/note", 62, 0)]


class Devices:
    """A system's MIDI devices, in place of mido's: they can be unplugged and plugged in."""

    def __init__(self, *names: str) -> None:
        self.names = list(names)
        self.opened: list[str] = []
        self.closed = self.clients = 0  # clients: of the system, made to list its ports
        self.busy = False

    def __call__(self, backend: str) -> Any:
        devices = self

        class Port:
            api = "LINUX_ALSA"

            class _rt:
                @staticmethod
                def ignore_types(sysex: bool, timing: bool, active_sense: bool) -> None:
                    assert not timing and not active_sense

                @staticmethod
                def cancel_callback() -> None: ...

                @staticmethod
                def set_callback(call: Any) -> None: ...

                @staticmethod
                def get_ports() -> list[str]:
                    return list(devices.names)

            def __init__(self, name: str) -> None:
                self.name = name

            def close(self) -> None:
                devices.closed += 1
                if self.name not in devices.names:
                    raise OSError("no such device")

        class Backend:
            def get_input_names(self) -> list[str]:
                devices.clients += 1
                return list(devices.names)

            def open_input(self, name: str) -> Any:
                if devices.busy:
                    raise OSError("busy")
                devices.opened.append(name)
                return Port(name)

        return Backend()


def test_held_keys_are_released_at_the_end(desk: Desk, monkeypatch: Any) -> None:
    monkeypatch.setattr(midi.mido, "Backend", Devices("Midi Through", "Pads 1"))
    with MidiIn(desk, None, MidiMap()) as listening:
        assert listening.name == "Pads 1"
        listening.take(key(60, 100))
        listening.take(controller(64, 127))
    assert desk.done == [("/note", 60, 100), ("/sustain", 1), ("/note", 60, 0), ("/sustain", 0)]
    assert not [each for each in threading.enumerate() if each.name == "ngs midi"]
    with MidiIn(desk, "THROUGH", MidiMap()) as listening:
        assert listening.name == "Midi Through"
    with pytest.raises(MidiError, match=r"There is no MIDI port 'Keys'; there are: Midi Through, Pads 1"):
        MidiIn(desk, "Keys", MidiMap()).start()


def test_an_unplugged_device_is_opened_again(desk: Desk, monkeypatch: Any) -> None:
    devices, notices = Devices("Pads 20:0", "Keys 24:0"), Notices()
    monkeypatch.setattr(midi.mido, "Backend", devices)
    monkeypatch.setattr(midi, "LOOK_SECONDS", 0.005)
    with MidiIn(desk, "keys", MidiMap(), None, notices) as listening:
        listening.take(key(60, 100))
        listening.take(controller(64, 127))
        _until(lambda: devices.opened == ["Keys 24:0"])
        time.sleep(0.05)
        assert devices.closed == 0 and desk.done == [("/note", 60, 100), ("/sustain", 1)]
        assert devices.clients == 1  # to open the port: a device that is there is asked through it
        devices.names = ["Pads 20:0"]
        _until(lambda: bool(notices.shown()))
        assert notices.printed() == ["MIDI: Keys 24:0 is gone; it will be opened again when it returns"]
        assert devices.closed == 1 and desk.done[2:] == [("/note", 60, 0), ("/sustain", 0)]  # nothing hangs
        devices.busy = True
        devices.names += ["Keys 28:0"]
        time.sleep(0.05)
        devices.busy = False
        _until(lambda: "is back" in notices.shown())
        assert notices.printed() == ["MIDI: Keys 28:0 is back"]  # with another number of ALSA's
        assert devices.opened == ["Keys 24:0", "Keys 28:0"] and listening.name == "Keys 28:0"
    assert devices.closed == 2


class Refusing:
    """An instrument's `do` that refuses everything while it is busy."""

    def __init__(self, desk: Desk) -> None:
        self.busy, self._do = False, desk.do

    def __call__(self, address: str, *values: Any, at: Any = None) -> None:
        if self.busy:
            raise RuntimeError("busy")
        self._do(address, *values, at=at)


def test_what_is_refused_ends_at_the_next_look(desk: Desk, monkeypatch: Any) -> None:
    devices, refusing = Devices("Keys 24:0"), Refusing(desk)
    monkeypatch.setattr(midi.mido, "Backend", devices)
    monkeypatch.setattr(midi, "LOOK_SECONDS", 1000.0)
    monkeypatch.setattr(desk, "do", refusing)
    with MidiIn(desk, "keys", MidiMap()) as listening:
        for message in (key(60, 100), key(62, 100), controller(64, 127)):
            listening.take(message)
        refusing.busy, devices.names = True, []
        listening.look()
        listening.look()
        assert listening.statistics().last_failure == "busy" and len(desk.done) == 3
        refusing.busy = False
        listening.look()
        assert desk.done[3:] == [("/note", 60, 0), ("/note", 62, 0), ("/sustain", 0)]


@pytest.mark.parametrize("ends", [(key(60, 0), controller(64, 0)), ()])
def test_what_is_refused_ends_at_the_latest_with_the_next_stop(desk: Desk, monkeypatch: Any, ends: Any) -> None:
    refusing = Refusing(desk)
    monkeypatch.setattr(desk, "do", refusing)
    listening = MidiIn(desk, None, MidiMap())
    for message in (key(60, 100), controller(64, 127)):
        listening.take(message)
    refusing.busy = True
    for message in ends:
        listening.take(message)
    listening.stop()
    refusing.busy = False
    listening.stop()
    assert desk.done[2:] == [("/note", 60, 0), ("/sustain", 0)]


# nothing hangs

RATE = 48000


class Held:
    """A keyboard whose notes never end, played by MIDI."""

    def __init__(self, room: Any, bundle: Any) -> None:
        self.room, self.keyboard = room, Keyboard(bundle).out()
        self.midi = MidiIn(self.keyboard, None, MidiMap.of(self.keyboard))

    def play(self, *messages: Any, seconds: float = 0.1) -> float:
        """The peak of the last 20 ms after some messages."""
        for message in messages:
            self.midi.take(message)
        heard = self.room.hear_seconds(seconds)
        assert self.midi.statistics().failures == 0, self.midi.statistics()
        return float(np.abs(heard[-RATE // 50 :]).max())


@pytest.fixture
def held(room: Any, pitched: Any) -> Held:
    return Held(room, pitched)


RESET, SENSING = mido.Message("reset"), mido.Message("active_sensing")


@pytest.mark.parametrize(
    ("before", "end", "seconds"),
    [
        ([key(60, 0)], [controller(64, 0)], 0.4),
        ([key(60, 0)], [controller(121, 0)], 0.4),
        ([key(60, 0)], [controller(120, 0)], 0.06),  # all sound off: at once, whatever the pedal says
        ([], [controller(120, 0)], 0.06),
        ([], [RESET], 0.06),
        ([key(60, 0)], [RESET], 0.06),
        ([], [controller(123, 0), controller(64, 0)], 0.4),
        ([SENSING], [], 0.45),
        ([key(60, 0), SENSING], [], 0.45),
    ],
)
def test_what_the_pedal_holds_ends(held: Held, before: list[Any], end: list[Any], seconds: float) -> None:
    assert held.play(controller(64, 127), key(60, 100)) > 1e-3
    assert held.play(*before) > 1e-3  # the pedal holds it
    assert held.play(*end, seconds=seconds) < 1e-6
    assert held.play(key(62, 100)) > 1e-3  # and the next one plays


def test_all_notes_off_leaves_what_the_pedal_holds(held: Held) -> None:
    """MIDI 1.0: to the pedal, the message is the release of every key."""
    held.play(controller(64, 127), key(60, 100))
    assert held.play(controller(123, 0), seconds=0.4) > 1e-3
    assert held.play(controller(64, 0), seconds=0.4) < 1e-6


def test_a_note_right_after_all_sound_off_plays(held: Held) -> None:
    held.play(key(60, 100))
    assert held.play(controller(120, 0), key(64, 100)) > 1e-3


def test_a_long_release_ends_with_all_sound_off(held: Held) -> None:
    held.keyboard.release = 10.0
    held.play(key(60, 100))
    assert held.play(key(60, 0)) > 1e-3
    assert held.play(controller(120, 0), seconds=0.06) < 1e-6


def test_active_sensing_that_goes_on_holds_the_note(held: Held) -> None:
    held.play(key(60, 100))
    for _ in range(4):
        assert held.play(SENSING, seconds=0.3) > 1e-3


def test_without_active_sensing_silence_means_nothing(held: Held) -> None:
    assert held.play(key(60, 100), seconds=1) > 1e-3


def test_drums_that_ring_end_with_all_sound_off(room: Any, drums: Any) -> None:
    held = Held(room, drums)
    assert held.play(key(49, 127), seconds=0.15) > 1e-3  # a crash
    assert held.play(controller(120, 0), seconds=0.05) < 1e-6
    assert held.play(key(49, 127), seconds=0.15) > 1e-3


def test_what_a_pulled_cable_ends_is_in_the_log(held: Held) -> None:
    told: list[tuple[Any, ...]] = []
    held.keyboard.log = lambda frame, address, values: told.append((address, *values))
    held.play(SENSING, controller(64, 127), key(60, 100), mido.Message("pitchwheel", pitch=8191), seconds=0.6)
    assert told == [
        ("/sustain", 1), ("/note", 60, 100), ("/bend", 2.0), ("/note", 60, 0), ("/silence",), ("/sustain", 0),
        ("/bend", 0.0),
    ]  # fmt: skip


def test_a_pad_that_is_held_is_let_go(desk: Desk, tmp_path: Path) -> None:
    mapping = read(desk, tmp_path / "map.toml", '[notes]\n37 = "/track/1/mute"')
    assert done(desk, mapping, key(37, 100), RESET) == [("/track/1/mute", 1), ("/track/1/mute", 0)]


def test_the_wheel_is_in_the_middle_after_a_reset(desk: Desk) -> None:
    told = done(desk, MidiMap(), mido.Message("pitchwheel", pitch=8191), controller(121, 0), controller(121, 0))
    assert told == [("/bend", 2.0), ("/bend", 0.0)]


# learning


class Learner:
    """A MIDI port that learns, with what it says."""

    def __init__(self, desk: Desk, path: Path | None, mapping: MidiMap | None = None) -> None:
        self.desk, self.notices = desk, Notices()
        self.midi = MidiIn(desk, None, mapping or MidiMap(), path, self.notices)

    def bind(self, address: str, *messages: Any) -> list[str]:
        self.midi.learn(address)
        for message in messages:
            self.midi.take(message)
        assert self.midi.statistics().failures == 0, self.midi.statistics()
        return self.notices.printed()


def test_a_knob_that_is_turned_is_bound_and_saved(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "desk-midi.toml"
    learner = Learner(desk, path)
    said = learner.bind("/tempo", mido.Message("clock"), key(60, 0), controller(0, 3), controller(74, 5, channel=2))
    assert said == [f"MIDI: control 3:74 is /tempo, saved in {path}"] and learner.midi.learning == ""
    assert desk.done == [("/clock/tick",), ("/note", 60, 0)]  # to turn a knob to learn it moves nothing
    learner.midi.take(controller(74, 127, channel=2))
    learner.midi.take(controller(74, 127, channel=0))
    assert desk.done[2:] == [("/tempo", 400.0)]
    assert MidiMap.read(path, desk) == learner.midi.map
    said = learner.bind("/track/2/hit", key(36, 9, channel=9))
    assert said == [f"MIDI: note 10:36 is /track/2/hit, saved in {path}"]
    assert path.read_text() == '[controls]\n"3:74" = "/tempo"\n\n[notes]\n"10:36" = "/track/2/hit"\n'


def test_learning_leaves_the_rest_of_a_map_as_it_was(desk: Desk, tmp_path: Path) -> None:
    text = """# mine
[notes]   # pads
36 = "/track/1/hit"

[controls]
# the tempo of the evening
16 = { address = "/tempo", low = 60, high = 180 }  # slow
"1:20" = "/bend"

"""
    path = tmp_path / "map.toml"
    learner = Learner(desk, path, read(desk, path, text))
    learner.bind("/tempo", controller(21, 0))
    learner.bind("/count", controller(20, 0))
    learner.bind("/fresh", key(40, 9))
    assert (
        path.read_text()
        == """# mine
[notes]   # pads
36 = "/track/1/hit"
"1:40" = "/fresh"

[controls]
# the tempo of the evening
16 = { address = "/tempo", low = 60, high = 180 }  # slow
"1:20" = "/count"
"1:21" = { address = "/tempo", low = 60, high = 180 }

"""
    )


@pytest.mark.parametrize("kind", [DrumMachine, Keyboard, Morph, PathPlayer, ResynthesisInstrument])
def test_shipped_maps_learn(rooms: Rooms, tiny_bundle: Path, tmp_path: Path, kind: type[Instrument]) -> None:
    with rooms():
        instrument = kind(tiny_bundle)
        before = MidiMap.of(instrument)
        after = before.bound("controls", (4, 99), "/level", instrument)
        after.write(tmp_path / "a.toml")
        assert MidiMap.read(tmp_path / "a.toml", instrument) == after
        assert after.controls.keys() - before.controls.keys() == {(4, 99)}
        assert before.text in after.text + "\n" or "[notes]" in before.text


def test_what_cannot_be_learned_is_refused(desk: Desk, tmp_path: Path) -> None:
    learner = Learner(desk, None)
    for address, text in (("/nowhere", "no address"), ("/name", "choose one"), ("/note", "takes 2 arguments")):
        with pytest.raises(MapError, match=text):
            learner.midi.learn(address)
    [said] = learner.bind("/tempo", key(36, 9))  # a pad has no range for it
    assert said.startswith("MIDI: /tempo is not for pads: ") and learner.midi.learning == "/tempo"
    assert learner.bind("/tempo", controller(1, 9)) == ["MIDI: control 1:1 is /tempo, for this time only"]
    assert learner.bind("", controller(1, 127)) == [] and desk.done == [("/tempo", 400.0)]
    (tmp_path / "file").touch()
    learner.midi.saved = tmp_path / "file" / "map.toml"
    [said] = learner.bind("/tempo", controller(2, 9))
    assert said.startswith("MIDI: control 1:2 is /tempo, not saved: ")
    with pytest.raises(MapError, match="has no place for a new entry"):
        MidiMap.parse('controls.1 = "/tempo"', "map", desk).bound("controls", (1, 2), "/tempo", desk)


# anything at all

BYTES = st.lists(st.integers(0, 255), max_size=4)
KINDS = [each for each in mido.messages.SPEC_BY_TYPE if each != "sysex"]


@settings(max_examples=1000, derandomize=True, deadline=None, database=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(KINDS), st.integers(0, 15), st.integers(0, 127), st.integers(0, 127), st.booleans())
        | BYTES,
        max_size=30,
    )
)
def test_no_message_escapes_and_nothing_hangs(told: list[Any]) -> None:
    """After any messages and a reset, no key, pad, pedal or wheel is held; nothing fails."""
    commands = {"/note", "/sustain", "/bend", "/silence", "/clock/tick", "/clock/position", "/track/1/mute"}
    heard: dict[str, dict[Any, Any]] = {name: {} for name in commands}

    class Bare:
        clock = type("Clock", (), {"add": lambda self, node: None, "frame": 0, "frame_at": lambda self, at: None})()

        def do(self, address: str, *values: Any, at: Any) -> None:
            heard[address][values[0] if address == "/note" else ""] = values[-1:]

    Bare.commands = dict.fromkeys(commands)  # type: ignore[attr-defined]
    mute = midi_map.Target("/track/1/mute", Switch("mute"))
    listening = MidiIn(Bare(), None, MidiMap({}, {(None, 37): mute}))  # type: ignore[arg-type]
    for each in told:
        if isinstance(each, list):  # what a driver may hand over
            listening.receive(each)
        else:
            kind, channel, first, second, _ = each
            values = {"channel": channel, "note": first, "velocity": second, "control": first, "value": second}
            values |= {"pitch": 64 * (first - 64), "pos": second, "program": first}
            spec = mido.messages.SPEC_BY_TYPE[kind]
            listening.take(mido.Message(kind, **{name: values[name] for name in spec["value_names"] if name in values}))
    listening.take(RESET)
    assert listening.statistics().failures == 0, listening.statistics()
    assert all(values == (0,) for values in heard["/note"].values())
    for address in ("/sustain", "/bend", "/track/1/mute"):
        assert heard[address].get("", (0,)) == (0,)


def test_controllers_cover_the_range_of_their_control(desk: Desk, tmp_path: Path) -> None:
    mapping = read(
        desk,
        tmp_path / "map.toml",
        """
        [controls]
        1 = "/tempo"
        2 = { address = "/tempo", low = 180, high = 60 }
        3 = "/count"
        4 = "/mode"
        5 = "/track/2/mute"
        6 = "/fresh"
        7 = { address = "/mode", value = "walk" }
        "10:7" = { address = "/count", value = 7 }
        64 = "/bend"
        """,
    )
    for number, values in {
        1: [20.0, 210.0, 400.0], 2: [180.0, 120.0, 60.0], 3: [0, 5, 10], 4: ["note", "path", "walk"], 5: [0, 1, 1],
        64: [-2.0, 0.0, 2.0],
    }.items():  # fmt: skip
        told = done(desk, mapping, *(controller(number, value) for value in (0, 64, 127)))
        assert [value for _, value in told] == pytest.approx(values) if number < 4 else values
        assert all(type(value) is type(values[0]) for _, value in told)
        desk.done.clear()
    assert done(desk, mapping, controller(6, 127), controller(6, 0)) == [("/fresh",)]
    desk.done.clear()
    assert done(desk, mapping, controller(7, 127, 0), controller(7, 127, 9)) == [("/mode", "walk"), ("/count", 7)]


def test_every_controller_value_is_within_the_range(desk: Desk, tmp_path: Path) -> None:
    mapping = read(desk, tmp_path / "map.toml", '[controls]\n1 = "/tempo"\n2 = "/mode"\n3 = "/count"\n4 = "/bend"')
    for number in range(1, 5):
        for value in range(128):
            done(desk, mapping, controller(number, value))
    tempos = [values[0] for address, *values in desk.done if address == "/tempo"]
    assert len(desk.done) == 4 * 128 and tempos == sorted(tempos)


def test_pads_hit_with_their_velocity(desk: Desk, tmp_path: Path) -> None:
    mapping = read(
        desk,
        tmp_path / "map.toml",
        """
        [notes]
        36 = "/track/1/hit"
        "10:36" = { address = "/track/2/hit", low = 0.5, high = 2 }
        37 = "/track/1/mute"
        38 = { address = "/mode", value = "path" }
        39 = "/fresh"
        """,
    )
    assert done(desk, mapping, key(36, 127), key(36, 0), key(36, 127, 9)) == [("/track/1/hit", 1), ("/track/2/hit", 2)]
    desk.done.clear()
    assert done(desk, mapping, key(37, 1), key(37, 0)) == [("/track/1/mute", 1), ("/track/1/mute", 0)]
    desk.done.clear()
    assert done(desk, mapping, key(38, 1), key(38, 0), key(39, 1), key(39, 0)) == [("/mode", "path"), ("/fresh",)]
    desk.done.clear()
    assert done(desk, mapping, key(40, 9)) == [("/note", 40, 9)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[controls", "is not valid TOML"),
        ('[controls]\n1 = "/tempo"\n1 = "/count"', "is not valid TOML"),
        ("[knobs]\n", r"found knobs, expected the sections \[controls\] and \[notes\]"),
        ("controls = 3", "found controls, expected the sections"),
        ('[controls]\n128 = "/tempo"', r"\[controls\] 128: expected a number from 0 to 127"),
        ('[controls]\n"17:1" = "/tempo"', r"\[controls\] 17:1: expected a number from 0 to 127"),
        ('[controls]\n"0:1" = "/tempo"', r"\[controls\] 0:1: expected a number from 0 to 127"),
        ('[notes]\nC3 = "/tempo"', r"\[notes\] C3: expected a number from 0 to 127"),
        ("[controls]\n1 = 5", r"\[controls\] 1: expected an address"),
        ("[controls]\n1 = { low = 5 }", r"\[controls\] 1: expected an address"),
        ('[controls]\n1 = { address = "/tempo", lowest = 5 }', "found lowest, expected address, low, high, value"),
        ('[controls]\n1 = "/temp"', "there is no address '/temp'"),
        ('[controls]\n1 = "/note"', "/note takes 2 arguments: choose an address that takes one"),
        ('[controls]\n1 = "/name"', "name is small letters: choose one, as in value = ''"),
        ('[controls]\n1 = { address = "/tempo", low = 5 }', "tempo is 5: choose 20 to 400"),
        ('[controls]\n1 = { address = "/tempo", high = "x" }', "tempo is 'x': choose 20 to 400"),
        ('[controls]\n1 = { address = "/mode", low = 1 }', "it has no low and high"),
        ('[controls]\n1 = { address = "/fresh", low = 1 }', "low and high are for numbers"),
        ('[controls]\n1 = { address = "/mode", value = "wolk" }', "mode is 'wolk': choose one of note, path, walk"),
        ('[notes]\n1 = "/mode"', "mode is one of note, path, walk: choose one, as in value = 'note'"),
        ('[notes]\n1 = "/tempo"', "tempo is 0: choose 20 to 400"),
    ],
)
def test_a_mistake_in_a_map_is_one_line(desk: Desk, tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(MapError, match=words) as caught:
        read(desk, tmp_path / "mine.toml", text)
    assert "mine.toml" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", [DrumMachine, DrumAndBass, Keyboard, Morph, PathPlayer, ResynthesisInstrument])
def test_shipped_maps_fit_their_instruments(rooms: Rooms, tiny_bundle: Path, kind: type[Instrument]) -> None:
    with rooms():
        assert MidiMap.of(kind(tiny_bundle)).controls


def test_a_derived_instrument_has_the_map_of_its_base_or_none(rooms: Rooms, tiny_bundle: Path) -> None:
    class Mine(Keyboard):
        """A keyboard."""

    with rooms():
        mine = Mine(tiny_bundle)
        assert MidiMap.of(mine) == MidiMap.read(FOLDER / "keyboard.toml", mine)
        assert MidiMap.of(Desk(tiny_bundle)) == MidiMap()


def test_a_system_without_midi_says_so(desk: Desk, monkeypatch: Any) -> None:
    monkeypatch.setattr(midi, "input_ports", lambda: [])
    with pytest.raises(
        MidiError, match="There is no MIDI port 'Pads'; there are none; on a JACK server, choose \"jack\""
    ):
        MidiIn(desk, "Pads", MidiMap()).start()


def test_without_a_jack_server_there_is_no_port_on_it(desk: Desk, monkeypatch: Any, capfd: Any) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "ngs-none")
    with pytest.raises(MidiError, match="No JACK server runs"):
        MidiIn(desk, "jack", MidiMap()).start()
    assert capfd.readouterr() == ("", "")


def test_frames_follow_the_arrival_however_late_blocks_begin(rooms: Rooms, monkeypatch: Any) -> None:
    with rooms(live=True) as room:
        room.start()
        block_seconds, started, now = room.clock.block / room.clock.sample_rate, 1000.0, 0.0
        monkeypatch.setattr(clock, "time", type("Time", (), {"perf_counter": staticmethod(lambda: now)}))
        found = []
        for number in range(400):
            late = (0.0, 0.0003, 0.001, 0.0019)[number % 4]
            now = started + number * block_seconds + late
            room.server.process()
            arrival = now + 0.0002
            if room.clock.frame > 100 * room.clock.block:
                found.append(room.clock.frame_at(arrival) - (arrival - started) * room.clock.sample_rate)
                assert room.clock.frame_at(arrival) >= room.clock.frame - 3  # the next block has not been made
        assert max(found) - min(found) <= 5  # frames, where blocks are late by up to 91


def test_messages_come_through_a_jack_server(desk: Desk, jack_server: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", jack_server.name)
    keys = jack.Client("keys", no_start_server=True, servername=jack_server.name)
    output = keys.midi_outports.register("out")
    wanted = [
        (0, (0xFA,)), (0, (0xF8,)), (17, (0x90, 36, 100)), (100, (0x90, 36, 0)), (101, (0xB0, 64, 127)),
        (127, (0xE0, 0, 64)),
    ]  # fmt: skip
    waiting: list[tuple[int, tuple[int, ...]]] = []

    @keys.set_process_callback
    def play(frames: int) -> None:
        output.clear_buffer()
        for offset, event in waiting:
            output.write_midi_event(offset, event)
        waiting.clear()

    listening = MidiIn(desk, "jack", MidiMap())
    with listening, keys:
        assert listening.name == "ngs-midi:in"
        keys.connect(output, "ngs-midi:in")
        _until(lambda: bool(desk.done), lambda: waiting.append((0, (0xF8,))))  # the connection works
        waiting.extend(wanted)
        _until(lambda: ("/bend", 0.0) in desk.done)
    place = desk.done.index(("/clock/start",))
    assert desk.done[place:] == [
        ("/clock/start",), ("/clock/tick",), ("/note", 36, 100), ("/note", 36, 0), ("/sustain", 1), ("/bend", 0.0),
        ("/sustain", 0),  # the pedal goes up at the end
    ]  # fmt: skip
    assert listening.statistics().failures == 0


def _until(met: Callable[[], bool], ask: Callable[[], object] = lambda: None) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not met():
        assert time.monotonic() < end, "nothing comes"
        ask()
        time.sleep(0.05)
