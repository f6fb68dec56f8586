"""What `ngs bench` measured, as lines of plain text."""

from __future__ import annotations

from collections.abc import Callable

from ngs import __version__
from ngs.evaluation.speed.live_speed import MOST_VOICES, Load
from ngs.evaluation.speed.speed import Speed
from ngs.evaluation.speed.timing import Durations
from ngs.evaluation.text_table import aligned

TIMES = ("p50 ms", "p99 ms", "worst ms")


def speed_lines(speed: Speed) -> list[str]:
    """A line about the bundle, two about the machine, and a table for each section."""
    sections: tuple[Callable[[Speed], list[list[str]]], ...] = (_offline, _floor, _live, _note_on, _start_up)
    tables = [section(speed) for section in sections]
    first = max(len(row[0]) for table in tables for row in table if len(row) > 1)
    lines = _machine(speed)
    for table in tables:
        lines += ["", *aligned(table, first)] if table else []
    return lines


def _machine(speed: Speed) -> list[str]:
    machine, hop_ms = speed.machine, 1e3 * speed.hop_length / speed.sample_rate
    cores = f"{machine.cores} core{'s' * (machine.cores > 1)}"
    if machine.usable_cores < machine.cores:
        cores += f", {machine.usable_cores} of them for this process"
    load = f", load {' '.join(f'{value:.2f}' for value in machine.load)}" if machine.load else ""
    return [
        f"{speed.bundle}: {speed.sample_rate} Hz, grains of {speed.grain_length} samples, a hop of {hop_ms:.1f} ms",
        f"{machine.processor}, {cores}, {machine.system}{load}",
        f"ngs {__version__}, Python {machine.python}, numpy {machine.numpy}, onnxruntime {machine.onnxruntime}, "
        f"provider {speed.provider}, one thread",
    ]


def _offline(speed: Speed) -> list[list[str]]:
    rows = [["Decoding offline", "ngs ms", "x real time", "torch ms", "torch / ngs", "rounds"]]
    for one in speed.offline:
        rows.append([
            f"  {one.seconds:g} s, grains: {one.grains}", f"{one.times.p50_ms:.2f}", f"{one.real_time_factor:.0f}",
            f"{one.reference.p50_ms:.2f}" if one.reference else "n/a", f"{one.ratio:.2f}" if one.ratio else "n/a",
            str(one.times.count),
        ])  # fmt: skip
    rows.append(["Medians of one voice, measured in turns."])
    sizes = speed.reference
    if sizes is None:
        return [*rows, [f"No torch beside it: {speed.no_reference}."]]
    layers = f"{sizes.latent_size} + {sizes.condition_size} inputs, {sizes.hidden_size} wide, {sizes.blocks} blocks"
    return [
        *rows,
        [f"torch {sizes.torch}: eager, one CPU thread, layers as in the bundle ({layers});"],
        ["  noise filtered by irfft, rfft, irfft and fold, then a FIR of 5 x 65 taps and softsign, as published."],
    ]


def _floor(speed: Speed) -> list[list[str]]:
    if not speed.floor:
        return []
    rows = [["Floor: matrix products", "Mflop", "Gflop/s", "alone ms", "decoder ms", "of it"]]
    for one in speed.floor:
        alone, decoder = one.products.p50_ms, one.decoder.p50_ms
        rows.append([
            f"  {one.seconds:g} s" if one.seconds else f"  a hop, voices: {one.voices}",
            f"{one.operations / 1e6:.1f}", f"{one.operations / alone / 1e6:.1f}",
            f"{alone:.3f}", f"{decoder:.3f}", f"{alone / decoder:.0%}",
        ])  # fmt: skip
    counted = ", ".join(f"{graph} {count}" for graph, count in speed.floor[-1].graphs.items())
    return [
        *rows,
        ["Counted: MatMul and Gemm as onnxruntime runs them, 2 operations for each multiplication. Alone: the same"],
        ["  products in a graph of their own, on one CPU thread; medians, in turns with the decoder. Not counted:"],
        ["  biases, copies, elementwise operations, noise, Python."],
        [f"Rows that go through each graph for the last line: {counted}."],
    ]


def _live(speed: Speed) -> list[list[str]]:
    head = [*TIMES, "of a core" if speed.provider == "cpu" else "of the time", "calls"]
    rows = [["A hop of the decoder alone", *head], *_load(speed.hop)]
    for load in speed.synth:
        rows += [[], [f"A synth, {load.sample_rate} Hz, blocks of {load.block}", *head], *_load(load)]
    share = "mean CPU time of the thread" if speed.provider == "cpu" else "median duration"
    return [
        *rows,
        ["All voices sound and are decoded in one call. A synth is measured whole, Python included."],
        [f"Last columns: {share}, per second of sound. In real time: the voices at which it is 1."],
    ]


def _load(load: Load) -> list[list[str]]:
    rows = [
        [f"  voices: {row.voices}", *_times(row.times), f"{row.share:.1%}", str(row.times.count)] for row in load.rows
    ]
    about = f"more than {MOST_VOICES}, extrapolated to" if load.extrapolated else "about"
    return [*rows, [f"  in real time: {about} {load.in_real_time:.0f} voices"]]


def _note_on(speed: Speed) -> list[list[str]]:
    rows = [["From note-on to first samples", *TIMES, "notes"]]
    for one in speed.note_on:
        rows.append([f"  {one.sample_rate} Hz, others: {one.others}", *_times(one.times), str(one.times.count)])
    frames = speed.note_on[0].frames
    return [
        *rows,
        [f"From Synth.note_on to the first {frames} frames of Synth.process, warmed up. A live engine adds latency."],
    ]


def _start_up(speed: Speed) -> list[list[str]]:
    one = speed.start_up
    rows = [["Start-up, once", "ms", "memory MiB"]]
    for name, taken, memory in (
        ("importing onnxruntime", one.import_ms, _mib(one.memory_before_mib)),
        ("opening the bundle", one.open_ms, ""),
        ("sessions of decoder_stream, embedding_step", one.sessions_ms, _mib(one.memory_open_mib)),
        (f"Engine.start, voices: {one.voices}", one.warm_up_ms, _mib(one.memory_ready_mib)),
    ):
        rows.append([f"  {name}", f"{taken:.1f}", memory])
    return [*rows, ["Memory: RAM of the whole process after the step."]]


def _times(times: Durations) -> list[str]:
    return [f"{value:.3f}" for value in (times.p50_ms, times.p99_ms, times.worst_ms)]


def _mib(memory: float | None) -> str:
    return "n/a" if memory is None else f"{memory:.0f}"
