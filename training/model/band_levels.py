"""The levels of broad bands of a grain, which a decoder tells apart from the shape of its spectrum. Not in the paper.

Latents of sounds that are mixed, drawn, cut short or read between others decode a mean of log spectra. Where one has a
peak and another has none, that mean is far below the energy of either. So the log levels of bands are decoded beside
the log magnitudes, and the magnitudes brought to them: levels are mixed as levels, shapes as shapes.

Shapes: K = L/2 + 1 bins of a grain of L samples, Q bands.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ngs.runtime.dsp.grains import LOWEST_HZ

EDGES_HZ = (150.0, 300.0, 600.0, 1200.0, 2400.0, 4800.0)  # between the bands
BANDS = len(EDGES_HZ) + 1  # Q
SCALE = 8.0  # weight of a log level beside a log magnitude, in features and coefficients
QUIET = 0.1  # root of the energy |DFT|^2 of a band that is hardly heard
SILENT = 1.5  # times QUIET: a grain none of whose levels is above it is silent
LIMIT = 40 * math.log(10) / 20  # nepers: magnitudes are moved by at most 40 dB


def bands_of_bins(bins: int, bin_hz: float) -> Tensor:
    """Which band each of K bins lies in: ones and zeros [K, Q]. DC and bins wholly below what is heard are in none."""
    place = torch.bucketize(torch.arange(bins) * bin_hz, torch.tensor(EDGES_HZ), right=True)
    bands = torch.nn.functional.one_hot(place, BANDS).float()
    bands[: max(int(LOWEST_HZ / bin_hz + 0.5), 1)] = 0.0
    return bands


def log_levels(magnitude: Tensor, bands: Tensor) -> Tensor:
    """Magnitudes [..., K] and `bands_of_bins` [K, Q] -> log levels of the bands [..., Q], in nepers."""
    return 0.5 * torch.log(magnitude.square() @ bands + QUIET**2)


def opened(levels: Tensor) -> Tensor:
    """Factors [..., 1] of grains with log levels [..., Q]: 1, but 0 if no band is louder than a little above QUIET.

    So a decoder that errs a little about silence still decodes silence. Of a grain that is heard, faint bands are kept.
    """
    loudest = levels.amax(-1, keepdim=True).clamp_min(math.log(QUIET))
    return torch.relu(1 - (SILENT * QUIET) ** 2 * torch.exp(-2 * loudest))


def gains(magnitude: Tensor, levels: Tensor, bands: Tensor) -> Tensor:
    """Factors [..., K] that bring the bands of magnitudes [..., K] to log levels [..., Q], `opened`."""
    moved = torch.exp((levels - log_levels(magnitude, bands)).clamp(-LIMIT, LIMIT))
    return opened(levels) * (moved @ bands.T)


def energies(levels: Tensor) -> Tensor:
    """The energies [..., Q] of the bands of grains that are brought to log levels [..., Q]."""
    return opened(levels).square() * torch.relu(torch.exp(2 * levels) - QUIET**2)
