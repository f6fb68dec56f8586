"""Measures how fast a bundle plays on this machine, with one thread, and torch beside it: `ngs bench`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ngs.evaluation.speed.live_speed import (
    HOST_RATE,
    VOICES,
    Load,
    NoteOn,
    as_it_plays,
    hop_load,
    note_ons,
    synth_loads,
)
from ngs.evaluation.speed.products import alone, products
from ngs.evaluation.speed.timing import Durations, Machine, in_turns, machine, resident_mib
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.graph_stream import GraphStream
from ngs.runtime.bundle.seeds import drawn_embedding
from ngs.runtime.errors import reason
from ngs.runtime.offline.render import decode
from ngs.runtime.synth.engine import Engine
from ngs.runtime.temperature import TEMPERATURE

LENGTHS = (1.0, 10.0)  # seconds of sound that are decoded in one call
MOST_ROUNDS = 100
ENGINE_VOICES = 16
LIVE_GRAPHS = ("decoder_stream", "embedding_step")  # what playing live needs


@dataclass(frozen=True)
class StartUp:
    """How long each step takes, once, and how much RAM the process has after it; None if the system does not say."""

    import_ms: float  # onnxruntime
    open_ms: float  # the bundle
    sessions_ms: float  # of LIVE_GRAPHS
    warm_up_ms: float  # Engine.start
    voices: int
    memory_before_mib: float | None
    memory_open_mib: float | None
    memory_ready_mib: float | None


@dataclass(frozen=True)
class PublishedSizes:
    """Sizes of the published decoder that runs in torch: those of the bundle's own."""

    torch: str
    grain_length: int
    latent_size: int
    condition_size: int
    hidden_size: int
    blocks: int
    linear: bool


@dataclass(frozen=True)
class Offline:
    """Decoding a sound of some length in one call."""

    seconds: float
    grains: int
    times: Durations
    real_time_factor: float  # of the median
    reference: Durations | None
    ratio: float | None  # the reference's median over ours


@dataclass(frozen=True)
class Floor:
    """The matrix products that decoding needs, timed alone, beside decoding itself."""

    voices: int
    seconds: float | None  # of sound, decoded offline; None for a hop played live
    graphs: dict[str, int]  # rows that went through each graph
    operations: int  # multiplications and additions of the products
    products: Durations  # the products alone, in a graph of their own
    decoder: Durations  # in turns with them


@dataclass(frozen=True)
class Speed:
    """Everything that `ngs bench` measures."""

    bundle: str
    sample_rate: int
    grain_length: int
    hop_length: int
    provider: str
    quick: bool
    machine: Machine
    start_up: StartUp
    offline: list[Offline]
    reference: PublishedSizes | None
    no_reference: str  # why there is none
    floor: list[Floor]  # on the CPU only
    hop: Load
    synth: list[Load]  # at each sample rate, with each block size
    note_on: list[NoteOn]


def measure(path: Path | None, provider: str, quick: bool, progress: Callable[[str], None] = lambda _: None) -> Speed:
    """Measure everything in turn. Raises BundleError, ValueError."""
    seconds = 0.3 if quick else 3.0  # for most sections
    bundle, start_up = _start_up(path, provider)  # first: it finds what is wrong with a bundle within half a second
    manifest = bundle.manifest
    with as_it_plays():
        progress("A hop")
        hop = hop_load(bundle, seconds)
        synth, note_on = list[Load](), list[NoteOn]()
        for rate in dict.fromkeys((manifest.sample_rate, HOST_RATE)):
            progress(f"A synth at {rate} Hz")
            synth += synth_loads(bundle, rate, 2 * seconds)
            note_on += note_ons(bundle, rate, 2 * seconds)
    floor = []
    if bundle.provider == "cpu":
        progress("Matrix products")
        floor = [_hop_floor(bundle, voices, seconds / 2) for voices in VOICES]
        floor += [_offline_floor(bundle, length, seconds) for length in LENGTHS]
    progress("Offline decoding")
    reference, no_reference = _reference(bundle)
    offline = [_offline(bundle, reference, length, seconds) for length in LENGTHS]
    return Speed(
        bundle=str(bundle.path), sample_rate=manifest.sample_rate, grain_length=manifest.grain_length,
        hop_length=manifest.hop_length, provider=bundle.provider, quick=quick, machine=machine(), start_up=start_up,
        offline=offline, reference=reference, no_reference=no_reference, floor=floor, hop=hop, synth=synth,
        note_on=note_on,
    )  # fmt: skip


def _start_up(path: Path | None, provider: str) -> tuple[Bundle, StartUp]:
    marks, memory = [time.perf_counter()], [resident_mib()]

    def mark() -> None:
        marks.append(time.perf_counter())
        memory.append(resident_mib())

    import onnxruntime  # noqa: F401

    mark()
    bundle = Bundle.open(path, provider)
    mark()
    for graph in LIVE_GRAPHS:
        bundle.session(graph)
    mark()
    with Engine(bundle, HOST_RATE, ENGINE_VOICES):
        mark()
    import_ms, open_ms, sessions_ms, warm_up_ms = (1e3 * np.diff(marks)).tolist()
    return bundle, StartUp(import_ms, open_ms, sessions_ms, warm_up_ms, ENGINE_VOICES, memory[1], memory[3], memory[4])


