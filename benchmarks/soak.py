"""Plays a bundle to a JACK server for minutes, harder than any musician would: what is late, fails or grows?

python benchmarks/soak.py BUNDLE OTHER --minutes 10

The host is examples/jack_host.py. Random notes keep all voices busy, all controls turn at random, notes are released,
and the bundle changes every 20 seconds. The script starts a server with the dummy driver, or with --running uses the
one that runs. Before and after, it counts the xruns of a client that does nothing: these are the machine's fault. It
prints a line per minute and a summary at the end or after Ctrl-C, and writes JSON with --json FILE. Linux only.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib.util
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from jack_server import JackServer, connected, jack_server

from ngs.runtime import CONTROLS, Bundle, BundleError, Engine, EngineBusy, Note

TICK_SECONDS, NOTE_TICKS, LOOK_TICKS = 0.02, 4, 10  # a control turns every tick, a note comes every fourth
REFERENCE_SECONDS = 10.0
FADE_SECONDS = 0.5  # of a swap


def jack_host() -> Any:
    """The example as a module."""
    path = Path(__file__).parents[1] / "examples" / "jack_host.py"
    spec = importlib.util.spec_from_file_location("jack_host", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def xruns(server: JackServer | None, client: str) -> tuple[int, int] | None:
    """Cycles so far that a client did not finish, and that the driver started late. None if the server is not ours."""
    if server is None:
        return None
    of_clients, of_the_driver = server.xruns()
    return of_clients[client], of_the_driver


class Waits:
    """How long after the start of a cycle a callback runs: delays of the server, the system and the GIL."""

    def __init__(self, client: Any, process: Callable[[int], None]) -> None:
        self._client, self._process, self._counts = client, process, np.zeros(10000, np.int64)
        self._ms = 1e3 / client.samplerate

    def __call__(self, frames: int) -> None:
        tenths = int(10 * self._ms * self._client.frames_since_cycle_start)
        self._counts[min(tenths, 9999)] += 1
        self._process(frames)

    def percentile_ms(self, percent: float) -> float:
        total = self._counts.sum()
        return float(np.searchsorted(np.cumsum(self._counts), total * percent / 100)) / 10 if total else 0.0


def reference(server: JackServer | None) -> dict[str, Any]:
    """Xruns per minute of a client that does nothing."""
    client, count = connected("idle"), [0]
    waits = Waits(client, lambda frames: None)

    def count_xrun(microseconds: float) -> None:
        count[0] += 1

    client.set_process_callback(waits)
    client.set_xrun_callback(count_xrun)
    name, before = client.name, xruns(server, client.name)
    with client:
        time.sleep(REFERENCE_SECONDS)
    return xruns_a_minute(count[0], before, xruns(server, name), REFERENCE_SECONDS) | {
        "callback_p99_ms": waits.percentile_ms(99), "callback_worst_ms": waits.percentile_ms(100),
    }  # fmt: skip


def xruns_a_minute(
    told: int, before: tuple[int, int] | None, after: tuple[int, int] | None, seconds: float
) -> dict[str, float | None]:
    own, driver = (after[0] - before[0], after[1] - before[1]) if before and after else (None, None)
    counts = {"told": told, "not_finished": own, "driver": driver}
    return {f"xruns_{name}_a_minute": None if count is None else 60 * count / seconds for name, count in counts.items()}


class Player:
    """A musician who plays too much."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self._engine, self._rng, self._numbers, self._ticks = engine, np.random.default_rng(seed), [0], 0
        self.busy = 0

    def tick(self) -> None:
        self._ticks += 1
        try:
            if self._ticks % NOTE_TICKS == 0:
                self._numbers = [*self._numbers[-15:], self._engine.note_on(self._note(), self._at())]
            name = str(self._rng.choice(list(CONTROLS)))
            self._engine.set(int(self._rng.choice(self._numbers)), self._at(), **{name: self._value(name)})
            if self._rng.random() < 0.1:
                self._engine.note_off(int(self._rng.choice(self._numbers)), self._rng.uniform(0, 0.5), self._at())
            if self._rng.random() < 0.002:
                self._engine.all_off()
        except EngineBusy:
            self.busy += 1

    def _note(self) -> Note:
        rng, manifest = self._rng, self._engine.bundle.manifest
        kind = rng.random()
        given: dict[str, Any] = {}
        if kind < 0.2:
            given["embedding"] = rng.standard_normal(manifest.embedding_size).astype(np.float32)
        elif kind < 0.4:
            steps = rng.standard_normal((int(rng.integers(1, 100)), manifest.latent_size)).astype(np.float32)
            given["path"] = np.cumsum(0.2 * steps, axis=0)
        choices = {}
        if rng.random() < 0.8:
            attribute = manifest.attributes[0]
            choices = {attribute.name: str(rng.choice(attribute.classes))}
        some = rng.choice(list(CONTROLS), int(rng.integers(0, 4)), replace=False)
        return Note(
            choices, seed=int(rng.integers(1000)), mode=str(rng.choice(["once", "loop", "back-and-forth"])),
            hold=bool(rng.random() < 0.3), onset=bool(rng.random() < 0.8),
            seconds=rng.uniform(0.1, 3.0) if rng.random() < 0.5 else None,
            controls={str(name): self._value(str(name)) for name in some}, **given,
        )  # fmt: skip

    def _value(self, name: str) -> float:
        control = CONTROLS[name]
        most = {"gain": 1.0, "pitch": 12.0}.get(name, control.high)  # two octaves up, a note costs four
        return float(self._rng.uniform(max(control.low, -most), most))

    def _at(self) -> int | None:
        """One third at once, one third at an exact frame, one third too late."""
        kind = self._rng.integers(3)
        return None if kind == 0 else self._engine.time + (2 * self._engine.latency if kind == 1 else -100)


