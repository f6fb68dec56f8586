"""TODO."""

from __future__ import annotations

import torch

from ngs.training.model.model import NeuralGranularModel

AUDIBLE = 0.05  # peak within a hop


@torch.no_grad()
def _paths(model: NeuralGranularModel, audio: torch.Tensor) -> torch.Tensor:
    """Latent means of signals [B, n]: [B, G, Z], a few signals at a time."""
    return torch.cat([model.encode(part)[0] for part in torch.split(audio, 16)])


@torch.no_grad()
def _embeddings(model: NeuralGranularModel, paths: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
    """Embedding means of paths [B, T, Z] under conditions [B, C]: [B, E]."""
    pairs = zip(torch.split(paths, 64), torch.split(condition, 64), strict=True)
    return torch.cat([model.embedding.encode(path, chosen)[0] for path, chosen in pairs])
