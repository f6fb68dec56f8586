"""Grain encoders q(z|x) (paper, section 3.1): windowed grain in, mean and log-variance out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ngs.training.config import AudioConfig, GrainConfig
from ngs.training.model.excitation import energy_profile

LOG_VARIANCE_RANGE = (-12.0, 4.0)
START_LOG_VARIANCE = -4.0  # certain enough that the linear path works from the first step
FEATURE_SCALE = 0.6  # brings log magnitudes to the order of 1 for the network
PROFILE_SCALE = 4.0  # weight of a point of the energy profile beside a log magnitude


class ResidualBlock(nn.Module):
    """x + linear(silu(norm(x))), width unchanged."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(size)
        self.linear = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.linear(nn.functional.silu(self.norm(x)))
        return out


def zero_linear(in_size: int, out_size: int) -> nn.Linear:
    layer = nn.Linear(in_size, out_size)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class SpectralEncoder(nn.Module):
    """Log spectrum and energy profile, a linear path that starts as a PCA, and a network that starts at zero.

    Beyond the paper: under 1 MMAC a grain where the convolutions take 190, and useful from the first step. A feature
    vector [F] is log(floor + |DFT|) of L/2 + 1 bins, then PROFILE_SCALE times the S points of the profile.
    """

    center: Tensor

    def __init__(self, audio: AudioConfig, grain: GrainConfig) -> None:
        super().__init__()
        self.floor, self.points = grain.floor, grain.profile_points
        features = audio.grain_length // 2 + 1 + self.points
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

    def forward(self, grains: Tensor) -> tuple[Tensor, Tensor]:
        """Windowed grains [N, L] -> mean, log-variance [N, Z]."""
        return self.encode_features(self.features(grains))

    def features(self, grains: Tensor, magnitudes: Tensor | None = None) -> Tensor:
        """Windowed grains [N, L] -> feature vectors [N, F]; `magnitudes` [N, L/2+1] in place of their own."""
        magnitudes = magnitude_spectrum(grains) if magnitudes is None else magnitudes
        spectral = torch.log(self.floor + magnitudes)
        return torch.cat((spectral, PROFILE_SCALE * self.profile(grains)), -1) if self.points else spectral

    def profile(self, grains: Tensor) -> Tensor:
        """Windowed grains [N, L] -> energy profiles [N, S]."""
        return energy_profile(grains, self.points)

    def encode_features(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Feature vectors [N, F] -> mean, log-variance [N, Z]."""
        centered = features - self.center
        correction, log_variance = self.network(FEATURE_SCALE * centered).chunk(2, -1)
        return self.linear(centered) + correction, log_variance.clamp(*LOG_VARIANCE_RANGE)


def magnitude_spectrum(grains: Tensor) -> Tensor:
    """|DFT| of real grains [..., L]: [..., L/2+1]."""
    spectrum: Tensor = torch.fft.rfft(grains)
    return spectrum.abs()


class ConvolutionEncoder(nn.Module):
    """Strided convolutions, each followed by dilated residual ones, then linear layers: the paper's encoder."""

    def __init__(self, audio: AudioConfig, grain: GrainConfig) -> None:
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

    def forward(self, grains: Tensor) -> tuple[Tensor, Tensor]:
        """Windowed grains [N, L] -> mean, log-variance [N, Z]."""
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
