"""Distances and divergences (paper, eq. 1, 2 and 9)."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from ngs.runtime.dsp.timbre import mel_filters
from ngs.training.config import LossConfig
from ngs.training.model.band_levels import QUIET

LOUDEST = 12.0  # no grain reaches e^12
AUDIBLE = 0.07  # magnitude |DFT| of a windowed grain below which differences are hardly heard
AUDIBLE_BAND = 0.01  # power of a band
BANDS, NEIGHBOURS = 32, 4  # mel bands; how many of them make a broad one
FAINT_WEIGHT = 0.1  # added to what a grain counts, which is 1 at mean loudness
SINGLE_BANDS_SHARE = 0.5  # weight of the levels of single bands beside that of all
BAND_WEIGHT, BROAD_WEIGHT, CONVERGENCE_WEIGHT = 0.7, 0.5, 0.3


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


def level_distance(decoded: Tensor, target: Tensor, sample_rate: int, loud: int) -> Tensor:
    """How far decoded log magnitudes [B, G, K] are from others, in levels as well as in shape: scalar.

    Not in the paper.

    An L1 or L2 distance of log magnitudes alone decodes medians or means of logarithms, which lie decibels below
    the mean power, and blurs what comes and goes. So the powers of narrow and of broad mel bands are compared too, and
    the magnitudes themselves (spectral convergence: Arik, Jun, Diamos, 2019) in the first `loud` grains of each sound.
    """
    ours, theirs = decoded.clamp_max(LOUDEST).exp(), target.exp()
    spectra = (torch.log(AUDIBLE + ours) - torch.log(AUDIBLE + theirs)).abs().mean()
    bands = _mel_bands(ours.shape[-1], sample_rate, ours.device)
    powers = [magnitude.square() @ bands for magnitude in (ours, theirs)]
    narrow = _log_difference(*powers)
    broad = _log_difference(*(power.reshape(*power.shape[:-1], -1, NEIGHBOURS).sum(-1) for power in powers))
    first, wanted = ours[:, :loud], theirs[:, :loud]
    convergence = ((first - wanted).norm(dim=(1, 2)) / (wanted.norm(dim=(1, 2)) + 1e-3)).mean()
    distance: Tensor = 2 * spectra + BAND_WEIGHT * narrow + BROAD_WEIGHT * broad + CONVERGENCE_WEIGHT * convergence
    return distance


def envelope_distance(decoded: Tensor, target: Tensor, loudness: Tensor) -> Tensor:
    """How far log levels of bands [B, T, Q] of whole sounds are from others, in nepers: scalar. Not in the paper.

    Compared are the level of all bands together, its change from grain to grain, and the levels of single bands: errors
    that come and go flutter, and blur attacks. Grains count by their loudness [B, T].
    """
    weight = loudness / (loudness.mean(1, keepdim=True) + 1e-6) + FAINT_WEIGHT
    weight = weight / weight.mean()
    floor = math.log(QUIET)
    theirs = target.clamp_min(floor)
    ours = torch.where(target > floor, decoded, decoded.clamp_min(floor))  # what should sound has a gradient everywhere
    wrong = 0.5 * (torch.logsumexp(2 * ours, -1) - torch.logsumexp(2 * theirs, -1))
    bands = (weight[..., None] * (ours - theirs).abs()).mean()
    distance: Tensor = (weight * wrong.abs()).mean() + SINGLE_BANDS_SHARE * bands
    return distance + (weight[:, 1:] * wrong.diff(dim=1).abs()).mean()


def _log_difference(ours: Tensor, theirs: Tensor) -> Tensor:
    return (torch.log(AUDIBLE_BAND + ours) - torch.log(AUDIBLE_BAND + theirs)).abs().mean()


@cache
def _mel_bands(bins: int, sample_rate: int, device: torch.device) -> Tensor:
    """Mel filters as a matrix [bins, BANDS]."""
    return torch.tensor(mel_filters(2 * (bins - 1), sample_rate, BANDS).T, dtype=torch.float32, device=device)
