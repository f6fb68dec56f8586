"""Excitations: what fills the decoded magnitudes of a grain.

The paper filters noise alone. With the random phases of noise, overlapping grains work against each other, and tones
shimmer. The locked excitation, not in the paper, reads phases off the decoded magnitudes as a phase-locked vocoder does
(Laroche and Dolson, 1999; single-pass spectrogram inversion, Beauregard, 2015): every bin follows the peak that it
belongs to, and the phase of a peak advances by its frequency from grain to grain. Bins of no prominent peak carry
noise. The energy within a grain follows a decoded profile. The phases are the only state; training treats them as
constants.

The first grain of a sound is another matter: see `ngs.training.model.onset`.

An excitation has no weights. Another one needs four places: a class here, its word in `config.EXCITATIONS`, an entry in
`parts.EXCITATIONS`, and a module in `ngs.export.graphs.SYNTHESES`, because graphs need DFTs as matrix products.

Shapes: B signals, G grains each, L samples of a grain, K = L/2 + 1 bins, S points of the profile, O numbers of an
onset shape.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from ngs.runtime.dsp.locked_tones import GAIN
from ngs.training.config import AudioConfig
from ngs.training.model.energy_profile import PROFILE_SCALE, profile_gain
from ngs.training.model.heads import Head
from ngs.training.model.onset import FFT, SHAPE_SIZE, ShortFrames, first_grain

NEIGHBOUR = 2  # bins away that a peak is compared with: the edge of a Hann window's main lobe
PROMINENCE = 0.7  # log magnitude above those neighbours that makes a peak a tone

Frame = tuple[Tensor, ...]
States = tuple[Tensor, ...]  # the phase of a grain [N, K], or nothing


class Excitation(ABC):
    """Fills the magnitudes of grains of L samples. A frame is all that it needs to know of a grain."""

    points: ClassVar[int]  # S
    shape_size: ClassVar[int]  # O, of the onset shape that first grains have; 0 if they are filled like all others
    frames: ShortFrames | None = None  # of first grains, if they have an onset shape
    has_phase: ClassVar[bool]  # whether one grain hands the phases of its bins to the next: the only state there is

    def __init__(self, audio: AudioConfig) -> None:
        self.grain_length, self.bins = audio.grain_length, audio.grain_length // 2 + 1
        self.bin_hz = audio.sample_rate / audio.grain_length

    @property
    @abstractmethod
    def frame_sizes(self) -> dict[str, int]:
        """The tensors of a frame in order: name and size."""

    @abstractmethod
    def gain(self, head: Head) -> float:
        """What the magnitudes of a head are multiplied by."""

    @abstractmethod
    def frame(self, spectral: Tensor, profile: Tensor, magnitude: Tensor) -> Frame:
        """The decoder's coefficients of bins [..., K] and of the profile [..., S], and the magnitudes [..., K] that
        they stand for -> a frame, each tensor [..., size].
        """

    @abstractmethod
    def synthesise(self, *frame: Tensor, noise: Tensor, phase: Tensor) -> tuple[Tensor, States]:
        """One grain of each of N sounds: see `GrainDecoder.synthesise`."""

    @abstractmethod
    def grains(self, frame: Frame, noise: Tensor, shape: Tensor) -> Tensor:
        """A frame [B, G, ...] and noise [B, G, L] of whole sounds, and the onset shapes of their first grains [B, O]
        -> grains [B, G, L], not windowed.
        """


class FilteredNoise(Excitation):
    """The paper's: grain = iDFT(H * DFT(noise)) (eq. 7 and 8)."""

    points = shape_size = 0
    has_phase = False

    @property
    def frame_sizes(self) -> dict[str, int]:
        return {"magnitude": self.bins}

    def gain(self, head: Head) -> float:
        return head.filter_gain

    def frame(self, spectral: Tensor, profile: Tensor, magnitude: Tensor) -> Frame:
        return (magnitude,)

    def synthesise(self, *frame: Tensor, noise: Tensor, phase: Tensor) -> tuple[Tensor, States]:
        return self.grains(frame, noise), ()

    def grains(self, frame: Frame, noise: Tensor, shape: Tensor | None = None) -> Tensor:
        filtered: Tensor = torch.fft.irfft(frame[0] * torch.fft.rfft(noise), n=self.grain_length)
        return filtered


