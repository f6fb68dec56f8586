"""TODO."""

from __future__ import annotations

import numpy as np
import torch

from ngs.export.encoding import AUDIBLE
from ngs.runtime.dsp.timbre import timbre, timbre_axes
from ngs.training.model.model import NeuralGranularModel

MAP_POINTS = 2000

MAP_COMPONENTS = 8


@torch.no_grad()
def _latent_map(
    model: NeuralGranularModel, audio: torch.Tensor, labels: torch.Tensor, paths: torch.Tensor, embeddings: torch.Tensor
) -> dict[str, np.ndarray]:
    """The latents of grains that are well audible, the axes along which they differ to the ear, and the embeddings.

    Free paths start from these points: from the faint ends of sounds they would be all but silent.
    """
    hop = model.config.audio.hop_length
    levels = audio.unfold(1, hop, hop).abs().amax(-1)
    sounding = levels > min(AUDIBLE, float(levels.max()) / 2)
    latents, owners = paths[sounding], labels[torch.nonzero(sounding)[:, 0]].numpy()
    points, mean = latents.numpy(), latents.numpy().mean(0)
    chosen = np.random.default_rng(0).permutation(len(points))[:MAP_POINTS]
    condition = torch.zeros(len(chosen), sum(model.sizes))
    magnitudes = model.decoder.frame(model.decoder.coefficients(latents[chosen], condition))[0]
    timbres = timbre(magnitudes.numpy(), model.config.audio.sample_rate)
    components = timbre_axes(points[chosen], timbres, min(MAP_COMPONENTS, points.shape[1]))
    projected = (points - mean) @ components.T
    return {
        "mean": mean,
        "components": components,
        "explained_variance": projected.var(0),
        "low": np.percentile(projected, 2, axis=0).astype(np.float32),
        "high": np.percentile(projected, 98, axis=0).astype(np.float32),
        "points": points[chosen].astype(np.float16),
        "labels": owners[chosen].astype(np.int32),
        "embeddings": embeddings.numpy().astype(np.float16),
        "embedding_labels": labels.numpy().astype(np.int32),
    }
