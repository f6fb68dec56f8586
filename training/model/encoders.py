"""Grain encoders q(z|x) (paper, section 3.1): windowed grain in, mean and log-variance out.

Another one is a class here, its word in `config.ENCODERS` (and in `config.SPECTRAL_ENCODERS` if it is spectral), and an
entry in `parts.ENCODERS`.

Shapes: N grains of L samples, K = L/2 + 1 bins, S points of the energy profile, Q bands that have levels of their own,
O numbers of the onset shape, F = K + S + Q + O features, Z latent size. Onset flags [N, 1] are 1 in the first grain of
a sound, else 0.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from ngs.training.config import AudioConfig, GrainConfig
from ngs.training.model.band_levels import BANDS, SCALE, bands_of_bins, log_levels
from ngs.training.model.energy_profile import PROFILE_SCALE, energy_profile
from ngs.training.model.layers import LOG_VARIANCE_RANGE, START_LOG_VARIANCE, ResidualBlock, zero_linear
from ngs.training.model.onset import ShortFrames

FEATURE_SCALE = 0.6  # brings log magnitudes to the order of 1 for the network


class GrainEncoder(nn.Module, ABC):
    """Base of the encoders. All are made of the configuration, and of S and O, which the excitation asks for."""

    @property
    def spectral(self) -> SpectralEncoder | None:
        """This encoder if it reads log spectra, which a decoder of such spectra compares with; else None."""
        return None

    @abstractmethod
    def forward(self, grains: Tensor, onset: Tensor) -> tuple[Tensor, Tensor]:
        """Windowed grains [N, L] and onset flags [N, 1] -> mean, log-variance [N, Z]."""


class SpectralEncoder(GrainEncoder):
    """Log spectrum, levels and energy profile, a linear path that starts as a PCA, a network that starts at zero.

    Not in the paper. It takes under 1 million multiplications a grain (the convolutions take 190 million) and is useful
    from the first step. A feature vector [F] is log(floor + |DFT|) of the K bins, then PROFILE_SCALE times the S points
    of the profile, then SCALE times the log levels of Q bands, then the onset shape; grains that are not the first of a
    sound have its mean, `center`.
    """

    center: Tensor
    bands: Tensor

    def __init__(self, audio: AudioConfig, grain: GrainConfig, points: int, shape_size: int) -> None:
        super().__init__()
        self.floor, self.points, self.bins = grain.floor, points, audio.grain_length // 2 + 1
        features = self.bins + points + BANDS + shape_size
        self.frames = ShortFrames(audio.grain_length) if shape_size else None
        self.register_buffer(
            "bands", bands_of_bins(self.bins, audio.sample_rate / audio.grain_length), persistent=False
        )
        self.register_buffer("center", torch.zeros(features))
        self.linear = nn.Linear(features, grain.latent_size)
        output = zero_linear(grain.hidden_size, 2 * grain.latent_size)
        with torch.no_grad():
            output.bias[grain.latent_size :] = START_LOG_VARIANCE
        self.network = nn.Sequential(
            nn.Linear(features, grain.hidden_size),
            *(ResidualBlock(grain.hidden_size) for _ in range(grain.blocks)),
            nn.SiLU(),
            output,
        )

    @property
    def spectral(self) -> SpectralEncoder:
        return self

    def forward(self, grains: Tensor, onset: Tensor) -> tuple[Tensor, Tensor]:
        return self.encode_features(self.features(grains, onset))

    def features(self, grains: Tensor, onset: Tensor, magnitudes: Tensor | None = None) -> Tensor:
        """Windowed grains [N, L] and onset flags [N, 1] -> feature vectors [N, F]; `magnitudes` [N, K] in place of the
        grains' own.
        """
        magnitudes = magnitude_spectrum(grains) if magnitudes is None else magnitudes
        return self.features_of(grains, onset, magnitudes, self.bands)

    def features_of(self, grains: Tensor, onset: Tensor, magnitudes: Tensor, bands: Tensor) -> Tensor:
        """The same with `bands_of_bins` of the bins in their order."""
        features = [torch.log(self.floor + magnitudes)]
        if self.points:
            features.append(PROFILE_SCALE * energy_profile(grains, self.points))
        features.append(SCALE * log_levels(magnitudes, bands))
        if self.frames is not None:
            shape = self.frames.log_shares(grains)
            center = self.center[-shape.shape[-1] :]
            features.append(center + onset * (shape - center))
        return torch.cat(features, -1)

    def heard(self, onset: Tensor) -> Tensor:
        """Which features grains with these onset flags [N, 1] have of their own: ones and zeros [N, F]."""
        always = onset.new_ones(len(onset), self.bins + self.points + BANDS)
        return torch.cat((always, onset.expand(-1, len(self.center) - always.shape[1])), -1)

    def encode_features(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Feature vectors [N, F] -> mean, log-variance [N, Z]."""
        centered = features - self.center
        correction, log_variance = self.network(FEATURE_SCALE * centered).chunk(2, -1)
        return self.linear(centered) + correction, log_variance.clamp(*LOG_VARIANCE_RANGE)

    def distance(self, coefficients: Tensor, features: Tensor, onset: Tensor) -> Tensor:
        """How far decoded coefficients [N, F] are from features [N, F]: log power, mean over bins and grains, scalar.

        Where the features lie at the floor, coefficients may lie anywhere below it: all of that is silent. A log power
        is twice a log magnitude.
        """
        target, floor = features[:, : self.bins], math.log(self.floor)
        spectral = coefficients[:, : self.bins]
        spectral = torch.where(target > floor + 0.1, spectral, spectral.clamp_min(floor)) - target
        profile = (coefficients[:, self.bins :] - features[:, self.bins :]) * self.heard(onset)[:, self.bins :]
        return 2 * (spectral.abs().sum(1) + profile.abs().sum(1)).mean() / self.bins


