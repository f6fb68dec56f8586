"""Heads: what the numbers that a decoder gives for the bins of a grain stand for.

A head has no weights. Another one is a class here, its word in `config.DECODERS` (and in `config.SPECTRAL_DECODERS` if
it is spectral), and an entry in `parts.HEADS`.

Shapes: K = L/2 + 1 bins of a grain of L samples.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from ngs.training.config import AudioConfig, GrainConfig

HANN_ENERGY = 0.375  # mean square of a periodic Hann window
LOUDEST = 20.0  # no sound reaches e^20; far out in the latent space nothing may become infinite


class Head(ABC):
    """Turns the coefficients of bins into magnitudes."""

    spectral: ClassVar[bool]  # whether coefficients are log spectra: the decoder then has a linear path, set by a PCA
    filter_gain: float  # a filter of filter_gain * magnitude gives uniform noise that magnitude

    def __init__(self, audio: AudioConfig, grain: GrainConfig) -> None:
        # |DFT| of uniform noise in [-1, 1] under a Hann window, root mean square: its |DFT|^2 without one is L/3
        self.noise_magnitude = math.sqrt(HANN_ENERGY * audio.grain_length / 3)

    @abstractmethod
    def magnitudes(self, coefficients: Tensor) -> Tensor:
        """Coefficients [..., K] -> magnitudes [..., K], at least 0."""

    @abstractmethod
    def log_magnitudes(self, coefficients: Tensor) -> Tensor:
        """Coefficients [..., K] -> log |DFT| of the windowed grains that they stand for [..., K]."""


class SigmoidHead(Head):
    """The paper's: magnitudes H = 2 sigmoid(h)^ln 10 + 1e-7 of a filter for noise (eq. 6)."""

    spectral = False
    filter_gain = 1.0

    def magnitudes(self, coefficients: Tensor) -> Tensor:
        return 2 * torch.sigmoid(coefficients) ** math.log(10) + 1e-7

    def log_magnitudes(self, coefficients: Tensor) -> Tensor:
        return torch.log(self.noise_magnitude * self.magnitudes(coefficients))


class LogMagnitudeHead(Head):
    """Coefficients a = log(floor + |DFT|) of the windowed grain. What lies at the floor is exactly silent."""

    spectral = True

    def __init__(self, audio: AudioConfig, grain: GrainConfig) -> None:
        super().__init__(audio, grain)
        self.floor = grain.floor
        self.filter_gain = 1 / self.noise_magnitude

    def magnitudes(self, coefficients: Tensor) -> Tensor:
        # slightly more than the floor is taken off, so that rounding leaves nothing: silence is silent to the last bit
        return torch.relu(torch.exp(coefficients.clamp_max(LOUDEST)) - 1.00001 * self.floor)

    def log_magnitudes(self, coefficients: Tensor) -> Tensor:
        return coefficients
