"""Plays `ngs play` on a JACK server with the dummy driver, controlled by OSC: how fast is it, and what goes wrong?

python benchmarks/live.py drum-machine --seconds 60
python benchmarks/live.py drum-machine --seconds 600 --busy 2

Latency (drum machine): from just before a UDP message asks for a hit, while nothing else plays, to the first sample of
the hit that is not zero at JACK's port, by JACK's clock. Steps (drum machine): how far the steps of a solo track are
off in what JACK hears, relative to the first. Then `oscsend` turns controls until the time is over. busy: processes
that compute all the time. xruns come from the server's log, by client: "ngs" is ours, "ear" only copies what it hears.
Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any

import jack
import numpy as np
from jack_server import BLOCK, RATE, busy_processes, jack_server
from pythonosc.osc_message_builder import OscMessageBuilder

NGS = Path(sysconfig.get_path("scripts")) / "ngs"
HITS, HIT_SECONDS = 200, 0.12
STEPS_SECONDS = 10
TURNS = {
    "drum-machine": [f"/track/{track}/{what}" for track in range(1, 9) for what in (
        "hit f 0.7", "level f 0.5", "level f 0.8", "pan f -0.5", "pan f 0.5", "decay f 0.2", "decay f 0", "pitch f 3",
        "pitch f 0", "resample", "step/7 f 1", "step/7 f 0")]
    + ["/tempo f 140", "/tempo f 100", "/swing f 0.3", "/pattern s house", "/pattern s breakbeat",
       "/sample_note s Kick", "/sample_path s Tom"],
    "path-player": ["/kind s spiral", "/kind s walk", "/speed f 2", "/speed f -1", "/scatter f 0.5", "/map i 1",
                    "/map i 0", "/xy ff 0.3 0.7", "/xy ff 0.8 0.2", "/density f 0.5", "/density f 1", "/new",
                    "/pitch f 5", "/pitch f 0"],
    "resynthesiser": ["/class s Snare", "/class s Kick", "/mix f 0.5", "/mix f 1", "/freeze i 1", "/freeze i 0",
                      "/scatter f 0.4", "/scatter f 0"],
    "morph": ["/morph f 0", "/morph f 1", "/start i 3", "/end i 8", "/class s Tom", "/period f 0.2", "/hit f 1"],
    "keyboard": [f"/note ii {key} {velocity}" for key in (36, 38, 42, 49, 56) for velocity in (60, 127, 0)],
}  # fmt: skip
TURNS["drum-and-bass"] = TURNS["drum-machine"][:-2]


class Ear:
    """A JACK client that records ngs, with the time."""

    def __init__(self, seconds: float) -> None:
        self.client = jack.Client("ear", no_start_server=True)
        self._input = self.client.inports.register("in")
        self.heard = np.zeros(round(seconds * RATE), np.float32)
        self.first = -1  # frame of JACK's clock
        self.xruns = 0
        self.client.set_process_callback(self._listen)

    def _listen(self, frames: int) -> None:
        now = self.client.last_frame_time
        if self.first < 0:
            self.first = now
        at = now - self.first
        block = self._input.get_array()
        self.heard[at : at + frames] = block[: max(len(self.heard) - at, 0)]

    def listen_to(self, name: str) -> None:
        self.client.activate()
        for port in self.client.get_ports(f"{name}:", is_audio=True, is_output=True)[:1]:
            self.client.connect(port, self._input)

    def onset(self, since: int, seconds: float) -> int | None:
        """Frame of the first sample that is not zero, from a frame on."""
        start = since - self.first
        loud = np.flatnonzero(self.heard[start : start + round(seconds * RATE)])
        return since + int(loud[0]) if len(loud) else None


def message(address: str, *values: float | str) -> bytes:
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)
    return builder.build().dgram


def latencies(ear: Ear, send: Any) -> list[float]:
    """Milliseconds from each message to its hit, while nothing else plays."""
    send("/play", 0)
    send("/track/1/class", "Hat")
    send("/track/1/decay", 0.03)
    time.sleep(4)  # until everything has rung out
    found = []
    rng = random.Random(0)
    for _ in range(HITS):
        sent = ear.client.frame_time
        send("/track/1/hit", 1.0)
        time.sleep(HIT_SECONDS + rng.uniform(0, 2 * BLOCK / RATE))
        onset = ear.onset(sent, HIT_SECONDS)
        if onset is not None:
            found.append(1e3 * (onset - sent) / RATE)
    return found


def step_errors(ear: Ear, send: Any) -> list[int]:
    """How many frames the steps of a solo track are off, relative to the first."""
    for address, value in (("/tempo", 120.0), ("/track/1/pattern", "x.x.x.x.x.x.x.x."), ("/track/1/solo", 1)):
        send(address, value)
    time.sleep(0.5)
    send("/play", 1)
    begun = ear.client.frame_time
    time.sleep(STEPS_SECONDS)
    send("/play", 0)
    time.sleep(0.5)
    loud = ear.heard[begun - ear.first : begun - ear.first + STEPS_SECONDS * RATE] != 0
    onsets = np.flatnonzero(loud[1:] & ~loud[:-1]) + 1
    steps = RATE * 60 // 120 // 4 * 2
    return [int(each) - round((each - onsets[0]) / steps) * steps - int(onsets[0]) for each in onsets]


def summary(values: list[float]) -> dict[str, float]:
    names = {"median": 50, "p99": 99}
    told = {name: round(float(np.percentile(values, share)), 2) for name, share in names.items()}
    return {"count": len(values), **told, "least": round(min(values), 2), "most": round(max(values), 2)}


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    with jack_server() as server, busy_processes(options.busy):
        port = 20000 + os.getpid() % 20000
        stats = folder / "stats.json"
        command = [NGS, "play", options.instrument, "--audio", "jack", "--osc", port, "--seconds", options.seconds]
        command += ["--stats", stats, "--record", folder / "take.wav"]
        command += ["--bundle", options.bundle] * bool(options.bundle) + ["--file", options.file] * bool(options.file)
        ear = Ear(options.seconds + 30)
        with subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, text=True) as player:
            assert player.stdout is not None
            print(player.stdout.readline(), end="", flush=True)
            end = time.monotonic() + options.seconds - 1
            time.sleep(0.5)
            ear.listen_to("ngs")
            out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

            def send(address: str, *values: Any) -> None:
                out.sendto(message(address, *values), ("127.0.0.1", port))

            told: dict[str, Any] = {}
            if options.instrument == "drum-machine" and options.seconds >= 60:
                told["latency_ms"] = summary(latencies(ear, send))
                errors = step_errors(ear, send)
                told["steps"] = {"count": len(errors), "off_by_frames": sorted(set(errors))}
                for address, value in (("/track/1/solo", 0), ("/play", 1)):
                    send(address, value)
            rng = random.Random(1)
            while time.monotonic() < end:
                words = rng.choice(TURNS[options.instrument]).split(" ")
                subprocess.run(["oscsend", "127.0.0.1", str(port), *words], check=True)
                time.sleep(rng.uniform(0, 0.2))
            print(player.stdout.read(), end="", flush=True)
        ear.client.close()
        of_clients, of_the_driver = server.xruns()
        xruns = {**of_clients, "of the driver": of_the_driver}
        read = json.loads(stats.read_text())
        kept = {name: read[name] for name in ("late", "stale", "failures")}
        return {**told, **kept, "xruns": xruns, "clock": read["clock"], "players": read["players"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("instrument", choices=list(TURNS))
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--bundle")
    parser.add_argument("--file")
    options = parser.parse_args()
    if shutil.which("oscsend") is None:
        sys.exit("There is no oscsend: scripts/test-packages installs it")
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(options, Path(folder)), indent=1))


if __name__ == "__main__":
    main()
