"""What a seed decides about the sounds of a bundle: embeddings, and the attributes left open."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.prior import from_normals
from ngs.runtime.chance import Draws, Purpose, Seed


def drawn_normals(bundle: Bundle, temperature: float, seeds: Sequence[Seed]) -> Array:
    """Numbers from N(0, temperature^2) [N, E], each row decided by a seed, or for a sound of it: (seed, index)."""
    size = bundle.manifest.embedding_size
    return np.float32(temperature) * np.stack([Draws(Purpose.EMBEDDING, seed).normal(size) for seed in seeds])


def drawn_embeddings(bundle: Bundle, conditions: Array, temperature: float, seeds: Sequence[Seed]) -> Array:
    """New embeddings [N, E] under conditions [N, C], from the bundle's prior, each decided by a seed or (seed, index).

    Open attributes stay open: `completed` conditions are those of `sample`.
    """
    return from_normals(bundle, drawn_normals(bundle, temperature, seeds), conditions)


def drawn_embedding(bundle: Bundle, condition: Array, temperature: float, seed: Seed) -> Array:
    """A new embedding [E] under a condition [C], as in `drawn_embeddings`."""
    drawn: Array = drawn_embeddings(bundle, condition[None], temperature, [seed])[0]
    return drawn


def sample_embeddings(bundle: Bundle, conditions: Array, count: int, temperature: float, seed: int) -> Array:
    """New embeddings [count, E] under a condition [C], or one for each [count, C].

    Number i of a seed is the same for every count (to 1e-6).
    """
    given = np.broadcast_to(conditions, (count, bundle.manifest.condition_size))
    return drawn_embeddings(bundle, np.ascontiguousarray(given), temperature, [(seed, n) for n in range(count)])


def completed(bundle: Bundle, condition: Array, seed: Seed) -> Array:
    """A condition [C] with its open attributes taken from a sound of the corpus that has the chosen ones.

    Without this, a note whose pitch is left open would be a blend of all pitches. The seed decides which sound. A
    condition with every attribute chosen, or that no sound agrees with, comes back as it is.
    """
    labels = bundle.latent_map["embedding_labels"]
    result = condition.copy()
    parts = [result[place] for place in bundle.manifest.places.values()]
    chosen = [column for column, part in enumerate(parts) if part.any()]
    wanted = [parts[column].argmax() for column in chosen]
    agreeing = labels[(labels[:, chosen] == wanted).all(axis=1)]
    if len(chosen) == len(parts) or len(agreeing) == 0:
        return condition
    sound = agreeing[Draws(Purpose.OPEN_ATTRIBUTES, seed).below(len(agreeing), 1)[0]]
    for column, part in enumerate(parts):
        if column not in chosen and sound[column] >= 0:
            part[sound[column]] = 1.0
    return result


def sampled_condition(bundle: Bundle, condition: Array, seed: Seed) -> Array:
    """The condition [C] of a sampled sound: one without any class is given one, then it is completed."""
    if not condition.any():
        classes = len(bundle.manifest.attributes[0].classes)
        condition = condition.copy()
        condition[Draws(Purpose.CLASS, seed).below(classes, 1)[0]] = 1.0
    return completed(bundle, condition, seed)
