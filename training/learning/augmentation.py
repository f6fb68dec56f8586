"""Augmentation of magnitude spectra: gain, small pitch shifts and band limits, without going through sound."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ngs.training.config import DataConfig


def augment_magnitudes(magnitudes: Tensor, data: DataConfig) -> Tensor:
    """Vary magnitude spectra [N, K], each row in its own way, drawn from torch's generator: [N, K].

    Pitch moves the frequency axis; the log magnitude is interpolated. The band limit is a steep low-pass at between a
    tenth of the bandwidth and all of it, since recordings of lower rates and compressed files are band-limited.
    """
    rows, bins = magnitudes.shape
    uniform = torch.rand(4, rows, 1, device=magnitudes.device)
    ratio = 2.0 ** ((2 * uniform[0] - 1) * data.pitch_semitones / 12)
    axis = torch.arange(bins, device=magnitudes.device)
    place = (axis / ratio).clamp_max(bins - 1.001)
    below = place.long()
    logarithm = torch.log(magnitudes + 1e-5)
    low, high = logarithm.gather(1, below), logarithm.gather(1, below + 1)
    shifted = low + (high - low) * (place - below)
    cutoff = bins * 10.0 ** (uniform[1] - 1)
    octaves_above = torch.log2(axis.clamp_min(1) / cutoff).clamp_min(0.0)
    limited = (uniform[2] < data.low_pass_share) * (20.0 * octaves_above).clamp_max(100.0)
    gain = uniform[3] * data.gain_db * math.log(10) / 20
    return torch.exp(shifted - limited - gain)