def _sound(bundle: Bundle, seconds: float) -> tuple[Array, Array]:
    """A latent path [G, Z] that lasts `seconds`, a sampled sound repeated, and its condition [C]."""
    manifest = bundle.manifest
    condition = bundle.condition({manifest.attributes[0].name: manifest.attributes[0].classes[0]})
    embedding = drawn_embedding(bundle, condition, TEMPERATURE, 0)
    (path,) = bundle.run("embedding_decoder", embedding=embedding[None], condition=condition[None])[0]
    return np.resize(path, (_grains(bundle, seconds), manifest.latent_size)), condition


def _grains(bundle: Bundle, seconds: float) -> int:
    return max(1, round(seconds * bundle.manifest.sample_rate / bundle.manifest.hop_length))


def _reference(bundle: Bundle) -> tuple[PublishedSizes | None, str]:
    """The sizes of the bundle's decoder, read from its matrix products, or why there is nothing to compare with."""
    try:
        from ngs.training import published_decoder
    except (ImportError, OSError) as error:
        return None, f"torch cannot be imported ({reason(error)})"
    manifest = bundle.manifest
    shapes = [product.right[-2:] for product in products(bundle, "decoder", 1)]
    inputs = manifest.latent_size + manifest.condition_size
    hidden = next((columns for rows, columns in shapes if rows == inputs), None)
    if hidden is None:
        return None, f"the bundle's decoder has no layer with {inputs} inputs, so its sizes are unknown"
    return PublishedSizes(
        published_decoder.VERSION, manifest.grain_length, manifest.latent_size, manifest.condition_size, hidden,
        blocks=shapes.count((hidden, hidden)), linear=any(rows == hidden + manifest.latent_size for rows, _ in shapes),
    ), ""  # fmt: skip


def _offline(bundle: Bundle, sizes: PublishedSizes | None, length: float, seconds: float) -> Offline:
    path, condition = _sound(bundle, length)
    calls: dict[str, Callable[[], object]] = {"ngs": lambda: decode(bundle, path, condition, seed=0)}
    if sizes:
        from ngs.training.published_decoder import PublishedDecoder, decoding, one_thread

        decoder = PublishedDecoder(
            sizes.grain_length, sizes.latent_size, sizes.condition_size, sizes.hidden_size, sizes.blocks,
            linear=sizes.linear,
        )  # fmt: skip
        calls["torch"] = decoding(decoder, path, condition)
        with one_thread():
            times = in_turns(calls, 2 * seconds, MOST_ROUNDS)
    else:
        times = in_turns(calls, seconds, MOST_ROUNDS)
    ours, reference = times["ngs"], times.get("torch")
    played = len(path) * bundle.manifest.hop_length / bundle.manifest.sample_rate
    return Offline(
        length, len(path), ours, 1e3 * played / ours.p50_ms, reference,
        reference.p50_ms / ours.p50_ms if reference else None,
    )  # fmt: skip


def _hop_floor(bundle: Bundle, voices: int, seconds: float) -> Floor:
    stream = GraphStream(bundle, "decoder_stream", voices)
    calls = Counter({("decoder_stream", voices): 1})
    return _floor(bundle, voices, None, calls, lambda: stream.step(0, voices), seconds)


def _offline_floor(bundle: Bundle, length: float, seconds: float) -> Floor:
    path, condition = _sound(bundle, length)
    recorder = _Recorder.open(bundle.path, bundle.provider)
    for _ in range(2):  # the first call also prepares things, once
        recorder.calls.clear()
        decode(recorder, path, condition, seed=0)
    return _floor(bundle, 1, length, recorder.calls, lambda: decode(bundle, path, condition, seed=0), seconds)


def _floor(
    bundle: Bundle, voices: int, length: float | None, calls: Counter[tuple[str, int]],
    decoder: Callable[[], object], seconds: float,
) -> Floor:  # fmt: skip
    wanted = {call: products(bundle, *call) for call in calls}
    graphs = [alone(found) for call, found in wanted.items() for _ in range(calls[call]) if found]
    times = in_turns({"products": lambda: [run() for run in graphs], "decoder": decoder}, seconds, MOST_ROUNDS)
    rows = Counter[str]()
    for (graph, count), often in calls.items():
        rows[graph] += count * often
    operations = sum(calls[call] * product.operations for call, found in wanted.items() for product in found)
    return Floor(voices, length, dict(rows), operations, times["products"], times["decoder"])


class _Recorder(Bundle):
    """A bundle that counts which graphs are run, on how many rows."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.calls: Counter[tuple[str, int]] = Counter()

    def run(self, graph: str, **inputs: Array) -> tuple[Array, ...]:
        self.calls[graph, len(next(iter(inputs.values())))] += 1
        return super().run(graph, **inputs)
