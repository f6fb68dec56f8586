"""How loud sounds are held to be: drawn ones as the corpus has their class, free paths as the grains they pass.

The one law, for live and offline sounds alike: the loudness that the graph `loudness` predicts has a place among drawn
sounds of the class, and the sound gets the loudness of that place among the corpus's: then a kit has the balance of the
corpus, and its sounds differ in loudness as real ones do. Over time, a drawn sound gets the envelope of real ones, as
far as the graph tells what it lacks. Both are known before a note sounds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.specs import LoudnessRange
from ngs.runtime.dsp.loudness import grain_loudness

MOST_GAIN_DB = 24.0  # up or down
MOST_ENVELOPE_DB = 48.0  # up or down, of a grain
GRAINS_AT_ONCE = 64


def held_loudness(
    predicted: NDArray[np.floating], classes: NDArray[np.floating], ranges: Sequence[LoudnessRange]
) -> NDArray[np.float64]:  # fmt: skip
    """The loudness [N] in LUFS that sounds of a predicted loudness [N] are held to.

    classes: how much each sound is of each class of the first attribute [N, n]; what is missing to 1 has no class.
    ranges: those of the classes, and of no class, n + 1. Percentiles of drawn sounds become those of the corpus, what
    lies between them or beyond them as well. Between classes, percentiles lie in between.
    """
    weights = np.maximum(np.asarray(classes, np.float64), 0)
    weights /= np.maximum(weights.sum(1, keepdims=True), 1)
    weights = np.concatenate((weights, 1 - weights.sum(1, keepdims=True)), axis=1)
    drawn, real = (weights @ [each.drawn for each in ranges], weights @ [each.real for each in ranges])
    return np.array([np.interp(*one) for one in zip(predicted, drawn, real, strict=True)])


def predicted_levels(
    bundle: Bundle, embeddings: Array, conditions: Array
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The loudness [N] in LUFS of the sounds of embeddings [N, E] under conditions [N, C], before the limiter.

    And the gains [N, T] in dB that their grains lack to have the envelope of real sounds; they leave the loudness as it
    is. Only for bundles with a graph `loudness`.
    """
    loudness, envelope = bundle.run("loudness", embedding=embeddings, condition=conditions)
    return loudness[:, 0].astype(np.float64), np.clip(envelope, -MOST_ENVELOPE_DB, MOST_ENVELOPE_DB, dtype=np.float64)


def held_levels(bundle: Bundle, embeddings: Array, conditions: Array) -> Array:
    """The factors [N, T] of the grains of drawn sounds, of embeddings [N, E] under conditions [N, C].

    They hold them to their loudness, and to the envelopes of real sounds. 1 for a bundle that was opened with raw
    levels, or of a format that knows nothing of loudness.
    """
    if not bundle.held:
        return _ones(bundle, embeddings)
    loudness, envelope = predicted_levels(bundle, embeddings, conditions)
    return _factors(_held_gains(bundle, loudness, conditions), envelope)


def morph_levels(bundle: Bundle, embeddings: Array, conditions: Array, drawn: tuple[bool, bool]) -> Array:
    """The factors [N, T] of the sounds between two, of embeddings [N, E] at even distances under conditions [N, C].

    Their loudness goes evenly from that of the first to that of the last. `drawn`: whether these two are drawn, and so
    are held to their loudness and to real envelopes; others keep their own.
    """
    if not bundle.held:
        return _ones(bundle, embeddings)
    loudness, envelope = predicted_levels(bundle, embeddings, conditions)
    ends = loudness[[0, -1]] + _held_gains(bundle, loudness[[0, -1]], conditions[[0, -1]]) * drawn
    shares = np.linspace(drawn[0], drawn[1], len(embeddings))
    return _factors(np.linspace(ends[0], ends[1], len(embeddings)) - loudness, shares[:, None] * envelope)


def varied_levels(bundle: Bundle, embeddings: Array, conditions: Array, own: float, amount: float) -> Array:
    """The factors [N, T] of variations, of embeddings [N, E] under conditions [N, C], of a sound of `own` LUFS.

    At amount 0 they are as loud as that sound, at amount 1 as drawn ones are held to be, in between evenly in dB.
    """
    if not bundle.held:
        return _ones(bundle, embeddings)
    loudness, envelope = predicted_levels(bundle, embeddings, conditions)
    gains = (1 - amount) * (own - loudness) + amount * _held_gains(bundle, loudness, conditions)
    return _factors(gains, amount * envelope)


def long_path_levels(bundle: Bundle, path: Array, condition: Array, step: int) -> Array:
    """`path_levels` [T] of a path [T, Z] of thousands of grains: those of every `step`-th one, evenly in dB between."""
    known = np.append(np.arange(0, len(path) - 1, step), len(path) - 1)
    levels = np.log(path_levels(bundle, path[known], condition))
    return np.exp(np.interp(np.arange(len(path)), known, levels)).astype(np.float32)


def path_levels(bundle: Bundle, path: Array, condition: Array) -> Array:
    """The factors [...] of the grains of a free path [..., Z], or a table of them, under a condition [C].

    They give each grain the loudness of the grains of the corpus that the path passes there.
    """
    if not bundle.held:
        return np.ones(path.shape[:-1], np.float32)
    latents = np.ascontiguousarray(path.reshape(-1, path.shape[-1]), np.float32)
    decoded = np.empty(len(latents))
    for at in range(0, len(latents), GRAINS_AT_ONCE):
        part = latents[at : at + GRAINS_AT_ONCE]
        conditions = np.repeat(condition[None], len(part), axis=0)
        magnitude = bundle.run("decoder", latent=part, condition=conditions)[0]
        decoded[at : at + len(part)] = grain_loudness(magnitude, bundle.manifest.sample_rate)
    return factors(bundle.loudness_map.at(latents) - decoded).reshape(path.shape[:-1])


def _held_gains(bundle: Bundle, predicted: NDArray[np.float64], conditions: Array) -> NDArray[np.float64]:
    """The gains [N] in dB that hold drawn sounds of a predicted loudness [N] in LUFS, under conditions [N, C]."""
    classes = conditions[:, bundle.manifest.places[bundle.manifest.attributes[0].name]]
    gains = held_loudness(predicted, classes, bundle.manifest.loudness) - predicted
    return np.clip(gains, -MOST_GAIN_DB, MOST_GAIN_DB)


def _ones(bundle: Bundle, embeddings: Array) -> Array:
    return np.ones((len(embeddings), bundle.manifest.path_length), np.float32)


def _factors(gains: NDArray[np.floating], envelope: NDArray[np.floating]) -> Array:
    """The factors [N, T] of grains, of the gains [N] of their sounds and those of an envelope [N, T], in dB."""
    result: Array = factors(gains)[:, None] * (10 ** (envelope / 20)).astype(np.float32)
    return result


def factors(gains: NDArray[np.floating]) -> Array:
    """Gains in dB as factors, none beyond 24 dB up or down."""
    result: Array = (10 ** (np.clip(gains, -MOST_GAIN_DB, MOST_GAIN_DB) / 20)).astype(np.float32)
    return result
