"""What a seed decides about the sounds of a bundle: embeddings, noise and the attributes left open."""

from __future__ import annotations

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.streams import Stream, seeded


def drawn_embedding(bundle: Bundle, temperature: float, seed: int, *stream: int) -> Array:
    """An embedding [E] from the prior N(0, temperature^2), decided by a seed and a stream within it."""
    normal = seeded(seed, *stream).standard_normal(bundle.manifest.embedding_size, dtype=np.float32)
    return np.float32(temperature) * normal


def sample_embeddings(bundle: Bundle, count: int, temperature: float, seed: int, *stream: int) -> Array:
    """Embeddings [count, E] from the prior. Number i of a seed and stream is the same for every count."""
    return np.stack([drawn_embedding(bundle, temperature, seed, *stream, index) for index in range(count)])


def noise_seed(seed: int, *stream: int) -> int:
    """The seed of a sound's noise, decided by a seed and the stream of the sound within it."""
    return int(seeded(seed, *stream, Stream.NOISE).integers(1 << 63))


def completed(bundle: Bundle, condition: Array, seed: int, *stream: int) -> Array:
    """A condition [C] with its open attributes taken from a sound of the corpus that has the chosen ones.

    Without this, a note whose pitch is left open would be a blend of all pitches. The seed and the stream decide which
    sound. A condition with every attribute chosen, or that no sound agrees with, comes back as it is.
    """
    labels = bundle.latent_map["embedding_labels"]
    result = condition.copy()
    parts = [result[place] for place in bundle.manifest.places.values()]
    chosen = [column for column, part in enumerate(parts) if part.any()]
    wanted = [parts[column].argmax() for column in chosen]
    agreeing = labels[(labels[:, chosen] == wanted).all(axis=1)]
    if len(chosen) == len(parts) or len(agreeing) == 0:
        return condition
    sound = agreeing[int(seeded(seed, *stream, Stream.OPEN_ATTRIBUTES).integers(len(agreeing)))]
    for column, part in enumerate(parts):
        if column not in chosen and sound[column] >= 0:
            part[sound[column]] = 1.0
    return result


def sampled_condition(bundle: Bundle, condition: Array, seed: int, index: int) -> Array:
    """The condition [C] of sampled sound number `index`: one without any class is given one, then it is completed."""
    if not condition.any():
        classes = len(bundle.manifest.attributes[0].classes)
        condition = condition.copy()
        condition[int(seeded(seed, index, Stream.CLASS).integers(classes))] = 1.0
    return completed(bundle, condition, seed, index)
