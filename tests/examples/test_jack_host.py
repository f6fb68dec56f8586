"""The JACK host, on a server without a sound card: it plays what is rendered offline, at the same frames."""

from __future__ import annotations

import dataclasses
import json
import re
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jack
import numpy as np
import pytest
import soundfile

from ngs.runtime import Bundle, Note, Statistics, Synth
from ngs.runtime.arrays import Array

HOST = Path(__file__).parents[2] / "examples" / "jack_host.py"
RATE, STEP, DEMO = 48000, 6000, 4.0  # frames a second and a note, seconds
PATIENCE = 120.0  # seconds before a test that waits for a process fails
OWN = {"bundle", "sample_rate", "frames_at_once", "latency", "xruns", "errors", "notes", "last_notes"}
RUN = "import runpy, sys; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"


def start(*arguments: object, server: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    env = {**environment, "JACK_DEFAULT_SERVER": server}
    command = [sys.executable, str(HOST), *map(str, arguments)]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=env)


def tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin
    process.stdin.write(line + "\n")
    process.stdin.flush()


def wait_until(process: subprocess.Popen[str], met: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Ask the host for statistics until they satisfy the test. Raises AssertionError if the host ends first."""
    assert process.stdout
    while process.poll() is None:
        tell(process, "stats")
        line = next((line for line in process.stdout if line.startswith("{")), "{}")  # the others are for people
        statistics: dict[str, Any] = json.loads(line)
        if statistics and met(statistics):
            return statistics
        time.sleep(0.05)
    raise AssertionError(process.communicate())


def ready(process: subprocess.Popen[str]) -> str:
    """The line that says that the host plays."""
    assert process.stdout
    return process.stdout.readline()


def offline(bundle: Path, notes: list[dict[str, Any]], frames: int) -> Array:
    synth = Synth(Bundle.open(bundle, "cpu"), RATE, voices=16)
    for note in notes:
        synth.note_on(
            Note({"class": note["class"]}, index=note["index"], controls={"gain": note["gain"]}), at=note["at"]
        )
    return synth.render(frames)


def largest_jump(sound: Array) -> float:
    return float(np.abs(np.diff(sound)).max())


def test_it_plays_what_is_rendered_offline_at_the_same_frames(
    tiny_bundle: Path, tiny_noise: Path, jack_server: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    """Notes do not overlap here. Each is played by one of the two bundles, except the one that a swap fades out."""
    written = ("--stats", tmp_path / "stats.json", "--record", tmp_path / "out.wav")
    options = ("--demo", DEMO, "--ahead", 16384, *written)  # a third of a second, for a busy machine
    process = start(tiny_bundle, *options, server=jack_server.name, environment=environment)
    told = wait_until(process, lambda statistics: statistics["frames"] >= 1.5 * RATE)
    tell(process, f"swap {tiny_noise}")
    done = wait_until(process, lambda statistics: statistics["bundle"] == str(tiny_noise))
    _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (0, "")

    statistics = json.loads((tmp_path / "stats.json").read_text())
    assert set(statistics) == OWN | {field.name for field in dataclasses.fields(Statistics)}
    assert (statistics["sample_rate"], statistics["frames_at_once"], statistics["latency"]) == (RATE, 128, 16384)
    assert (statistics["errors"], statistics["failures"], statistics["dropped"]) == (0, 0, 0), statistics
    notes = statistics["last_notes"]
    assert statistics["notes"] == len(notes)
    assert [note["at"] - notes[0]["at"] for note in notes] == list(range(0, int(DEMO * RATE), STEP))

    sound, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    sound = sound.T
    assert rate == RATE and statistics["frames"] >= sound.shape[1] and statistics["hops"] >= 8 * len(notes)
    assert np.isfinite(sound).all() and np.abs(sound).max() > 0.01
    before, after = (offline(path, notes, sound.shape[1]) for path in (tiny_bundle, tiny_noise))
    played = ""
    for note in notes:
        window = slice(note["at"], note["at"] + STEP)
        same = [np.allclose(sound[:, window], each[:, window], rtol=0, atol=1e-6) for each in (before, after)]
        played += "b" if same[0] else "a" if same[1] else "?"
        assert not any(same) or np.abs(sound[:, window][:, :128]).max() > 1e-3  # to the sample
    limit = max(largest_jump(before), largest_jump(after))
    if statistics["late"] == statistics["late_events"] == 0:
        assert re.fullmatch(r"b+\??a*", played), played
        assert largest_jump(sound) <= limit + 1e-6
    else:  # a late note is faded, not cut; the next ones are at their frames again
        assert played.count("?") < len(notes) / 2, (played, statistics)
        assert largest_jump(sound) <= 2 * limit, statistics
    for note, bundle in zip(notes, played, strict=True):
        assert bundle != "a" or note["at"] > told["frames"], (played, told["frames"])
        assert bundle != "b" or note["at"] < done["frames"] + 16384 + 2 * 128, (played, done["frames"])
    assert sound.shape[1] > notes[-1]["at"] + STEP and not sound[:, -RATE // 20 :].any()


def test_commands_play_notes_and_a_mistake_is_one_line(
    tiny_bundle: Path, jack_server: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    options = ("--record", tmp_path / "out.wav", "--stats", tmp_path / "stats.json")
    process = start(tiny_bundle, *options, server=jack_server.name, environment=environment)
    lines = "Gong\nfoo bar baz\nSnare x\nSnare 9\nswap\nKick\n\nhelp\nhat 0.5\n"
    out, errors = process.communicate(lines, timeout=PATIENCE)
    commands = "CLASS [GAIN], swap PATH, stats, quit, help"
    hello = f"tiny.ngs plays Kick, Snare, Hat (MIDI note 36: Kick). Commands: {commands}"
    assert process.returncode == 0 and out.splitlines() == [hello, hello]
    unknown = f"is neither a class (Kick, Snare, Hat) nor a command: {commands}"
    assert errors.splitlines() == [
        f"'Gong' {unknown}", f"'foo bar baz' {unknown}", "gain is 'x': choose 0 to 4, as in 'Snare 0.5'",
        "gain is 9.0: choose 0 to 4", f"'swap' {unknown}",
    ]  # fmt: skip
    sound, _ = soundfile.read(tmp_path / "out.wav")
    assert np.abs(sound).max() > 0.01
    statistics = json.loads((tmp_path / "stats.json").read_text())
    assert [(note["class"], note["gain"]) for note in statistics["last_notes"]] == [("Kick", 1.0), ("Hat", 0.5)]
    assert statistics["notes"] == 2


def test_class_names_may_have_spaces_and_ended_notes_are_forgotten(
    tiny_bundle: Path, jack_server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = runpy.run_path(str(HOST))
    client = jack.Client("ngs", no_start_server=True, servername=jack_server.name)
    host = module["Host"](client, Bundle.open(tiny_bundle, "cpu"))
    monkeypatch.setattr(type(host), "classes", ("Tom", "Tom low", "Tom low 2"))
    understood = {
        line: host.understood(line)
        for line in ("Tom 2", "tom LOW", "Tom low 0.5", "Tom low 2", "Tom low 2  3", "toms", "low-toms 0.5")
    }
    assert list(understood.values()) == [
        ("Tom", 2.0), ("Tom low", 1.0), ("Tom low", 0.5), ("Tom low 2", 1.0), ("Tom low 2", 3.0),
        ("Tom", 1.0), ("Tom low", 0.5),
    ]  # fmt: skip
    for line in ("Tomlow", "To", "Tom low high"):
        with pytest.raises(ValueError, match="neither a class|gain is 'high'"):
            host.understood(line)
    for _ in range(300):
        host.play("Kick", 1.0)
    assert host.statistics()["notes"] == 300 and [host.notes[0]["index"], host.notes[-1]["index"]] == [44, 299]
    client.close()


def test_midi_notes_play_classes_with_one_latency(
    tiny_bundle: Path, jack_server: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    options = ("--ahead", 16384, "--record", tmp_path / "out.wav", "--stats", tmp_path / "stats.json")
    process = start(tiny_bundle, *options, server=jack_server.name, environment=environment)
    ready(process)
    keys = jack.Client("keys", no_start_server=True, servername=jack_server.name)
    output, sent = keys.midi_outports.register("out"), threading.Event()
    first = [(9, (0x80, 36, 64)), (10, (0x90, 36, 127)), (11, (0xC0, 36)), (12, (0x90, 34, 127)), (13, (0x91, 39, 9))]
    events = [*first, (50, (0x90, 38, 0)), (100, (0x95, 38, 64))]

    @keys.set_process_callback
    def play(frames: int) -> None:
        output.clear_buffer()
        if output.is_connected_to("ngs:midi") and not sent.is_set():
            for offset, event in events:
                output.write_midi_event(offset, event)
            sent.set()

    with keys:
        keys.connect(output, "ngs:midi")
        assert sent.wait(PATIENCE)
        wait_until(process, lambda statistics: statistics["notes"] == 2 and statistics["frames"] >= 2 * RATE)
    _, errors = process.communicate("quit\n", timeout=PATIENCE)
    assert (process.returncode, errors) == (0, "")
    statistics = json.loads((tmp_path / "stats.json").read_text())
    notes = statistics["last_notes"]
    assert [(note["class"], note["gain"]) for note in notes] == [("Kick", 1.0), ("Snare", 64 / 127)]
    assert notes[1]["at"] - notes[0]["at"] == 90 and statistics["errors"] == 0
    if statistics["late"] == statistics["late_events"] == 0:
        sound, _ = soundfile.read(tmp_path / "out.wav", dtype="float32")
        wanted = offline(tiny_bundle, notes, statistics["frames"])[:, : RATE + notes[1]["at"]]
        np.testing.assert_allclose(sound.T[:, : wanted.shape[1]], wanted[:, : len(sound)], rtol=0, atol=1e-6)
        assert np.abs(wanted).max() > 0.01


def test_ctrl_c_still_writes_the_files(
    tiny_bundle: Path, jack_server: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    options = ("--demo", 60, "--stats", tmp_path / "stats.json")
    process = start(tiny_bundle, *options, server=jack_server.name, environment=environment)
    wait_until(process, lambda statistics: statistics["frames"] >= 1000)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    assert process.stderr and process.stderr.read() == "Stopped.\n"
    assert json.loads((tmp_path / "stats.json").read_text())["frames"] >= 1000


def test_repeated_ctrl_c_ends_it_without_a_traceback(
    tiny_bundle: Path, jack_server: Any, environment: dict[str, str]
) -> None:
    process = start(tiny_bundle, "--ahead", 96000, server=jack_server.name, environment=environment)  # 2.2 s to stop
    ready(process)
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    assert process.returncode in (130, -signal.SIGINT)
    assert process.stderr and process.stderr.read() in ("", "Stopped.\n")


@pytest.mark.parametrize("where", ["numpy", "ngs.runtime.synth.engine", "jack"])
def test_ctrl_c_at_the_start_leaves_no_traceback(where: str, tiny_bundle: Path, environment: dict[str, str]) -> None:
    """Ctrl-C during an import: `jack` is imported last, once the bundle is open."""
    finder = (
        "import os, signal, sys\n"
        "class Finder:\n"
        f"    def find_spec(self, name, *more): name == {where!r} and os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", finder + RUN, HOST, tiny_bundle], env=environment, capture_output=True, text=True
    )
    assert result.returncode == 130 and result.stderr in ("", "Stopped.\n"), result.stderr


def test_a_server_that_goes_away_ends_it_in_one_line(
    tiny_bundle: Path, jack_server: Any, environment: dict[str, str], tmp_path: Path
) -> None:
    options = ("--demo", 60, "--stats", tmp_path / "stats.json")
    process = start(tiny_bundle, *options, server=jack_server.name, environment=environment)
    wait_until(process, lambda statistics: statistics["frames"] >= RATE)
    jack_server.process.terminate()
    _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (1, "The JACK server has gone\n")
    assert json.loads((tmp_path / "stats.json").read_text())["frames"] >= RATE


@pytest.mark.parametrize(
    "what, line",
    [
        ("no server", r"No JACK server is running: start one with jackd .*"),
        ("no bundle", r".*README\.md is not a bundle: .*"),
        ("no package", r"JACK for Python is missing \(.*\): pip install JACK-Client, .*"),
    ],
)
def test_what_is_missing_is_one_line(what: str, line: str, tiny_bundle: Path, environment: dict[str, str]) -> None:
    bundle = HOST.with_name("README.md") if what == "no bundle" else tiny_bundle
    hidden = "import sys; sys.modules['jack'] = None; " if what == "no package" else ""
    result = subprocess.run(
        [sys.executable, "-c", hidden + RUN, HOST, bundle],
        env={**environment, "JACK_DEFAULT_SERVER": "ngs-nowhere"}, capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 1 and re.fullmatch(line + "\n", result.stderr), result.stderr
