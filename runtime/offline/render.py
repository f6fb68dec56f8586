"""Rendering whole sounds: encode, decode, reconstruct, sample, follow paths, morph (paper, section 5)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.bundle.levels import held_levels, varied_levels
from ngs.runtime.bundle.prior import varied_embeddings
from ngs.runtime.bundle.seeds import completed, drawn_embedding, drawn_normals
from ngs.runtime.bundle.style import styled
from ngs.runtime.chance import Seed
from ngs.runtime.dsp.grains import OVERLAP, Assembly, NoiseGrains, slice_grains, windowed_grains
from ngs.runtime.dsp.locked_tones import Phases
from ngs.runtime.dsp.loudness import loudness

BATCH_SAMPLES = 96 << 10  # of the grains in one call, so that the data stays in the processor's caches
SILENT = 1e-4  # -80 dB
FADE_SHARE = 100  # a path fades in within this fraction of a second: 1 / 100


def batches(count: int, bundle: Bundle, start: int = 0) -> list[slice]:
    """Which of `count` grains to process in each call, from `start` on."""
    size = max(BATCH_SAMPLES // bundle.manifest.grain_length, 1)
    return [slice(at, min(at + size, count)) for at in range(start, count, size)]


def encode(bundle: Bundle, signal: Array) -> Array:
    """The latent path [G, Z] of a signal, float32 [n] at the bundle's sample rate: the means of q(z|x)."""
    slices = slice_grains(signal, bundle.manifest.grain_length)
    path = np.empty((len(slices), bundle.manifest.latent_size), np.float32)
    for part in batches(len(slices), bundle):  # all windowed grains of an hour would take a gigabyte
        path[part], _ = posterior(bundle, windowed_grains(slices, part), np.arange(part.start, part.stop) == 0)
    return path


def posterior(bundle: Bundle, grains: Array, first: NDArray[np.bool_]) -> tuple[Array, Array]:
    """Means and log variances [n, Z] of windowed grains [n, L]; `first` [n]: which begin a sound."""
    inputs = {"grain": grains}
    if bundle.manifest.format_version >= 4:
        inputs["onset"] = first[:, None].astype(np.float32)
    results = [np.zeros((2, 0, bundle.manifest.latent_size), np.float32)]
    for part in batches(len(grains), bundle):
        results.append(np.stack(bundle.run("encoder", **{name: value[part] for name, value in inputs.items()})))
    mean, log_variance = np.concatenate(results, 1)
    return mean, log_variance


def decode(
    bundle: Bundle, path: Array, condition: Array, seed: Seed, tail: bool = True, level: Array | float = 1.0,
    motion: Array | None = None,
) -> Array:  # fmt: skip
    """The sound of a latent path [G, Z] under a condition [C], or one for each grain [G, C]: float32 [n], |x| < 1.

    The seed, or (seed, index) of one of its sounds, decides the noise. With `tail` the last grains ring out and n is
    (G + 3) * hop, else G * hop. `level`: the factor of the sound, or of each grain [G], before the limiter. `motion`
    [G, S] is added to the energy profiles of all grains but the first.
    """
    manifest = bundle.manifest
    count = len(path)
    noise = NoiseGrains(seed, manifest.grain_length)
    conditions = np.broadcast_to(condition, (count, manifest.condition_size))
    levels = np.broadcast_to(np.float32(level), (count,))
    assembly = Assembly(count, manifest.grain_length)
    phases: Phases | None = None
    if manifest.graphs["synthesis"].states and count:
        grain, phase = _first_grain(bundle, path[:1], conditions[:1], noise.following(1))
        assembly.add(grain * levels[0])
        phases = Phases(phase[0])
    for part in batches(count, bundle, assembly.added):
        frame, fresh = _frame(bundle, path[part], conditions[part]), noise.following(part.stop - part.start)
        if motion is not None and motion.size:
            frame["profile"] = frame["profile"] + motion[part]
        if phases and bundle.filling:
            turns = phases.follow(frame["peak"], frame["advance"])[1:]
            grains = bundle.filling.grains(frame["magnitude"], turns, fresh)
            assembly.add(grains, bundle.filling.gains(frame["profile"]) * levels[part][:, None])
            continue
        if phases:
            frame["phase"] = phases.before(frame["peak"], frame["advance"])
        grains = bundle.synthesise({**frame, "noise": np.ascontiguousarray(fresh)})[0]
        assembly.add(grains * levels[part][:, None])
    signal = assembly.signal(tail)
    return postprocess(bundle, signal, signal)


