"""The stage: errors of one line, logs that replay to the same bits, surfaces, and files however it ends."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import soundfile

from ngs.pyo_instruments import Clock, CommandError, Instrument
from ngs.pyo_instruments.drum_machine import DrumMachine
from ngs.pyo_instruments.keyboard import Keyboard
from ngs.pyo_instruments.morph import Morph
from ngs.pyo_instruments.path_player import PathPlayer
from ngs.pyo_instruments.stage.event_log import read_events
from ngs.pyo_instruments.stage.server import AudioOutput, StageError, open_server
from ngs.pyo_instruments.stage.stage import Stage
from ngs.pyo_instruments.surfaces.midi import MidiIn
from ngs.pyo_instruments.surfaces.midi_map import MidiMap
from ngs.pyo_instruments.surfaces.osc import OscServer
from ngs.pyo_instruments.surfaces.screen import Screen
from ngs.runtime.bundle.bundle import Bundle

pyo = pytest.importorskip("pyo")

RATE, BLOCK = 48000, 128
OFFLINE = AudioOutput("offline")


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle)


# errors on opening


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretends that there are these sound cards."""

    def have(*names: str) -> None:
        monkeypatch.setattr(pyo, "pa_get_output_devices", lambda: (list(names), list(range(len(names)))))

    return have


def line_of(output: AudioOutput) -> str:
    with pytest.raises(StageError) as error:
        open_server(output, listens=False)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_without_a_jack_server_it_says_what_to_start(monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "ngs-nowhere")
    line = line_of(AudioOutput("jack"))
    assert line.startswith("No JACK server runs: start one") and "--audio offline" in line
    assert capfd.readouterr() == ("", "")


def test_without_a_sound_card_it_says_what_to_do(cards: Any) -> None:
    cards()
    assert line_of(AudioOutput("portaudio")).startswith("There is no sound card; without one, write to a file: ")


def test_an_unknown_device_is_refused_with_a_list(cards: Any) -> None:
    cards("Built-in", "USB Audio")
    assert line_of(AudioOutput(device="hdmi")) == "There is no sound card 'hdmi'; there are: Built-in, USB Audio"
    assert line_of(AudioOutput(device="2")) == "There is no sound card '2'; there are: Built-in, USB Audio"


def test_an_instrument_that_cannot_be_made_leaves_no_server(tmp_path: Path, bundle: Bundle) -> None:
    with pytest.raises(ValueError, match="drum-machine takes no sound files"):
        Stage(OFFLINE, DrumMachine, bundle, files=[tmp_path / "a.wav"])
    assert not pyo.serverBooted()
    with Stage(OFFLINE, DrumMachine, bundle) as stage:
        stage.play(0.1)
    assert not pyo.serverBooted()


# offline, to a file


def play(bundle: Bundle, folder: Path, seconds: float = 2.0, **how: Any) -> Any:
    """A recording, float32 [frames, 2], of commands at given frames or from a log."""
    interval = sys.getswitchinterval()
    with Stage(OFFLINE, how.get("kind", DrumMachine), bundle, how.get("seed", 0), how.get("files", ())) as stage:
        if "load" in how:
            stage.instrument.load(how["load"])
        stage.record(folder / "take.wav", seconds)
        stage.log(folder / "log.jsonl")
        stage.save_statistics(folder / "told.json")
        if "replay" in how:
            stage.replay(how["replay"])
        for address, *values in how.get("start", ()):
            stage.instrument.do(address, *values)
        for at, address, *values in how.get("events", ()):
            stage.instrument.do(address, *values, at=at)
        stage.play(seconds, how.get("look", lambda: None))
    assert sys.getswitchinterval() == interval
    sound, rate = soundfile.read(folder / "take.wav", dtype="float32")
    assert rate == RATE
    return sound


EVENTS = [
    (1000, "/tempo", 170), (20011, "/track/*/pan", -0.5), (30000, "/track/1/hit", 1.5), (30000, "/swing", 0.4),
    (40005, "/sample_path", "Snare"), (50000, "/track/2/pitch", 7), (60001, "/pattern", "breakbeat"),
    (70000, "/track/3/mute", 1),
]  # fmt: skip


@pytest.mark.parametrize("seconds", [0.5, 1.23456])
def test_a_take_is_as_long_as_it_was_asked_for(bundle: Bundle, tmp_path: Path, seconds: float) -> None:
    sound = play(bundle, tmp_path, seconds)
    assert len(sound) == round(seconds * RATE) and sound.any()
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["failures"] == told["late"] == told["stale"] == told["unrecorded_frames"] == 0
    assert told["instrument"] == "drum-machine" and told["clock"]["frames"] >= len(sound)


