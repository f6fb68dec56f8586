"""Excerpts of the corpus and what the encoders make of them, computed once for a whole export."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ngs.runtime.dsp.grains import AUDIBLE
from ngs.training.model.model import NeuralGranularModel, one_hot

SIGNALS_AT_ONCE, PATHS_AT_ONCE = 16, 64


@dataclass(frozen=True)
class EncodedExcerpts:
    """N sounds of the corpus, cut to the model's path length."""

    audio: Tensor  # [N, n]
    labels: Tensor  # [N, A], -1: unknown
    condition: Tensor  # [N, C]
    paths: Tensor  # [N, T, Z], latent means
    embedding_mean: Tensor  # [N, E]
    embedding_log_variance: Tensor  # [N, E]

    def __len__(self) -> int:
        return len(self.audio)

    def every(self, step: int) -> EncodedExcerpts:
        """Every `step`-th excerpt."""
        return EncodedExcerpts(*(values[::step] for values in vars(self).values()))


@torch.no_grad()
def encode_excerpts(model: NeuralGranularModel, audio: Tensor, labels: Tensor) -> EncodedExcerpts:
    """Encode signals [N, n] with labels [N, A], a few at a time."""
    condition = one_hot(labels, model.sizes)
    paths = torch.cat([model.encode(part)[0] for part in torch.split(audio, SIGNALS_AT_ONCE)])
    parts = zip(torch.split(paths, PATHS_AT_ONCE), torch.split(condition, PATHS_AT_ONCE), strict=True)
    means, log_variances = zip(*(model.embedding.encode(*part) for part in parts), strict=True)
    return EncodedExcerpts(audio, labels, condition, paths, torch.cat(means), torch.cat(log_variances))


def audible(peaks: Tensor) -> Tensor:
    """Which of `peaks`, of grains or hops, can be heard well. If all are faint, the louder ones."""
    return peaks > min(AUDIBLE, float(peaks.max()) / 2)


def draw_embeddings(model: NeuralGranularModel, condition: Tensor) -> Tensor:
    """Embeddings [N, E] of new sounds under conditions [N, C], at temperature 1, by torch's generator.

    They are what `embedding_decoder` takes.
    """
    normal = torch.randn(len(condition), model.config.embedding.embedding_size)
    return model.embedding.prior.from_normal(normal, condition)
