"""The sounds of a report: what a model is asked to play, section by section (paper, section 5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ngs.evaluation.descriptors import normalised
from ngs.evaluation.sounds import Entry
from ngs.report.gallery import Clip
from ngs.runtime.audio import read_audio, resample
from ngs.runtime.bundle import Bundle
from ngs.runtime.loop import render_loop
from ngs.runtime.paths import KINDS, free_path, map_place
from ngs.runtime.patterns import load_pattern
from ngs.runtime.render import (
    decode_embeddings,
    embed,
    grains_for,
    interpolate,
    play_path,
    resynthesise,
    sample,
    seeded,
)

Array = NDArray[np.float32]
Rows = list[tuple[str, str, Sequence[Clip]]]
Places = tuple[tuple[float, float], ...]

MOST_PAIRS, PAIRS_A_CLASS = 20, 2
MOST_SAMPLED, SAMPLES_A_CLASS = 16, 5
TEMPERATURE = 0.7
PATH_SECONDS = 6.0
MOST_RESYNTHESIS_SECONDS = 20.0
MORPHS, MORPH_STEPS = 3, 5
LOOPS = {"house": 122.0, "breakbeat": 165.0}  # pattern: beats a minute
GLIDE_SECONDS, GLIDE_HZ, GLIDE_OCTAVES = 4.0, 55.0, 3.0


def reconstructions(bundle: Bundle, sounds: Sequence[tuple[Entry, Array]], seed: int) -> Rows:
    """Pairs of some sounds of each class, drawn by the seed, and what encoder and decoder make of them."""
    rows: Rows = []
    names = sorted({entry.name for entry, _ in sounds})
    each = max(min(MOST_PAIRS // len(names), PAIRS_A_CLASS), 1)
    for entry, signal in _drawn(sounds, each, seed)[:MOST_PAIRS]:
        rebuilt = resynthesise(bundle, signal, entry.condition, seed)
        pair = (Clip("Original", "", signal), Clip("Reconstruction", "", rebuilt))
        rows.append((entry.name, entry.file.name, pair))
    return rows


def samples(bundle: Bundle, seed: int) -> Rows:
    """Sounds of each class, drawn from the prior."""
    attribute = bundle.manifest.conditions[0]
    rows: Rows = []
    for name in attribute.classes[:MOST_SAMPLED]:
        condition = bundle.condition({attribute.name: name})
        clips = [
            Clip(str(index + 1), "", sample(bundle, condition, TEMPERATURE, seed, index))
            for index in range(SAMPLES_A_CLASS)
        ]
        rows.append((name, f"ngs render sample --class {name} --seed {seed} --count {SAMPLES_A_CLASS}", clips))
    return rows


def free_paths(bundle: Bundle, seed: int) -> Rows:
    """A path of every kind through the grains of all classes; `seed` is that of the first kind."""
    clips = []
    for number, kind in enumerate(KINDS):
        path = free_path(kind, grains_for(PATH_SECONDS, bundle), seed + number, bundle.latent_map)
        signal = play_path(bundle, path, np.zeros(bundle.manifest.condition_size, np.float32), seed + number)
        places = map_place(bundle.latent_map, path)
        clips.append(Clip(kind, f"seed {seed + number}", signal, tuple((x, y) for x, y in places.tolist())))
    return [("", "", clips)]


def resyntheses(bundle: Bundle, files: Sequence[Path], seed: int) -> Rows:
    """Foreign sounds, and the same played with the grains of the model: a drum loop, a gliding sawtooth, `files`."""
    rate = bundle.manifest.sample_rate
    drums = Bundle.open()
    tracks = load_pattern("breakbeat", drums.manifest.conditions[0].classes)
    loop = render_loop(drums, tracks, 120.0, 1, 3, drums.manifest.sample_rate, TEMPERATURE)
    given = [
        ("Drum loop", "of the bundle that comes with ngs", resample(loop, drums.manifest.sample_rate, rate)),
        ("Sawtooth", f"gliding up {GLIDE_OCTAVES:g} octaves from {GLIDE_HZ:g} Hz", _glide(rate)),
    ]
    for file in files:
        signal = normalised(read_audio(file, rate)[: round(MOST_RESYNTHESIS_SECONDS * rate)])
        given.append((file.stem, file.name, signal))
    condition = np.zeros(bundle.manifest.condition_size, np.float32)
    rows: Rows = []
    for title, detail, signal in given:
        played = resynthesise(bundle, signal, condition, seed)
        rows.append((title, detail, (Clip("Original", "", signal), Clip("Resynthesis", "", played))))
    return rows


def morphs(bundle: Bundle, sounds: Sequence[tuple[Entry, Array]], seed: int) -> Rows:
    """From a sound to one of another class in steps, embedding and condition together."""
    chosen = _drawn(sounds, 1, seed + 1)
    pairs = zip(chosen[::2], chosen[1::2], strict=False) if len(chosen) > 1 else ()
    rows: Rows = []
    shares = np.linspace(0, 1, MORPH_STEPS, dtype=np.float32)
    for (first, start), (last, end) in list(pairs)[:MORPHS]:
        ends = embed(bundle, start, first.condition), embed(bundle, end, last.condition)
        conditions = first.condition + shares[:, None] * (last.condition - first.condition)
        decoded = decode_embeddings(bundle, interpolate(*ends, MORPH_STEPS), conditions, [seed] * MORPH_STEPS)
        titles = [first.name, *(f"{share:.0%}" for share in shares[1:-1]), last.name]
        clips = [Clip(title, "", signal) for title, signal in zip(titles, decoded, strict=True)]
        rows.append((f"{first.name} to {last.name}", f"{first.file.name} to {last.file.name}", clips))
    return rows


def loops(bundle: Bundle, seed: int) -> Rows:
    """Two bars of patterns with a fresh hit at every step."""
    rate, classes = bundle.manifest.sample_rate, bundle.manifest.conditions[0].classes
    clips = [
        Clip(
            pattern,
            f"{bpm:g} beats a minute: {', '.join(track.class_name for track in load_pattern(pattern, classes))}",
            render_loop(bundle, load_pattern(pattern, classes), bpm, 2, seed, rate, TEMPERATURE),
        )
        for pattern, bpm in LOOPS.items()
    ]
    return [("", "", clips)]


def _drawn(sounds: Sequence[tuple[Entry, Array]], each: int, seed: int) -> list[tuple[Entry, Array]]:
    """Of each class so many sounds, drawn by the seed, classes in order."""
    return [
        sounds[index]
        for number, members in enumerate(_by_class(sounds))
        for index in [members[turn] for turn in seeded(seed, 59, number).permutation(len(members))[:each]]
    ]


def _by_class(sounds: Sequence[tuple[Entry, Array]]) -> Iterator[list[int]]:
    for name in sorted({entry.name for entry, _ in sounds}):
        yield [index for index, (entry, _) in enumerate(sounds) if entry.name == name]


def _glide(rate: int) -> Array:
    """A sawtooth of a few harmonics that glides up, rising from and falling to silence: float32 [n]."""
    seconds = np.arange(round(GLIDE_SECONDS * rate)) / rate
    hz = GLIDE_HZ * 2 ** (GLIDE_OCTAVES * seconds / GLIDE_SECONDS)
    phase = 2 * np.pi * np.cumsum(hz) / rate
    highest = rate / 2 / hz
    wave = sum(np.where(k < highest, np.sin(k * phase) / k, 0.0) for k in range(1, 24))
    edges = np.minimum(1, np.minimum(seconds, seconds[-1] - seconds) / 0.05)
    return normalised((0.5 * edges * wave).astype(np.float32))
