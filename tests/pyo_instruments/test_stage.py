"""Where it is played: one line where that cannot be; files that are logs, and the same bits when they are replayed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ngs.pyo_instruments import Clock, CommandError, Instrument
from ngs.pyo_instruments.drum_machine import DrumMachine
from ngs.pyo_instruments.stage import Sound, Stage, StageError, booted, read_events
from ngs.runtime.bundle import Bundle

pyo = pytest.importorskip("pyo")

RATE, BLOCK = 48000, 128
OFFLINE = Sound("offline")


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle)


# what cannot be opened


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Says which sound cards there are."""

    def have(*names: str) -> None:
        monkeypatch.setattr(pyo, "pa_get_output_devices", lambda: (list(names), list(range(len(names)))))

    return have


def line_of(sound: Sound) -> str:
    with pytest.raises(StageError) as error:
        booted(sound, listens=False)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_without_a_jack_server_it_says_what_to_start(monkeypatch: pytest.MonkeyPatch, capfd: Any) -> None:
    monkeypatch.setenv("JACK_DEFAULT_SERVER", "ngs-nowhere")
    line = line_of(Sound("jack"))
    assert line.startswith("No JACK server runs: start one") and "--audio offline" in line
    assert capfd.readouterr() == ("", "")


def test_without_a_sound_card_it_says_what_to_do(cards: Any) -> None:
    cards()
    assert line_of(Sound("portaudio")).startswith("There is no sound card; without one, write to a file: ")


def test_an_unknown_device_is_told_with_those_there_are(cards: Any) -> None:
    cards("Built-in", "USB Audio")
    assert line_of(Sound(device="hdmi")) == "There is no sound card 'hdmi'; there are: Built-in, USB Audio"
    assert line_of(Sound(device="2")) == "There is no sound card '2'; there are: Built-in, USB Audio"


def test_an_instrument_that_cannot_be_made_leaves_no_server(tmp_path: Path, bundle: Bundle) -> None:
    with pytest.raises(ValueError, match="DrumMachine takes no sound files"):
        Stage(OFFLINE, DrumMachine, bundle, files=[tmp_path / "a.wav"])
    assert not pyo.serverBooted()
    with Stage(OFFLINE, DrumMachine, bundle) as stage:
        stage.play(0.1)
    assert not pyo.serverBooted()


# what is played to a file


def play(bundle: Bundle, folder: Path, seconds: float = 2.0, **how: Any) -> Any:
    """A take, float32 [frames, 2]; commands at given frames, or those of a log."""
    interval = sys.getswitchinterval()
    with Stage(OFFLINE, DrumMachine, bundle, seed=how.get("seed", 0)) as stage:
        stage.record(folder / "take.wav", seconds)
        stage.log(folder / "log.jsonl")
        stage.tell(folder / "told.json")
        if "replay" in how:
            stage.replay(how["replay"])
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
    assert told["instrument"] == "DrumMachine" and told["clock"]["frames"] >= len(sound)


def test_a_log_that_is_replayed_gives_the_same_bits(bundle: Bundle, tmp_path: Path) -> None:
    sounds = [play(bundle, tmp_path / "a", events=EVENTS)]
    head, events = read_events(tmp_path / "a" / "log.jsonl")
    assert head["instrument"] == "DrumMachine" and head["seed"] == 0 and head["sample_rate"] == RATE
    frames = [frame for frame, *_ in EVENTS]
    assert [each[0] for each in events] == sorted([*frames, *7 * [20011]])  # a pattern is all that it meets
    sounds.append(play(bundle, tmp_path / "b", replay=tmp_path / "a" / "log.jsonl"))
    assert (tmp_path / "a" / "log.jsonl").read_text() == (tmp_path / "b" / "log.jsonl").read_text()
    np.testing.assert_array_equal(*sounds)
    plain = play(bundle, tmp_path / "c")
    assert not np.array_equal(plain, sounds[0]) and np.array_equal(plain[:1000], sounds[0][:1000])


def test_it_is_looked_at_while_it_is_played(bundle: Bundle, tmp_path: Path) -> None:
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
def test_a_broken_log_is_told_by_its_line(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    with pytest.raises(CommandError) as error:
        read_events(path)
    assert str(error.value) == f"{path}, line {line}: expected frame, address and values as `--log` writes them"


def test_what_ends_early_keeps_the_take_and_the_log(bundle: Bundle, tmp_path: Path) -> None:
    def look() -> None:
        if Clock.current().frame >= 1.9 * RATE:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(bundle, tmp_path, 10.0, look=look, events=EVENTS)
    sound, _ = soundfile.read(tmp_path / "take.wav")
    assert 1.9 * RATE < len(sound) < 2.1 * RATE and sound.any()
    assert len(read_events(tmp_path / "log.jsonl")[1]) == len(EVENTS) + 7
    assert json.loads((tmp_path / "told.json").read_text())["failures"] == 0


class Failing(Instrument):
    """Fails at each block."""

    def __init__(self, bundle: Any = None, seed: int = 0, files: Any = (), mul: Any = 1, add: Any = 0) -> None:
        super().__init__(bundle, seed, files, mul, add)
        self.sounds(pyo.Sig(0))

    def process(self) -> None:
        raise ValueError("it fails")


def test_failures_are_told(bundle: Bundle) -> None:
    with Stage(OFFLINE, Failing, bundle) as stage:
        stage.play(0.1)
        told = stage.statistics()
    assert told["failures"] == told["clock"]["blocks"] == round(0.1 * RATE / BLOCK + 0.5)
    assert told["clock"]["last_failure"] == "it fails"
