"""Offline rendering: reconstruct, resynthesise, sample, follow paths, morph (paper, section 5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.bundle import Bundle
from ngs.runtime.excitation import Phases
from ngs.runtime.grains import OVERLAP, Assembly, analysis_grains, noise_grains
from ngs.runtime.manifest import BundleError

Array = NDArray[np.float32]
BATCH = 256  # grains a call: what one call works on stays in the processor's caches


def seeded(seed: int, *stream: int) -> np.random.Generator:
    """A counter-based generator for a seed and the numbers of a stream within it."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed, *stream])))


def encode(bundle: Bundle, signal: Array) -> Array:
    """Latent path of a signal at the bundle's rate, float32 [n] -> [G, Z]: the means of q(z|x)."""
    grains = analysis_grains(signal, bundle.manifest.grain_length)
    means = [bundle.run("encoder", grain=grains[at : at + BATCH])[0] for at in range(0, len(grains), BATCH)]
    return np.concatenate(means) if means else np.zeros((0, bundle.manifest.latent_size), dtype=np.float32)


def decode(bundle: Bundle, path: Array, condition: Array, seed: int, tail: bool = True) -> Array:
    """Sound of a latent path [G, Z] under a condition [C] (or one a grain, [G, C]): float32 [n], |x| < 1.

    The seed decides the noise. With `tail` the last grains ring out: n = (G + 3) * hop, else G * hop.
    """
    manifest = bundle.manifest
    count = len(path)
    noise = noise_grains(seed, count, manifest.grain_length)
    conditions = np.broadcast_to(condition, (count, manifest.condition_size))
    onset = np.zeros((count, 1), dtype=np.float32)
    onset[:1] = 1.0
    phases = Phases() if manifest.graphs["synthesis"].states else None
    assembly = Assembly(count, manifest.grain_length)
    for at in range(0, count, BATCH):
        part = slice(at, at + BATCH)
        latent = np.ascontiguousarray(path[part], dtype=np.float32)
        values = bundle.run("decoder", latent=latent, condition=np.ascontiguousarray(conditions[part]))
        frame = dict(zip((spec.name for spec in manifest.graphs["decoder"].outputs), values, strict=True))
        if phases:
            if not (frame["peak"].min() >= 0 and frame["peak"].max() < frame["peak"].shape[1]):  # NaN is neither
                raise BundleError(f"{bundle.path}: the decoder gave a peak outside the spectrum: export the run anew")
            frame |= {"onset": onset[part], "phase": phases.before(frame["peak"], frame["advance"])}
        assembly.add(bundle.run("synthesis", **frame, noise=np.ascontiguousarray(noise[part]))[0])
    return postprocess(bundle, assembly.signal(tail))


def postprocess(bundle: Bundle, signal: Array) -> Array:
    """Run the post-processing graph over an overlap-added signal [k * hop], block by block with its history."""
    hop = bundle.manifest.hop_length
    spec = bundle.manifest.graphs["postprocessing"].inputs[0]
    width = int(spec.shape[1])
    if len(signal) == 0:
        return signal
    padded = np.concatenate((np.zeros(width - hop, dtype=np.float32), signal))
    blocks = np.lib.stride_tricks.sliding_window_view(padded, width)[::hop]
    parts = [np.ascontiguousarray(blocks[at : at + BATCH]) for at in range(0, len(blocks), BATCH)]
    return np.concatenate([bundle.run("postprocessing", signal=part)[0] for part in parts]).reshape(-1)


def resynthesise(bundle: Bundle, signal: Array, condition: Array, seed: int) -> Array:
    """A signal [n] at the bundle's rate through encoder and decoder: float32 [n], of any length."""
    return decode(bundle, encode(bundle, signal), condition, seed, tail=False)[: len(signal)]


def drawn_embedding(bundle: Bundle, temperature: float, seed: int, *stream: int) -> Array:
    """An embedding [E] from the prior N(0, temperature^2), decided by a seed and the numbers of a stream within it."""
    normal = seeded(seed, *stream).standard_normal(bundle.manifest.embedding_size, dtype=np.float32)
    return np.float32(temperature) * normal


def sample_embeddings(bundle: Bundle, count: int, temperature: float, seed: int, *stream: int) -> Array:
    """Embeddings [count, E] from the prior; number i of a seed and stream is always the same."""
    return np.stack([drawn_embedding(bundle, temperature, seed, *stream, index) for index in range(count)])


