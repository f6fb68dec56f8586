"""From normal numbers to embeddings of a bundle and back: its prior, and what varies and lies between sounds.

A bundle of format 3 has no graphs for this: the embeddings of its classes are normal themselves.
"""

from __future__ import annotations

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle


def from_normals(bundle: Bundle, normals: Array, conditions: Array) -> Array:
    """The embeddings [N, E] that the prior makes of numbers from N(0, 1) [N, E] under conditions [N, C]."""
    if "prior" not in bundle.manifest.graphs:
        return normals
    return bundle.run("prior", normal=normals, condition=conditions)[0]


def to_normals(bundle: Bundle, embeddings: Array, conditions: Array) -> Array:
    """The numbers [N, E] that the prior takes, nearly, to embeddings [N, E] under conditions [N, C]."""
    if "prior_inverse" not in bundle.manifest.graphs:
        return embeddings
    return bundle.run("prior_inverse", embedding=embeddings, condition=conditions)[0]


def varied_embeddings(
    bundle: Bundle, embedding: Array, condition: Array, amount: float, normals: Array
) -> Array:  # fmt: skip
    """Embeddings [N, E] around one [E] under a condition [C], one for each of `normals` [N, E], as N(0, 1) gives them.

    `amount`: 0 is the embedding itself, exactly; 1 is what the prior makes of the normals alone; raises ValueError
    beyond. In between, the embedding's own normals turn towards the others and keep their spread. What the prior does
    not reach of the embedding is added, less and less.
    """
    if not 0 <= amount <= 1:
        raise ValueError(f"amount is {amount:g}: choose 0 (the sound itself) to 1 (a new sound)")
    conditions, share = condition[None], np.float32(amount)
    own = to_normals(bundle, embedding[None], conditions)
    reached = from_normals(bundle, own, conditions)
    turned = np.sqrt(1 - share * share) * own + share * normals
    drawn = np.concatenate([from_normals(bundle, each[None], conditions) for each in turned])  # alone: as `reached` was
    result: Array = embedding + (drawn - reached) - share * (embedding - reached)
    return result


def embeddings_between(bundle: Bundle, start: Array, end: Array, conditions: Array) -> Array:
    """Embeddings [N, E] at even distances from one [E] to another, under conditions [N, C]. The ends are exact.

    They follow the arc of normals between both. What the prior does not reach of the ends is added in proportion.
    """
    ends, outer = np.stack((start, end)), conditions[[0, -1]]
    normals = to_normals(bundle, ends, outer)
    missed = ends - from_normals(bundle, normals, outer)
    shares = np.linspace(0, 1, len(conditions), dtype=np.float32)[:, None]
    drawn = from_normals(bundle, interpolate(normals[0], normals[1], len(conditions)), conditions)
    result: Array = drawn + (1 - shares) * missed[0] + shares * missed[1]
    result[[0, -1]] = ends
    return result


def interpolate(start: Array, end: Array, steps: int) -> Array:
    """Normals [steps, E] from `start` to `end`, along the arc between them, so that their norms do not shrink.

    Along the straight line if the two point in the same or in opposite directions.
    """
    share = np.linspace(0, 1, steps)[:, None]
    scale = float(np.linalg.norm(start)) * float(np.linalg.norm(end))
    cosine = float(start @ end) / max(scale, 1e-12)
    angle = np.arccos(np.clip(cosine, -1, 1))
    if angle < 1e-3 or np.pi - angle < 1e-3:
        return (start + share * (end - start)).astype(np.float32)
    weights = np.sin((1 - share) * angle) / np.sin(angle), np.sin(share * angle) / np.sin(angle)
    path: Array = (weights[0] * start + weights[1] * end).astype(np.float32)
    return path
