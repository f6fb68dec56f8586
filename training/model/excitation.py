"""What a decoded magnitude spectrum is filled with: tones that stand still, noise that is noise, attacks in time.

Beyond the paper, whose decoder filters noise alone. Random phases make overlapping grains fight: tones shimmer. Here
the phase is read off the decoded magnitudes, as in a phase-locked vocoder (Laroche and Dolson, 1999; single-pass
spectrogram inversion, Beauregard, 2015): every bin follows the peak it belongs to, and the peak's phase advances by its
frequency from grain to grain. Bins that belong to no prominent peak carry noise. The energy within a grain follows a
decoded profile. The phases are the only state; they are treated as constants in training.

Shapes: B signals, G grains each, K = L/2 + 1 bins, S points of the profile.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ngs.runtime.dsp.excitation import PROFILE_FLOOR, PROFILE_LIMIT, RISE
from ngs.training.model.overlap_add import analysis_windows

NEIGHBOUR = 2  # bins away that a peak is compared with: the edge of a Hann window's main lobe
PROMINENCE = 0.7  # log magnitude above those neighbours from which on a peak is a tone
LOUDER = 1e9  # than any magnitude
SILENCE = 1e-7  # mean square of a grain without a profile of its own


def find_peaks(log_magnitude: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log magnitudes [..., K] -> peak, advance, tone [..., K].

    peak: the bin that a bin follows, as a float: itself where it is a local maximum, else its higher neighbour.
    advance: turns that its phase moves on from grain to grain, of a frequency within half a bin of that peak that is
    exact for a steady sine under a Hann window. tone: whether that peak is prominent; the other bins are noise.
    """
    bins = log_magnitude.shape[-1]
    left, right = neighbours(log_magnitude, 1)
    higher = torch.maximum(left, right)
    index = torch.arange(bins, device=log_magnitude.device, dtype=log_magnitude.dtype)
    step = torch.where((right > left) | (index == 0), 1.0, -1.0)  # never beyond the ends, not even of NaN
    peak = index + step * (log_magnitude <= higher)
    # r = neighbour / peak, offset (2 r - 1) / (r + 1) bins; a hop is a quarter of a grain: a quarter of a turn a bin
    offset = 0.5 - 0.75 * torch.sigmoid(log_magnitude - higher)
    advance = step * torch.relu(offset) + 0.25 * (index % 4)
    follow = peak.long()
    return peak, advance.gather(-1, follow), prominence(log_magnitude).gather(-1, follow) > PROMINENCE


def prominence(log_magnitude: Tensor) -> Tensor:
    """How far each bin of [..., K] lies above its neighbours NEIGHBOUR bins away: [..., K]."""
    below, above = neighbours(log_magnitude, NEIGHBOUR)
    return log_magnitude - 0.5 * (below + above)


