"""The parts of a grain VAE by the words of the configuration."""

from __future__ import annotations

from collections.abc import Callable

from ngs.training.config import AudioConfig, GrainConfig
from ngs.training.model.decoders import GrainDecoder
from ngs.training.model.encoders import ConvolutionEncoder, GrainEncoder, SpectralEncoder
from ngs.training.model.excitation import Excitation, FilteredNoise, LockedTones
from ngs.training.model.heads import Head, LogMagnitudeHead, SigmoidHead

MakeEncoder = Callable[[AudioConfig, GrainConfig, int, int], GrainEncoder]

ENCODERS: dict[str, MakeEncoder] = {"spectral": SpectralEncoder, "convolution": ConvolutionEncoder}
HEADS: dict[str, type[Head]] = {"log_magnitude": LogMagnitudeHead, "sigmoid": SigmoidHead}
EXCITATIONS: dict[str, type[Excitation]] = {"locked": LockedTones, "noise": FilteredNoise}


def make_encoder(audio: AudioConfig, grain: GrainConfig) -> GrainEncoder:
    """The encoder that the configuration names, with random weights."""
    excitation = EXCITATIONS[grain.excitation]
    return ENCODERS[grain.encoder](audio, grain, excitation.points, excitation.shape_size)


def make_decoder(audio: AudioConfig, grain: GrainConfig, condition_size: int) -> GrainDecoder:
    """The decoder with the head and the excitation that the configuration names, with random weights."""
    return GrainDecoder(HEADS[grain.decoder](audio, grain), EXCITATIONS[grain.excitation](audio), grain, condition_size)
