"""Grain decoder p(x|z) (paper, section 3.2): latent and condition to magnitudes, which an excitation fills.

Shapes: N grains of L samples, K = L/2 + 1 bins, S points of the energy profile, Q bands that have levels of their own
(none unless the head is spectral), O numbers of the onset shape, F = K + S + Q + O coefficients, Z latent size, C
condition size; B signals of G grains each.
"""

from __future__ import annotations

from itertools import accumulate

import torch
from torch import Tensor, nn

from ngs.training.config import GrainConfig
from ngs.training.model.band_levels import BANDS, SCALE, bands_of_bins, gains
from ngs.training.model.excitation import Excitation, LockedTones, States
from ngs.training.model.heads import Head
from ngs.training.model.layers import ResidualBlock, zero_linear

EVERY = slice(None)
FAINTEST_GAIN = 1e-4  # added before its logarithm


class GrainDecoder(nn.Module):
    """Residual linear layers to coefficients; a head says what these stand for, an excitation makes sound of them."""

    gain: Tensor
    bands: Tensor

    def __init__(self, head: Head, excitation: Excitation, grain: GrainConfig, condition_size: int) -> None:
        super().__init__()
        self.head, self.excitation = head, excitation
        self.grain_length, self.bins, self.points = excitation.grain_length, excitation.bins, excitation.points
        self.frames = excitation.frames  # so that they are on the decoder's device
        in_size = grain.latent_size + condition_size
        self.levels = BANDS if head.spectral else 0
        out_size = self.bins + self.points + self.levels + excitation.shape_size
        self.network = nn.Sequential(
            nn.Linear(in_size, grain.hidden_size),
            *(ResidualBlock(grain.hidden_size) for _ in range(grain.blocks)),
            nn.SiLU(),
        )
        self.linear = nn.Linear(grain.latent_size, out_size) if head.spectral else None
        self.output = (zero_linear if head.spectral else nn.Linear)(grain.hidden_size, out_size)
        bands = bands_of_bins(self.bins, excitation.bin_hz)
        self.register_buffer("bands", bands, persistent=False)
        self.register_buffer("gain", excitation.gain(head) * bands.sum(1), persistent=False)

    def coefficients(self, latent: Tensor, condition: Tensor, rows: slice = EVERY) -> Tensor:
        """Latents [N, Z] and conditions [N, C] -> coefficients [N, F]: bins, profile and levels, scaled, and shape.

        `rows`: which of the F, if not all are needed.
        """
        hidden = self.network(torch.cat((latent, condition), -1))
        found = nn.functional.linear(hidden, self.output.weight[rows], self.output.bias[rows])
        if self.linear is not None:
            found = found + nn.functional.linear(latent, self.linear.weight[rows], self.linear.bias[rows])
        return found

    def band_levels(self, latent: Tensor, condition: Tensor) -> Tensor:
        """Latents [N, Z] and conditions [N, C] -> the log levels of their bands in nepers [N, Q], and nothing else."""
        return self.coefficients(latent, condition, self.level_rows) / SCALE

    @property
    def profile_rows(self) -> slice:
        """Which coefficients are the energy profile."""
        return self._places()[1]

    @property
    def level_rows(self) -> slice:
        """Which coefficients are the levels of the bands."""
        return self._places()[2]

    def log_magnitudes(self, coefficients: Tensor) -> Tensor:
        """Coefficients [..., F] -> log |DFT| of the windowed grains that they stand for [..., K]."""
        spectral, _, levels, _ = self._parts(coefficients)
        found = self.head.log_magnitudes(spectral)
        if self.levels:
            found = found + torch.log(self._gains(self.head.magnitudes(spectral), levels) + FAINTEST_GAIN)
        return found

    def magnitudes(self, coefficients: Tensor) -> Tensor:
        """Coefficients [..., F] -> magnitudes [..., K] as the excitation needs them."""
        spectral, _, levels, _ = self._parts(coefficients)
        found = self.head.magnitudes(spectral)
        return self.gain * found * (self._gains(found, levels) if self.levels else 1.0)

    def _gains(self, magnitude: Tensor, levels: Tensor) -> Tensor:
        return gains(magnitude, levels / SCALE, self.bands)

    def _parts(self, coefficients: Tensor) -> list[Tensor]:
        """Coefficients [..., F] -> those of the bins, the profile, the levels and the shape."""
        # slices: a split would have parts of nothing, which bundles may not hold
        return [coefficients[..., place] for place in self._places()]

    def _places(self) -> list[slice]:
        """Where the coefficients of the bins, the profile, the levels and the shape lie."""
        ends = list(accumulate([self.bins, self.points, self.levels, self.excitation.shape_size]))
        return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]

    def frame(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        """Coefficients [..., F] -> a frame: the excitation's tensors, see `Excitation.frame_sizes`."""
        spectral, profile, _, _ = self._parts(coefficients)
        return self.excitation.frame(spectral, profile, self.magnitudes(coefficients))

    def shape(self, coefficients: Tensor) -> Tensor:
        """Coefficients [..., F] -> the onset shape [..., O] that these grains have if they are first."""
        return self._parts(coefficients)[3]

    def first_grain(self, coefficients: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Coefficients [N, F] and noise [N, L] -> the first grains of sounds [N, L], not windowed, and phases [N, K].

        Only for excitations that have an onset shape.
        """
        assert isinstance(self.excitation, LockedTones)
        magnitude = self.magnitudes(coefficients)
        return self.excitation.first_grain(magnitude, self.shape(coefficients), noise)

    def synthesise(self, *frame: Tensor, noise: Tensor, phase: Tensor) -> tuple[Tensor, States]:
        """A frame [N, ...] and noise [N, L] in [-1, 1] -> grain [N, L], not windowed, and states: one hop.

        An excitation that has a phase also reads phase [N, K], in turns: that of the grain before. Its only state is
        the phase of this grain. Other excitations ignore it and have no states.
        """
        return self.excitation.synthesise(*frame, noise=noise, phase=phase)

    def grains(self, coefficients: Tensor, noise: Tensor) -> Tensor:
        """Coefficients [B, G, F] and noise [B, G, L] in [-1, 1] of whole sounds -> grains [B, G, L], not windowed."""
        return self.excitation.grains(self.frame(coefficients), noise, self.shape(coefficients[:, 0]))
