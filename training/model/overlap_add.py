"""From grains to sound in torch: windows, slicing, overlap-add, post-processing.

The same laws as in `ngs.runtime.dsp.grains`, differentiable and batched; tests compare the two.

Shapes: B signals of n samples, G grains each, L grain length; the hop is L / 4.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def event_windows(grain_length: int, grains: int, device: torch.device | None = None) -> Tensor:
    """Synthesis windows [grains, grain_length]: periodic Hann. The first half of the first is 1, so attacks survive."""
    windows = torch.hann_window(grain_length, device=device).repeat(grains, 1)
    windows[0, : grain_length // 2] = 1.0
    return windows


def analysis_windows(grain_length: int, grains: int, device: torch.device | None = None) -> Tensor:
    """Windows for the encoder [grains, grain_length]: the synthesis windows, all with the energy of a Hann window."""
    windows = event_windows(grain_length, grains, device)
    energy = windows.square().sum(1, keepdim=True)
    return windows * (torch.hann_window(grain_length, device=device).square().sum() / energy).sqrt()


def slice_grains(signal: Tensor, grain_length: int) -> Tensor:
    """Cut signals [B, n] into grains [B, ceil(n / hop), grain_length], a quarter apart, zeros past the end."""
    hop = grain_length // 4
    grains = -(-signal.shape[1] // hop)
    padded = nn.functional.pad(signal, (0, (grains - 1) * hop + grain_length - signal.shape[1]))
    return padded.unfold(1, grain_length, hop)


def overlap_add(grains: Tensor) -> Tensor:
    """Window grains [B, G, L], add them up and divide by the sum of the windows: [B, G * hop] (section 3.3)."""
    batch, count, grain_length = grains.shape
    windows = event_windows(grain_length, count, grains.device)
    return _shifted_sum(grains * windows, batch) / _shifted_sum(windows[None], 1)


def _shifted_sum(grains: Tensor, batch: int) -> Tensor:
    """The sum of grains [B, G, L], each a hop after the one before; the three hops after the last are dropped."""
    _, count, grain_length = grains.shape
    quarters = grains.reshape(batch, count, 4, grain_length // 4)
    total = quarters[:, :, 0]
    for shift in range(1, 4):
        total = total + nn.functional.pad(quarters[:, :, shift], (0, 0, shift, 0))[:, :count]
    return total.reshape(batch, -1)


def noise_grains(batch: int, grains: int, grain_length: int, device: torch.device | None = None) -> Tensor:
    """Uniform noise in [-1, 1] [B, G, L]: overlapping grains of a signal share the same stream."""
    hop = grain_length // 4
    stream = torch.rand(batch, (grains - 1) * hop + grain_length, device=device) * 2 - 1
    return stream.unfold(1, grain_length, hop)


class PostProcessing(nn.Module):
    """A FIR filter, then a soft sign (section 3.3, after eq. 8).

    The paper sums parallel filters before the soft sign, so they are one filter. It is causal and starts as the
    identity: the signal keeps its place, and the latency is 0. The soft sign is linear up to `knee`; a knee of 0 gives
    the paper's x / (1 + |x|).
    """

    def __init__(self, taps: int, knee: float) -> None:
        super().__init__()
        self.response = nn.Parameter(torch.eye(taps)[0])
        self.knee = knee

    @property
    def history(self) -> int:
        """Samples of the past that an output sample needs."""
        return len(self.response) - 1

    def forward(self, signal: Tensor) -> Tensor:
        """Signals [B, n] to audio [B, n] in (-1, 1)."""
        return self.filter_block(nn.functional.pad(signal, (self.history, 0)))

    def filter_block(self, signal: Tensor, matrix: Tensor | None = None) -> Tensor:
        """Signals [B, history + n], which begin with the past, to audio [B, n]; n is a multiple of the history.

        `matrix` is what `matrix()` gives, if it was made before.
        """
        piece = self.history
        count = signal.shape[1] // piece - 1
        before, pieces = (part.reshape(-1, count, piece) for part in (signal[:, :-piece], signal[:, piece:]))
        return soft_sign(
            (torch.cat((before, pieces), -1) @ (self.matrix() if matrix is None else matrix)).flatten(1), self.knee
        )

    def matrix(self) -> Tensor:
        """The filter as a banded matrix [2 * history, history]: a piece and the one before it, to the piece's output.

        (On CPUs, torch and onnxruntime take several times as long for a convolution of one channel.)
        """
        place = torch.arange(self.history, device=self.response.device)
        delay = place[None] + self.history - torch.arange(2 * self.history, device=place.device)[:, None]
        within = (delay >= 0) & (delay <= self.history)
        return torch.where(within, self.response[delay.clamp(0, self.history)], 0.0)


def soft_sign(x: Tensor, knee: float) -> Tensor:
    """Linear up to `knee`, then bent towards 1 with a continuous slope; |result| < 1."""
    linear = x.clamp(-knee, knee)
    return linear + (1 - knee) * nn.functional.softsign((x - linear) / (1 - knee))
