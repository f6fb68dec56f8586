"""What a seed decides: embeddings, noise, classes left open. Each draw has a stream of its own."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle


class Stream(IntEnum):
    """The last number of a stream: what it decides. Embeddings have none."""

    NOISE = 1
    CLASS = 2
    OPEN_ATTRIBUTES = 3
    GRAINS = 4  # scatter and density, grain by grain; of a path that is a one-shot, its kind
    NEAREST_GRAINS = 31
    FRECHET_SPLITS = 47
    SELECTION = 53
    REPORT_PAIRS = 67
    REPORT_GRAINS = 71
    REPORT_CLASSES = 73


def seeded(seed: int, *stream: int) -> np.random.Generator:
    """A counter-based generator for a seed and the numbers of a stream within it."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *stream])))


def drawn_embedding(bundle: Bundle, temperature: float, seed: int, *stream: int) -> Array:
    """An embedding [E] from the prior N(0, temperature^2), decided by a seed and the numbers of a stream within it."""
    normal = seeded(seed, *stream).standard_normal(bundle.manifest.embedding_size, dtype=np.float32)
    return np.float32(temperature) * normal


def sample_embeddings(bundle: Bundle, count: int, temperature: float, seed: int, *stream: int) -> Array:
    """Embeddings [count, E] from the prior; number i of a seed and stream is always the same."""
    return np.stack([drawn_embedding(bundle, temperature, seed, *stream, index) for index in range(count)])


def noise_seed(seed: int, *stream: int) -> int:
    """Seed of the noise of a sound, told from others of the seed by the numbers of its stream."""
    return int(seeded(seed, *stream, Stream.NOISE).integers(1 << 63))


def completed(bundle: Bundle, condition: Array, seed: int, *stream: int) -> Array:
    """A condition [C] whose open attributes are those of a sound of the corpus that agrees with the chosen ones.

    A note without a pitch would be a blend of all pitches. Where no sound agrees, or all attributes are chosen, the
    condition comes back as it is; the seed and the numbers of a stream decide which sound.
    """
    labels = bundle.latent_map["embedding_labels"]
    condition_of_sound = condition.copy()
    parts = [condition_of_sound[place] for place in bundle.manifest.places.values()]
    chosen = [column for column, part in enumerate(parts) if part.any()]
    wanted = [parts[column].argmax() for column in chosen]
    agreeing = labels[(labels[:, chosen] == wanted).all(axis=1)]
    if len(chosen) == len(parts) or len(agreeing) == 0:
        return condition
    sound = agreeing[int(seeded(seed, *stream, Stream.OPEN_ATTRIBUTES).integers(len(agreeing)))]
    for column, part in enumerate(parts):
        if column not in chosen and sound[column] >= 0:
            part[sound[column]] = 1.0
    return condition_of_sound


def sampled_condition(bundle: Bundle, condition: Array, seed: int, index: int) -> Array:
    """The condition [C] of sampled sound number `index`: one without any class is given one, then it is completed."""
    if not condition.any():
        classes = len(bundle.manifest.attributes[0].classes)
        condition = condition.copy()
        condition[int(seeded(seed, index, Stream.CLASS).integers(classes))] = 1.0
    return completed(bundle, condition, seed, index)
