"""The first grain of a sound: how its energy lies over time in a few bands, read from a grain and put into one.

A struck body is nearly minimum-phase, and highs decay before lows. The first grain is therefore filled with the minimum
phase of its magnitudes and some noise, and what lies in each band of each short frame is brought to the share that it
should have. Not in the paper.

Shapes: B sounds, L samples of a grain, K = L/2 + 1 bins, P short frames, Q bands. An onset shape has O = P Q numbers:
the log shares of energy, for each frame those of its bands.
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor, nn

from ngs.runtime.dsp.locked_tones import GAIN
from ngs.training.model.overlap_add import analysis_windows, event_windows

FRAMES = 32  # P, short frames of two hops, one every L / 32 samples
EDGES = (2, 7, 23)  # bins of a short frame at which the second band and those above begin
BANDS = len(EDGES) + 1
SHAPE_SIZE = FRAMES * BANDS  # O; a log share counts as much as a log magnitude in features and coefficients
SHARE_FLOOR = 1e-3  # added to a share before its logarithm
SHARE_LIMIT = 30 * math.log(10) / 20  # nepers: gains of at most 30 dB, up or down
SILENCE = 1e-7  # mean square of a grain too quiet to have a shape of its own
COHERENT = 0.9  # share of the minimum phase in the amplitude of the filling; the rest of the energy is noise
FAINTEST = 1e-3  # added to magnitudes before their logarithm, for the minimum phase
RISE = 64  # a sound rises from 0 within this fraction of a grain: 1 / 64
STEEPEST = 0.1  # least value of a window that a grain is divided by
# Noise gets more than tones under Hann windows, since decoded magnitudes lie below the mean power: the same here
ONSET_GAIN = GAIN * 0.75


class DFT(Protocol):
    """A DFT of real signals whose phases are relative to the middle of the grain; spectra in an order of its own."""

    def forward(self, signal: Tensor) -> tuple[Tensor, Tensor]:
        """Signals [B, L] -> real and imaginary part."""

    def inverse(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """Real and imaginary part -> signals [B, L]."""

    def ordered(self, values: Tensor, odd: bool = False) -> Tensor:
        """Values of bins [B, K] in the order of spectra; `odd` ones, such as phases, change sign in mirrored bins."""

    def of_bins(self, values: Tensor) -> Tensor:
        """Odd values in the order of spectra -> values of bins [B, K]."""


class FFT:
    """That DFT by torch's FFT, in the order of bins."""

    def forward(self, signal: Tensor) -> tuple[Tensor, Tensor]:
        spectrum = torch.fft.rfft(signal.roll(-signal.shape[-1] // 2, -1))
        return spectrum.real, spectrum.imag

    def inverse(self, real: Tensor, imaginary: Tensor) -> Tensor:
        signal: Tensor = torch.fft.irfft(torch.complex(real, imaginary))
        return signal.roll(signal.shape[-1] // 2, -1)

    def ordered(self, values: Tensor, odd: bool = False) -> Tensor:
        return values

    def of_bins(self, values: Tensor) -> Tensor:
        return values


class ShortFrames(nn.Module):
    """Short frames of a grain of L samples: 2 L / P long, half overlapping, the first around sample 0.

    Their windows are roots of Hann windows, in analysis and synthesis. Cosines and sines come from a table of angles:
    whole numbers, which a bundle stores in 2 bytes each. The highest bands of short grains have no bins.
    """

    angles: Tensor
    bands: Tensor

    def __init__(self, grain_length: int) -> None:
        super().__init__()
        self.hop = grain_length // FRAMES
        turns = torch.outer(torch.arange(2 * self.hop), torch.arange(self.hop + 1)) % (2 * self.hop)
        self.register_buffer("angles", turns.float(), persistent=False)  # [2 hop, hop + 1], in turns / 2 hop
        place = torch.bucketize(torch.arange(self.hop + 1), torch.tensor(EDGES), right=True)
        bands = nn.functional.one_hot(place, BANDS).float()
        self.register_buffer("bands", bands, persistent=False)  # [hop + 1, Q]: 1 where a bin lies in a band

    def _waves(self, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        """Windowed cosines and sines [2 hop, hop + 1]."""
        angles = self.angles.to(dtype) * (math.pi / self.hop)
        window = torch.sin(0.5 * angles[:, 1:2])
        return torch.cos(angles) * window, torch.sin(angles) * window

    def _spectra(self, grain: Tensor) -> tuple[Tensor, Tensor]:
        parts = nn.functional.pad(grain, (self.hop, 0)).reshape(-1, FRAMES + 1, self.hop)
        cosine, sine = self._waves(grain.dtype)
        frames = torch.cat((parts[:, :-1], parts[:, 1:]), -1)
        return frames @ cosine, frames @ sine

    def _shares(self, real: Tensor, imaginary: Tensor) -> Tensor:
        power = real * real + imaginary * imaginary
        energy = power @ self.bands.to(power.dtype)
        silence = SILENCE * self.hop * self.hop
        return (energy + silence) / (energy.mean(1, keepdim=True) + silence)

    def log_shares(self, grain: Tensor) -> Tensor:
        """Windowed first grains [B, L] -> logs of shares [B, P * Q], whose mean in each band is 1."""
        return torch.log(self._shares(*self._spectra(grain)) + SHARE_FLOOR).flatten(1)

    def shaped(self, grain: Tensor, log_shares: Tensor) -> Tensor:
        """Bring grains [B, L] to shares [B, P * Q]; the energy of each band stays."""
        real, imaginary = self._spectra(grain)
        with torch.no_grad():
            wanted = torch.relu(torch.exp(log_shares.clamp_max(math.log(FRAMES))) - SHARE_FLOOR)
            wanted = wanted.reshape(-1, FRAMES, BANDS)
            wanted = wanted / wanted.mean(1, keepdim=True).clamp_min(SHARE_FLOOR)
            nepers = 0.5 * torch.log((wanted + SHARE_FLOOR) / (self._shares(real, imaginary) + SHARE_FLOOR))
            gains = torch.exp(nepers.clamp(-SHARE_LIMIT, SHARE_LIMIT))
            gain = gains @ self.bands.T.to(gains.dtype)
        cosine, sine = self._waves(grain.dtype)
        weight = torch.ones(self.hop + 1, device=grain.device)
        weight[1:-1] = 2.0  # for the conjugate bins that are left out
        gain = gain * (weight / (2 * self.hop))
        frames = (gain * real) @ cosine.T + (gain * imaginary) @ sine.T
        first, second = frames[..., : self.hop], frames[..., self.hop :]
        return (second + nn.functional.pad(first[:, 1:], (0, 0, 0, 1))).flatten(1)


def onset_curve(grain_length: int, device: torch.device | None = None) -> Tensor:
    """What a first grain, as seen under its analysis window, is multiplied by to be played: [L].

    It rises from 0 within 1/64 of a grain: a sound that began at once would click.
    """
    window, seen = event_windows(grain_length, 1, device)[0], analysis_windows(grain_length, 1, device)[0, 0]
    rise = (torch.arange(grain_length, device=device) * (RISE / grain_length)).clamp_max(1.0)
    curve: Tensor = ONSET_GAIN * (0.5 - 0.5 * torch.cos(torch.pi * rise)) / (seen * window.clamp_min(STEEPEST))
    return curve


def folding(grain_length: int, device: torch.device | None = None) -> Tensor:
    """What a cepstrum [L] around its middle is multiplied by to become that of the minimum phase."""
    fold = torch.zeros(grain_length, device=device)
    fold[0] = fold[grain_length // 2] = 1.0
    fold[grain_length // 2 + 1 :] = 2.0
    return fold


def first_grain(
    magnitude: Tensor, shape: Tensor, noise: Tensor, dft: DFT, frames: ShortFrames
) -> tuple[Tensor, Tensor]:
    """Magnitudes [B, K], onset shapes [B, O] and noise [B, L] -> first grains [B, L], phases [B, K] in turns.

    The grains are not windowed; the phases are those in the middle of the grain. Gradients reach the magnitudes only.
    """
    length, level = noise.shape[-1], dft.ordered(magnitude)
    with torch.no_grad():
        cepstrum = dft.inverse(torch.log(level + FAINTEST), torch.zeros_like(level)) * folding(length, noise.device)
        bins = torch.arange(magnitude.shape[-1], device=noise.device, dtype=magnitude.dtype)
        # half a turn a bin: a grain begins half a grain before its middle
        angle = dft.forward(cepstrum)[1] + dft.ordered((math.pi * (bins % 2))[None], odd=True)
        real, imaginary = _levelled(*dft.forward(noise * analysis_windows(length, 1, noise.device)[0]))
        rest = math.sqrt(1 - COHERENT**2)
        real, imaginary = COHERENT * torch.cos(angle) + rest * real, COHERENT * torch.sin(angle) + rest * imaginary
        real, imaginary = _levelled(real, imaginary)
        # shaping changes the magnitudes: they are put right, and the grain is shaped again
        rough = frames.shaped(dft.inverse(level * real, level * imaginary), shape)
        real, imaginary = _levelled(*dft.forward(rough))
        turns = dft.of_bins(angle) / (2 * math.pi)
        phase = turns - turns.floor()
    grain = frames.shaped(dft.inverse(level * real, level * imaginary), shape)
    return grain * onset_curve(length, noise.device), phase


def _levelled(real: Tensor, imaginary: Tensor) -> tuple[Tensor, Tensor]:
    """A spectrum with all magnitudes 1."""
    # not added: the exporter takes a sum with so small a number for one with 0, and silence would be 0 / 0
    scale = torch.rsqrt((real * real + imaginary * imaginary).clamp_min(1e-12))
    return real * scale, imaginary * scale
