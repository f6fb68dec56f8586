"""Level 2: the recurrent VAE over latent paths (paper, section 3.4).

A path of T grains is read and written `grains_per_step` grains at a time (1 is the paper's). Four grains, one grain
length, a step make the recurrence four times shorter: it trains several times faster, and the attack of a sound is
written whole by the first step.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ngs.training.config import EmbeddingConfig
from ngs.training.encoders import LOG_VARIANCE_RANGE

RIDGE = 0.01  # of the mean variance: without it directions that no sound takes would magnify rounding errors
CLOCKS = 8  # decaying exponentials that tell the decoder how far it is, time constants 1/2, 1, 2 .. 64 steps


class EmbeddingEncoder(nn.Module):
    """A bidirectional GRU reads a path; its two last states give the embedding's mean and log-variance."""

    def __init__(self, latent_size: int, condition_size: int, config: EmbeddingConfig) -> None:
        super().__init__()
        self.grains_per_step = config.grains_per_step
        self.input = nn.Linear(latent_size * config.grains_per_step + condition_size, config.hidden_size)
        self.gru = nn.GRU(config.hidden_size, config.hidden_size, batch_first=True, bidirectional=True)
        self.output = nn.Linear(2 * config.hidden_size, 2 * config.embedding_size)

    def forward(self, path: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Paths [B, T, Z] and conditions [B, C] -> mean, log-variance [B, E]."""
        steps = path.reshape(path.shape[0], path.shape[1] // self.grains_per_step, -1)
        repeated = condition[:, None].expand(-1, steps.shape[1], -1)
        _, last = self.gru(nn.functional.silu(self.input(torch.cat((steps, repeated), -1))))
        mean, log_variance = self.output(torch.cat((last[0], last[1]), -1)).chunk(2, -1)
        return mean, log_variance.clamp(*LOG_VARIANCE_RANGE)


class EmbeddingDecoder(nn.Module):
    """A GRU, started and fed by embedding and conditions, writes a path.

    It never sees what it wrote: a path may go on for as long as a note is held.
    """

    decay: Tensor

    def __init__(self, latent_size: int, condition_size: int, config: EmbeddingConfig) -> None:
        super().__init__()
        self.grains_per_step, self.latent_size = config.grains_per_step, latent_size
        in_size, hidden, out_size = (
            config.embedding_size + condition_size,
            config.hidden_size,
            latent_size * config.grains_per_step,
        )
        self.start = nn.Linear(in_size, hidden)
        self.feed = nn.Linear(in_size, hidden)
        self.gru = nn.GRU(hidden + CLOCKS, hidden, batch_first=True)
        self.output = nn.Linear(hidden, out_size)
        self.correction = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.SiLU(), nn.Linear(hidden, out_size))
        self.register_buffer("decay", torch.exp(-1 / 2.0 ** torch.arange(-1, CLOCKS - 1)), persistent=False)

    def forward(self, embedding: Tensor, condition: Tensor, length: int) -> Tensor:
        """Embeddings [B, E] and conditions [B, C] -> paths [B, length, Z]; length in whole steps."""
        steps = length // self.grains_per_step
        joined = torch.cat((embedding, condition), -1)
        feed = self.feed(joined)[:, None].expand(-1, steps, -1)
        clock = self.decay ** torch.arange(steps, device=embedding.device)[:, None]
        inputs = torch.cat((feed, clock[None].expand(embedding.shape[0], -1, -1)), -1)
        states, _ = self.gru(inputs, torch.tanh(self.start(joined))[None])
        path: Tensor = self.output(states) + self.correction(torch.cat((states, feed), -1))
        return path.reshape(path.shape[0], length, self.latent_size)


class EmbeddingPrior(nn.Module):
    """An affine map, for each class, between N(0, 1) and the embeddings that sounds of that class really have.

    Beyond the paper, whose prior is N(0, 1) alone: trained for minutes on hundreds of sounds, a VAE leaves most of that
    prior empty. Fitted after training: the mean is that of the class of the first attribute plus a linear effect of
    the others, the covariance that of the class drawn towards the common one. Row 0 stands for an open class.
    """

    mean: Tensor
    effect: Tensor
    factor: Tensor
    inverse: Tensor

    def __init__(self, first_classes: int, condition_size: int, size: int) -> None:
        super().__init__()
        self.first_classes = first_classes
        self.register_buffer("mean", torch.zeros(first_classes + 1, size))
        self.register_buffer("effect", torch.zeros(condition_size - first_classes, size))
        self.register_buffer("factor", torch.eye(size).repeat(first_classes + 1, 1, 1))
        self.register_buffer("inverse", torch.eye(size).repeat(first_classes + 1, 1, 1))

    def _rows(self, condition: Tensor) -> Tensor:
        first = condition[:, : self.first_classes]
        return torch.cat((1 - first.sum(1, keepdim=True), first), 1)

    def _matrix(self, matrices: Tensor, condition: Tensor) -> Tensor:
        size = matrices.shape[1]
        return (self._rows(condition) @ matrices.reshape(-1, size * size)).reshape(-1, size, size)

    def _mean(self, condition: Tensor) -> Tensor:
        mean = self._rows(condition) @ self.mean
        if len(self.effect):
            mean = mean + condition[:, self.first_classes :] @ self.effect
        return mean

    def from_normal(self, normal: Tensor, condition: Tensor) -> Tensor:
        """[B, E] of N(0, 1) -> embeddings [B, E] under conditions [B, C]."""
        moved = (self._matrix(self.factor, condition) @ normal[:, :, None])[:, :, 0]
        return self._mean(condition) + moved

    def to_normal(self, mean: Tensor, log_variance: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance [B, E] of embeddings -> the same of what `from_normal` takes (variances of each)."""
        inverse = self._matrix(self.inverse, condition)
        centered = (inverse @ (mean - self._mean(condition))[:, :, None])[:, :, 0]
        variance = (inverse.square() @ log_variance.exp()[:, :, None])[:, :, 0]
        return centered, torch.log(variance + 1e-9)

    @torch.no_grad()
    def fit(self, embeddings: Tensor, condition: Tensor, steadiness: float = 20.0) -> None:
        """Fit to embedding means [N, E] of sounds under conditions [N, C].

        A class of `steadiness` sounds has a covariance halfway between its own and the common one.
        """
        rows = self._rows(condition)[:, 1:]
        overall = embeddings.mean(0)
        counts = rows.sum(0)
        means = (rows.T @ embeddings + overall) / (counts + 1)[:, None]
        center = torch.where(rows.sum(1, keepdim=True) > 0, rows @ means, overall)
        others = condition[:, self.first_classes :]
        if others.shape[1]:
            ridge = others.T @ others + 2.0 * torch.eye(others.shape[1])
            self.effect.copy_(torch.linalg.solve(ridge, others.T @ (embeddings - center)))
            center = center + others @ self.effect
        residual = embeddings - center
        common = _covariance(residual)
        self.mean.copy_(torch.cat((overall[None], means)))
        for row in range(self.first_classes + 1):
            if row == 0:
                covariance = _covariance(embeddings - overall)
            else:
                own = residual[rows[:, row - 1] > 0]
                weight = len(own) / (len(own) + steadiness)
                covariance = weight * _covariance(own) + (1 - weight) * common
            covariance = covariance + RIDGE * covariance.diagonal().mean() * torch.eye(len(covariance))
            self.factor[row] = torch.linalg.cholesky(covariance)
            self.inverse[row] = torch.linalg.inv(self.factor[row])


def _covariance(residual: Tensor) -> Tensor:
    return residual.T @ residual / max(len(residual), 1) + 1e-6 * torch.eye(residual.shape[1])


class EmbeddingVAE(nn.Module):
    """Encoder, prior and decoder, with paths scaled to zero mean and unit variance a dimension in between."""

    path_mean: Tensor
    path_scale: Tensor
    path_weight: Tensor

    def __init__(self, latent_size: int, sizes: tuple[int, ...], config: EmbeddingConfig) -> None:
        super().__init__()
        self.encoder = EmbeddingEncoder(latent_size, sum(sizes), config)
        self.decoder = EmbeddingDecoder(latent_size, sum(sizes), config)
        self.prior = EmbeddingPrior(sizes[0], sum(sizes), config.embedding_size)
        self.register_buffer("path_mean", torch.zeros(latent_size))
        self.register_buffer("path_scale", torch.ones(latent_size))
        self.register_buffer("path_weight", torch.ones(latent_size) / latent_size)

    def encode(self, path: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Paths [B, T, Z] and conditions [B, C] -> mean, log-variance [B, E]."""
        mean, log_variance = self.encoder((path - self.path_mean) / self.path_scale, condition)
        return self.prior.to_normal(mean, log_variance, condition)

    def decode(self, embedding: Tensor, condition: Tensor, length: int) -> Tensor:
        """Embeddings [B, E] and conditions [B, C] -> paths [B, length, Z]."""
        scaled = self.decoder(self.prior.from_normal(embedding, condition), condition, length)
        path: Tensor = scaled * self.path_scale + self.path_mean
        return path

    def path_error(self, decoded: Tensor, path: Tensor) -> Tensor:
        """Squared error of paths [B, T, Z], each dimension weighted by what it does to the decoded spectrum: scalar."""
        return (self.path_weight * ((decoded - path) / self.path_scale).square()).sum(-1).mean()
