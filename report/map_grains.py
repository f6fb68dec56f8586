"""The grains of a map: which sound each is from, where in it, and what it sounds like alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ngs.evaluation.quality.selection import Entry, limited
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.chance import Purpose, generator
from ngs.runtime.dsp.grains import AUDIBLE, OVERLAP, analysis_grains, hann
from ngs.runtime.dsp.timbre import loudest_band
from ngs.runtime.offline.render import batches, decode, encode

MOST_OF_A_SOUND = 64  # grains, evenly in time, so that long sounds do not crowd out others
STEADY = 2 * OVERLAP - 1  # repetitions of a grain after which a whole grain length holds nothing else


@dataclass(frozen=True)
class Grains:
    """Latents of N grains and what is known about each."""

    latents: Array  # [N, Z]
    labels: NDArray[np.int64]  # [N], numbers of classes of the bundle's first attribute; -1: unknown
    owners: NDArray[np.int64]  # [N], indices into `files`; -1: unknown
    times: NDArray[np.float64]  # [N], seconds from the start of the sound as it was read, trimmed
    files: tuple[str, ...]

    def __getitem__(self, rows: NDArray[Any]) -> Grains:
        return Grains(self.latents[rows], self.labels[rows], self.owners[rows], self.times[rows], self.files)

    def drawn(self, most: int, seed: int) -> Grains:
        """At most `most` of them, drawn by the seed: from each class all it has, up to an equal share."""
        if len(self.labels) <= most:
            return self
        order = generator(Purpose.REPORT_GRAINS, seed).permutation(len(self.labels))
        counts: dict[int, int] = {}
        turns = np.empty(len(order), np.int64)  # when each grain is drawn among those of its class
        for row in order:
            label = int(self.labels[row])
            turns[row] = counts[label] = counts.get(label, 0) + 1
        return self[np.sort(order[np.argsort(turns[order], kind="stable")[:most]])]


def corpus_grains(bundle: Bundle) -> Grains:
    """The grains of its corpus that a bundle carries."""
    points, labels = bundle.latent_map["points"], bundle.latent_map["labels"][:, 0].astype(np.int64)
    return Grains(points, labels, np.full(len(points), -1), np.zeros(len(points)), ())


def chosen(entries: Sequence[Entry], most: int, seed: int) -> list[Entry]:
    """At most `most` sounds, drawn by the seed, the same number of each class, and at least one."""
    classes = max(len({entry.name for entry in entries}), 1)
    return limited(entries, max(most // classes, 1), seed)


def sound_grains(bundle: Bundle, sounds: Iterable[tuple[Entry, Array]]) -> Grains:
    """The audible grains of sounds, whose signals [n] are at the bundle's rate. Raises ValueError if there is none."""
    manifest = bundle.manifest
    parts: list[tuple[Array, int, int, NDArray[np.int64]]] = []
    files = []
    for owner, (entry, signal) in enumerate(sounds):
        files.append(entry.file.name)
        peaks = np.abs(analysis_grains(signal, manifest.grain_length)).max(axis=1, initial=0.0)
        audible = np.flatnonzero(peaks > AUDIBLE)
        if len(audible) > MOST_OF_A_SOUND:
            audible = audible[np.linspace(0, len(audible) - 1, MOST_OF_A_SOUND).astype(np.int64)]
        parts.append((encode(bundle, signal)[audible], class_of(bundle, entry.condition), owner, audible))
    counts = [len(audible) for *_, audible in parts]
    if sum(counts) == 0:
        raise ValueError("None of the sounds has an audible grain: are they silent?")
    numbers = np.concatenate([audible for *_, audible in parts])
    return Grains(
        np.concatenate([latents for latents, *_ in parts]),
        np.repeat([label for _, label, _, _ in parts], counts),
        np.repeat(np.arange(len(parts)), counts),
        numbers * manifest.hop_length / manifest.sample_rate,
        tuple(files),
    )


def class_of(bundle: Bundle, condition: Array) -> int:
    """The class of the first attribute that a condition [C] has; -1 for none."""
    label = bundle.first_class(condition)
    return -1 if label is None else label


def conditions_of(bundle: Bundle, labels: NDArray[np.int64]) -> Array:
    """Conditions [N, C] that choose classes [N] of the first attribute; zeros for -1."""
    conditions = np.zeros((len(labels), bundle.manifest.condition_size), np.float32)
    known = np.flatnonzero(labels >= 0)
    conditions[known, labels[known]] = 1.0
    return conditions


def magnitudes_of(bundle: Bundle, latents: Array) -> Array:
    """Decoded magnitudes [N, bins] of latents [N, Z], no class chosen. Those of noise are below 0."""
    condition = np.zeros((len(latents), bundle.manifest.condition_size), np.float32)
    parts = batches(len(latents), bundle)
    return np.concatenate([bundle.run("decoder", latent=latents[part], condition=condition[part])[0] for part in parts])


def corpus_loudest(bundle: Bundle) -> float:
    """The level of the loudest mel band among the corpus grains of a bundle; timbres are measured relative to it."""
    return loudest_band(magnitudes_of(bundle, bundle.latent_map["points"]), bundle.manifest.sample_rate)


def heard_grains(bundle: Bundle, grains: Grains, seed: int) -> Array:
    """Each grain by itself under a Hann window, played until its tones have settled: float32 [N, L]."""
    manifest = bundle.manifest
    conditions = np.repeat(conditions_of(bundle, grains.labels), STEADY, axis=0)
    sound = decode(bundle, np.repeat(grains.latents, STEADY, axis=0), conditions, seed, tail=False)
    steady = sound.reshape(len(grains.labels), STEADY * manifest.hop_length)[:, -manifest.grain_length :]
    heard: Array = steady * hann(manifest.grain_length)
    return heard
