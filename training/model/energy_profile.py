"""How the energy within a grain is spread over time, read from a grain and put back into one.

A magnitude spectrum does not say where in a grain an attack lies; the profile does. Not in the paper.
Shapes: L samples of a grain, S points of its profile.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ngs.runtime.dsp.locked_tones import PROFILE_FLOOR, PROFILE_LIMIT

PROFILE_SCALE = 4.0  # weight of a point of the profile beside a log magnitude, in features and coefficients
SILENCE = 1e-7  # mean square of a grain too quiet to have a profile of its own


def energy_profile(windowed: Tensor, points: int) -> Tensor:
    """The energy of windowed grains [..., L] in `points` equal parts: log shares [..., S] whose mean is 1.

    Energy is that of the differences between neighbouring samples: attacks stand out, and the waves of a low tone
    do not show.
    """
    difference = windowed - nn.functional.pad(windowed, (1, 0))[..., :-1]
    energy = difference.square().reshape(*difference.shape[:-1], points, -1).sum(-1)
    silence = SILENCE * windowed.shape[-1] / points
    steady = _steady(windowed.shape[-1], points, windowed.device)
    share = (energy + silence * steady) * points / (energy.sum(-1, keepdim=True) + silence * points)
    return torch.log(share + PROFILE_FLOOR)


def profile_gain(profile: Tensor, grain_length: int) -> Tensor:
    """Log shares [..., S] -> gains [..., L] that give a steady grain that profile."""
    points = profile.shape[-1]
    deviation = 0.5 * (profile - torch.log(_steady(grain_length, points, profile.device) + PROFILE_FLOOR))
    gain = torch.exp(deviation.clamp(-PROFILE_LIMIT, PROFILE_LIMIT))
    curve: Tensor = gain @ _curves(points, grain_length, profile.device)
    return curve


def _steady(grain_length: int, points: int, device: torch.device | None = None) -> Tensor:
    """The shares of a steady sound's energy in a grain: [S]."""
    energy = torch.hann_window(grain_length).square().reshape(points, -1).mean(-1)
    shares: Tensor = energy / energy.mean()
    return shares.to(device)


def _curves(points: int, grain_length: int, device: torch.device | None = None) -> Tensor:
    """Curves over time [S, L]: what each point adds to the gain.

    Between the middles of the parts the gain is interpolated linearly; beyond the outer ones it is constant.
    """
    time = torch.arange(grain_length)
    place = (time + 0.5) * points / grain_length - 0.5
    distance = (place.clamp(0, points - 1)[None] - torch.arange(points)[:, None]).abs()
    return (1 - distance).clamp_min(0.0).to(device)
