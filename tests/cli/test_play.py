"""`ngs play`: every option with a small bundle, a line for each error, and otherwise nothing on stderr."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from numpy.typing import NDArray

from ngs.cli.play import INSTRUMENTS, play

pytest.importorskip("pyo")

Ngs = Callable[..., subprocess.CompletedProcess[str]]
NGS = Path(sysconfig.get_path("scripts")) / "ngs"
RATE = 48000


class Player(NamedTuple):
    """Plays instruments in a folder."""

    ngs: Ngs
    bundle: Path
    folder: Path

    def take(self, instrument: str, *options: str | Path, name: str = "take.wav") -> NDArray[np.float32]:
        """What half a second sounds like, [frames, 2]."""
        how = ("--bundle", self.bundle, "--audio", "offline", "--seconds", "0.5", "--record", name)
        result = self.ngs("play", instrument, *how, *options, cwd=self.folder)
        lines = result.stdout.splitlines()
        assert result.stderr == "" and len(lines) == 2, result
        assert " plays tiny.ngs (offline, " in lines[0] and lines[0].endswith(" Ctrl-C ends.")
        assert lines[1].startswith("Played 0.5 s, peak ") and lines[1].endswith(", 0 failures.")
        sound: NDArray[np.float32] = soundfile.read(self.folder / name, dtype="float32", always_2d=True)[0]
        return sound

    def refused(self, *options: str | Path, offline: bool = True) -> str:
        """The one line of an error that leaves no file."""
        how = ("--audio", "offline", "--seconds", "0.5", "--record", "refused.wav") if offline else ()
        before = set(self.folder.rglob("*"))
        result = self.ngs("play", *how, "--bundle", self.bundle, *options, cwd=self.folder, check=False)
        assert result.returncode == 1 and result.stdout == ""
        assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1, result.stderr
        assert set(self.folder.rglob("*")) == before
        return result.stderr[len("Error: ") : -1]


@pytest.fixture
def player(ngs: Ngs, tiny_bundle: Path, tmp_path: Path) -> Player:
    return Player(ngs, tiny_bundle, tmp_path)


@pytest.fixture
def loop(tmp_path: Path) -> Path:
    """A sound file of half a second."""
    path = tmp_path / "loop.wav"
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 4000), 8000)
    return path


# what it plays


@pytest.mark.parametrize("instrument", list(INSTRUMENTS))
def test_every_instrument_plays_and_prints_two_lines(player: Player, loop: Path, instrument: str) -> None:
    files = ("--file", loop) if instrument in ("resynthesiser", "morph") else ()
    sound = player.take(instrument, *files)
    assert sound.shape == (RATE // 2, 2) and sound.any() == (instrument != "keyboard")  # which waits for keys


def test_options_change_the_sound_and_equal_options_do_not(player: Player) -> None:
    plain = player.take("path-player")
    assert np.array_equal(plain, player.take("path-player"))
    for options in (("--seed", "1"), ("--levels", "raw"), ("--set", "/pitch=7"), ("--set", "/kind=walk"),
                    ("--set", "/xy=0.1,0.9", "--set", "/map=1")):  # fmt: skip
        assert not np.array_equal(plain, player.take("path-player", *options))


def test_rate_and_block(player: Player) -> None:
    assert len(player.take("morph", "--sample-rate", "22050", "--block", "64", "--stats", "told.json")) == 11025
    told = json.loads((player.folder / "told.json").read_text())
    assert told["sample_rate"] == 22050 and told["block"] == 64 and told["surfaces"] == {}
    assert told["failures"] == told["unrecorded_frames"] == told["unlogged_commands"] == 0


def test_a_take_may_be_flac(player: Player) -> None:
    wave = player.take("morph")
    np.testing.assert_allclose(player.take("morph", name="take.flac"), wave, atol=2**-23)


def test_replaying_a_log_gives_the_same_bits(player: Player, loop: Path) -> None:
    values = {"instrument": "Morph", "values": {"/pitch": [-5], "/period": [0.2]}}
    (player.folder / "values.json").write_text(json.dumps(values))
    options = ["--load", "values.json", "--set", "/level=0.1", "--set", "/class=snare", "--set", "/hit=1"]
    sound = player.take("morph", "--file", loop, *options, "--log", "log.jsonl", name="deep/er/take.wav")
    head, *events = [json.loads(line) for line in (player.folder / "log.jsonl").read_text().splitlines()]
    addresses = [each["address"] for each in head["start"]]
    assert events == [] and set(addresses[:2]) == {"/pitch", "/period"}
    assert addresses[2:] == ["/level", "/class", "/hit"] and len(head["files"]) == 1
    again = ["--file", loop, "--events", "log.jsonl"]
    assert np.array_equal(sound, player.take("morph", *again))
    assert not np.array_equal(sound, player.take("morph", *again, "--set", "/pitch=3"))  # after what the log has
    assert not np.array_equal(sound, player.take("morph", "--file", loop))


def test_events_are_played_at_their_frames(player: Player) -> None:
    player.take("path-player", "--log", "log.jsonl")
    plain = player.take("path-player")
    with (player.folder / "log.jsonl").open("a") as log:
        log.write('{"frame": 12032, "address": "/level", "values": [0]}\n')
    sound = player.take("path-player", "--events", "log.jsonl")
    assert np.array_equal(sound[:12032], plain[:12032]) and not np.array_equal(sound, plain)


@pytest.mark.parametrize(
    ("setting", "values"),
    [
        ("/track/1/class=Hat", ["Hat"]), ("/track/*/pattern=X...............", ["X..............."]),
        ("/tempo=140", [140.0]), ("/track/1/mute=1", [1]), ("/track/1/resample", []), ("/track/2/step/5=0.5", [0.5]),
    ],
)  # fmt: skip
def test_settings_are_parsed_as_the_command_needs(player: Player, setting: str, values: list[Any]) -> None:
    player.take("drum-machine", "--set", setting, "--log", "log.jsonl")
    head = json.loads((player.folder / "log.jsonl").read_text().splitlines()[0])
    count = 8 if "*" in setting else 1
    assert [each["values"] for each in head["start"][:count]] == [values] * count


def test_a_numeric_class_is_a_name(player: Player) -> None:
    assert "class is '60': choose one of Kick, Snare, Hat" in player.refused("morph", "--set", "/class=60")
    player.take("morph", "--set", "/class=")


def test_values_are_saved_in_the_folder(player: Player) -> None:
    player.take("morph", "--folder", "saved", "--set", "/pitch=5", "--set", "/save=one")
    assert json.loads((player.folder / "saved" / "one.json").read_text())["values"]["/pitch"] == [5]


@pytest.mark.parametrize("instrument", list(INSTRUMENTS))
def test_addresses_are_listed(instrument: str) -> None:
    result = CliRunner().invoke(play, [instrument, "--addresses"], catch_exceptions=False)
    assert result.exit_code == 0 and "| `/level` |" in result.output and "| `/subscribe` |" in result.output


def test_the_example_of_the_help_runs(player: Player) -> None:
    result = CliRunner().invoke(play, ["--help"], catch_exceptions=False)
    (example,) = [line.split() for line in result.output.splitlines() if line.strip().startswith("ngs play")]
    told = player.ngs(*example[1:], cwd=player.folder)
    assert told.stderr == "" and soundfile.info(player.folder / "take.wav").duration == 4.0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_keeps_the_recording(player: Player, number: signal.Signals) -> None:
    """Offline, the main thread is mostly inside pyo's callback, which loses exceptions."""
    how = ("--bundle", player.bundle, "--audio", "offline", "--seconds", "100000", "--log", "log.jsonl")
    command = [NGS, "play", "path-player", *how, "--record", "take.wav"]
    pipe = subprocess.PIPE
    with subprocess.Popen(list(map(str, command)), cwd=player.folder, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            assert process.stdout is not None and process.stdout.readline()
            process.send_signal(number)
            process.send_signal(number)  # a shell and the system both tell of a window that is closed
            out, errors = process.communicate(timeout=60)
        finally:
            process.kill()  # where the signal is ignored, as in a job that a shell has put into the background
    assert process.returncode == 128 + number and out.startswith("Played ")
    assert errors.strip() == ("Stopped." if number == signal.SIGINT else "")
    assert sorted(each.name for each in player.folder.iterdir()) == ["log.jsonl", "take.wav"]
    assert soundfile.info(player.folder / "take.wav").samplerate == RATE


def test_live_messages_count_from_the_first_printed_line_on(player: Player, jack_server: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    how = ("--bundle", player.bundle, "--audio", "jack", "--osc", port, "--midi", "jack", "--stats", "told.json")
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [str(each) for each in (NGS, "play", "path-player", *how, "--log", "log.jsonl")], cwd=player.folder,
        env={**os.environ, "JACK_DEFAULT_SERVER": jack_server.name}, stdout=pipe, stderr=pipe, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert f"OSC on 127.0.0.1:{port}. MIDI from ngs-midi" in line and line.endswith("Ctrl-C ends.\n"), line
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.settimeout(60)
                sender.sendto(b"/new\0\0\0\0,\0\0\0", ("127.0.0.1", port))
                sender.sendto(b"/ping\0\0\0,\0\0\0", ("127.0.0.1", port))
                assert sender.recv(100).startswith(b"/pong")
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert errors == "" and process.returncode == 128 + signal.SIGTERM
    told = json.loads((player.folder / "told.json").read_text())
    assert told["surfaces"]["OscServer"]["messages"] == 2 and told["surfaces"]["MidiIn"]["messages"] == 0
    assert [json.loads(each).get("address") for each in (player.folder / "log.jsonl").open()] == [None, "/new"]


# errors


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("morph --set /nowhere=1", "There is no address /nowhere; `ngs play NAME --addresses` lists what there is"),
        ("morph --set /pitch=x", "/pitch: pitch is 'x': choose -24 to 24 semitones"),
        ("morph --set /pitch", "/pitch takes 1 argument (pitch), not 0"),
        ("path-player --set /xy=0.5", "/xy takes 2 arguments (x y), not 1"),
        ("path-player --set /xy=0.5,1,2", "/xy: y is '1,2': choose 0 to 1"),
        ("path-player --set /new=1", "/new takes no arguments, not 1"),
        ("drum-machine --file take.txt", "drum-machine takes no sound files, not 1"),
        ("morph --file take.txt", "take.txt cannot be read as sound (Format not recognised): convert it to WAV"),
        ("morph --load take.txt", "take.txt does not hold saved values: save some, and compare"),
        ("morph --events take.txt", "take.txt, line 1: expected frame, address and values as `--log` writes them"),
        ("morph --record take.mp3", "take.mp3: name a .wav or a .flac file"),
        ("morph --record take.txt/a.wav", "take.txt cannot be used: File exists"),
        ("morph --log take.txt/a.log", "take.txt cannot be used: File exists"),
    ],
)  # fmt: skip
def test_each_error_is_one_line(player: Player, options: str, line: str) -> None:
    (player.folder / "take.txt").write_text("no sound")
    instrument, *rest = shlex.split(options)
    assert line in player.refused(instrument, *rest)


