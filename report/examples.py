"""The sounds of a report: what a model is asked to play, section by section (paper, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path

import numpy as np

from ngs.evaluation.quality.descriptors import normalised
from ngs.evaluation.quality.selection import Entry, limited
from ngs.report.gallery import Clip
from ngs.report.latent_map import PATH_SECONDS
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.seeds import Stream, seeded
from ngs.runtime.dsp.audio_files import read_audio, resample
from ngs.runtime.dsp.paths import KINDS, free_path, map_place
from ngs.runtime.offline.loop import render_loop
from ngs.runtime.offline.patterns import load_pattern
from ngs.runtime.offline.render import (
    decode_embeddings,
    embed,
    grains_for,
    interpolate,
    play_path,
    resynthesise,
    sample,
)

Rows = list[tuple[str, str, Sequence[Clip]]]

MOST_PAIRS, PAIRS_A_CLASS = 20, 2
MOST_ROWS, SAMPLES_A_CLASS = 16, 5
MOST_CLASSES = 64  # of which a sample is drawn where there are more than MOST_ROWS
TEMPERATURE = 0.7
MOST_SECONDS = 20.0  # of a given sound
MORPHS, MORPH_STEPS = 3, 5
LOOPS = {"house": 122.0, "breakbeat": 165.0}  # pattern: beats a minute
GLIDE_SECONDS, GLIDE_HZ, GLIDE_OCTAVES = 4.0, 55.0, 3.0


def to_reconstruct(entries: Sequence[Entry], seed: int) -> list[Entry]:
    """Two sounds of each class, of many classes fewer, at most 20."""
    classes = len({entry.name for entry in entries})
    few = sorted(limited(entries, max(min(MOST_PAIRS // classes, PAIRS_A_CLASS), 1), seed), key=attrgetter("name"))
    return [few[turn] for turn in sorted(seeded(seed, Stream.REPORT_PAIRS).permutation(len(few))[:MOST_PAIRS].tolist())]


def to_morph(entries: Sequence[Entry], seed: int) -> list[Entry]:
    """Pairs of sounds, one after another: of two classes each where there are two."""
    one = len({entry.name for entry in entries}) == 1
    few = sorted(limited(entries, 2 * MORPHS if one else 1, seed + 1), key=attrgetter("name"))[: 2 * MORPHS]
    return few[: len(few) // 2 * 2]


def reconstructions(bundle: Bundle, sounds: Sequence[tuple[Entry, Array]], seed: int) -> Rows:
    """Sounds, 20 s of them at most, beside what encoder and decoder make of them."""
    rows: Rows = []
    for entry, whole in sounds:
        signal = whole[: round(MOST_SECONDS * bundle.manifest.sample_rate)]
        rebuilt = resynthesise(bundle, signal, entry.condition, seed)
        cut = f", its first {MOST_SECONDS:g} s" if len(signal) < len(whole) else ""
        pair = (Clip("Original", "", signal), Clip("Reconstruction", "", rebuilt))
        rows.append((entry.name, entry.file.name + cut, pair))
    return rows


def samples(bundle: Bundle, seed: int) -> Rows:
    """Sounds of each class, drawn from the prior: five; of more than 16 classes one, of up to 64."""
    attribute = bundle.manifest.attributes[0]

    def clip(name: str, index: int, title: str) -> Clip:
        condition = bundle.condition({attribute.name: name})
        return Clip(title, "", sample(bundle, condition, TEMPERATURE, seed, index))

    if len(attribute.classes) <= MOST_ROWS:
        return [
            (name, f"seed {seed}", [clip(name, index, str(index + 1)) for index in range(SAMPLES_A_CLASS)])
            for name in attribute.classes
        ]
    chosen = sorted(seeded(seed, Stream.REPORT_CLASSES).permutation(len(attribute.classes))[:MOST_CLASSES].tolist())
    names = [attribute.classes[number] for number in chosen]
    left_out = len(attribute.classes) - len(names)
    detail = f"{len(names)} of {len(attribute.classes)}, drawn by the seed {seed}" if left_out else f"seed {seed}"
    return [("", detail, [clip(name, 0, name) for name in names])]


def free_paths(bundle: Bundle, seed: int) -> Rows:
    """A path of every kind through the grains of all classes; `seed` is that of the first kind."""
    clips = []
    for number, kind in enumerate(KINDS):
        path = free_path(kind, grains_for(PATH_SECONDS, bundle), seed + number, bundle.latent_map)
        signal = play_path(bundle, path, np.zeros(bundle.manifest.condition_size, np.float32), seed + number)
        places = map_place(bundle.latent_map, path)
        clips.append(Clip(kind, f"seed {seed + number}", signal, tuple((x, y) for x, y in places.tolist())))
    return [("", "", clips)]


def read_given(files: Sequence[Path], rate: int) -> list[tuple[str, str, Array]]:
    """Name, detail and the first 20 s of files, at a peak of 0.9. Raises ValueError."""
    sounds = []
    for file in files:
        signal = normalised(read_audio(file, rate)[: round(MOST_SECONDS * rate)])
        if not signal.any():
            raise ValueError(f"{file} is silent")
        sounds.append((file.stem, file.name, signal))
    return sounds


def resyntheses(bundle: Bundle, sounds: Sequence[tuple[str, str, Array]], seed: int) -> Rows:
    """Foreign sounds, and the same played with the grains of the model: a drum loop, a gliding sawtooth, `sounds`."""
    rate = bundle.manifest.sample_rate
    drums = Bundle.open()
    tracks = load_pattern("breakbeat", drums.manifest.attributes[0].classes)
    loop = render_loop(drums, tracks, 120.0, 1, 3, drums.manifest.sample_rate, TEMPERATURE)
    given = [
        ("Drum loop", "of the bundle that comes with ngs", resample(loop, drums.manifest.sample_rate, rate)),
        ("Sawtooth", f"gliding up {GLIDE_OCTAVES:g} octaves from {GLIDE_HZ:g} Hz", _glide(rate)),
        *sounds,
    ]
    condition = np.zeros(bundle.manifest.condition_size, np.float32)
    rows: Rows = []
    for title, detail, signal in given:
        played = resynthesise(bundle, signal, condition, seed)
        rows.append((title, detail, (Clip("Original", "", signal), Clip("Resynthesis", "", played))))
    return rows


def morphs(bundle: Bundle, sounds: Sequence[tuple[Entry, Array]], seed: int) -> Rows:
    """From each first of a pair of sounds to the second in steps, embedding and condition together."""
    rows: Rows = []
    shares = np.linspace(0, 1, MORPH_STEPS, dtype=np.float32)
    for (first, start), (last, end) in zip(sounds[::2], sounds[1::2], strict=False):
        ends = embed(bundle, start, first.condition), embed(bundle, end, last.condition)
        conditions = first.condition + shares[:, None] * (last.condition - first.condition)
        decoded = decode_embeddings(bundle, interpolate(*ends, MORPH_STEPS), conditions, [seed] * MORPH_STEPS)
        titles = [first.name, *(f"{share:.0%}" for share in shares[1:-1]), last.name]
        clips = [Clip(title, "", signal) for title, signal in zip(titles, decoded, strict=True)]
        rows.append((f"{first.name} to {last.name}", f"{first.file.name} to {last.file.name}", clips))
    return rows


def loops(bundle: Bundle, seed: int) -> Rows:
    """Two bars of patterns with a fresh hit at every step."""
    rate, classes = bundle.manifest.sample_rate, bundle.manifest.attributes[0].classes
    clips = [
        Clip(
            pattern,
            f"{bpm:g} beats a minute: {', '.join(track.class_name for track in load_pattern(pattern, classes))}",
            render_loop(bundle, load_pattern(pattern, classes), bpm, 2, seed, rate, TEMPERATURE),
        )
        for pattern, bpm in LOOPS.items()
    ]
    return [("", "", clips)]


def _glide(rate: int) -> Array:
    """A sawtooth of a few harmonics that glides up, rising from and falling to silence: float32 [n]."""
    seconds = np.arange(round(GLIDE_SECONDS * rate)) / rate
    hz = GLIDE_HZ * 2 ** (GLIDE_OCTAVES * seconds / GLIDE_SECONDS)
    phase = 2 * np.pi * np.cumsum(hz) / rate
    highest = rate / 2 / hz
    wave = sum(np.where(k < highest, np.sin(k * phase) / k, 0.0) for k in range(1, 24))
    edges = np.minimum(1, np.minimum(seconds, seconds[-1] - seconds) / 0.05)
    return normalised((0.5 * edges * wave).astype(np.float32))
