"""How long a hop takes when played live, and how soon a note sounds. Everything runs on one thread."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from ngs.evaluation.speed.timing import WARMING, Durations, in_turns, timed
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.bundle.graph_stream import SoundStream
from ngs.runtime.synth.notes import Note
from ngs.runtime.synth.synth import Synth

VOICES = (1, 8, 16, 32)
MOST_VOICES = 1024  # the most that are tried, while more still fit in real time
HOST_RATE = 48000  # Hz
BLOCK = 128  # frames that an engine renders at a time
FIRST_FRAMES = 64  # a note has begun when they are rendered
OTHERS = (0, 7)  # voices that already sound when a note starts
MOST_HOPS, MOST_NOTES = 1000, 600
MORE = 0.1  # share of the seconds, for each number of voices beyond VOICES


@dataclass(frozen=True)
class Row:
    """A number of voices that sound at once."""

    voices: int
    times: Durations
    share: float  # CPU time (on a GPU the median duration) per second of sound


@dataclass(frozen=True)
class Load:
    """What it costs to play one hop, by the number of voices."""

    sample_rate: int
    block: int  # frames that are rendered at a time
    frames: int  # frames that one measurement renders: a hop, rounded up to blocks
    rows: list[Row]  # for each of VOICES
    in_real_time: float  # voices whose share is 1, interpolated
    extrapolated: bool  # even MOST_VOICES voices took less than real time


@dataclass(frozen=True)
class NoteOn:
    """How soon a note sounds."""

    sample_rate: int
    frames: int
    others: int  # voices that already sound
    times: Durations


def hop_load(bundle: Bundle, seconds: float) -> Load:
    """One hop of `decoder_stream` with its state, for many voices at once. `seconds` is how long to measure VOICES."""
    manifest, hop = bundle.manifest, bundle.manifest.hop_length

    def playing(voices: int) -> Mapping[int, Callable[[], object]]:
        stream, rng = SoundStream(bundle, voices), np.random.default_rng(voices)
        for name, size in (("latent", manifest.latent_size), ("noise", manifest.grain_length)):
            stream.inputs[name][:] = rng.uniform(-1, 1, (voices, size))
        stream.inputs["level"][:] = stream.inputs["onset"][:] = 1.0
        stream.step(0, voices)  # the first grain, which ignores the state
        stream.inputs["onset"][:] = 0.0
        return {hop: lambda: stream.step(0, voices)}

    (load,) = _loads(bundle, playing, manifest.sample_rate, {hop: hop}, seconds)
    return load


def synth_loads(bundle: Bundle, sample_rate: int, seconds: float) -> list[Load]:
    """`Synth.process` with all voices sounding: a hop in one block, and the same in blocks of BLOCK frames."""
    hop = _hop(bundle, sample_rate)
    frames = {block: math.ceil(hop / block) * block for block in (hop, BLOCK)}

    def playing(voices: int) -> Mapping[int, Callable[[], object]]:
        synth, out = Synth(bundle, sample_rate, voices), np.zeros((2, max(hop, BLOCK)), dtype=np.float32)
        for index in range(voices):
            synth.note_on(Note(seed=index, hold=True))

        def play(block: int) -> None:
            for _ in range(0, frames[block], block):
                synth.process(out[:, :block])

        play(hop)
        _check(synth, voices)
        return {block: partial(play, block) for block in frames}

    return _loads(bundle, playing, sample_rate, frames, seconds)


def note_ons(bundle: Bundle, sample_rate: int, seconds: float) -> list[NoteOn]:
    """From `Synth.note_on` to the first frames of the note, while other voices are somewhere in their hops."""
    hop = _hop(bundle, sample_rate)
    attribute, rng = bundle.manifest.attributes[0], np.random.default_rng(0)
    out = np.zeros((2, 2 * hop + FIRST_FRAMES), dtype=np.float32)
    results = []
    for others in OTHERS:
        synth = Synth(bundle, sample_rate)
        synth.warm_up()
        for index in range(others):
            synth.note_on(Note(seed=index, hold=True))
            synth.process(out[:, : int(rng.integers(1, hop))])  # out of step with one another
        taken: list[tuple[float, float]] = []
        end = time.perf_counter() + seconds / len(OTHERS)
        for index in range(WARMING + MOST_NOTES):
            note = Note({attribute.name: attribute.classes[index % len(attribute.classes)]}, seed=index, hold=True)
            one = timed(partial(_start, synth, note, others + 1 + index, out))
            if index >= WARMING:
                taken.append(one)
            _check(synth, others + 1)
            synth.note_off(others + 1 + index, release=0.0)
            synth.process(out[:, : int(rng.integers(hop // 2, 2 * hop))])
            if taken and time.perf_counter() > end:
                break
        results.append(NoteOn(sample_rate, FIRST_FRAMES, others, Durations.of(taken)))
    return results


def _start(synth: Synth, note: Note, number: int, out: Array) -> None:
    synth.begin(note, number)
    synth.process(out[:, :FIRST_FRAMES])


@contextmanager
def as_it_plays() -> Iterator[None]:
    """Keep the garbage collector from searching what exists by now, as an engine does while it runs."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _loads(
    bundle: Bundle,
    playing: Callable[[int], Mapping[int, Callable[[], object]]],
    sample_rate: int,
    frames: Mapping[int, int],
    seconds: float,
) -> list[Load]:
    """Measure VOICES and, while they fit in real time, more.

    `playing(voices)` gives a function that plays that many voices, for each block size; `frames` says how many frames
    each plays.
    """

    def row(block: int, voices: int, times: Durations) -> Row:
        taken_ms = times.cpu_ms if bundle.provider == "cpu" else times.p50_ms
        return Row(voices, times, 1e-3 * taken_ms * sample_rate / frames[block])

    calls = {(block, voices): call for voices in VOICES for block, call in playing(voices).items()}
    measured = in_turns(calls, seconds, MOST_HOPS)
    rows = {block: [row(block, voices, measured[block, voices]) for voices in VOICES] for block in frames}
    voices = VOICES[-1]
    while voices < MOST_VOICES and min(found[-1].share for found in rows.values()) < 1:
        voices *= 2
        for block, times in in_turns(playing(voices), MORE * seconds, MOST_HOPS).items():
            rows[block].append(row(block, voices, times))
    return [
        Load(
            sample_rate, block, frames[block], found[: len(VOICES)],
            *in_real_time({row.voices: row.share for row in found}),
        )
        for block, found in rows.items()
    ]  # fmt: skip


def in_real_time(shares: Mapping[int, float]) -> tuple[float, bool]:
    """How many voices have a share of 1, given the shares of some numbers of voices; whether it is beyond them."""
    points = [(0, 0.0), *shares.items()]
    for (low, share), (high, larger) in pairwise(points):
        if larger >= 1:
            return low + (high - low) * (1 - share) / (larger - share), False
    return points[-1][0] / points[-1][1], True


def _hop(bundle: Bundle, sample_rate: int) -> int:
    """Frames of a hop at the host's sample rate, rounded."""
    return max(1, round(bundle.manifest.hop_length * sample_rate / bundle.manifest.sample_rate))


def _check(synth: Synth, voices: int) -> None:
    if synth.failures[0]:
        raise BundleError(synth.failures[1])
    if synth.sounding != voices:
        raise BundleError(f"{synth.bundle.path}: {synth.sounding} of {voices} voices sound")
