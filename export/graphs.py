"""The graphs of a bundle as torch modules of standard operators, each with its named inputs and outputs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ngs.export.dft import RealDFT
from ngs.training.decoders import GrainDecoder
from ngs.training.encoders import FEATURE_SCALE, LOG_VARIANCE_RANGE, PROFILE_SCALE, SpectralEncoder
from ngs.training.excitation import GAIN, excite, next_phase, profile_gain
from ngs.training.model import NeuralGranularModel
from ngs.training.synthesis import PostProcessing, analysis_windows


@dataclass(frozen=True)
class Graph:
    module: nn.Module
    inputs: dict[str, tuple[int, ...]]  # shapes without the batch dimension
    outputs: tuple[str, ...]


def bundle_graphs(model: NeuralGranularModel) -> dict[str, Graph]:
    """All graphs of a bundle by name. The model is in evaluation mode."""
    audio, grain, level2 = model.config.audio, model.config.grain, model.config.embedding
    length, latent, embedding = audio.grain_length, grain.latent_size, level2.embedding_size
    conditions = sum(model.sizes)
    path = (audio.path_length, latent)
    encoder = SpectralEncoderGraph(model.encoder) if isinstance(model.encoder, SpectralEncoder) else model.encoder
    bins = length // 2 + 1
    frame: dict[str, tuple[int, ...]] = {"magnitude": (bins,)}
    if grain.excitation == "noise":
        synthesis = Graph(NoiseSynthesisGraph(model.decoder), {**frame, "noise": (length,)}, ("grain",))
    else:
        frame |= {"peak": (bins,), "advance": (bins,), "profile": (grain.profile_points,)}
        inputs = {**frame, "noise": (length,), "onset": (1,), "phase": (bins,)}
        synthesis = Graph(LockedSynthesisGraph(model.decoder), inputs, ("grain", "next_phase"))
    return {
        "encoder": Graph(encoder, {"grain": (length,)}, ("mean", "log_variance")),
        "decoder": Graph(DecoderGraph(model.decoder), {"latent": (latent,), "condition": (conditions,)}, tuple(frame)),
        "synthesis": synthesis,
        "postprocessing": Graph(
            PostProcessingGraph(model.postprocessing),
            {"signal": (model.postprocessing.history + audio.hop_length,)},
            ("audio",),
        ),
        "embedding_encoder": Graph(
            EmbeddingEncoderGraph(model), {"path": path, "condition": (conditions,)}, ("mean", "log_variance")
        ),
        "embedding_decoder": Graph(
            EmbeddingDecoderGraph(model), {"embedding": (embedding,), "condition": (conditions,)}, ("path",)
        ),
    }


class SpectralEncoderGraph(nn.Module):
    """SpectralEncoder with its DFT as matrix products and its first layers in the order of that DFT's bins."""

    center: Tensor
    profile_center: Tensor

    def __init__(self, encoder: SpectralEncoder) -> None:
        super().__init__()
        bins = len(encoder.center) - encoder.points
        self.dft, self.encoder = RealDFT(2 * (bins - 1)), encoder
        self.register_buffer("center", encoder.center[self.dft.bins])
        self.register_buffer("profile_center", encoder.center[bins:])
        first = encoder.network[0]
        assert isinstance(first, nn.Linear)
        self.linear, self.profile_linear = self._reordered(encoder.linear, bins)
        self.first, self.profile_first = self._reordered(first, bins)
        self.rest = encoder.network[1:]

    def _reordered(self, layer: nn.Linear, bins: int) -> tuple[nn.Linear, nn.Linear]:
        """The layer in two: for the spectrum in the DFT's order, and for the profile."""
        spectral = nn.Linear(len(self.dft.bins), layer.out_features)
        profile = nn.Linear(layer.in_features - bins, layer.out_features, bias=False)
        with torch.no_grad():
            spectral.weight.copy_(layer.weight[:, self.dft.bins] * self.dft.is_first)
            spectral.bias.copy_(layer.bias)
            profile.weight.copy_(layer.weight[:, bins:])
        return spectral, profile

    def forward(self, grain: Tensor) -> tuple[Tensor, Tensor]:
        real, imaginary = self.dft(grain)
        magnitudes = torch.sqrt(real * real + imaginary * imaginary).transpose(0, 1).reshape(-1, len(self.dft.bins))
        spectral = torch.log(self.encoder.floor + magnitudes) - self.center
        linear, first = self.linear(spectral), self.first(FEATURE_SCALE * spectral)
        if self.encoder.points:
            profile = PROFILE_SCALE * self.encoder.profile(grain) - self.profile_center
            linear, first = linear + self.profile_linear(profile), first + self.profile_first(FEATURE_SCALE * profile)
        correction, log_variance = self.rest(first).chunk(2, -1)
        return linear + correction, log_variance.clamp(*LOG_VARIANCE_RANGE)


