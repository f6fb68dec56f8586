"""Grain decoder p(x|z) (paper, section 3.2): latent and condition to magnitudes, which an excitation fills.

Shapes: N grains of L samples, K = L/2 + 1 bins, S points of the energy profile, O numbers of the onset shape,
F = K + S + O coefficients, Z latent size, C condition size; B signals of G grains each.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ngs.runtime.dsp.grains import LOWEST_HZ
from ngs.training.config import GrainConfig
from ngs.training.model.excitation import Excitation, LockedTones, States
from ngs.training.model.heads import Head
from ngs.training.model.layers import ResidualBlock, zero_linear
from ngs.training.model.onset import shape_scale


class GrainDecoder(nn.Module):
    """Residual linear layers to coefficients; a head says what these stand for, an excitation makes sound of them."""

    gain: Tensor

    def __init__(self, head: Head, excitation: Excitation, grain: GrainConfig, condition_size: int) -> None:
        super().__init__()
        self.head, self.excitation = head, excitation
        self.grain_length, self.bins, self.points = excitation.grain_length, excitation.bins, excitation.points
        self.frames = excitation.frames  # so that they are on the decoder's device
        in_size = grain.latent_size + condition_size
        out_size = self.bins + self.points + excitation.shape_size
        self.network = nn.Sequential(
            nn.Linear(in_size, grain.hidden_size),
            *(ResidualBlock(grain.hidden_size) for _ in range(grain.blocks)),
            nn.SiLU(),
        )
        self.linear = nn.Linear(grain.latent_size, out_size) if head.spectral else None
        self.output = (zero_linear if head.spectral else nn.Linear)(grain.hidden_size, out_size)
        gain = torch.full((self.bins,), excitation.gain(head))
        gain[: max(int(LOWEST_HZ / excitation.bin_hz + 0.5), 1)] = 0.0  # DC, and bins wholly below what is heard
        self.register_buffer("gain", gain, persistent=False)

    def coefficients(self, latent: Tensor, condition: Tensor) -> Tensor:
        """Latents [N, Z] and conditions [N, C] -> coefficients [N, F]: of the bins, scaled profile and shape."""
        hidden: Tensor = self.output(self.network(torch.cat((latent, condition), -1)))
        return hidden if self.linear is None else hidden + self.linear(latent)

    def log_magnitudes(self, coefficients: Tensor) -> Tensor:
        """Coefficients of bins [..., K] -> log |DFT| of the windowed grains that they stand for [..., K]."""
        return self.head.log_magnitudes(coefficients)

    def magnitudes(self, coefficients: Tensor) -> Tensor:
        """Coefficients of bins [..., K] -> magnitudes [..., K] as the excitation needs them."""
        return self.gain * self.head.magnitudes(coefficients)

    def frame(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        """Coefficients [..., F] -> a frame: the excitation's tensors, see `Excitation.frame_sizes`."""
        spectral, profile = coefficients[..., : self.bins], coefficients[..., self.bins : self.bins + self.points]
        return self.excitation.frame(spectral, profile, self.magnitudes)

    def shape(self, coefficients: Tensor) -> Tensor:
        """Coefficients [..., F] -> the onset shape [..., O] that these grains have if they are first."""
        shape = coefficients[..., self.bins + self.points :]
        return shape / shape_scale(shape.device) if shape.shape[-1] else shape

    def first_grain(self, coefficients: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Coefficients [N, F] and noise [N, L] -> the first grains of sounds [N, L], not windowed, and phases [N, K].

        Only for excitations that have an onset shape.
        """
        assert isinstance(self.excitation, LockedTones)
        magnitude = self.magnitudes(coefficients[:, : self.bins])
        return self.excitation.first_grain(magnitude, self.shape(coefficients), noise)

    def synthesise(self, *frame: Tensor, noise: Tensor, onset: Tensor, phase: Tensor) -> tuple[Tensor, States]:
        """A frame [N, ...] and noise [N, L] in [-1, 1] -> grain [N, L], not windowed, and states: one hop.

        An excitation that has a phase also reads onset [N, 1], 1 in the first grain of a sound, else 0, and phase
        [N, K]: zeros, or the state that the grain before gave. Its only state is the phase of this grain. Other
        excitations ignore both and have no states.
        """
        return self.excitation.synthesise(*frame, noise=noise, onset=onset, phase=phase)

    def grains(self, coefficients: Tensor, noise: Tensor) -> Tensor:
        """Coefficients [B, G, F] and noise [B, G, L] in [-1, 1] of whole sounds -> grains [B, G, L], not windowed."""
        return self.excitation.grains(self.frame(coefficients), noise, self.shape(coefficients[:, 0]))
