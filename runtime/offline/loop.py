"""Drum loops: a step pattern, played with a fresh hit at every step."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.levels import held_levels
from ngs.runtime.bundle.seeds import completed, drawn_embeddings
from ngs.runtime.dsp.audio_files import resample
from ngs.runtime.offline.patterns import STEPS, Track
from ngs.runtime.offline.render import decode_embeddings
from ngs.runtime.temperature import TEMPERATURE

STEPS_A_BEAT = 4
HITS = 64  # decoded in one call
PEAK = 0.95  # a louder mix is turned down to it
FADE_SECONDS = 0.005  # at the end, where hits may still ring


def step_sample(step: int, bpm: float, sample_rate: int) -> int:
    """First sample of a step, counted from the start of the loop."""
    return round(step * 60 / bpm / STEPS_A_BEAT * sample_rate)


def render_loop(
    bundle: Bundle, tracks: Sequence[Track], bpm: float, bars: int, seed: int, sample_rate: int,
    temperature: float = TEMPERATURE, choices: Mapping[str, str] | None = None,
) -> Array:  # fmt: skip
    """Play a pattern for a number of bars at `sample_rate`: float32 [n], exactly that many bars long, |x| < 1.

    A hit depends on the seed, its class and its step, but not on the rest of the pattern. `choices` are classes of
    other attributes; that of the first attribute comes from the track. Raises ValueError for an unknown class.
    """
    total = bars * STEPS
    mix = np.zeros(step_sample(total, bpm, sample_rate), dtype=np.float32)
    places = [
        (step, track)
        for step in range(total)
        for track in range(len(tracks))
        if tracks[track].levels[step % STEPS] > 0
    ]  # fmt: skip
    for start in range(0, len(places), HITS):
        group = places[start : start + HITS]
        hits = _hits(bundle, tracks, group, seed, temperature, choices or {})
        for (step, track), hit in zip(group, hits, strict=True):
            at = step_sample(step, bpm, sample_rate)
            sounding = resample(hit, bundle.manifest.sample_rate, sample_rate)[: len(mix) - at]
            mix[at : at + len(sounding)] += np.float32(tracks[track].levels[step % STEPS]) * sounding
    fade = min(int(FADE_SECONDS * sample_rate), len(mix))
    mix[len(mix) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    peak = float(np.abs(mix).max(initial=0.0))
    return mix * np.float32(PEAK / peak) if peak > PEAK else mix


def _hits(
    bundle: Bundle, tracks: Sequence[Track], places: Sequence[tuple[int, int]], seed: int, temperature: float,
    choices: Mapping[str, str],
) -> list[Array]:  # fmt: skip
    """The hits at places (step, number of the track), float32 [n] each at the bundle's sample rate."""
    attribute = bundle.manifest.attributes[0].name
    conditions = [bundle.condition({**choices, attribute: track.class_name}) for track in tracks]
    seeds = [(seed, step, zlib.crc32(tracks[track].class_name.encode())) for step, track in places]
    given = np.stack([
        completed(bundle, conditions[track], each) for (_, track), each in zip(places, seeds, strict=True)
    ])  # fmt: skip
    embeddings = drawn_embeddings(bundle, given, temperature, seeds)
    return decode_embeddings(bundle, embeddings, given, seeds, held_levels(bundle, embeddings, given))