def noise_seed(seed: int, *stream: int) -> int:
    """Seed of the noise of a sound, told from others of the seed by the numbers of its stream."""
    return int(seeded(seed, *stream, 1).integers(1 << 63))


def sample(bundle: Bundle, condition: Array, temperature: float, seed: int, index: int) -> Array:
    """Sound number `index` of a seed under a condition [C] whose open attributes are completed: float32 [n]."""
    condition = completed(bundle, condition, seed, index, 3)
    embedding = drawn_embedding(bundle, temperature, seed, index)
    return decode_embeddings(bundle, embedding[None], condition[None], [noise_seed(seed, index)])[0]


def completed(bundle: Bundle, condition: Array, seed: int, *stream: int) -> Array:
    """A condition [C] whose open attributes are those of a sound of the corpus that agrees with the chosen ones.

    A note without a pitch would be a blend of all pitches. Where no sound agrees, or all attributes are chosen, the
    condition comes back as it is; the seed and the numbers of a stream decide which sound.
    """
    labels = bundle.latent_map["embedding_labels"]
    sizes = [len(attribute.classes) for attribute in bundle.manifest.conditions]
    parts = np.split(condition.copy(), np.cumsum(sizes)[:-1])
    chosen = [column for column, part in enumerate(parts) if part.any()]
    wanted = [parts[column].argmax() for column in chosen]
    agreeing = labels[(labels[:, chosen] == wanted).all(axis=1)]
    if len(chosen) == len(parts) or len(agreeing) == 0:
        return condition
    sound = agreeing[int(seeded(seed, *stream).integers(len(agreeing)))]
    for column, part in enumerate(parts):
        if column not in chosen and sound[column] >= 0:
            part[sound[column]] = 1.0
    return np.concatenate(parts)


def embed(bundle: Bundle, signal: Array, condition: Array) -> Array:
    """Embedding [E] of a signal at the bundle's rate: cropped, or followed by silence, to the path length."""
    length = bundle.manifest.path_length * bundle.manifest.hop_length
    fitted = np.zeros(length, dtype=np.float32)
    fitted[: min(len(signal), length)] = signal[:length]
    path = encode(bundle, fitted)
    mean: Array = bundle.run("embedding_encoder", path=path[None], condition=condition[None])[0][0]
    return mean


def decode_embeddings(bundle: Bundle, embeddings: Array, conditions: Array, seeds: Sequence[int]) -> list[Array]:
    """Sounds of embeddings [N, E] under conditions [N, C], each with the noise of its own seed."""
    paths = bundle.run("embedding_decoder", embedding=embeddings, condition=conditions)[0]
    return [
        trim_tail(decode(bundle, path, condition, seed), bundle.manifest.hop_length)
        for path, condition, seed in zip(paths, conditions, seeds, strict=True)
    ]


def trim_tail(signal: Array, hop: int, level: float = 1e-4) -> Array:
    """Cut what stays below -80 dB at the end, after a short fade; at least one hop is left."""
    loud = np.flatnonzero(np.abs(signal) > level)
    end = min(len(signal), max(hop, int(loud[-1]) + hop if len(loud) else 0))
    trimmed = signal[:end].copy()
    fade = min(hop // 2, end)
    trimmed[end - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return trimmed


def play_path(bundle: Bundle, path: Array, condition: Array, seed: int) -> Array:
    """Sound of a free path [G, Z], which starts in the middle of sounds: float32 [(G + 3) * hop].

    Its first grain is no onset: the sound is already under way when it begins, and its first 10 ms rise from 0.
    """
    hop, sample_rate = bundle.manifest.hop_length, bundle.manifest.sample_rate
    led = np.concatenate((np.repeat(path[:1], OVERLAP, axis=0), path))
    sound = decode(bundle, led, condition, seed)[OVERLAP * hop :]
    count = min(sample_rate // 100, len(sound))
    sound[:count] *= np.linspace(0, 1, count, dtype=np.float32)
    return sound


def interpolate(start: Array, end: Array, steps: int) -> Array:
    """Embeddings [steps, E] from `start` to `end`: along the arc between them, so that none loses its spread.

    Falls back on the straight line where the two point the same way.
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


def grains_for(seconds: float, bundle: Bundle) -> int:
    """Path length in grains for a duration; the tail is part of it. At least one."""
    hops = round(seconds * bundle.manifest.sample_rate / bundle.manifest.hop_length)
    return max(hops - (OVERLAP - 1), 1)