def test_a_log_that_is_replayed_gives_the_same_bits(bundle: Bundle, tmp_path: Path) -> None:
    sounds = [play(bundle, tmp_path / "a", events=EVENTS)]
    head, start, events = read_events(tmp_path / "a" / "log.jsonl")
    assert start == []
    assert head["instrument"] == "drum-machine" and head["seed"] == 0 and head["sample_rate"] == RATE
    frames = [frame for frame, *_ in EVENTS]
    assert [each[0] for each in events] == sorted([*frames, *7 * [20011]])  # a pattern is all that it meets
    sounds.append(play(bundle, tmp_path / "b", replay=tmp_path / "a" / "log.jsonl"))
    assert (tmp_path / "a" / "log.jsonl").read_text() == (tmp_path / "b" / "log.jsonl").read_text()
    np.testing.assert_array_equal(*sounds)
    plain = play(bundle, tmp_path / "c")
    assert not np.array_equal(plain, sounds[0]) and np.array_equal(plain[:1000], sounds[0][:1000])


STARTS: list[tuple[type[Instrument], list[tuple[Any, ...]]]] = [
    (DrumMachine, [("/track/1/pattern", "X.x.X.x.X.x.X.x."), ("/track/*/level", 0.3), ("/track/2/hit", 1),
                   ("/tempo", 150), ("/track/1/resample",), ("/sample_path", "Snare")]),
    (PathPlayer, [("/level", 0.1), ("/kind", "spiral"), ("/new",), ("/class", "Hat"), ("/speed", -1)]),
    (Morph, [("/period", 0), ("/hit", 1), ("/start", 7), ("/hit", 0.5), ("/class", "Snare"), ("/morph", 0.9)]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "start"), STARTS)
def test_commands_before_the_start_are_replayed(
    bundle: Bundle, tmp_path: Path, kind: type[Instrument], start: list[tuple[Any, ...]]
) -> None:
    with Stage(OFFLINE, kind, bundle) as stage:
        stage.instrument.do("/pitch" if kind is not DrumMachine else "/track/3/pitch", -5)
        stage.instrument.save(tmp_path / "values.json")
    more = [(5000, start[0][0], *start[0][1:])]
    sound = play(bundle, tmp_path / "a", 0.5, kind=kind, load=tmp_path / "values.json", start=start, events=more)
    log = tmp_path / "a" / "log.jsonl"
    again = play(bundle, tmp_path / "b", 0.5, kind=kind, replay=log)
    assert sound.any() and np.array_equal(sound, again)
    assert (tmp_path / "b" / "log.jsonl").read_text() == log.read_text()
    _, begun, events = read_events(log)
    assert len(events) == 1 and begun[0].values == [-5] and start[-1][0] in [each.address for each in begun]
    assert not np.array_equal(sound, play(bundle, tmp_path / "c", 0.5, kind=kind, events=more))


def test_a_log_with_a_class_name_replays(bundle: Bundle, tmp_path: Path) -> None:
    sound = play(bundle, tmp_path, 0.1, events=[(10, "/tempo", 100)])
    log = tmp_path / "log.jsonl"
    older = tmp_path / "older.jsonl"
    older.write_text(log.read_text().replace('"drum-machine"', '"DrumMachine"'))  # as logs were before names
    assert older.read_text() != log.read_text()
    np.testing.assert_array_equal(play(bundle, tmp_path / "again", 0.1, replay=older), sound)


def test_a_log_knows_its_sound_files(bundle: Bundle, tmp_path: Path) -> None:
    for name, level in (("a", 0.1), ("b", 0.2)):
        soundfile.write(tmp_path / f"{name}.wav", level * np.sin(np.arange(4000)), 8000)
    play(bundle, tmp_path, 0.1, kind=Morph, files=[tmp_path / "a.wav"])
    play(bundle, tmp_path / "again", 0.1, kind=Morph, files=[tmp_path / "a.wav"], replay=tmp_path / "log.jsonl")
    with pytest.raises(CommandError, match=r"log.jsonl was made with files \['"):
        play(bundle, tmp_path / "other", 0.1, kind=Morph, files=[tmp_path / "b.wav"], replay=tmp_path / "log.jsonl")


