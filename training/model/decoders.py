"""Grain decoder p(x|z) (paper, section 3.2): latent and conditions to magnitudes, filled with noise and tones."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ngs.runtime.dsp.excitation import GAIN
from ngs.training.config import AudioConfig, GrainConfig
from ngs.training.model.encoders import PROFILE_SCALE, ResidualBlock, zero_linear
from ngs.training.model.excitation import excite, find_peaks, follow_phases, next_phase, profile_gain
from ngs.training.model.overlap_add import analysis_windows

HANN_ENERGY = 0.375  # mean square of a periodic Hann window
LOUDEST = 20.0  # no sound reaches e^20; far out in the latent space nothing must become infinite


class GrainDecoder(nn.Module):
    """Residual linear layers to L/2+1 magnitudes H, filled with an excitation.

    Heads: "sigmoid" is the paper's H = 2 sigmoid(h)^ln 10 + 1e-7 (eq. 6). "log_magnitude" predicts
    a = log(floor + |DFT|) of the windowed grain along a linear path that starts as a PCA; what lies at the floor is
    exactly silent. Excitations: "noise", grain = iDFT(H * DFT(noise)) (eq. 7 and 8), or "locked" (excitation.py).
    """

    gain: Tensor

    def __init__(self, audio: AudioConfig, grain: GrainConfig, condition_size: int) -> None:
        super().__init__()
        self.bins, self.points = audio.grain_length // 2 + 1, grain.profile_points
        self.head, self.excitation, self.floor = grain.decoder, grain.excitation, grain.floor
        self.grain_length = audio.grain_length
        in_size, out_size = grain.latent_size + condition_size, self.bins + self.points
        self.network = nn.Sequential(
            nn.Linear(in_size, grain.hidden_size),
            *(ResidualBlock(grain.hidden_size) for _ in range(grain.blocks)),
            nn.SiLU(),
        )
        if self.head == "log_magnitude":
            self.linear = nn.Linear(grain.latent_size, out_size)
            self.output = zero_linear(grain.hidden_size, out_size)
        else:
            self.output = nn.Linear(grain.hidden_size, out_size)
        # of the filter that gives a windowed grain of magnitude 1 in each bin; a uniform noise's |DFT|^2 is L/3
        filtered_noise = self.head == "log_magnitude" and self.excitation == "noise"
        gain = torch.full((self.bins,), 1 / math.sqrt(HANN_ENERGY * self.grain_length / 3) if filtered_noise else 1.0)
        gain[0] = 0.0  # no DC
        self.register_buffer("gain", gain, persistent=False)

    def coefficients(self, latent: Tensor, condition: Tensor) -> Tensor:
        """Latents [N, Z] and conditions [N, C] -> [N, F]: log magnitudes a or pre-sigmoid h, the scaled profile."""
        hidden: Tensor = self.output(self.network(torch.cat((latent, condition), -1)))
        return hidden + self.linear(latent) if self.head == "log_magnitude" else hidden

    def distance(self, coefficients: Tensor, features: Tensor) -> Tensor:
        """Between coefficients and an encoder's features [N, F]: mean over bins of the log power's difference, scalar.

        What lies below the floor does not sound and is not told apart, where it should; twice a log magnitude is a log
        power.
        """
        target, floor = features[:, : self.bins], math.log(self.floor)
        spectral = coefficients[:, : self.bins]
        spectral = torch.where(target > floor + 0.1, spectral, spectral.clamp_min(floor)) - target
        profile = coefficients[:, self.bins :] - features[:, self.bins :]
        return 2 * (spectral.abs().sum(1) + profile.abs().sum(1)).mean() / self.bins

    def log_magnitudes(self, coefficients: Tensor) -> Tensor:
        """Coefficients of bins [..., K] -> log |DFT| of the windowed grains they stand for [..., K]."""
        if self.head == "log_magnitude":
            return coefficients
        noise = math.sqrt(HANN_ENERGY * self.grain_length / 3)
        return torch.log(noise * (2 * torch.sigmoid(coefficients) ** math.log(10) + 1e-7))

    def magnitudes(self, coefficients: Tensor) -> Tensor:
        """Coefficients of bins [..., K] -> magnitudes H [..., K]."""
        if self.head == "sigmoid":
            return self.gain * (2 * torch.sigmoid(coefficients) ** math.log(10) + 1e-7)
        # a little more than the floor, which rounding does not leave above it: silence is silent to the last bit
        return self.gain * torch.relu(torch.exp(coefficients.clamp_max(LOUDEST)) - 1.00001 * self.floor)

    def frame(self, coefficients: Tensor) -> tuple[Tensor, ...]:
        """Coefficients [..., F] -> magnitude [..., K]; locked: and peak, advance [..., K], profile [..., S].

        Locked, a magnitude below 0 is that of noise, others are those of tones.
        """
        spectral, profile = coefficients[..., : self.bins], coefficients[..., self.bins :]
        if self.excitation == "noise":
            return (self.magnitudes(spectral),)
        with torch.no_grad():
            peak, advance, tone = find_peaks(spectral)
        magnitude = self.magnitudes(spectral)
        return torch.where(tone, magnitude, -magnitude), peak, advance, profile / PROFILE_SCALE

    def synthesise(self, *frame: Tensor, noise: Tensor, onset: Tensor, phase: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """A frame [N, ...] and noise [N, L] in [-1, 1] -> grain [N, L], not windowed, one hop.

        Locked: onset [N, 1] is 1 in the first grain of a sound, else 0; the phases [N, K], in turns, are the
        state: zeros or those of the grain before go in, those of this grain come back second.
        """
        if self.excitation == "noise":
            return self._filtered(frame[0], noise)
        phase = next_phase(phase, frame[1], frame[2], onset)
        return self._filled(*frame, noise=noise, onset=onset, phase=phase), phase

    def grains(self, coefficients: Tensor, noise: Tensor) -> Tensor:
        """Coefficients [B, G, F] and noise [B, G, L] in [-1, 1] of whole sounds -> grains [B, G, L], not windowed."""
        frame = self.frame(coefficients)
        if self.excitation == "noise":
            return self._filtered(frame[0], noise)
        magnitude, peak, advance, profile = frame
        phase, onset = follow_phases(peak, advance), torch.eye(noise.shape[1], 1, device=noise.device)
        # learned through sound, profiles would sharpen every grain, and noise would buzz at the hop rate
        return self._filled(magnitude, peak, advance, profile.detach(), noise=noise, onset=onset, phase=phase)

    def _filtered(self, magnitude: Tensor, noise: Tensor) -> Tensor:
        filtered: Tensor = torch.fft.irfft(magnitude * torch.fft.rfft(noise), n=self.grain_length)
        return filtered

    def _filled(
        self, magnitude: Tensor, peak: Tensor, advance: Tensor, profile: Tensor, *, noise: Tensor, onset: Tensor,
        phase: Tensor,
    ) -> Tensor:  # fmt: skip
        half = self.grain_length // 2  # spectra are around the middle of the grain
        with torch.no_grad():
            first, later = analysis_windows(self.grain_length, 2, noise.device)
            spectrum = torch.fft.rfft((noise * (later + onset * (first - later))).roll(-half, -1))
        real, imaginary = excite(GAIN * magnitude, phase, (spectrum.real, spectrum.imag), onset)
        grains = torch.fft.irfft(torch.complex(real, imaginary), n=self.grain_length).roll(half, -1)
        filled: Tensor = grains * profile_gain(profile, onset, self.grain_length)
        return filled