def test_replaying_a_foreign_log_is_one_line(player: Player, loop: Path) -> None:
    player.take("morph", "--file", loop, "--log", "log.jsonl")
    line = player.refused("path-player", "--events", "log.jsonl")
    assert line == "log.jsonl was made with instrument 'morph', this is 'path-player'"
    assert "was made with files" in player.refused("morph", "--events", "log.jsonl")
    assert "was made with seed 0, this is 1" in player.refused(
        "morph", "--file", loop, "--seed", "1", "--events", "log.jsonl"
    )
    with (player.folder / "log.jsonl").open("a") as log:
        log.write('{"frame": 999999999, "address": "/kind", "values": ["walk"]}\n')
    line = player.refused("morph", "--file", loop, "--events", "log.jsonl")
    assert line.startswith("log.jsonl, line 2: There is no address /kind")


def test_a_broken_bundle_is_one_line(player: Player) -> None:
    (player.folder / "bad.ngs").write_text("no bundle")
    for name in ("bad.ngs", "none.ngs"):
        assert name in player._replace(bundle=player.folder / name).refused("morph")


def test_without_audio_it_says_what_to_do(player: Player, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "without one, write to a file: --audio offline" in player.refused("morph", "--audio", "jack", offline=False)
    line = player.refused("morph", "--device", "no such card", offline=False)
    assert line.startswith("There is no sound card")


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("morph --audio offline", "--audio offline needs --record FILE and --seconds SECONDS"),
        ("morph --audio offline --seconds 1", "--audio offline needs --record FILE and --seconds SECONDS"),
        ("morph --audio offline --seconds 0 --record a.wav", "'--seconds': 0.0 is not in the range"),
        ("morph --audio offline --seconds nan --record a.wav", "'--seconds': 'nan' is not a number."),
        ("morph --audio offline --seconds 1 --record a.wav --osc 9000", "with --audio offline, use --events FILE"),
        ("morph --audio offline --seconds 1 --record a.wav --midi virtual", "with --audio offline, use --events FILE"),
        ("resynthesiser --audio offline --seconds 1 --record a.wav", "has nothing to listen to: give --file SOUND"),
        ("morph --audio jack --device Focusrite", "--device is for sound cards"),
        ("morph --audio offline --seconds 1 --record a.wav --log a.wav", "a.wav would be written twice"),
        ("theremin", "'theremin' is not one of"),
        ("morph --events none.jsonl", "File 'none.jsonl' does not exist."),
        ("morph --osc 0", "'--osc': '0' is neither a port, 1 to 65535, nor HOST:PORT."),
        ("morph --osc 0.0.0.0:9000", "--osc: 0.0.0.0 is open to any network: name those that may play"),
        ("morph --osc 9000 --osc-from 10.0.0.0/8", "--osc: no other computer reaches 127.0.0.1"),
        ("morph --osc-from 10.0.0.0/8", "--osc-from is for --osc HOST:PORT"),
        ("morph --osc-from home", "'home' is neither a subnet such as 192.168.1.0/24 nor an address."),
    ],
)
def test_contradictory_options_are_refused(player: Player, options: str, line: str) -> None:
    result = player.ngs("play", *shlex.split(options), cwd=player.folder, check=False)
    assert result.returncode == 2 and result.stdout == "" and line in result.stderr.splitlines()[-1]
    assert list(player.folder.iterdir()) == []


def test_an_input_file_is_not_overwritten(player: Player, loop: Path) -> None:
    kept = loop.read_bytes()
    options = ["--audio", "offline", "--seconds", "1", "--record", "loop.wav", "--file", loop]
    result = player.ngs("play", "resynthesiser", *options, cwd=player.folder, check=False)
    assert result.returncode == 2 and "loop.wav is read: write to another file" in result.stderr
    assert loop.read_bytes() == kept