@pytest.mark.parametrize(
    ("line", "address", "values", "why"),
    [
        (3, "/nowhere", [1], "There is no address /nowhere"), (3, "/tempo", [9999], "tempo is 9999"),
        (3, "/tempo", [], "takes 1 argument (tempo), not 0"), (1, "/tempo", ["x"], "tempo is 'x'"),
        (3, "/save", ["x"], "/save reads or writes a file"),
    ],
)  # fmt: skip
def test_a_log_is_checked_before_it_is_played(
    bundle: Bundle, tmp_path: Path, line: int, address: str, values: list[Any], why: str
) -> None:
    play(bundle, tmp_path, 0.1, events=[(1, "/tempo", 100)])
    head, event = (json.loads(each) for each in (tmp_path / "log.jsonl").read_text().splitlines())
    bad = {"frame": 1 << 40, "address": address, "values": values}
    told = [{**head, "start": [bad]}, event] if line == 1 else [head, event, bad]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, told)))
    with Stage(OFFLINE, DrumMachine, bundle) as stage, pytest.raises(CommandError) as error:
        stage.replay(tmp_path / "log.jsonl")
    assert str(error.value).startswith(f"{tmp_path / 'log.jsonl'}, line {line}: ") and why in str(error.value)


def test_a_full_disk_ends_the_log_after_a_complete_line_but_not_the_performance(
    tiny_bundle: Path, tmp_path: Path
) -> None:
    program = f"""
import resource
from pathlib import Path
from ngs.pyo_instruments.drum_machine import DrumMachine
from ngs.pyo_instruments.stage.server import AudioOutput
from ngs.pyo_instruments.stage.stage import Stage
from ngs.runtime import Bundle
try:
    with Stage(AudioOutput("offline"), DrumMachine, Bundle.open(Path({str(tiny_bundle)!r}))) as stage:
        stage.log(Path({str(tmp_path / "log.jsonl")!r}))
        for frame in range(100):
            stage.instrument.do("/tempo", 100, at=frame)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
        stage.play(1.5)
        print(stage.statistics()["unlogged_commands"], stage.clock.frame)
except OSError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0 and result.stderr == ""
    told, line = result.stdout.splitlines()
    _, _, events = read_events(tmp_path / "log.jsonl")
    lost, frame = map(int, told.split())
    assert frame >= 1.5 * RATE and 10 < len(events) == 100 - lost
    assert line.startswith(f"{tmp_path / 'log.jsonl'} holds the first {len(events)} commands only, and lacks {lost}: ")


def test_look_is_called_while_it_plays(bundle: Bundle, tmp_path: Path) -> None:
    looks: list[int] = []
    play(bundle, tmp_path, look=lambda: looks.append(1))
    assert len(looks) >= 2


def test_a_log_of_something_else_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    play(bundle, tmp_path, 0.1, seed=3)
    with Stage(OFFLINE, DrumMachine, bundle) as stage:
        with pytest.raises(CommandError, match=r"log.jsonl was made with seed 3, this is 0"):
            stage.replay(tmp_path / "log.jsonl")
        with pytest.raises(FileNotFoundError):
            stage.replay(tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{", 1), ("[1]", 1), ('{}\n{"frame": 1}', 2), ('{}\n{"frame": "x", "address": "/a", "values": []}', 2),
        ('{}\n{"frame": 1, "address": "/a", "values": []}\n7', 3),
        ('{}\n{"frame": 1, "address": "/a", "values": 5}', 2),
        ('{}\n{"frame": Infinity, "address": "/a", "values": []}', 2),
    ],
)  # fmt: skip
def test_a_broken_log_is_refused_with_its_line_number(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    with pytest.raises(CommandError) as error:
        read_events(path)
    assert str(error.value) == f"{path}, line {line}: expected frame, address and values as `--log` writes them"


def test_ending_early_keeps_the_recording_and_the_log(bundle: Bundle, tmp_path: Path) -> None:
    def look() -> None:
        if Clock.current().frame >= 1.9 * RATE:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(bundle, tmp_path, 10.0, look=look, events=EVENTS)
    sound, _ = soundfile.read(tmp_path / "take.wav")
    assert 1.9 * RATE < len(sound) < 2.1 * RATE and sound.any()
    assert len(read_events(tmp_path / "log.jsonl")[2]) == len(EVENTS) + 7
    assert json.loads((tmp_path / "told.json").read_text())["failures"] == 0


class Failing(Instrument):
    """Fails at each block."""

    def __init__(self, bundle: Any = None, seed: int = 0, files: Any = (), mul: Any = 1, add: Any = 0) -> None:
        super().__init__(bundle, seed, files, mul, add)
        self.sounds(pyo.Sig(0))

    def before_block(self) -> None:
        raise ValueError("it fails")


def test_failures_are_in_the_statistics(bundle: Bundle) -> None:
    with Stage(OFFLINE, Failing, bundle) as stage:
        stage.play(0.1)
        told = stage.statistics()
    assert told["failures"] == told["clock"]["blocks"] == round(0.1 * RATE / BLOCK + 0.5)
    assert told["clock"]["last_failure"] == "it fails"


# surfaces


class Surface:
    """Records whether the server runs when it begins and ends."""

    def __init__(self, stage: Stage) -> None:
        self.server, self.seen = stage._server, [stage._server.started]

    def __enter__(self) -> None:
        self.seen.append(self.server.started)

    def __exit__(self, *exception: object) -> None:
        self.seen.append(self.server.started)


def test_surfaces_play_while_the_server_runs(bundle: Bundle) -> None:
    with Stage(OFFLINE, DrumMachine, bundle) as stage:
        surface = stage.add(Surface(stage))
        stage.play(0.1)
    assert surface.seen == [0, 1, 1]


class Port(MidiIn):
    """A MIDI port whose messages come from the test."""

    def start(self) -> None:
        self._port = self
        self.server_runs = [self._instrument.clock._server.getIsStarted()]

    def stop(self) -> None:
        self.server_runs.append(self._instrument.clock._server.getIsStarted())
        self.take(mido.Message("start"))
        super().stop()

    def close(self) -> None:
        """It stands for the library's port as well."""


