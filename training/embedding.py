"""Level 2: the recurrent VAE over latent paths (paper, section 3.4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ngs.training.config import EmbeddingConfig
from ngs.training.encoders import LOG_VARIANCE_RANGE


class EmbeddingEncoder(nn.Module):
    """A bidirectional GRU reads a path; its two last states give the embedding's mean and log-variance."""

    def __init__(self, latent_size: int, condition_size: int, config: EmbeddingConfig) -> None:
        super().__init__()
        self.gru = nn.GRU(latent_size + condition_size, config.hidden_size, batch_first=True, bidirectional=True)
        self.output = nn.Linear(2 * config.hidden_size, 2 * config.embedding_size)

    def forward(self, path: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Paths [B, T, Z] and conditions [B, C] -> mean, log-variance [B, E]."""
        repeated = condition[:, None].expand(-1, path.shape[1], -1)
        _, last = self.gru(torch.cat((path, repeated), -1))
        mean, log_variance = self.output(torch.cat((last[0], last[1]), -1)).chunk(2, -1)
        return mean, log_variance.clamp(*LOG_VARIANCE_RANGE)


class EmbeddingDecoder(nn.Module):
    """A GRU, started and fed by embedding and conditions, writes a path one grain a step.

    It never sees what it wrote: a path may go on for as long as a note is held.
    """

    def __init__(self, latent_size: int, condition_size: int, config: EmbeddingConfig) -> None:
        super().__init__()
        in_size = config.embedding_size + condition_size
        self.start = nn.Linear(in_size, config.hidden_size)
        self.feed = nn.Linear(in_size, config.hidden_size)
        self.gru = nn.GRU(config.hidden_size, config.hidden_size, batch_first=True)
        self.output = nn.Linear(config.hidden_size, latent_size)

    def forward(self, embedding: Tensor, condition: Tensor, length: int) -> Tensor:
        """Embeddings [B, E] and conditions [B, C] -> paths [B, length, Z]."""
        joined = torch.cat((embedding, condition), -1)
        feed = self.feed(joined)[:, None].expand(-1, length, -1)
        states, _ = self.gru(feed.contiguous(), torch.tanh(self.start(joined))[None])
        path: Tensor = self.output(states)
        return path


class EmbeddingVAE(nn.Module):
    """Encoder and decoder with paths scaled to zero mean and unit variance a dimension in between."""

    def __init__(self, latent_size: int, condition_size: int, config: EmbeddingConfig) -> None:
        super().__init__()
        self.encoder = EmbeddingEncoder(latent_size, condition_size, config)
        self.decoder = EmbeddingDecoder(latent_size, condition_size, config)
        self.register_buffer("path_mean", torch.zeros(latent_size))
        self.register_buffer("path_scale", torch.ones(latent_size))

    def encode(self, path: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Paths [B, T, Z] and conditions [B, C] -> mean, log-variance [B, E]."""
        mean, log_variance = self.encoder((path - self.path_mean) / self.path_scale, condition)
        return mean, log_variance

    def decode(self, embedding: Tensor, condition: Tensor, length: int) -> Tensor:
        """Embeddings [B, E] and conditions [B, C] -> paths [B, length, Z]."""
        path: Tensor = self.decoder(embedding, condition, length) * self.path_scale + self.path_mean
        return path
