"""Distances and divergences (paper, eq. 1, 2 and 9)."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from ngs.training.config import LossConfig


def sample_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Draw from N(mean, exp(log_variance)), differentiably (reparametrization)."""
    return mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, 1)) in nats, summed over the last axis, averaged over the others."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1).mean()


class _PowerSpectrum(torch.autograd.Function):
    """|DFT|^2 of real frames [..., n]: [..., n/2+1]. Its gradient takes a real transform, torch's a complex one."""

    @staticmethod
    def forward(ctx: Any, frames: Tensor) -> Tensor:
        spectrum = torch.fft.rfft(frames)
        ctx.save_for_backward(spectrum)
        power: Tensor = spectrum.real.square() + spectrum.imag.square()
        return power

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (spectrum,) = ctx.saved_tensors
        weighted = gradient * spectrum
        weighted[..., 0] *= 2  # the bins that have no conjugate
        weighted[..., -1] *= 2
        transposed: Tensor = torch.fft.irfft(weighted, n=2 * (spectrum.shape[-1] - 1), norm="forward")
        return transposed


def power_stft(signal: Tensor, window_length: int) -> Tensor:
    """|STFT|^2 of signals [B, n], 75 % overlap, frames centred on multiples of the hop: [B, frames, bins].

    bins = window_length / 2 + 1, frames = n // hop + 1. The values are those of torch.stft, but several times faster
    to differentiate.
    """
    hop = window_length // 4
    frames = signal.shape[1] // hop + 1
    padded = nn.functional.pad(signal, (window_length // 2, (frames + 3) * hop - signal.shape[1] - window_length // 2))
    blocks = padded.reshape(len(padded), -1, hop)
    overlapping = torch.cat([blocks[:, shift : shift + frames] for shift in range(4)], -1)
    power: Tensor = _PowerSpectrum.apply(  # type: ignore[no-untyped-call]
        overlapping * torch.hann_window(window_length, device=signal.device)
    )
    return power


def log_spectral_distance(x: Tensor, y: Tensor, window_length: int, floor: float = 5e-3) -> Tensor:
    """LSD [B] of signals [B, n]: differences of log(floor + |S|^2), rms over bins, mean over frames."""
    difference = torch.log(floor + power_stft(x, window_length)) - torch.log(floor + power_stft(y, window_length))
    return difference.square().mean(-1).sqrt().mean(-1)


def multi_scale_distance(x: Tensor, y: Tensor, loss: LossConfig) -> Tensor:
    """L1 distance of signals [B, n] in log(floor + |S|^2), all windows, linear and log frequency (eq. 9): scalar.

    The log-frequency terms average bins in bands, six to an octave, so that low frequencies weigh as much as high ones.
    """
    with torch.autocast(x.device.type, enabled=False):  # power spectra overflow 16 bits
        total = x.new_zeros(())
        for window_length in loss.windows:
            ours = power_stft(x.float(), window_length)
            with torch.no_grad():
                target = power_stft(y.float(), window_length)
            total = total + (torch.log(loss.floor + ours) - torch.log(loss.floor + target)).abs().mean()
            if loss.log_frequency > 0:
                bands = _log_bands(window_length, x.device).T
                banded = torch.log(loss.floor + ours @ bands) - torch.log(loss.floor + target @ bands)
                total = total + loss.log_frequency * banded.abs().mean()
    return total / (len(loss.windows) * (1 + loss.log_frequency))


@cache
def _log_bands(window_length: int, device: torch.device) -> Tensor:
    """Triangular averages of bins around centres at equal distances in log frequency: [bands, window_length/2+1]."""
    bins = window_length // 2 + 1
    centers = torch.logspace(0, torch.log10(torch.tensor(float(bins - 1))).item(), 6 * (window_length.bit_length() - 2))
    centers = centers[torch.cat((torch.ones(1, dtype=torch.bool), centers.diff() > 0.2))]
    widths = (centers * 0.12).clamp_min(1.0)
    distance = (torch.arange(bins)[None] - centers[:, None]).abs()
    weights = (1 - distance / widths[:, None]).clamp_min(0.0)
    return (weights / weights.sum(1, keepdim=True)).to(device)