def _first_grain(bundle: Bundle, latent: Array, condition: Array, noise: Array) -> tuple[Array, ...]:
    """The first grain [1, L] of a sound of tones, and its phases [1, K]."""
    noise = noise.copy()
    if bundle.manifest.has_onset:
        return bundle.run("onset", latent=latent.astype(np.float32), condition=condition.copy(), noise=noise)
    frame = _frame(bundle, latent, condition)
    return bundle.synthesise({**frame, "noise": noise, "phase": np.zeros_like(frame["peak"])}, starts=True)


def _frame(bundle: Bundle, latent: Array, condition: Array) -> dict[str, Array]:
    """What the decoder makes of grains, by name, for the synthesis graph."""
    given = {"latent": np.ascontiguousarray(latent, np.float32), "condition": np.ascontiguousarray(condition)}
    names = [spec.name for spec in bundle.manifest.graphs["decoder"].outputs]
    frame = dict(zip(names, bundle.run("decoder", **given), strict=True))
    peak = frame.get("peak")
    if peak is not None and not (peak.min() >= 0 and peak.max() < peak.shape[1]):  # NaN is neither
        raise BundleError(f"{bundle.path}: the decoder gave a peak outside the spectrum: export the run anew")
    return frame


def postprocess(bundle: Bundle, signal: Array, out: Array | None = None) -> Array:
    """Run the post-processing graph over an overlap-added signal [k * hop], hop by hop with the history it needs.

    The result [k * hop] is written into `out`, which may be the signal itself, or into a new array.
    """
    hop = bundle.manifest.hop_length
    spec = bundle.manifest.graphs["postprocessing"].inputs[0]
    width = int(spec.shape[1])
    if len(signal) == 0:
        return signal
    past, heard = np.zeros(width - hop, dtype=np.float32), np.empty_like(signal) if out is None else out
    for part in batches(len(signal) // hop, bundle):
        samples = slice(part.start * hop, part.stop * hop)
        stretch = np.concatenate((past, signal[samples]))
        blocks = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(stretch, width)[::hop])
        heard[samples] = bundle.run("postprocessing", signal=blocks)[0].reshape(-1)
        past = stretch[len(stretch) - len(past) :]
    return heard


def reconstruct(bundle: Bundle, signal: Array, condition: Array, seed: Seed) -> Array:
    """Encode and decode a signal [n] of any length at the bundle's sample rate: float32 [n]."""
    return decode(bundle, encode(bundle, signal), condition, seed, tail=False)[: len(signal)]


def resynthesise(bundle: Bundle, signal: Array, condition: Array, style: float, seed: Seed) -> Array:
    """A signal [n] at the bundle's sample rate, played with grains of the corpus: float32 [(G + 3) * hop].

    style: from 0, the signal itself, as `reconstruct` has it, to 1, grains of the corpus with the classes of [C]. Time
    and loudness stay those of the signal. Raises BundleError for a style above 0 if the bundle knows none.
    """
    path, levels, motion = styled(bundle, encode(bundle, signal), condition, style)
    return decode(bundle, path, condition, seed, level=levels, motion=motion)


def sample(bundle: Bundle, condition: Array, temperature: float, seed: int, index: int) -> Array:
    """Sampled sound number `index` of a seed, float32 [n], under a condition [C], completed if it is open.

    It is as loud as `ngs.runtime.bundle.levels` holds it to be.
    """
    condition = completed(bundle, condition, (seed, index))
    embeddings, conditions = drawn_embedding(bundle, condition, temperature, (seed, index))[None], condition[None]
    levels = held_levels(bundle, embeddings, conditions)
    return decode_embeddings(bundle, embeddings, conditions, [(seed, index)], levels)[0]


