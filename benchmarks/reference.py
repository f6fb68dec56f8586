"""A decoder as one writes it first in torch: the yardstick of the offline decoding speed.

The steps of the decoder published with the paper (arXiv 2008.01393; `waveform_model.decode` and `noise_filtering` of
https://github.com/adrienchaton/neural_granular_synthesis, codes/models.py), of which nothing was taken but what they
do, around linear layers as wide as those of a bundle, so that the two differ in how they make sound and not in how much
they have learned. Weights are random: speed does not depend on them. Imports nothing but torch.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

POSTPROCESSING_CHANNELS, POSTPROCESSING_TAPS = 10, 33
OVERLAP = 4


class Block(nn.Module):
    """x + linear(silu(norm(x)))."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.LayerNorm(size), nn.SiLU(), nn.Linear(size, size))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = x + self.layers(x)
        return result


class ReferenceDecoder(nn.Module):
    """Latents of grains to sound: filters, each with its own noise, windowed, added up and post-processed.

    `padded`: each filter is convolved linearly, over 2 L samples of which the first L are kept, as in DDSP. Else it is
    convolved around a circle of L samples: half as much work, and what the published code does.
    """

    window: Tensor
    impulse_window: Tensor

    def __init__(
        self,
        grain_length: int = 2048,
        latent_size: int = 256,
        condition_size: int = 8,
        hidden_size: int = 128,
        blocks: int = 2,
        padded: bool = True,
    ) -> None:
        super().__init__()
        self.grain_length, self.padded = grain_length, padded
        bins = grain_length // 2 + 1
        self.network = nn.Sequential(
            nn.Linear(latent_size + condition_size, hidden_size),
            *(Block(hidden_size) for _ in range(blocks)),
            nn.SiLU(),
        )
        self.output = nn.Linear(hidden_size, bins)
        self.linear = nn.Linear(latent_size, bins)
        self.postprocessing = nn.Conv1d(
            POSTPROCESSING_CHANNELS, 1, POSTPROCESSING_TAPS, padding=POSTPROCESSING_TAPS // 2
        )
        self.prepared: dict[int, tuple[Tensor, Tensor]] = {}  # windows and their sum, by the number of grains
        self.register_buffer("window", torch.hann_window(grain_length))
        self.register_buffer("impulse_window", torch.fft.fftshift(torch.hann_window(grain_length)))

    def coefficients(self, latent: Tensor, condition: Tensor) -> Tensor:
        """Latents [G, Z] and conditions [G, C] -> filter coefficients H [G, K] (eq. 6)."""
        hidden = self.output(self.network(torch.cat((latent, condition), -1))) + self.linear(latent)
        return 2 * torch.sigmoid(hidden) ** math.log(10) + 1e-7

    def grains(self, coefficients: Tensor) -> Tensor:
        """Filter coefficients [G, K] -> noise that they filter [G, L] (eq. 7 and 8)."""
        length = self.grain_length
        response = torch.fft.irfft(torch.complex(coefficients, torch.zeros_like(coefficients)))
        response = torch.fft.fftshift(response * self.impulse_window, dim=-1)
        noise = torch.rand_like(response) * 2 - 1
        size = 2 * length if self.padded else length
        spectrum = torch.fft.rfft(noise, n=size) * torch.fft.rfft(response, n=size)
        return torch.fft.irfft(spectrum)[:, :length]

    def assemble(self, grains: Tensor) -> Tensor:
        """Grains [G, L] -> their windowed sum over the sum of the windows [(G + 3) * hop]."""
        count = len(grains)
        if count not in self.prepared:
            windows = self.window.repeat(count, 1)
            windows[0, : self.grain_length // 2] = 1.0
            windows[-1, self.grain_length // 2 :] = 1.0
            self.prepared[count] = windows, self.folded(windows)
        windows, total = self.prepared[count]
        return self.folded(grains * windows) / total

    def folded(self, grains: Tensor) -> Tensor:
        """The sum of grains [G, L], each a hop after the one before: [(G + 3) * hop]."""
        length, hop = self.grain_length, self.grain_length // OVERLAP
        size = ((len(grains) + OVERLAP - 1) * hop, 1)
        return nn.functional.fold(grains.T[None], size, (length, 1), stride=(hop, 1)).flatten()

    @torch.no_grad()
    def forward(self, latent: Tensor, condition: Tensor) -> Tensor:
        """Latents [G, Z] and conditions [G, C] of one sound -> audio [(G + 3) * hop] in (-1, 1)."""
        signal = self.assemble(self.grains(self.coefficients(latent, condition)))
        channels = signal[None, None].repeat(1, POSTPROCESSING_CHANNELS, 1)
        audio: Tensor = nn.functional.softsign(self.postprocessing(channels)).flatten()
        return audio
