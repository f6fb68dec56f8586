"""The latent map of a bundle: grains and embeddings of the corpus, and the axes along which timbre changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ngs.export.encoding import EncodedExcerpts, audible
from ngs.runtime.dsp.loudness import grain_loudness
from ngs.runtime.dsp.timbre import timbre, timbre_axes
from ngs.training.model.model import NeuralGranularModel, one_hot

MOST_POINTS = 2000
MOST_AXES = 8


@torch.no_grad()
def corpus_map(model: NeuralGranularModel, excerpts: EncodedExcerpts) -> dict[str, NDArray[Any]]:
    """The arrays of latent_map.npz; docs/bundle-format.md lists names, shapes and dtypes.

    Only audible grains count: free paths start from these points, and the faint ends of sounds would make them all
    but silent.
    """
    audio, hop = model.config.audio, model.config.audio.hop_length
    heard = audible(excerpts.audio.unfold(1, hop, hop).abs().amax(-1))
    latents, labels = excerpts.paths[heard], excerpts.labels[torch.nonzero(heard)[:, 0]]
    chosen = np.random.default_rng(0).permutation(len(latents))[:MOST_POINTS]
    points, mean = latents[chosen], latents.numpy().mean(0)
    own = _magnitudes(model, points, one_hot(labels[chosen], model.sizes))
    components = timbre_axes(
        points.numpy(),
        timbre(_magnitudes(model, points, torch.zeros(len(points), sum(model.sizes))), audio.sample_rate),
        min(MOST_AXES, points.shape[1]),
    )
    projected = (latents.numpy() - mean) @ components.T
    return {
        "mean": mean,
        "components": components,
        "explained_variance": projected.var(0),
        "low": np.percentile(projected, 2, axis=0).astype(np.float32),
        "high": np.percentile(projected, 98, axis=0).astype(np.float32),
        "points": points.numpy().astype(np.float16),
        "labels": labels[chosen].numpy().astype(np.int32),
        "loudness": grain_loudness(own, audio.sample_rate).astype(np.float32),
        "embeddings": excerpts.embedding_mean.numpy().astype(np.float16),
        "embedding_labels": excerpts.labels.numpy().astype(np.int32),
    }


def _magnitudes(model: NeuralGranularModel, latents: torch.Tensor, condition: torch.Tensor) -> NDArray[np.float32]:
    """Decoded magnitudes [N, K] of latents [N, Z] under conditions [N, C]."""
    magnitudes: NDArray[np.float32] = model.decoder.frame(model.decoder.coefficients(latents, condition))[0].numpy()
    return magnitudes