class LockedTones(Excitation):
    """Tones whose phases are locked to peaks, and noise between them, shaped by an energy profile.

    A frame is magnitude, peak, advance [..., K] and profile [..., S]. A magnitude above 0 is that of a tone, one below
    0 that of noise.
    """

    points, shape_size = 8, SHAPE_SIZE
    has_phase = True

    def __init__(self, audio: AudioConfig) -> None:
        super().__init__(audio)
        self.frames = ShortFrames(audio.grain_length)

    @property
    def frame_sizes(self) -> dict[str, int]:
        return {"magnitude": self.bins, "peak": self.bins, "advance": self.bins, "profile": self.points}

    def gain(self, head: Head) -> float:
        return 1.0

    def frame(self, spectral: Tensor, profile: Tensor, magnitude: Tensor) -> Frame:
        with torch.no_grad():
            peak, advance, tone = find_peaks(spectral)
        return torch.where(tone, magnitude, -magnitude), peak, advance, profile / PROFILE_SCALE

    def synthesise(self, *frame: Tensor, noise: Tensor, phase: Tensor) -> tuple[Tensor, States]:
        magnitude, peak, advance, profile = frame
        phase = next_phase(phase, peak, advance)
        return self._filled(magnitude, profile, noise, phase), (phase,)

    def first_grain(self, magnitude: Tensor, shape: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Magnitudes [N, K], onset shapes [N, O] and noise [N, L] -> first grains [N, L], phases [N, K]."""
        assert self.frames is not None
        return first_grain(magnitude, shape, noise, FFT(), self.frames)

    def grains(self, frame: Frame, noise: Tensor, shape: Tensor) -> Tensor:
        magnitude, peak, advance, profile = frame
        first, phase = self.first_grain(magnitude[:, 0].abs(), shape, noise[:, 0])
        phases = follow_phases(peak, advance, phase)
        # learned through sound, profiles would sharpen every grain, and noise would buzz at the hop rate
        later = self._filled(magnitude, profile.detach(), noise, phases)
        return torch.cat((first[:, None], later[:, 1:]), 1)

    def _filled(self, magnitude: Tensor, profile: Tensor, noise: Tensor, phase: Tensor) -> Tensor:
        half = self.grain_length // 2  # phases are those in the middle of the grain
        with torch.no_grad():
            window = torch.hann_window(self.grain_length, device=noise.device)
            spectrum = torch.fft.rfft((noise * window).roll(-half, -1))
        real, imaginary = excite(GAIN * magnitude, phase, (spectrum.real, spectrum.imag))
        grains = torch.fft.irfft(torch.complex(real, imaginary), n=self.grain_length).roll(half, -1)
        filled: Tensor = grains * profile_gain(profile, self.grain_length)
        return filled


def find_peaks(log_magnitude: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Log magnitudes [..., K] -> peak, advance, tone [..., K].

    peak: the bin that a bin follows, as a float: itself if it is a local maximum, else its higher neighbour.
    advance: turns by which the phase moves on from one grain to the next. Its frequency lies within half a bin of the
    peak and is exact for a steady sine under a Hann window. tone: whether the peak is prominent; other bins are noise.
    """
    bins = log_magnitude.shape[-1]
    left, right = neighbours(log_magnitude, 1)
    higher = torch.maximum(left, right)
    index = torch.arange(bins, device=log_magnitude.device, dtype=log_magnitude.dtype)
    step = torch.where((right > left) | (index == 0), 1.0, -1.0)  # never beyond the ends, not even for NaN
    peak = index + step * (log_magnitude <= higher)
    # r = neighbour / peak, offset (2 r - 1) / (r + 1) bins; a hop is a quarter of a grain: a quarter of a turn a bin
    offset = 0.5 - 0.75 * torch.sigmoid(log_magnitude - higher)
    advance = step * torch.relu(offset) + 0.25 * (index % 4)
    follow = peak.long()
    return peak, advance.gather(-1, follow), prominence(log_magnitude).gather(-1, follow) > PROMINENCE


def prominence(log_magnitude: Tensor) -> Tensor:
    """How far each bin of [..., K] lies above the mean of its neighbours NEIGHBOUR bins away: [..., K]."""
    below, above = neighbours(log_magnitude, NEIGHBOUR)
    return log_magnitude - 0.5 * (below + above)


def neighbours(values: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """The values `reach` bins below and above each bin of [..., K]: two [..., K]. The ends are mirrored.

    `reach` is at most NEIGHBOUR. All reaches are cut from the same mirrored copy, which graphs then make only once.
    """
    first, last = values[..., 1 : NEIGHBOUR + 1].flip(-1), values[..., -NEIGHBOUR - 1 : -1].flip(-1)
    mirrored = torch.cat((first, values, last), -1)
    low, high = NEIGHBOUR - reach, NEIGHBOUR + reach
    return mirrored[..., low : low + values.shape[-1]], mirrored[..., high : high + values.shape[-1]]


def next_phase(phase: Tensor, peak: Tensor, advance: Tensor) -> Tensor:
    """Phases [..., K] in the middle of a grain, in turns, from those of the grain before.

    A bin takes the phase of its peak and moves on.
    """
    turns = phase.gather(-1, peak.long()) + advance
    return turns - turns.floor()


def follow_phases(peak: Tensor, advance: Tensor, phase: Tensor) -> Tensor:
    """Phases [B, G, K] of the grains of whole sounds, from those of the first [B, K]: the recursion over hops."""
    phases = [phase]
    for grain in range(1, peak.shape[1]):
        phases.append(next_phase(phases[-1], peak[:, grain], advance[:, grain]))
    return torch.stack(phases, 1)


def excite(magnitude: Tensor, phase: Tensor, noise: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Spectra around the middle of the grain: real and imaginary part [..., K].

    magnitude [..., K]: above 0 a tone at phase [..., K], in turns; below 0 noise, with the phase of `noise`, the real
    and imaginary part of a noise's spectrum [..., K].
    """
    angle, tone = 2 * math.pi * phase, magnitude > 0
    real = torch.where(tone, torch.cos(angle), noise[0])
    imaginary = torch.where(tone, torch.sin(angle), noise[1])
    # not a sum: onnxruntime drops so small a summand
    level = magnitude.abs() / torch.sqrt((real * real + imaginary * imaginary).clamp_min(1e-12))
    return real * level, imaginary * level