class Swaps:
    """Changes the bundle again and again, in a thread."""

    def __init__(self, engine: Engine, bundles: list[Path], every_seconds: float) -> None:
        self._engine, self._bundles, self._every = engine, bundles, every_seconds
        self._over, self._thread = threading.Event(), threading.Thread(target=self._run)
        self.seconds: list[float] = []  # of each change
        self._until, self._asked = 0.0, time.monotonic()
        self._thread.start()

    def disturb(self) -> bool:
        """Whether a change was going on at any time since the last call."""
        before, self._asked = self._asked, time.monotonic()
        return before < self._until

    def _run(self) -> None:
        while not self._over.wait(self._every):
            start, self._until = time.monotonic(), float("inf")
            self._engine.load(self._bundles[(len(self.seconds) + 1) % len(self._bundles)], FADE_SECONDS)
            self.seconds.append(time.monotonic() - start)
            self._until = time.monotonic() + FADE_SECONDS + 0.1

    def stop(self) -> None:
        self._over.set()
        self._thread.join()


class Garbage:
    """Measures Python's garbage collections, which hold the GIL."""

    def __init__(self) -> None:
        self.worst_ms = self._start = 0.0
        self.count = 0

    def __call__(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._start = time.perf_counter()
        else:
            self.count += 1
            self.worst_ms = max(self.worst_ms, 1e3 * (time.perf_counter() - self._start))


def rss_mib() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


class Tally:
    """Counts while it plays, and prints a line per minute."""

    def __init__(self, host: Any, swaps: Swaps) -> None:
        self._host, self._swaps, self._start, self._cpu = host, swaps, time.monotonic(), time.process_time()
        self._last = self._minute = host.engine.statistics()
        self._xruns, self._rss = 0, rss_mib()
        self._late_around_swaps, self._worst_ms = 0, 0.0
        self._rows: list[dict[str, Any]] = []

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def look(self) -> None:
        """Take counts. To be called several times a second."""
        swapping, now = self._swaps.disturb(), self._host.engine.statistics()
        self._late_around_swaps += swapping * (now.late - self._last.late)
        self._worst_ms = max(self._worst_ms, now.worst_ms)
        self._last = now
        if self.seconds >= 60 * (len(self._rows) + 1):
            self.close_minute()

    def close_minute(self) -> None:
        now, before = self._last, self._minute
        row = {
            "minute": self.seconds / 60, "late": now.late - before.late, "skipped": now.skipped - before.skipped,
            "xruns": self._host.xruns - self._xruns, "p99_ms": now.p99_ms, "worst_ms": now.worst_ms, "cpu": now.cpu,
            "rss_mib": rss_mib(), "load": os.getloadavg()[0],
        }  # fmt: skip
        if not self._rows:
            print(f"{'minute':>7}{'late':>7}{'skipped':>9}{'xruns':>7}{'p99':>10}{'worst':>10}{'cpu':>6}{'memory':>10}"
                  f"{'load':>7}")  # fmt: skip
        print(
            f"{row['minute']:>7.1f}{row['late']:>7}{row['skipped']:>9}{row['xruns']:>7}{row['p99_ms']:>7.2f} ms"
            f"{row['worst_ms']:>7.2f} ms{row['cpu']:>6.0%}{row['rss_mib']:>6.0f} MiB{row['load']:>7.1f}",
            flush=True,
        )
        self._rows.append(row)
        self._minute, self._xruns = now, self._host.xruns

    def result(self) -> dict[str, Any]:
        host, swaps, now, rows = self._host, self._swaps, self._last, self._rows
        return {
            "minutes": self.seconds / 60, "cores": os.cpu_count(),
            "load_average": statistics.mean(row["load"] for row in rows),
            "sample_rate": host.rate, "frames_at_once": host.frames, "reads": now.frames // host.frames,
            "latency": host.engine.latency, "block_ms": 1e3 * host.engine.block / host.rate,
            **now.to_dict(), "voices": host.engine.voices, "worst_ms": self._worst_ms,
            "p99_median_ms": statistics.median(row["p99_ms"] for row in rows),
            "process_cpu": (time.process_time() - self._cpu) / self.seconds,
            "swaps": len(swaps.seconds), "swap_median_seconds": statistics.median(swaps.seconds or [0.0]),
            "late_around_swaps": self._late_around_swaps,
            "rss_start_mib": self._rss, "rss_minute_mib": rows[0]["rss_mib"], "rss_end_mib": rows[-1]["rss_mib"],
            "growth_mib": rows[-1]["rss_mib"] - rows[0]["rss_mib"],
            "growth_second_half_mib": rows[-1]["rss_mib"] - rows[len(rows) // 2]["rss_mib"],
            "errors": host.errors, "rows": rows,
        }  # fmt: skip


def soak(server: JackServer | None, options: argparse.Namespace) -> dict[str, Any]:
    client = connected("ngs")
    host = jack_host().Host(client, Bundle.open(options.bundle), options.ahead)
    host.engine = Engine(host.engine.bundle, host.rate, options.voices, ahead=host.engine.latency)
    waits, player, garbage = Waits(client, host.process), Player(host.engine, options.seed), Garbage()
    client.set_process_callback(waits)
    name, before = client.name, xruns(server, client.name)
    with host.engine, client:
        gc.callbacks.append(garbage)
        speakers = client.get_ports(is_audio=True, is_physical=True, is_input=True)
        for output, speaker in zip(host.outputs, speakers, strict=False):
            client.connect(output, speaker)
        swaps = Swaps(host.engine, [options.bundle, options.other], options.swap)
        tally = Tally(host, swaps)
        with contextlib.suppress(KeyboardInterrupt):
            while tally.seconds < 60 * options.minutes and host.commands.empty():
                for _ in range(LOOK_TICKS):
                    player.tick()
                    time.sleep(TICK_SECONDS)
                tally.look()
        if tally.seconds < 60 or tally.seconds % 60 > 1:
            tally.close_minute()
        result = tally.result() | xruns_a_minute(host.xruns, before, xruns(server, name), tally.seconds)
        swaps.stop()
        gc.callbacks.remove(garbage)
    return result | {
        "callback_p99_ms": waits.percentile_ms(99), "callback_worst_ms": waits.percentile_ms(100),
        "garbage_searches": garbage.count, "garbage_worst_ms": garbage.worst_ms, "busy": player.busy,
    }  # fmt: skip


def print_summary(result: dict[str, Any], idle: list[dict[str, Any]]) -> None:
    r = result

    def beside(name: str, form: str = ".0f") -> str:
        """A value beside that of the client that does nothing."""
        values = ["unknown" if row[name] is None else format(row[name], form) for row in (result, *idle)]
        return f"{values[0]} (idle client: {' and '.join(values[1:])})"

    print(
        f"{r['late']} of {r['reads']} reads late, {r['late_around_swaps']} of them around the {r['swaps']} swaps; "
        f"{r['skipped']} frames skipped; load {r['load_average']:.1f} on {r['cores']} cores"
    )
    print(
        f"blocks of {r['block_ms']:.2f} ms: p99 {r['p99_median_ms']:.2f}, worst {r['worst_ms']:.2f} ms; "
        f"{r['latency']} frames ahead; real-time priority: {'yes' if r['realtime'] else 'no'}"
    )
    print(
        "callbacks start late, ms, p99:", beside("callback_p99_ms", ".1f"), "worst:", beside("callback_worst_ms", ".1f")
    )
    print("xruns a minute, told to the client:", beside("xruns_told_a_minute"))
    print("  of them the client not finished:", beside("xruns_not_finished_a_minute"))
    print("  the driver itself:", beside("xruns_driver_a_minute"))
    print(
        f"CPU {r['process_cpu']:.0%} of a core, the engine's thread {r['cpu']:.0%}; {r['hops']} hops; "
        f"a swap takes {r['swap_median_seconds']:.2f} s; "
        f"searched {r['garbage_searches']} times for garbage, {r['garbage_worst_ms']:.1f} ms at most"
    )
    print(
        f"memory: {r['rss_start_mib']:.0f} MiB at the start, {r['rss_minute_mib']:.0f} after a minute, "
        f"{r['rss_end_mib']:.0f} at the end: {r['growth_mib']:+.1f}, "
        f"{r['growth_second_half_mib']:+.1f} in the second half"
    )
    print(
        f"failures {r['failures']} {r['last_failure']}, dropped {r['dropped']}, busy {r['busy']}, "
        f"errors in the callback {r['errors']}, late events {r['late_events']}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("other", type=Path)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--voices", type=int, default=8)
    parser.add_argument("--ahead", type=int, default=0, help="frames, by default the host's")
    parser.add_argument("--swap", type=float, default=20.0, metavar="SECONDS", help="between two changes of the bundle")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--frames", type=int, default=128, help="of the server's blocks")
    parser.add_argument("--no-realtime", action="store_true", help="a server that asks for no real-time priority")
    parser.add_argument("--running", action="store_true", help="play to the server that runs")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    try:
        for path in (options.bundle, options.other):
            Bundle.open(path)
    except BundleError as error:
        sys.exit(str(error))
    own = contextlib.nullcontext() if options.running else jack_server(options.frames, not options.no_realtime)
    with own as server:
        try:
            idle = [reference(server)]
        except KeyboardInterrupt:
            sys.exit(130)
        result = soak(server, options)
        with contextlib.suppress(KeyboardInterrupt):
            idle.append(reference(server))
    print_summary(result, idle)
    if options.json:
        options.json.write_text(json.dumps({**result, "idle": idle}, indent=1) + "\n")


if __name__ == "__main__":
    main()
