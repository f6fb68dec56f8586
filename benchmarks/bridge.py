"""Compares two ways from a thread that makes sound to pyo, beside two busy processes: which one is steadier?

python benchmarks/bridge.py --seconds 60

copy: the server's callback copies each block into a short table that pyo reads (as `ngs.pyo_instruments` does).
ring: the thread writes ahead into a long table that pyo reads round and round; no Python runs per block.

Eight voices play on a JACK server with the dummy driver, which the script starts. Both threads are `Worker`s: they
render blocks of 256 frames up to 1024 frames ahead of pyo, and after being late go on where pyo is. late: blocks of the
server that were not ready in time. xruns: from the server's log, of our client and of the driver. JSON with --json
FILE. Linux only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from jack_server import BLOCK, RATE, busy_processes, jack_server

from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.runtime import Bundle, Engine, Note, Synth
from ngs.runtime.dsp.paths import free_path
from ngs.runtime.live.worker import Worker

VOICES = 8
RENDERED, AHEAD = 256, 1024  # frames rendered at a time, and before they are read
RING = 1 << 15
SETTLING_SECONDS = 2.0  # before xruns count: a new client causes one
COLUMNS = ("bridge", "busy", "late", "xruns_of_ours", "xruns_of_the_driver", "cpu", "p99_ms", "callback_p99_us")


def notes(bundle: Bundle) -> list[Note]:
    return [
        Note(path=free_path("walk", 400, seed, bundle.latent_map), mode="back-and-forth", onset=False, seed=seed,
             controls={"gain": 0.2})
        for seed in range(VOICES)
    ]  # fmt: skip


class CopyInCallback:
    """The engine's ring buffer, and a copy per block in the server's callback."""

    def __init__(self, server: pyo.Server, bundle: Bundle) -> None:
        self._engine = Engine(bundle, RATE, VOICES, RENDERED, AHEAD)
        tables = [pyo.DataTable(BLOCK) for _ in range(2)]
        self._views = [np.asarray(table.getBuffer()) for table in tables]
        self._block, self._times = np.zeros((2, BLOCK), np.float32), list[float]()
        for note in notes(bundle):
            self._engine.note_on(note, at=AHEAD)
        self._engine.start()
        server.setCallback(self._tick)
        self.output = pyo.TableScan(tables)

    def _tick(self) -> None:
        begun = time.perf_counter()
        self._engine.process(self._block)
        for view, row in zip(self._views, self._block, strict=True):
            view[:] = row
        self._times.append(time.perf_counter() - begun)

    def end(self) -> dict[str, Any]:
        told = self._engine.statistics().to_dict()
        self._engine.stop()
        return {**told, "callback_p99_us": 1e6 * float(np.percentile(self._times, 99))}


class LongRing(Worker):
    """A thread that writes ahead of the server into a table that pyo reads round and round."""

    def __init__(self, server: pyo.Server, bundle: Bundle) -> None:
        super().__init__(RENDERED / RATE / 4)
        self._server, self._synth = server, Synth(bundle, RATE, VOICES)
        for note in notes(bundle):
            self._synth.note_on(note, at=AHEAD)
        tables = [pyo.DataTable(RING) for _ in range(2)]
        self._views = [np.asarray(table.getBuffer()) for table in tables]
        self._written = self._late = 0
        self.output = pyo.TableScan(tables)
        self.start()

    def start(self) -> None:
        self._synth.warm_up()
        self._start_thread(self._fill)

    def _fill(self) -> None:
        while self._step():
            pass

    def _work(self) -> bool:
        place = self._server.getCurrentTimeInSamples()  # grows by a block at the end of a cycle
        if self._written - place + RENDERED > AHEAD:
            return False
        late = max(0, place - self._written)
        self._late += late // BLOCK
        self._written += late
        places = np.arange(self._written, self._written + RENDERED) % RING
        for view, row in zip(self._views, self._synth.render(RENDERED), strict=True):
            view[places] = row
        self._written += RENDERED
        return True

    def end(self) -> dict[str, Any]:
        self.stop()
        return {"late": self._late, "failures": self._failures, **self._work_statistics(), "callback_p99_us": None}


BRIDGES: dict[str, type[CopyInCallback] | type[LongRing]] = {"copy": CopyInCallback, "ring": LongRing}


def play(kind: str, seconds: float) -> None:
    """Play, in a process of its own: print a line after settling, and what happened at the end."""
    bundle = Bundle.open()
    server = pyo.Server(sr=RATE, buffersize=BLOCK, duplex=0, audio="jack", jackname="ngs", verbosity=0).boot()
    bridge = BRIDGES[kind](server, bundle)
    bridge.output.out()
    server.start()
    over = threading.Event()

    def compute() -> None:
        """Load the interpreter, as a screen and a network thread would."""
        while not over.wait(0.005):
            sum(range(5000))

    other = threading.Thread(target=compute)
    other.start()
    time.sleep(SETTLING_SECONDS)
    print("plays", flush=True)
    time.sleep(seconds)
    print(json.dumps(bridge.end()), flush=True)
    over.set()
    other.join()
    server.stop()
    os._exit(0)


def measure(kind: str, seconds: float, busy: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--play", kind, "--seconds", str(seconds)]
    with jack_server() as server, busy_processes(busy):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as player:
            assert player.stdout is not None
            started = player.stdout.readline()
            clients_before, driver_before = server.xruns()
            told = player.stdout.readline()
            clients, driver = server.xruns()
    if not (started and told):
        sys.exit("The player failed")
    xruns = {"xruns_of_ours": (clients - clients_before)["ngs"], "xruns_of_the_driver": driver - driver_before}
    return {"bridge": kind, "busy": busy, **json.loads(told), **xruns}


def cell(value: Any) -> str:
    return "-" if value is None else format(value, ".2f") if isinstance(value, float) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--busy", type=int, default=2, help="processes that compute all the time")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--play", choices=list(BRIDGES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.play:
        play(options.play, options.seconds)
    print("  ".join(COLUMNS))
    rows = []
    for kind in options.rounds * list(BRIDGES):
        rows.append(measure(kind, options.seconds, options.busy))
        print("  ".join(f"{cell(rows[-1][column]):>{len(column)}}" for column in COLUMNS), flush=True)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
