"""How long a hop takes that is played live, and how soon a note is there: everything on one thread."""

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

from ngs.evaluation.speed.timing import WARMING, Times, in_turns, timed
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.graph_stream import GraphStream
from ngs.runtime.bundle.manifest import BundleError
from ngs.runtime.synth.notes import Note
from ngs.runtime.synth.synth import Synth

VOICES = (1, 8, 16, 32)
MOST_VOICES = 1024  # that are looked at where fewer fit in real time
HOST_RATE = 48000  # Hz
BLOCK = 128  # frames, as an engine renders
FIRST_FRAMES = 64  # of a note
OTHERS = (0, 7)  # voices that sound when a note starts
MOST_HOPS, MOST_NOTES = 1000, 600
MORE = 0.1  # of the seconds, for each larger number of voices


@dataclass(frozen=True)
class Row:
    voices: int
    times: Times
    share: float  # of the time that is played: on the CPU what it takes of a core, on a GPU the median


@dataclass(frozen=True)
class Load:
    """One way to play hops, by the number of voices that sound."""

    sample_rate: int
    block: int  # frames that are asked for at a time
    frames: int  # that are timed: a hop, or the blocks in which it begins
    rows: list[Row]  # of VOICES
    in_real_time: float  # voices whose share is 1, between the two numbers measured around it
    extrapolated: bool  # even MOST_VOICES left time


@dataclass(frozen=True)
class NoteOn:
    sample_rate: int
    frames: int
    others: int  # voices that sound already
    times: Times


def hop_load(bundle: Bundle, seconds: float) -> Load:
    """One hop of `decoder_stream` with its state, for many voices at once; the seconds are those of VOICES."""
    manifest, hop = bundle.manifest, bundle.manifest.hop_length

    def playing(voices: int) -> Mapping[int, Callable[[], object]]:
        stream, rng = GraphStream(bundle, "decoder_stream", voices), np.random.default_rng(voices)
        for name, size in (("latent", manifest.latent_size), ("noise", manifest.grain_length)):
            stream.inputs[name][:] = rng.uniform(-1, 1, (voices, size))
        stream.inputs["level"][:] = stream.inputs["onset"][:] = 1.0
        stream.step(0, voices)  # the first grain, which ignores the state
        stream.inputs["onset"][:] = 0.0
        return {hop: lambda: stream.step(0, voices)}

    (load,) = _loads(bundle, playing, manifest.sample_rate, {hop: hop}, seconds)
    return load


def synth_loads(bundle: Bundle, sample_rate: int, seconds: float) -> list[Load]:
    """`Synth.process` with voices that all sound: a hop in one block, and the same in blocks of BLOCK frames."""
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
    """From `Synth.note_on` to the first frames of the note, whatever the other voices are in the middle of."""
    hop = _hop(bundle, sample_rate)
    attribute, rng = bundle.manifest.attributes[0], np.random.default_rng(0)
    out = np.zeros((2, 2 * hop + FIRST_FRAMES), dtype=np.float32)
    results = []
    for others in OTHERS:
        synth = Synth(bundle, sample_rate)
        synth.warm_up()
        for index in range(others):
            synth.note_on(Note(seed=index, hold=True))
            synth.process(out[:, : int(rng.integers(1, hop))])  # no two of them are in step
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
        results.append(NoteOn(sample_rate, FIRST_FRAMES, others, Times.of(taken)))
    return results


def _start(synth: Synth, note: Note, number: int, out: Array) -> None:
    synth.begin(note, number)
    synth.process(out[:, :FIRST_FRAMES])


@contextmanager
def as_it_plays() -> Iterator[None]:
    """What is there by now is no longer looked through for garbage, as while an engine runs."""
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
    """`playing` gives the calls that play so many voices, by their block; `frames` says how much each of them plays."""

    def row(block: int, voices: int, times: Times) -> Row:
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
    """Voices whose share is 1, by the shares of some numbers of voices, and whether that lies past the last of them."""
    points = [(0, 0.0), *shares.items()]
    for (low, share), (high, larger) in pairwise(points):
        if larger >= 1:
            return low + (high - low) * (1 - share) / (larger - share), False
    return points[-1][0] / points[-1][1], True


def _hop(bundle: Bundle, sample_rate: int) -> int:
    """Frames that a host plays for a hop, rounded."""
    return max(1, round(bundle.manifest.hop_length * sample_rate / bundle.manifest.sample_rate))


def _check(synth: Synth, voices: int) -> None:
    if synth.failures[0]:
        raise BundleError(synth.failures[1])
    if synth.sounding != voices:
        raise BundleError(f"{synth.bundle.path}: {synth.sounding} of {voices} voices sound")
