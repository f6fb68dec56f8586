"""The decoder published with the paper, in torch, to compare the speed of decoding with.

It does what `waveform_model.decode` and `noise_filtering` do in codes/models.py of
https://github.com/adrienchaton/neural_granular_synthesis (arXiv 2008.01393, section 3.2); no code was taken. Its linear
layers can be made as wide as those of a bundle, so that the two differ only in how they make sound. The weights are
random: speed does not depend on them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

OVERLAP = 4
VERSION = str(torch.__version__)


class PublishedDecoder(nn.Module):
    """Latents to filters, filters to grains of noise, which are added up and post-processed.

    padded: filters are convolved linearly, over 2 L samples of which the first L are kept, else circularly over L.
    linear: a linear path from the latent is added to the residual layers, as log-magnitude heads have it.
    channels, taps: copies of the sound, and the length of the post-processing filter that adds them up.

    Circular convolution, 5 channels and 65 taps are the published configuration.
    Shapes: G grains of L samples, K = L/2 + 1 bins, Z latent size, C condition size.
    """

    window: Tensor

    def __init__(
        self,
        grain_length: int = 2048,
        latent_size: int = 256,
        condition_size: int = 8,
        hidden_size: int = 128,
        blocks: int = 2,
        padded: bool = False,
        linear: bool = True,
        channels: int = 5,
        taps: int = 65,
    ) -> None:
        super().__init__()
        self.grain_length, self.size = grain_length, 2 * grain_length if padded else grain_length
        bins = grain_length // 2 + 1
        self.first = nn.Linear(latent_size + condition_size, hidden_size)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(hidden_size), nn.SiLU(), nn.Linear(hidden_size, hidden_size))
            for _ in range(blocks)
        )
        self.output = nn.Linear(hidden_size, bins)
        self.linear = nn.Linear(latent_size, bins) if linear else None
        self.postprocessing = nn.Conv1d(channels, 1, taps, padding=taps // 2)
        self.register_buffer("window", torch.hann_window(grain_length))
        self.totals: dict[int, Tensor] = {}  # sums of the windows by the number of grains

    @torch.no_grad()
    def forward(self, latent: Tensor, condition: Tensor) -> Tensor:
        """Latents [G, Z] and conditions [G, C] of one sound -> audio [(G + 3) * hop], |x| < 1."""
        grains = self.grains(self.coefficients(latent, condition))
        if len(grains) not in self.totals:
            self.totals[len(grains)] = self.folded(self.window.expand_as(grains)).clamp_min(1e-3)
        signal = self.folded(grains * self.window) / self.totals[len(grains)]
        copies = signal.repeat(1, self.postprocessing.in_channels, 1)
        audio: Tensor = nn.functional.softsign(self.postprocessing(copies)).flatten()
        return audio

    def coefficients(self, latent: Tensor, condition: Tensor) -> Tensor:
        """Filter coefficients H [G, K] (eq. 6)."""
        hidden = self.first(torch.cat((latent, condition), -1))
        for block in self.blocks:
            hidden = hidden + block(hidden)
        result = self.output(nn.functional.silu(hidden))
        if self.linear is not None:
            result = result + self.linear(latent)
        return 2 * torch.sigmoid(result) ** math.log(10) + 1e-7

    def grains(self, coefficients: Tensor) -> Tensor:
        """Filter coefficients [G, K] -> grains of filtered noise [G, L] (eq. 7 and 8)."""
        response = torch.fft.irfft(torch.complex(coefficients, torch.zeros_like(coefficients)), n=self.grain_length)
        response = response.roll(self.grain_length // 2, -1) * self.window
        noise = torch.rand_like(response) * 2 - 1
        spectrum = torch.fft.rfft(noise, n=self.size) * torch.fft.rfft(response, n=self.size)
        filtered: Tensor = torch.fft.irfft(spectrum, n=self.size)
        return filtered[:, : self.grain_length]

    def folded(self, grains: Tensor) -> Tensor:
        """Grains [G, L] added up, each a hop after the one before: [(G + 3) * hop]."""
        length, hop = self.grain_length, self.grain_length // OVERLAP
        samples = (len(grains) + OVERLAP - 1) * hop
        total: Tensor = nn.functional.fold(grains.T[None], (samples, 1), (length, 1), stride=(hop, 1)).flatten()
        return total


def decoding(
    decoder: PublishedDecoder, path: NDArray[np.float32], condition: NDArray[np.float32]
) -> Callable[[], object]:
    """A call that decodes a latent path [G, Z] under a condition [C]."""
    latents, conditions = torch.from_numpy(path), torch.from_numpy(condition).expand(len(path), -1)
    return lambda: decoder(latents, conditions)


@contextmanager
def one_thread() -> Iterator[None]:
    """Within, torch computes in one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
