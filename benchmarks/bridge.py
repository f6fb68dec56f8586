"""Two ways from a thread that makes sound to pyo, beside two processes that are always busy: which one is steadier?

python benchmarks/bridge.py --seconds 60

copy: the server's callback copies a block into a table of a block, which pyo reads (what `ngs.pyo_instruments` does).
ring: the thread writes ahead into a long table that pyo reads round and round; no Python is called for a block.

Eight voices play for so long on a JACK server of its own with the dummy driver. Wrong frames are those that differ from
what is rendered offline; xruns are those of the server's log, of our client and of the driver. Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyo
import soundfile

import ngs.pyo_instruments  # noqa: F401  (quietly)
from ngs.runtime import Bundle, Engine, Note, Synth
from ngs.runtime.paths import free_path
from ngs.runtime.realtime import go_realtime, interpreter

RATE, BLOCK, VOICES = 48000, 128, 8
AHEAD = 1024  # frames, of both
RING = 1 << 15
OWN_XRUN = re.compile(r"JackEngine::XRun: client = (\S+) was not finished")
DRIVER_XRUN = re.compile(r"JackTimedDriver::Process XRun")
BUSY = "import numpy as np\nx = np.random.rand(400, 400)\nwhile True: x @ x; sum(range(10000))"


def notes(bundle: Bundle) -> list[Note]:
    return [
        Note(path=free_path("walk", 400, seed, bundle.latent_map), mode="back-and-forth", onset=False, seed=seed,
             controls={"gain": 0.2})
        for seed in range(VOICES)
    ]  # fmt: skip


class CopyInCallback:
    """The engine's ring, and a copy of a block in the server's callback."""

    def __init__(self, server: pyo.Server, bundle: Bundle) -> None:
        self._engine = Engine(bundle, RATE, VOICES, ahead=AHEAD)
        tables = [pyo.DataTable(BLOCK) for _ in range(2)]
        self._views = [np.asarray(table.getBuffer()) for table in tables]
        self._block, self._times = np.zeros((2, BLOCK), np.float32), list[float]()
        self._engine.start()
        for note in notes(bundle):
            self._engine.note_on(note, at=AHEAD)
        server.setCallback(self._tick)
        self.output = pyo.TableScan(tables)

    def _tick(self) -> None:
        begun = time.perf_counter()
        self._engine.read(self._block)
        for view, row in zip(self._views, self._block, strict=True):
            view[:] = row
        self._times.append(time.perf_counter() - begun)

    def end(self) -> dict[str, float]:
        self._engine.stop()
        told = self._engine.statistics()
        return {"late": told.late, "cpu": told.cpu, "callback_p99_us": 1e6 * float(np.percentile(self._times, 99))}


class LongRing:
    """A thread that writes ahead of where the server is into a table that is read round and round."""

    def __init__(self, server: pyo.Server, bundle: Bundle) -> None:
        self._server, self._synth = server, Synth(bundle, RATE, VOICES)
        self._synth.warm_up()
        for note in notes(bundle):
            self._synth.note_on(note, at=AHEAD)
        tables = [pyo.DataTable(RING) for _ in range(2)]
        self._views = [np.asarray(table.getBuffer()) for table in tables]
        self._over, self._written, self._late, self._cpu = threading.Event(), 0, 0, 0.0
        interpreter.hurry()
        self._write(AHEAD)
        self.output = pyo.TableScan(tables)
        self._begun = time.perf_counter()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        go_realtime()
        while not self._over.is_set():
            place = self._server.getCurrentTimeInSamples()
            self._late += place > self._written
            self._write(place + AHEAD)
            self._cpu = time.thread_time()
            time.sleep(256 / RATE / 4)

    def _write(self, until: int) -> None:
        while self._written + 256 <= until:
            at = self._written % RING
            for view, row in zip(self._views, self._synth.process(256), strict=True):
                view[at : at + 256] = row
            self._written += 256

    def end(self) -> dict[str, float]:
        self._over.set()
        self._thread.join()
        interpreter.rest()
        return {"late": self._late, "cpu": self._cpu / (time.perf_counter() - self._begun), "callback_p99_us": 0.0}


BRIDGES = {"copy": CopyInCallback, "ring": LongRing}


def play(kind: str, seconds: float, file: Path) -> None:
    """In a process of its own: play, record, and print what happened."""
    bundle = Bundle.open()
    server = pyo.Server(sr=RATE, buffersize=BLOCK, duplex=0, audio="jack", jackname="ngs", verbosity=0).boot()
    bridge = BRIDGES[kind](server, bundle)
    bridge.output.out()
    server.recordOptions(filename=str(file), fileformat=0, sampletype=3)
    server.recstart()
    server.start()
    over = threading.Event()
    # a screen, a network: Python that computes beside it
    other = threading.Thread(target=lambda: [sum(range(5000)) or time.sleep(0.005) for _ in iter(over.is_set, True)])
    other.start()
    time.sleep(seconds)
    over.set()
    other.join()
    server.recstop()
    server.stop()
    print("TOLD " + json.dumps(bridge.end()), flush=True)
    os._exit(0)


def wrong_frames(file: Path) -> int:
    """Frames of a recording that are not what is rendered offline."""
    heard, _ = soundfile.read(file, dtype="float32")
    synth = Synth(bundle := Bundle.open(), RATE, VOICES)
    for note in notes(bundle):
        synth.note_on(note, at=AHEAD)
    true = np.concatenate([synth.process(4096) for _ in range(-(-len(heard) // 4096))], axis=1).T[: len(heard)]
    gain = np.float32(0.9999992)  # of the server, once it has faded in
    return int((np.abs(heard - gain * true).max(axis=1)[AHEAD:] > 1e-4).sum())


def measure(kind: str, seconds: float, busy: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        log, file, name = Path(folder) / "jack.log", Path(folder) / "heard.wav", f"ngs-bridge-{os.getpid()}"
        environment = {**os.environ, "JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1", "OMP_NUM_THREADS": "1"}
        jackd = ["jackd", "-n", name, "-R", "-d", "dummy", "-r", str(RATE), "-p", str(BLOCK)]
        with log.open("w") as told, subprocess.Popen(jackd, stdout=told, stderr=told) as server:
            load = [subprocess.Popen([sys.executable, "-c", BUSY], env=environment) for _ in range(busy)]
            try:
                time.sleep(2)
                command = [sys.executable, __file__, "--play", kind, "--seconds", str(seconds), "--file", str(file)]
                result = subprocess.run(command, env=environment, capture_output=True, text=True)
            finally:
                for process in (*load, server):
                    process.terminate()
        line = next((each for each in result.stdout.splitlines() if each.startswith("TOLD ")), "")
        if not line:
            sys.exit(result.stderr or "the player gave nothing")
        text = log.read_text()
        xruns = {"xruns_of_ours": len(OWN_XRUN.findall(text)), "xruns_of_the_driver": len(DRIVER_XRUN.findall(text))}
        return {"bridge": kind, "busy": busy, **json.loads(line[5:]), "wrong_frames": wrong_frames(file), **xruns}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--busy", type=int, default=2, help="processes that always compute")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--play", choices=list(BRIDGES), help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.play:
        play(options.play, options.seconds, options.file)
    if shutil.which("jackd") is None:
        sys.exit("There is no jackd: scripts/test-packages installs it")
    rows = [measure(kind, options.seconds, options.busy) for _ in range(options.rounds) for kind in BRIDGES]
    for row in rows:
        print(json.dumps(row))


if __name__ == "__main__":
    main()
