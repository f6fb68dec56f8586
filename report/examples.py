"""The sounds of a report: what a model is asked to play, section by section (paper, section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ngs.evaluation.quality.descriptors import normalised
from ngs.evaluation.quality.selection import Entry, limited
from ngs.evaluation.quality.transfers import Transfers, read_sound, read_sounds, transfer
from ngs.report.latent_map import PATH_SECONDS
from ngs.report.page_map import MapFrame
from ngs.report.players import Clip, ClipRow
from ngs.report.words import transfer_words
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.levels import morph_levels, path_levels
from ngs.runtime.bundle.prior import embeddings_between
from ngs.runtime.chance import Purpose, generator
from ngs.runtime.dsp.audio_files import resample
from ngs.runtime.dsp.paths import KINDS, free_path, map_place
from ngs.runtime.errors import printable
from ngs.runtime.offline.loop import render_loop
from ngs.runtime.offline.patterns import load_pattern
from ngs.runtime.offline.render import (
    decode_embeddings,
    embed,
    grains_for,
    play_path,
    reconstruct,
    sample,
)
from ngs.runtime.temperature import TEMPERATURE

MOST_PAIRS, PAIRS_A_CLASS = 20, 2
MOST_ROWS, SAMPLES_A_CLASS = 16, 5
MOST_CLASSES = 64  # one sample of each, if there are more than MOST_ROWS
MOST_SECONDS = 20.0  # of a sound that is played again
MORPHS, MORPH_STEPS = 3, 5
TRANSFERRED = ("speech", "clarinet")
LOOPS = {"house": 122.0, "breakbeat": 165.0}  # pattern: beats a minute
GLIDE_SECONDS, GLIDE_HZ, GLIDE_OCTAVES = 4.0, 55.0, 3.0

Sounds = Sequence[tuple[Entry, Array]]


class GivenSound(NamedTuple):
    """A sound to resynthesise that is not of the corpus."""

    title: str
    detail: str
    signal: Array  # [n]


def reconstructions(bundle: Bundle, sounds: Sounds, seed: int) -> list[ClipRow]:
    """Pairs of a sound and its reconstruction: two for each class, 20 pairs at most."""
    rows = []
    for entry, whole in _pairs(sounds, seed):
        signal = whole[: round(MOST_SECONDS * bundle.manifest.sample_rate)]
        rebuilt = reconstruct(bundle, signal, entry.condition, seed)
        cut = f", the first {MOST_SECONDS:g} s" if len(signal) < len(whole) else ""
        pair = (Clip("Original", "", signal), Clip("Reconstruction", "", rebuilt))
        rows.append(ClipRow(entry.name, entry.file.name + cut, pair))
    return rows


def samples(bundle: Bundle, seed: int) -> list[ClipRow]:
    """Five samples of each class; with more than 16 classes, one sample of each, 64 at most."""
    attribute = bundle.manifest.attributes[0]

    def clip(name: str, index: int, title: str) -> Clip:
        condition = bundle.condition({attribute.name: name})
        return Clip(title, "", sample(bundle, condition, TEMPERATURE, seed, index))

    if len(attribute.classes) <= MOST_ROWS:
        return [
            ClipRow(name, f"seed {seed}", [clip(name, index, str(index + 1)) for index in range(SAMPLES_A_CLASS)])
            for name in attribute.classes
        ]
    chosen = sorted(generator(Purpose.REPORT_CLASSES, seed).permutation(len(attribute.classes))[:MOST_CLASSES].tolist())
    names = [attribute.classes[number] for number in chosen]
    left_out = len(attribute.classes) - len(names)
    detail = f"{len(names)} of {len(attribute.classes)}, drawn by the seed {seed}" if left_out else f"seed {seed}"
    return [ClipRow("", detail, [clip(name, 0, name) for name in names])]


def free_paths(bundle: Bundle, frame: MapFrame, seed: int) -> list[ClipRow]:
    """A path of every kind, no class chosen; the first has the seed `seed`, the next `seed + 1`, and so on."""
    clips = []
    for number, kind in enumerate(KINDS):
        path = free_path(kind, grains_for(PATH_SECONDS, bundle), seed + number, bundle.latent_map)
        condition = np.zeros(bundle.manifest.condition_size, np.float32)
        signal = play_path(bundle, path, condition, seed + number, path_levels(bundle, path, condition))
        clips.append(Clip(kind, f"seed {seed + number}", signal, frame(map_place(bundle.latent_map, path))))
    return [ClipRow("", "", clips)]


def read_given(files: Sequence[Path], rate: int) -> list[GivenSound]:
    """The first 20 s of each file, at a peak of 0.9. Raises ValueError."""
    sounds = []
    for file in files:
        sounds.append(GivenSound(printable(file.stem), printable(file.name), read_sound(file, rate, MOST_SECONDS)))
    return sounds


def resyntheses(bundle: Bundle, given: Sequence[GivenSound], seed: int) -> list[ClipRow]:
    """Pairs of a sound and its resynthesis: a drum loop, a gliding sawtooth, and `given`."""
    rate = bundle.manifest.sample_rate
    condition = np.zeros(bundle.manifest.condition_size, np.float32)
    rows = []
    for title, detail, signal in (_drum_loop(rate), _glide(rate), *given):
        played = reconstruct(bundle, signal, condition, seed)
        rows.append(ClipRow(title, detail, (Clip("Original", "", signal), Clip("Resynthesis", "", played))))
    return rows


def transfers(bundle: Bundle, measured: Transfers | None, seed: int) -> list[ClipRow]:
    """Speech and a clarinet, as they are and as they were played to be `measured`: none if they were not."""
    if measured is None:
        return []
    rows, sounds = [], read_sounds((), bundle.manifest.sample_rate)
    for name in TRANSFERRED:
        clips = [Clip("As it is", "", sounds[name])]
        for one in measured.played:
            if one.sound == name:
                sound = transfer(bundle, sounds[name], one.style, one.chosen, seed)
                clips.append(Clip(one.chosen or f"Style {one.style:g}", transfer_words(one, measured.heard), sound))
        rows.append(ClipRow(name.capitalize(), "", clips))
    return rows


def morphs(bundle: Bundle, sounds: Sounds, seed: int) -> list[ClipRow]:
    """Morphs between two sounds, of different classes if there are two classes."""
    rows = []
    ends = _ends(sounds, seed)
    shares = np.linspace(0, 1, MORPH_STEPS, dtype=np.float32)
    for (first, start), (last, end) in zip(ends[::2], ends[1::2], strict=True):
        embeddings = embed(bundle, start, first.condition), embed(bundle, end, last.condition)
        conditions = first.condition + shares[:, None] * (last.condition - first.condition)
        between = embeddings_between(bundle, *embeddings, conditions)
        levels = morph_levels(bundle, between, conditions, (False, False))
        decoded = decode_embeddings(bundle, between, conditions, [seed] * MORPH_STEPS, levels)
        titles = [first.name, *(f"{share:.0%}" for share in shares[1:-1]), last.name]
        clips = [Clip(title, "", signal) for title, signal in zip(titles, decoded, strict=True)]
        rows.append(ClipRow(f"{first.name} to {last.name}", f"{first.file.name} to {last.file.name}", clips))
    return rows


def loops(bundle: Bundle, seed: int) -> list[ClipRow]:
    """Two bars of each pattern with a fresh hit at every step."""
    rate, classes = bundle.manifest.sample_rate, bundle.manifest.attributes[0].classes
    clips = []
    for pattern, bpm in LOOPS.items():
        tracks = load_pattern(pattern, classes)
        detail = f"{bpm:g} bpm: {', '.join(track.class_name for track in tracks)}"
        clips.append(Clip(pattern, detail, render_loop(bundle, tracks, bpm, 2, seed, rate)))
    return [ClipRow("", "", clips)]


def _pairs(sounds: Sounds, seed: int) -> Sounds:
    """The sounds to reconstruct, by class."""
    classes = len({entry.name for entry, _ in sounds})
    few = _limited(sounds, max(min(MOST_PAIRS // classes, PAIRS_A_CLASS), 1), seed)
    return [
        few[turn] for turn in sorted(generator(Purpose.REPORT_PAIRS, seed).permutation(len(few))[:MOST_PAIRS].tolist())
    ]


def _ends(sounds: Sounds, seed: int) -> Sounds:
    """Start and end of each morph, one after another."""
    one_class = len({entry.name for entry, _ in sounds}) == 1
    few = _limited(sounds, 2 * MORPHS if one_class else 1, seed + 1)[: 2 * MORPHS]
    return few[: len(few) // 2 * 2]


def _limited(sounds: Sounds, limit: int, seed: int) -> Sounds:
    """At most `limit` sounds of each class, by class."""
    signals = {entry.file.name: signal for entry, signal in sounds}
    few = sorted(limited([entry for entry, _ in sounds], limit, seed), key=attrgetter("name"))
    return [(entry, signals[entry.file.name]) for entry in few]


def _drum_loop(rate: int) -> GivenSound:
    drums = Bundle.open()
    own_rate = drums.manifest.sample_rate
    tracks = load_pattern("breakbeat", drums.manifest.attributes[0].classes)
    loop = render_loop(drums, tracks, 120.0, 1, 3, own_rate)
    return GivenSound("Drum loop", "from the bundle that comes with ngs", resample(loop, own_rate, rate))


def _glide(rate: int) -> GivenSound:
    """A sawtooth of up to 23 harmonics that fades in and out."""
    seconds = np.arange(round(GLIDE_SECONDS * rate)) / rate
    hz = GLIDE_HZ * 2 ** (GLIDE_OCTAVES * seconds / GLIDE_SECONDS)
    phase = 2 * np.pi * np.cumsum(hz) / rate
    highest = rate / 2 / hz
    wave = sum(np.where(k < highest, np.sin(k * phase) / k, 0.0) for k in range(1, 24))
    edges = np.minimum(1, np.minimum(seconds, seconds[-1] - seconds) / 0.05)
    detail = f"gliding up {GLIDE_OCTAVES:g} octaves from {GLIDE_HZ:g} Hz"
    return GivenSound("Sawtooth", detail, normalised((0.5 * edges * wave).astype(np.float32)))