def neighbours(values: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """What lies `reach` bins, at most NEIGHBOUR, below and above each bin of [..., K], the ends mirrored: two [..., K].

    (Cut from one mirrored copy, whatever the reach: graphs make it once.)
    """
    first, last = values[..., 1 : NEIGHBOUR + 1].flip(-1), values[..., -NEIGHBOUR - 1 : -1].flip(-1)
    mirrored = torch.cat((first, values, last), -1)
    low, high = NEIGHBOUR - reach, NEIGHBOUR + reach
    return mirrored[..., low : low + values.shape[-1]], mirrored[..., high : high + values.shape[-1]]


def next_phase(phase: Tensor, peak: Tensor, advance: Tensor, onset: Tensor | float = 0.0) -> Tensor:
    """Phases [..., K] of tones in turns, in the middle of a grain, from those of the grain before.

    A bin takes the phase of its peak and moves on. onset [..., 1]: 1 in the first grain of a sound, whose phases
    come from zeros: those of sines that start with it (half a grain, two hops, before its middle).
    """
    turns = phase.gather(-1, peak.long()) + advance * (1 + onset) - 0.25 * onset
    return turns - turns.floor()


def follow_phases(peak: Tensor, advance: Tensor) -> Tensor:
    """Phases [B, G, K] of the grains of whole sounds: the recursion over hops."""
    onset, phases = 1.0, [torch.zeros_like(peak[:, 0])]
    for grain in range(peak.shape[1]):
        phases.append(next_phase(phases[-1], peak[:, grain], advance[:, grain], onset))
        onset = 0.0
    return torch.stack(phases[1:], 1)


def excite(magnitude: Tensor, phase: Tensor, noise: tuple[Tensor, Tensor], onset: Tensor) -> tuple[Tensor, Tensor]:
    """Spectra around the middle of the grain, real and imaginary part [..., K].

    magnitude [..., K]: above 0 a tone, at phase [..., K] in turns; below 0 noise of that magnitude, with the phase of
    real and imaginary part of a noise's spectrum [..., K]. The first grain of a sound, onset [..., 1] = 1, is noise
    throughout: a tone in its few bins swells to the middle of a grain, noise starts with its window.
    """
    angle, tone = 2 * math.pi * phase, magnitude > LOUDER * onset
    real = torch.where(tone, torch.cos(angle), noise[0])
    imaginary = torch.where(tone, torch.sin(angle), noise[1])
    level = magnitude.abs() / torch.sqrt(real * real + imaginary * imaginary + 1e-12)
    return real * level, imaginary * level


def energy_profile(windowed: Tensor, points: int) -> Tensor:
    """How the energy of windowed grains [..., L] is spread over `points` equal parts: log share [..., S], mean 1.

    Of the differences of neighbouring samples: attacks are high, and a low tone would make its own waves.
    """
    difference = windowed - nn.functional.pad(windowed, (1, 0))[..., :-1]
    energy = difference.square().reshape(*difference.shape[:-1], points, -1).sum(-1)
    silence = SILENCE * windowed.shape[-1] / points
    steady = _steady(windowed.shape[-1], points, windowed.device)[0]
    share = (energy + silence * steady) * points / (energy.sum(-1, keepdim=True) + silence * points)
    return torch.log(share + PROFILE_FLOOR)


def _steady(grain_length: int, points: int, device: torch.device | None = None) -> Tensor:
    """The shares of a steady sound's energy: [2, S], of a grain within a sound and of the first."""
    windows = torch.stack((torch.hann_window(grain_length), analysis_windows(grain_length, 1)[0]))
    energy = windows.square().reshape(2, points, -1).mean(-1)
    shares: Tensor = energy / energy.mean(-1, keepdim=True)
    return shares.to(device)


def profile_gain(profile: Tensor, onset: Tensor, grain_length: int) -> Tensor:
    """Log shares [..., S] and onset flags [..., 1] -> gains [..., L] that give a steady grain that profile.

    The first grain of a sound rises from 0 within 1/64 of a grain: a sound that begins at once would click.
    """
    points = profile.shape[-1]
    later, first = torch.log(_steady(grain_length, points, profile.device) + PROFILE_FLOOR)
    deviation = 0.5 * (profile - later - onset * (first - later))
    gain = torch.exp(deviation.clamp(-PROFILE_LIMIT, PROFILE_LIMIT))
    curve: Tensor = torch.cat((gain, onset * gain[..., :1]), -1) @ _curves(points, grain_length, profile.device)
    return curve


def _curves(points: int, grain_length: int, device: torch.device | None = None) -> Tensor:
    """What the gain of each part adds over time, and what the rise of a first grain takes from the first: [S + 1, L].

    Linear interpolation from the middles of the parts, ends held.
    """
    time = torch.arange(grain_length)
    place = (time + 0.5) * points / grain_length - 0.5
    distance = (place.clamp(0, points - 1)[None] - torch.arange(points)[:, None]).abs()
    missing = 0.5 + 0.5 * torch.cos(torch.pi * (time * RISE / grain_length).clamp_max(1.0))
    return torch.cat(((1 - distance).clamp_min(0.0), -missing[None])).to(device)