def magnitude_spectrum(grains: Tensor) -> Tensor:
    """|DFT| of real grains [..., L]: [..., K]."""
    spectrum: Tensor = torch.fft.rfft(grains)
    return spectrum.abs()


class ConvolutionEncoder(GrainEncoder):
    """The paper's encoder: strided convolutions, each followed by dilated residual ones, then linear layers."""

    def __init__(self, audio: AudioConfig, grain: GrainConfig, points: int, shape_size: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for stage in range(grain.stages):
            layers.append(_StridedConvolution(1 if stage == 0 else grain.channels, grain.channels, grain.stride))
            layers.extend(_DilatedResidual(grain.channels, 3**power) for power in range(3))
        self.convolutions = nn.Sequential(*layers)
        flat = grain.channels * (audio.grain_length // grain.stride**grain.stages)
        self.linears = nn.Sequential(
            _linear_block(flat, grain.hidden_size), _linear_block(grain.hidden_size, grain.latent_size)
        )
        self.mean = nn.Linear(grain.latent_size, grain.latent_size)
        self.log_variance = nn.Linear(grain.latent_size, grain.latent_size)

    def forward(self, grains: Tensor, onset: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.linears(self.convolutions(grains[:, None]).flatten(1))
        return self.mean(hidden), self.log_variance(hidden).clamp(*LOG_VARIANCE_RANGE)


def _linear_block(in_size: int, out_size: int) -> nn.Module:
    return nn.Sequential(nn.Linear(in_size, out_size), nn.BatchNorm1d(out_size), nn.LeakyReLU(0.2))


class _StridedConvolution(nn.Sequential):
    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        kernel = 2 * stride + 1
        super().__init__(
            nn.Conv1d(in_channels, out_channels, kernel, stride, padding=kernel // 2),
            nn.BatchNorm1d(out_channels),
            nn.LeakyReLU(0.2),
        )


class _DilatedResidual(nn.Module):
    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.LeakyReLU(0.2),
            nn.Conv1d(channels, channels, 3, dilation=dilation, padding=dilation),
            nn.BatchNorm1d(channels),
            nn.LeakyReLU(0.2),
            nn.Conv1d(channels, channels, 1),
            nn.BatchNorm1d(channels),
        )
        self.shortcut = nn.Sequential(nn.Conv1d(channels, channels, 1), nn.BatchNorm1d(channels))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.shortcut(x) + self.block(x)
        return out