def vary(
    bundle: Bundle, signal: Array, condition: Array, amount: float, temperature: float, seed: int, index: int
) -> Array:  # fmt: skip
    """Variation number `index` of a seed, float32 [n], of a signal [n] under a condition [C].

    `amount`: 0 is the sound of the signal's embedding, as loud as the signal; 1 is the new sound that `sample` makes of
    the same numbers, held to its loudness. In between, sound and level go from one to the other. Raises ValueError
    beyond.
    """
    normals = drawn_normals(bundle, temperature, [(seed, index)])
    embeddings = varied_embeddings(bundle, embed(bundle, signal, condition), condition, amount, normals)
    own = loudness(signal, bundle.manifest.sample_rate)
    levels = varied_levels(bundle, embeddings, condition[None], own, amount)
    return decode_embeddings(bundle, embeddings, condition[None], [(seed, index)], levels)[0]


def embed(bundle: Bundle, signal: Array, condition: Array) -> Array:
    """The embedding [E] of a signal at the bundle's sample rate, cut or padded with silence to the path length."""
    length = bundle.manifest.path_length * bundle.manifest.hop_length
    fitted = np.zeros(length, dtype=np.float32)
    fitted[: min(len(signal), length)] = signal[:length]
    path = encode(bundle, fitted)
    mean: Array = bundle.run("embedding_encoder", path=path[None], condition=condition[None])[0][0]
    return mean


def decode_embeddings(
    bundle: Bundle, embeddings: Array, conditions: Array, seeds: Sequence[Seed], levels: Array | None = None
) -> list[Array]:
    """The sounds of embeddings [N, E] under conditions [N, C], each with the noise of its own seed.

    `levels` [N, T]: the factors of their grains before the limiter, by default 1.
    """
    paths = bundle.run("embedding_decoder", embedding=embeddings, condition=conditions)[0]
    return [
        trim_tail(decode(bundle, path, condition, seed, level=level), bundle.manifest.hop_length)
        for path, condition, seed, level in zip(
            paths, conditions, seeds, np.ones(len(paths)) if levels is None else levels, strict=True
        )
    ]


def trim_tail(signal: Array, hop: int, level: float = SILENT) -> Array:
    """Cut the end that stays below `level`, by default -80 dB, and fade out before it. At least one hop is left."""
    loud = np.flatnonzero(np.abs(signal) > level)
    end = min(len(signal), max(hop, int(loud[-1]) + hop if len(loud) else 0))
    trimmed = signal[:end].copy()
    fade = min(hop // 2, end)
    trimmed[end - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
    return trimmed


def play_path(
    bundle: Bundle, path: Array, condition: Array, seed: Seed, levels: Array | None = None, style: float = 0.0
) -> Array:
    """The sound of a free path [G, Z], which starts in the middle of a sound: float32 [(G + 3) * hop].

    Its first grain is no onset. The sound is already under way when it begins, so it fades in within 10 ms. `levels`
    [G]: factors of its grains, as `path_levels` gives them; by default 1. style: how far its grains are brought to
    those of the corpus that have the classes of the condition.
    """
    hop, sample_rate = bundle.manifest.hop_length, bundle.manifest.sample_rate
    path, kept, motion = styled(bundle, path, condition, style)
    levels = kept if levels is None else kept * levels
    led, levels, motion = (
        np.concatenate((np.repeat(each[:1], OVERLAP, axis=0), each)) for each in (path, levels, motion)
    )
    sound = decode(bundle, led, condition, seed, level=levels, motion=motion)[OVERLAP * hop :]
    count = min(sample_rate // FADE_SHARE, len(sound))
    sound[:count] *= np.linspace(0, 1, count, dtype=np.float32)
    return sound


def grains_for(seconds: float, bundle: Bundle) -> int:
    """How many grains a path needs to last `seconds` with its tail. At least one."""
    hops = round(seconds * bundle.manifest.sample_rate / bundle.manifest.hop_length)
    return max(hops - (OVERLAP - 1), 1)
