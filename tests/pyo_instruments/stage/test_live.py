"""Every instrument for 20 seconds on a JACK server, played by a real OSC client, then replayed offline."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import soundfile

from ngs.runtime.arrays import Array

NGS = Path(sysconfig.get_path("scripts")) / "ngs"
SECONDS, RATE, BLOCK = 20, 48000, 128
ATTEMPTS = 3  # a machine that does other things may be late
TRACKS = 8  # of what a pattern of OSC meets
PAUSES = (0.05, 0.3)  # seconds between messages

# What is played on each until the time is over: an address, and the types and values of its arguments. A message marked
# with ! makes prepared hits obsolete. It is sent once: a hit that follows within milliseconds would be an older one.
SCORES: dict[str, list[str]] = {
    "drum-machine": [
        "/tempo f 140", "/swing f 0.3", "/track/1/hit f 1", "/track/7/hit f 0.5", "!/sample_note s Kick",
        "!/sample_path s Snare", "!/track/5/pitch f -5", "/track/3/pan f -1", "!/track/4/fresh i 0",
        "!/track/4/resample", "/track/6/mute i 1", "/track/6/mute i 0", "/track/2/step/5 f 1", "/track/2/step/5 f 0",
        "/tempo f 120",
        "/pattern s breakbeat", "/pattern s electro", "/track/8/decay f 0.1", "/track/*/pan f 0.2",
        "/note ii 38 100",
    ],
    "drum-and-bass": ["/tempo f 174", "/track/10/hit f 1", "/track/1/level f 0.3", "/swing f 0.1", "/tempo f 168"],
    "path-player": [
        "/kind s spiral", "/speed f -2", "/scatter f 0.5", "/class s Cowbell", "/map i 1", "/xy ff 0.2 0.9",
        "/xy ff 0.8 0.1", "/map i 0", "/density f 0.6", "/pitch f 7", "/new", "/freeze i 1", "/freeze i 0",
        "/kind s walk", "/speed f 1", "/pitch f 0", "/density f 1", "/reverb f 0.5",
    ],
    "resynthesiser": [
        "/class s Snare", "/mix f 0.3", "/freeze i 1", "/freeze i 0", "/scatter f 0.3", "/density f 0.7",
        "/mix f 1", "/density f 1", "/drive f 0.5",
    ],
    "morph": [
        "/morph f 0", "/morph f 1", "/class s Tom", "/start i 5", "/end i 9", "/period f 0.25", "/hit f 1",
        "/pitch f -7", "/speed f 0.5", "/speed f 1", "/morph f 0.5",
    ],
    "keyboard": ["/note ii 36 127", "/note ii 38 90", "/note ii 42 60", "/note ii 56 100", "!/temperature f 1"],
}  # fmt: skip


class Played(NamedTuple):
    live: Array  # [frames, 2]
    offline: Array
    told: dict[str, Any]
    events: list[dict[str, Any]]


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def play(name: str, *options: str | Path, server: str = "", cwd: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "JACK_DEFAULT_SERVER": server, "OMP_NUM_THREADS": "1"}
    command = [str(part) for part in (NGS, "play", name, "--seconds", SECONDS, *options)]
    return subprocess.Popen(
        command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finished(process: subprocess.Popen[str]) -> str:
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0 and errors == "", errors
    return out


def played(name: str, server: str, folder: Path, *options: str | Path) -> Played:
    """An instrument played live at random, and its log replayed offline."""
    port = free_port()
    files = ["--osc", str(port), "--record", "live.wav", "--log", "live.log", "--stats", "live.json"]
    process = play(name, *options, "--audio", "jack", *files, server=server, cwd=folder)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert f"OSC on 127.0.0.1:{port}" in line, line + (process.stderr.read() if process.stderr else "")
    rng = random.Random(name)
    end = time.monotonic() + SECONDS - 1
    once, again = SCORES[name], [each for each in SCORES[name] if each[0] != "!"]
    count = commands = 0
    while time.monotonic() < end:
        words = (once[count].strip("!") if count < len(once) else rng.choice(again)).split(" ")
        subprocess.run(["oscsend", "127.0.0.1", str(port), *words], check=True)
        count += 1
        commands += TRACKS if "*" in words[0] else 1
        time.sleep(rng.uniform(*PAUSES))
    finished(process)
    offline_too = [*options, "--audio", "offline", "--events", "live.log", "--record", "offline.wav"]
    finished(play(name, *offline_too, cwd=folder))
    live, offline = (soundfile.read(folder / f"{kind}.wav", dtype="float32")[0] for kind in ("live", "offline"))
    lines = (folder / "live.log").read_text().splitlines()
    events = [json.loads(each) for each in lines[1:]]
    assert len(events) == commands, "a message was lost, or came twice"
    return Played(live, offline, json.loads((folder / "live.json").read_text()), events)


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound file for the instruments that need one."""
    folder = tmp_path_factory.mktemp("loop")
    subprocess.run([NGS, "render", "loop", "-o", "loop.wav"], cwd=folder, check=True, capture_output=True)
    return folder / "loop.wav"


@pytest.fixture
def server(jack_server: Any) -> Iterator[str]:
    yield jack_server.name


@pytest.mark.parametrize("name", list(SCORES))
def test_a_live_performance_and_its_log_replayed_offline_are_equal(
    name: str, server: str, loop: Path, tmp_path: Path
) -> None:
    options = ["--file", loop] if name == "resynthesiser" else []
    for attempt in range(ATTEMPTS):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        take = played(name, server, folder, *options)
        assert take.told["failures"] == 0 and take.told["unrecorded_frames"] == 0, take.told
        behind = take.told["late"] + take.told["stale"] + take.told["clock"]["unprepared"]
        if behind == 0:
            break
    assert behind == 0, f"late in every one of {ATTEMPTS} attempts: {take.told}"
    assert take.live.shape == (SECONDS * RATE, 2)
    assert np.array_equal(take.live, take.offline)
    sound = take.live.astype(np.float64)
    assert np.isfinite(sound).all() and np.abs(sound.mean(axis=0)).max() < 2e-3  # no DC
    silent = np.abs(sound).max(axis=1) == 0
    quiet = [block.all() for block in silent[: len(silent) // RATE * RATE].reshape(-1, RATE)]
    assert not all(quiet) and np.sqrt((sound**2).mean()) > 1e-3


def test_steps_begin_at_their_samples(server: str, tmp_path: Path) -> None:
    """A solo track whose hits end before the next begins: silence up to the very sample of each step."""
    settings = ["/tempo=120", "/track/1/class=Hat", "/track/1/pattern=x.o.X.x.x.o.X.x.", "/track/1/solo=1"]
    settings += ["/track/1/decay=0.05", "/track/1/level=1"]
    options = [part for each in settings for part in ("--set", each)]
    files = ["--record", "steps.wav", "--stats", "steps.json"]
    finished(play("drum-machine", *options, "--audio", "jack", *files, server=server, cwd=tmp_path))
    told = json.loads((tmp_path / "steps.json").read_text())
    assert told["failures"] == 0
    sound, _ = soundfile.read(tmp_path / "steps.wav", dtype="float32")
    loud = np.abs(sound).max(axis=1) > 0
    distance = RATE * 60 // 120 // 4 * 2  # every other step
    onsets = np.flatnonzero(loud[1:] & ~loud[:-1]) + 1
    begun = [0, *(int(each) for each in onsets)]
    steps = len(range(0, SECONDS * RATE, distance))
    late = [each % distance for each in begun]
    assert len(begun) == steps, f"{len(begun)} onsets, not {steps}"
    assert max(late) <= 2, late  # a hit may begin with a zero
