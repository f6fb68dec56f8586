"""The graphs of a bundle as torch modules of standard operators, each with its named inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ngs.export.dft import RealDFT
from ngs.runtime.dsp.excitation import GAIN
from ngs.training.model.decoders import GrainDecoder
from ngs.training.model.encoders import FEATURE_SCALE, LOG_VARIANCE_RANGE, SpectralEncoder
from ngs.training.model.excitation import excite, next_phase, profile_gain
from ngs.training.model.model import NeuralGranularModel
from ngs.training.model.overlap_add import PostProcessing, analysis_windows, event_windows


@dataclass(frozen=True)
class Graph:
    module: nn.Module
    inputs: Mapping[str, tuple[int, ...]]  # shapes without the batch dimension
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
    decoder = DecoderGraph(model.decoder)
    filter_past, hop = model.postprocessing.history, audio.hop_length
    stream = {"latent": (latent,), "condition": (conditions,), "noise": (length,), "onset": (1,), "level": (1,)}
    stream |= {"sum": (length - hop,), "weight": (length - hop,), "history": (filter_past,)}
    stream |= {"phase": (bins,)} if "phase" in synthesis.inputs else {}
    postprocessing = PostProcessingGraph(model.postprocessing)
    hidden = level2.hidden_size
    return {
        "encoder": Graph(encoder, {"grain": (length,)}, ("mean", "log_variance")),
        "decoder": Graph(decoder, {"latent": (latent,), "condition": (conditions,)}, tuple(frame)),
        "synthesis": synthesis,
        "postprocessing": Graph(postprocessing, {"signal": (filter_past + hop,)}, ("audio",)),
        "decoder_stream": Graph(
            StreamGraph(decoder, synthesis.module, postprocessing),
            stream,
            ("audio", *(f"next_{name}" for name in StreamGraph.STATES if name in stream)),
        ),
        "embedding_encoder": Graph(
            EmbeddingEncoderGraph(model), {"path": path, "condition": (conditions,)}, ("mean", "log_variance")
        ),
        "embedding_decoder": Graph(
            EmbeddingDecoderGraph(model), {"embedding": (embedding,), "condition": (conditions,)}, ("path",)
        ),
        "embedding_step": Graph(
            EmbeddingStepGraph(model),
            {"embedding": (embedding,), "condition": (conditions,), "step": (1,), "hidden": (hidden,)},
            ("path", "next_step", "next_hidden"),
        ),
    }


class SpectralEncoderGraph(nn.Module):
    """SpectralEncoder with its DFT as matrix products and its first layers in the order of that DFT's bins."""

    center: Tensor

    def __init__(self, encoder: SpectralEncoder) -> None:
        super().__init__()
        bins = len(encoder.center) - encoder.points
        self.dft, self.encoder = RealDFT(2 * (bins - 1)), encoder
        order = torch.cat((self.dft.bins, torch.arange(bins, len(encoder.center))))
        counted = torch.cat((self.dft.is_first, torch.ones(encoder.points, dtype=torch.bool)))
        self.register_buffer("center", encoder.center[order])
        first = encoder.network[0]
        assert isinstance(first, nn.Linear)
        self.linear, self.first = (_reordered(layer, order, counted) for layer in (encoder.linear, first))
        self.rest = encoder.network[1:]

    def forward(self, grain: Tensor) -> tuple[Tensor, Tensor]:
        real, imaginary = self.dft(grain)
        magnitudes = torch.sqrt(real * real + imaginary * imaginary).transpose(0, 1).reshape(-1, len(self.dft.bins))
        features = self.encoder.features(grain, magnitudes) - self.center
        correction, log_variance = self.rest(self.first(FEATURE_SCALE * features)).chunk(2, -1)
        return self.linear(features) + correction, log_variance.clamp(*LOG_VARIANCE_RANGE)


def _reordered(layer: nn.Linear, order: Tensor, counted: Tensor) -> nn.Linear:
    """The layer for inputs in another order, which come more than once: only those that are counted have weight."""
    result = nn.Linear(len(order), layer.out_features)
    with torch.no_grad():
        result.weight.copy_(layer.weight[:, order] * counted)
        result.bias.copy_(layer.bias)
    return result


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

    def __init__(self, decoder: GrainDecoder) -> None:
        super().__init__()
        length = decoder.grain_length
        self.dft = RealDFT(length, length // 2, GAIN)
        onset, window = analysis_windows(length, 2)
        self.register_buffer("window", window)
        self.register_buffer("onset_difference", onset - window)

    def forward(
        self, magnitude: Tensor, peak: Tensor, advance: Tensor, profile: Tensor, noise: Tensor, onset: Tensor,
        phase: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        phase = next_phase(phase, peak, advance, onset)
        noise_spectrum = self.dft(noise * (self.window + onset * self.onset_difference))
        spectrum = excite(self.dft.ordered(magnitude), self.dft.ordered(phase, odd=True), noise_spectrum, onset)
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


class StreamGraph(nn.Module):
    """One hop of a sound: decoder, synthesis, overlap-add and post-processing, everything that lasts as state.

    `sum` and `weight` are the windowed grains and their windows that the next hops will hear, `history` what the filter
    looks back on. A grain with its onset flag set starts a sound and ignores the state.
    """

    STATES = ("sum", "weight", "history", "phase")
    window: Tensor
    onset_difference: Tensor

    def __init__(self, decoder: DecoderGraph, synthesis: nn.Module, postprocessing: PostProcessingGraph) -> None:
        super().__init__()
        self.decoder, self.synthesis, self.postprocessing = decoder, synthesis, postprocessing
        length = decoder.decoder.grain_length
        self.hop = length // 4
        onset, window = event_windows(length, 2)
        self.register_buffer("window", window)
        self.register_buffer("onset_difference", onset - window)

    def forward(
        self, latent: Tensor, condition: Tensor, noise: Tensor, onset: Tensor, level: Tensor, sum: Tensor,
        weight: Tensor, history: Tensor, phase: Tensor | None = None,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        starts, frame = onset > 0.5, self.decoder(latent, condition)
        total, weight, history = (torch.where(starts, 0.0, state) for state in (sum, weight, history))
        if phase is None:
            grain, following = self.synthesis(*frame, noise), ()
        else:
            grain, *following = self.synthesis(*frame, noise, onset, torch.where(starts, 0.0, phase))
        window = self.window + onset * self.onset_difference
        total = self._added(total, grain * (level * window))
        weight = self._added(weight, window)
        # where a sound is under way the windows sum to 1 and more; without an onset the first grain rises with its own
        signal = torch.cat((history, total[:, : self.hop] / weight[:, : self.hop].clamp_min(1.0)), 1)
        audio = self.postprocessing(signal)
        return audio, total[:, self.hop :], weight[:, self.hop :], signal[:, self.hop :], *following

    def _added(self, past: Tensor, grain: Tensor) -> Tensor:
        return torch.cat((past + grain[:, : -self.hop], grain[:, -self.hop :]), 1)


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


class EmbeddingStepGraph(nn.Module):
    def __init__(self, model: NeuralGranularModel) -> None:
        super().__init__()
        self.embedding = model.embedding

    def forward(self, embedding: Tensor, condition: Tensor, step: Tensor, hidden: Tensor) -> tuple[Tensor, ...]:
        path, state = self.embedding.decode_step(embedding, condition, step, hidden)
        return path, step + 1, state