class DecoderGraph(nn.Module):
    """GrainDecoder up to what its excitation needs, with its two output layers fused into one."""

    def __init__(self, decoder: GrainDecoder) -> None:
        super().__init__()
        self.decoder = decoder
        weight: Tensor = decoder.output.weight
        bias: Tensor = decoder.output.bias
        if decoder.head == "log_magnitude":
            weight = torch.cat((weight, decoder.linear.weight), 1)
            bias = bias + decoder.linear.bias
        self.output = nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            self.output.weight.copy_(weight)
            self.output.bias.copy_(bias)

    def forward(self, latent: Tensor, condition: Tensor) -> tuple[Tensor, ...]:
        hidden = self.decoder.network(torch.cat((latent, condition), -1))
        if self.decoder.head == "log_magnitude":
            hidden = torch.cat((hidden, latent), -1)
        return self.decoder.frame(self.output(hidden))


class NoiseSynthesisGraph(nn.Module):
    """Noise filtered by magnitudes (eq. 7 and 8), both DFTs as matrix products."""

    def __init__(self, decoder: GrainDecoder) -> None:
        super().__init__()
        self.dft = RealDFT(decoder.grain_length)

    def forward(self, magnitude: Tensor, noise: Tensor) -> Tensor:
        real, imaginary = self.dft(noise)
        ordered = self.dft.ordered(magnitude)
        return self.dft.inverse(real * ordered, imaginary * ordered)


class LockedSynthesisGraph(nn.Module):
    """One grain of the locked excitation: its phases are the state."""

    window: Tensor
    onset_difference: Tensor
    index: Tensor

    def __init__(self, decoder: GrainDecoder) -> None:
        super().__init__()
        length = decoder.grain_length
        self.dft, self.onset_delay = RealDFT(length, length // 2, GAIN), decoder.onset_delay
        onset, window = analysis_windows(length, 2)
        self.register_buffer("window", window)
        self.register_buffer("onset_difference", onset - window)
        self.register_buffer("index", torch.arange(decoder.bins).float())

    def forward(
        self, magnitude: Tensor, peak: Tensor, advance: Tensor, profile: Tensor, noise: Tensor, onset: Tensor,
        phase: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        phase = next_phase(phase, peak, advance, onset)
        turns = phase + onset * self.onset_delay * (peak - self.index)
        noise_spectrum = self.dft(noise * (self.window + onset * self.onset_difference))
        spectrum = excite(self.dft.ordered(magnitude), self.dft.ordered(turns, odd=True), noise_spectrum)
        return self.dft.inverse(*spectrum) * profile_gain(profile, onset, self.dft.length), phase


class PostProcessingGraph(nn.Module):
    """The filter's matrix as a constant."""

    matrix: Tensor

    def __init__(self, postprocessing: PostProcessing) -> None:
        super().__init__()
        self.postprocessing = postprocessing
        self.register_buffer("matrix", postprocessing.matrix().detach())

    def forward(self, signal: Tensor) -> Tensor:
        return self.postprocessing.filter_block(signal, self.matrix)


class EmbeddingEncoderGraph(nn.Module):
    def __init__(self, model: NeuralGranularModel) -> None:
        super().__init__()
        self.embedding = model.embedding

    def forward(self, path: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        return self.embedding.encode(path, condition)


class EmbeddingDecoderGraph(nn.Module):
    def __init__(self, model: NeuralGranularModel) -> None:
        super().__init__()
        self.embedding, self.length = model.embedding, model.config.audio.path_length

    def forward(self, embedding: Tensor, condition: Tensor) -> Tensor:
        return self.embedding.decode(embedding, condition, self.length)
