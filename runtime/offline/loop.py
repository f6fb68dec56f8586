"""Drum loops: a step pattern, played with a fresh hit at every step."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.seeds import completed, noise_seed, sample_embeddings
from ngs.runtime.dsp.audio_files import resample
from ngs.runtime.offline.patterns import STEPS, Track
from ngs.runtime.offline.render import decode_embeddings

STEPS_A_BEAT = 4
HITS = 64  # decoded in one call
FADE_SECONDS = 0.005  # at the end, where hits may still ring


def step_sample(step: int, bpm: float, sample_rate: int) -> int:
    """First sample of a step, counted from the start of the loop."""
    return round(step * 60 / bpm / STEPS_A_BEAT * sample_rate)


def render_loop(
    bundle: Bundle, tracks: Sequence[Track], bpm: float, bars: int, seed: int, sample_rate: int,
    temperature: float = 1.0, choices: Mapping[str, str] | None = None,
) -> Array:  # fmt: skip
    """Play a pattern for a number of bars at `sample_rate`: float32 [n], exactly that many bars long, |x| < 1.

    A hit depends on the seed, its class and its step, but not on the rest of the pattern. `choices` are classes of
    other attributes; that of the first attribute comes from the track. Raises ValueError for an unknown class.
    """
    total = bars * STEPS
    length = step_sample(total, bpm, sample_rate)
    mix = np.zeros(length, dtype=np.float32)
    attribute = bundle.manifest.attributes[0].name
    conditions = [bundle.condition({**(choices or {}), attribute: track.class_name}) for track in tracks]
    places = [
        (step, number)
        for step in range(total)
        for number, track in enumerate(tracks)
        if track.levels[step % STEPS] > 0
    ]  # fmt: skip
    names = [zlib.crc32(track.class_name.encode()) for track in tracks]
    for start in range(0, len(places), HITS):
        group = places[start : start + HITS]
        streams = [(seed, step, names[number]) for step, number in group]
        drawn = [
            completed(bundle, conditions[number], *stream) for (_, number), stream in zip(group, streams, strict=True)
        ]
        hits = decode_embeddings(
            bundle,
            np.stack([sample_embeddings(bundle, 1, temperature, *stream)[0] for stream in streams]),
            np.stack(drawn),
            [noise_seed(*stream) for stream in streams],
        )
        for (step, number), hit in zip(group, hits, strict=True):
            at = step_sample(step, bpm, sample_rate)
            sounding = resample(hit, bundle.manifest.sample_rate, sample_rate)[: length - at]
            mix[at : at + len(sounding)] += np.float32(tracks[number].levels[step % STEPS]) * sounding
    fade = min(int(FADE_SECONDS * sample_rate), length)
    mix[length - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    peak = float(np.abs(mix).max(initial=0.0))
    return mix * np.float32(0.95 / peak) if peak > 0.95 else mix
