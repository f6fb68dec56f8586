"""Grain decoder p(x|z) (paper, section 3.2): latent and conditions to a filter, applied to noise."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ngs.training.config import AudioConfig, GrainConfig
from ngs.training.encoders import ResidualBlock, zero_linear

HANN_ENERGY = 0.375  # mean square of a periodic Hann window
# Levelled slices of one noise stream add up to a little less than the stream itself: 0.9 dB, measured
# on white noise, the same for every grain length.
FLAT_OVERLAP_GAIN = 1.107
LOUDEST = 20.0  # no sound reaches e^20; far out in the latent space nothing must become infinite


class FilterDecoder(nn.Module):
    """Residual linear layers to L/2+1 filter magnitudes H; grain = iDFT(H * DFT(noise)) (eq. 6 to 8).

    "sigmoid" is the paper's H = 2 sigmoid(h)^ln 10 + 1e-7. "log_magnitude" predicts a = log(floor + |DFT|) of the
    windowed grain along a linear path that starts as a PCA; what lies at the floor is exactly silent.
    """

    gain: Tensor

    def __init__(self, audio: AudioConfig, grain: GrainConfig, condition_size: int) -> None:
        super().__init__()
        bins = audio.grain_length // 2 + 1
        self.head, self.excitation, self.floor = grain.decoder, grain.excitation, grain.floor
        self.grain_length = audio.grain_length
        in_size = grain.latent_size + condition_size
        self.network = nn.Sequential(
            nn.Linear(in_size, grain.hidden_size),
            *(ResidualBlock(grain.hidden_size) for _ in range(grain.blocks)),
            nn.SiLU(),
        )
        if self.head == "log_magnitude":
            self.linear = nn.Linear(grain.latent_size, bins)
            self.output = zero_linear(grain.hidden_size, bins)
        else:
            self.output = nn.Linear(grain.hidden_size, bins)
        gain = torch.full((bins,), self._gain())
        gain[0] = 0.0  # no DC
        self.register_buffer("gain", gain, persistent=False)

    def _gain(self) -> float:
        """Magnitude of the filter that gives a windowed grain of magnitude 1 in each bin."""
        if self.head == "sigmoid":
            return 1.0
        if self.excitation == "flat":
            return FLAT_OVERLAP_GAIN / math.sqrt(HANN_ENERGY)
        return 1 / math.sqrt(HANN_ENERGY * self.grain_length / 3)  # a uniform noise's |DFT|^2 is L/3

    def coefficients(self, latent: Tensor, condition: Tensor) -> Tensor:
        """Latents [N, Z] and conditions [N, C] -> log magnitude a or pre-sigmoid h [N, L/2+1]."""
        hidden: Tensor = self.output(self.network(torch.cat((latent, condition), -1)))
        return hidden + self.linear(latent) if self.head == "log_magnitude" else hidden

    def magnitudes(self, coefficients: Tensor) -> Tensor:
        """Coefficients [..., K] -> filter magnitudes H [..., K] for noise of unit magnitude (flat) or in [-1, 1]."""
        if self.head == "sigmoid":
            return self.gain * (2 * torch.sigmoid(coefficients) ** math.log(10) + 1e-7)
        return self.gain * torch.relu(torch.exp(coefficients.clamp_max(LOUDEST)) - self.floor)

    def forward(self, latent: Tensor, condition: Tensor, noise: Tensor) -> Tensor:
        """Latents [N, Z], conditions [N, C], noise [N, L] in [-1, 1] -> grains [N, L], not windowed."""
        spectrum = torch.fft.rfft(noise)
        if self.excitation == "flat":
            spectrum = spectrum / (spectrum.abs() + 1e-9)
        filtered = self.magnitudes(self.coefficients(latent, condition)) * spectrum
        grains: Tensor = torch.fft.irfft(filtered, n=self.grain_length)
        return grains
