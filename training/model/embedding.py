"""Level 2: the recurrent VAE over latent paths (paper, section 3.4).

A path of T grains is read and written `grains_per_step` grains at a time (1 in the paper). With four grains, one grain
length, the recurrence is four times shorter: it trains several times faster, and its first step writes the whole attack
of a sound.

Unlike in the paper, the VAE sees paths in audible units, and only their strongest components. With `linear`, linear
maps of whole paths stand beside the GRUs. They start as a PCA, the GRUs at zero, and both learn.

Shapes: B sounds, T path length, Z latent size, P components, C condition size, E embedding size, H hidden size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ngs.training.config import EmbeddingConfig
from ngs.training.model.layers import LOG_VARIANCE_RANGE, START_LOG_VARIANCE, zero_linear
from ngs.training.model.prior import EmbeddingPrior

CLOCKS = 8  # decaying exponentials that tell the decoder the time; time constants 1/2, 1, 2 .. 64 steps
FAINTEST_VARIANCE = 1e-5  # of a component of whole paths, as a share of the strongest one's
FAINTEST = 0.05  # weight of times at which all sounds have ended, as a share of the mean weight


class EmbeddingEncoder(nn.Module):
    """A bidirectional GRU reads a path. Its last states, and a linear map, give mean and log-variance."""

    def __init__(self, latent_size: int, condition_size: int, path_length: int, config: EmbeddingConfig) -> None:
        super().__init__()
        self.grains_per_step = config.grains_per_step
        self.input = nn.Linear(latent_size * config.grains_per_step + condition_size, config.hidden_size)
        self.gru = nn.GRU(config.hidden_size, config.hidden_size, batch_first=True, bidirectional=True)
        layer = zero_linear if config.linear else nn.Linear
        self.output = layer(2 * config.hidden_size, 2 * config.embedding_size)
        shape = (latent_size * path_length, config.embedding_size)
        self.linear = nn.Parameter(torch.zeros(shape)) if config.linear else None
        self.linear_center = nn.Parameter(torch.zeros(shape[0])) if config.linear else None
        if config.linear:
            with torch.no_grad():
                self.output.bias[config.embedding_size :] = START_LOG_VARIANCE

    def forward(self, path: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Paths [B, T, P] and conditions [B, C] -> mean, log-variance [B, E]. With a linear map, T is path_length."""
        steps = path.reshape(path.shape[0], path.shape[1] // self.grains_per_step, -1)
        repeated = condition[:, None].expand(-1, steps.shape[1], -1)
        _, last = self.gru(nn.functional.silu(self.input(torch.cat((steps, repeated), -1))))
        mean, log_variance = self.output(torch.cat((last[0], last[1]), -1)).chunk(2, -1)
        if self.linear is not None and self.linear_center is not None:
            mean = mean + (path.flatten(1) - self.linear_center) @ self.linear
        return mean, log_variance.clamp(*LOG_VARIANCE_RANGE)


class EmbeddingDecoder(nn.Module):
    """A GRU writes a path. Its first state and the input of each step come from the embedding and the condition.

    Its own output is never its input, so a path may last as long as a note is held. Step n uses row n of `basis` as its
    linear map; all steps past the last row use the last row.
    """

    decay: Tensor

    def __init__(self, latent_size: int, condition_size: int, path_length: int, config: EmbeddingConfig) -> None:
        super().__init__()
        self.grains_per_step, self.latent_size = config.grains_per_step, latent_size
        in_size, hidden, out_size = (
            config.embedding_size + condition_size,
            config.hidden_size,
            latent_size * config.grains_per_step,
        )
        layer = zero_linear if config.linear else nn.Linear
        self.start = nn.Linear(in_size, hidden)
        self.feed = nn.Linear(in_size, hidden)
        self.gru = nn.GRU(hidden + CLOCKS, hidden, batch_first=True)
        self.output = layer(hidden, out_size)
        self.correction = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.SiLU(), layer(hidden, out_size))
        steps = path_length // config.grains_per_step
        self.basis = nn.Parameter(torch.zeros(steps, config.embedding_size, out_size)) if config.linear else None
        self.center = nn.Parameter(torch.zeros(steps, out_size)) if config.linear else None
        self.register_buffer("decay", torch.exp(-1 / 2.0 ** torch.arange(-1, CLOCKS - 1)), persistent=False)

    def forward(self, embedding: Tensor, condition: Tensor, length: int) -> Tensor:
        """Embeddings [B, E] and conditions [B, C] -> paths [B, length, P]; the length is a whole number of steps."""
        steps = length // self.grains_per_step
        joined = torch.cat((embedding, condition), -1)
        feed = self.feed(joined)[:, None].expand(-1, steps, -1)
        clock = self.decay ** torch.arange(steps, device=embedding.device)[:, None]
        inputs = torch.cat((feed, clock[None].expand(embedding.shape[0], -1, -1)), -1)
        states, _ = self.gru(inputs, torch.tanh(self.start(joined))[None])
        path: Tensor = self.output(states) + self.correction(torch.cat((states, feed), -1))
        if self.basis is not None and self.center is not None:
            place = torch.arange(steps, device=embedding.device).clamp_max(len(self.basis) - 1)
            linear = (embedding[None] @ self.basis[place]).transpose(0, 1)
            path = path + linear + self.center[place]
        return path.reshape(path.shape[0], length, self.latent_size)

    def step(self, embedding: Tensor, condition: Tensor, step: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """One step of `forward`, from its number [B, 1], 0 for the first, and the GRU's state [B, H] before it.

        Returns the grains that it writes [B, grains_per_step, P] and the state after it.
        """
        joined = torch.cat((embedding, condition), -1)
        feed = self.feed(joined)
        hidden = torch.where(step < 0.5, torch.tanh(self.start(joined)), hidden)
        inputs = torch.cat((feed, self.decay**step), -1)
        state = self.gru(inputs[:, None], hidden[None])[1][0]
        path: Tensor = self.output(state) + self.correction(torch.cat((state, feed), -1))
        if self.basis is not None and self.center is not None:
            place = torch.where(step[:, 0] > 0, step[:, 0], 0.0)  # even NaN has to find a row
            place = place.clamp_max(len(self.basis) - 1).long()
            path = path + (embedding[:, None] @ self.basis[place])[:, 0] + self.center[place]
        return path.reshape(-1, self.grains_per_step, self.latent_size), state


class EmbeddingVAE(nn.Module):
    """Encoder, prior and decoder of paths in audible units: a distance of 1 is 1 neper of the decoded spectrum.

    `path_map` takes latents [Z] to their P strongest components in these units, and `path_unmap` takes them back. The
    other components stay at their means.
    """

    path_mean: Tensor
    path_map: Tensor
    path_unmap: Tensor
    path_scale: Tensor
    time_weight: Tensor

    def __init__(self, latent_size: int, sizes: tuple[int, ...], path_length: int, config: EmbeddingConfig) -> None:
        super().__init__()
        size = min(config.components, latent_size)
        self.encoder = EmbeddingEncoder(size, sum(sizes), path_length, config)
        self.decoder = EmbeddingDecoder(size, sum(sizes), path_length, config)
        self.prior = EmbeddingPrior(sum(sizes), config.embedding_size, config.prior_size)
        self.register_buffer("path_mean", torch.zeros(latent_size))
        self.register_buffer("path_map", torch.eye(latent_size, size))
        self.register_buffer("path_unmap", torch.eye(size, latent_size))
        self.register_buffer("path_scale", torch.ones(size))
        self.register_buffer("time_weight", torch.ones(path_length))

    @property
    def linear_maps(self) -> list[nn.Parameter]:
        """The parameters of the linear maps; none without `linear`."""
        encoder, decoder = self.encoder, self.decoder
        maps = (encoder.linear, encoder.linear_center, decoder.basis, decoder.center)
        return [parameter for parameter in maps if parameter is not None]

    def encode(self, path: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Paths [B, T, Z] and conditions [B, C] -> mean, log-variance [B, E] of their embeddings."""
        mean, log_variance = self.encoder(self._scaled(path), condition)
        return mean, log_variance

    def decode(self, embedding: Tensor, condition: Tensor, length: int) -> Tensor:
        """Embeddings [B, E] and conditions [B, C] -> paths [B, length, Z]."""
        return self._latents(self.decoder(embedding, condition, length))

    def decode_step(self, embedding: Tensor, condition: Tensor, step: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """One step of `decode`, see `EmbeddingDecoder.step`: grains [B, grains_per_step, Z] and the state [B, H]."""
        path, state = self.decoder.step(embedding, condition, step, hidden)
        return self._latents(path), state

    def path_error(self, decoded: Tensor, path: Tensor) -> Tensor:
        """Mean squared audible difference of paths [B, T, Z], scalar. Early and loud times count more."""
        squared = ((decoded - path) @ self.path_map).square().sum(-1)
        return (self.time_weight * squared).mean()

    def _latents(self, path: Tensor) -> Tensor:
        latents: Tensor = (path * self.path_scale) @ self.path_unmap + self.path_mean
        return latents

    def _scaled(self, path: Tensor) -> Tensor:
        scaled: Tensor = ((path - self.path_mean) @ self.path_map) / self.path_scale
        return scaled

    @torch.no_grad()
    def scale_paths(self, path: Tensor, metric: Tensor, heard: Tensor) -> None:
        """Set the audible units from paths [N, T, Z], the spectra's metric [Z, Z] and what grains count [N, T]."""
        flat = path.flatten(0, 1)
        self.path_mean.copy_(flat.mean(0))
        metric = metric + 1e-4 * metric.diagonal().mean() * torch.eye(len(metric), device=metric.device)
        values, vectors = torch.linalg.eigh(metric.double())
        root = vectors * values.clamp_min(1e-12).sqrt()
        audible = (flat - self.path_mean).double() @ root
        _, components = torch.linalg.eigh(audible.T @ audible / len(audible))
        whole, size = root @ components.flip(1), self.path_map.shape[1]
        self.path_map.copy_(whole[:, :size])
        self.path_unmap.copy_(torch.linalg.inv(whole)[:size])
        self.path_scale.copy_((audible @ components.flip(1)[:, :size]).std(0).clamp_min(1e-3))
        weight = heard.mean(0) + FAINTEST * heard.mean() + 1e-6
        self.time_weight.copy_(weight / weight.mean())

    @torch.no_grad()
    def start_from_pca(self, path: Tensor, weight: Tensor) -> float:
        """Set the linear maps to a whitened PCA of whole paths [N, T, Z], each with a weight [N].

        Returns the share of the audible variance that the embedding keeps.
        """
        encoder, decoder = self.encoder.linear, self.decoder.basis
        assert encoder is not None and decoder is not None
        assert self.decoder.center is not None and self.encoder.linear_center is not None
        scaled = self._scaled(path)
        rows = (weight / weight.mean()).sqrt()[:, None]
        # the units in which the PCA keeps variance: audible ones, weighted by what their time counts
        loud = (self.time_weight.sqrt()[:, None] * self.path_scale).flatten()
        center = (scaled * rows.square()[:, :, None]).mean(0).flatten()
        centered = (scaled.flatten(1) - center) * loud * rows
        whole = centered.double()
        variances, vectors = torch.linalg.eigh(whole @ whole.T / len(path))
        # directions that no path takes only magnify rounding errors
        size = min(decoder.shape[1], int((variances > FAINTEST_VARIANCE * variances[-1]).sum()))
        kept = variances.flip(0)[:size].float()
        directions = centered.T @ vectors.flip(1)[:, :size].float() / (kept * len(path)).sqrt()
        encoder.zero_()
        encoder[:, :size] = directions * loud[:, None] / kept.sqrt()
        self.encoder.linear_center.copy_(center)
        decoder.zero_()
        shape = (len(decoder), -1, size)
        decoder[:, :size] = (directions / loud[:, None] * kept.sqrt()).reshape(shape).transpose(1, 2)
        self.decoder.center.copy_(center.reshape(len(decoder), -1))
        return float(kept.sum() / variances.clamp_min(0).sum())