def test_a_midi_port_is_open_all_the_time_and_muted_unless_it_plays(bundle: Bundle) -> None:
    with Stage(OFFLINE, Keyboard, bundle) as stage:
        port = stage.open(Port(stage.instrument, None, MidiMap.of(stage.instrument)))
        port.take(mido.Message("start"))
        assert port.statistics().messages == 0
        stage.play(0.1, lambda: port.take(mido.Message("note_on", note=36)))  # and held
        told = stage.statistics()["surfaces"]["Port"]
        assert told == port.statistics().to_dict() and told["messages"] == 1
    assert port.server_runs == [0, 0] and port.statistics().messages == 1


def test_surface_statistics_go_by_class_name(bundle: Bundle) -> None:
    with Stage(OFFLINE, DrumMachine, bundle) as stage:
        stage.add(Surface(stage))
        server = stage.add(OscServer(stage.instrument, 0))
        stage.play(0.1)
        assert stage.statistics()["surfaces"] == {"OscServer": server.statistics().to_dict()}


def test_a_refused_surface_leaves_no_files(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "take.wav").write_text("an older one")
    ended: list[str] = []
    with (
        pytest.raises(OSError, match="There is no port 99999"),
        Stage(OFFLINE, DrumMachine, bundle) as stage,
    ):
        stage.record(tmp_path / "take.wav", 1)
        stage.log(tmp_path / "log.jsonl")
        stage.save_statistics(tmp_path / "told.json")
        stage.at_end(lambda: ended.append("at end"))
        stage.add(OscServer(stage.instrument, 99999))
        stage.play(1)
    assert [each.name for each in tmp_path.iterdir()] == ["take.wav"] and not ended
    assert (tmp_path / "take.wav").read_text() == "an older one"


@pytest.mark.parametrize("kind", [DrumMachine, PathPlayer, Morph])
@pytest.mark.parametrize("fails", [False, True])
def test_the_instrument_is_freed_with_the_stage(
    bundle: Bundle, tmp_path: Path, kind: type[Instrument], fails: bool
) -> None:
    def told() -> weakref.ref[Instrument]:
        with Stage(OFFLINE, kind, bundle) as stage:
            stage.log(tmp_path / "log.jsonl")
            stage.save_statistics(tmp_path / "told.json")
            stage.record(tmp_path / "take.wav", 0.1)
            instrument = stage.instrument
            stage.add(Surface(stage))
            screen = stage.add(Screen(instrument, lambda cursor: [stage.line(), *instrument.screen(cursor)]))
            if fails:
                screen.look = lambda: 1 / 0  # type: ignore[method-assign,assignment,return-value]
            try:
                instrument.do("/level", 1, at=1 << 40)  # waits for ever
                stage.play(0.1, screen.look)
            except ZeroDivisionError:
                assert fails
            return weakref.ref(instrument)

    gc.collect()
    gc.disable()
    try:
        assert told()() is None
    finally:
        gc.enable()


def test_unrecorded_frames_are_shown(bundle: Bundle, tmp_path: Path) -> None:
    with Stage(OFFLINE, DrumMachine, bundle) as stage:
        assert "unrecorded" not in stage.line()
        stage.record(tmp_path / "take.wav", 1)
        assert stage.recorder is not None
        stage.recorder.lost = 480
        assert stage.line().endswith(", 480 unrecorded frames")
