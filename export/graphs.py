"""The graphs of a bundle: torch modules of standard operators only, with named inputs and outputs.

A rewritten module replaces each trained module that computes a DFT: it uses matrix products instead. Another excitation
needs such a module here, and an entry in SYNTHESES.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ngs.export.dft import RealDFT
from ngs.export.envelope import DB, Envelopes
from ngs.export.loudness import FAINTEST, LoudnessFit, bin_weights, loudness_windows, window_grains
from ngs.export.style import Style
from ngs.runtime.dsp.locked_tones import GAIN
from ngs.training.model.decoders import EVERY, GrainDecoder
from ngs.training.model.encoders import FEATURE_SCALE, GrainEncoder, SpectralEncoder
from ngs.training.model.energy_profile import profile_gain
from ngs.training.model.excitation import Excitation, FilteredNoise, LockedTones, excite, next_phase
from ngs.training.model.layers import LOG_VARIANCE_RANGE
from ngs.training.model.model import NeuralGranularModel
from ngs.training.model.onset import first_grain
from ngs.training.model.overlap_add import PostProcessing, event_windows


@dataclass(frozen=True)
class Graph:
    """A module that is exported as one ONNX graph."""

    module: nn.Module
    inputs: Mapping[str, tuple[int, ...]]  # shapes without the batch dimension
    outputs: tuple[str, ...]


def bundle_graphs(
    model: NeuralGranularModel, style: Style, fit: LoudnessFit, envelopes: Envelopes
) -> dict[str, Graph]:  # fmt: skip
    """All graphs of a bundle by name. The model is in evaluation mode."""
    moved = Graph(
        StyleGraph(style, DecoderGraph(model.decoder)),
        {"latent": (model.config.grain.latent_size,), "condition": (sum(model.sizes),), "amount": (1,)},
        ("moved", "level", *(("motion",) if model.decoder.points else ())),
    )
    loudness = Graph(
        LoudnessGraph(model, fit, envelopes),
        {"embedding": (model.config.embedding.embedding_size,), "condition": (sum(model.sizes),)},
        ("loudness", "envelope"),
    )
    return {**grain_graphs(model), "style": moved, **embedding_graphs(model), "loudness": loudness}


def grain_graphs(model: NeuralGranularModel) -> dict[str, Graph]:
    """The graphs of a bundle that know grains only, by name."""
    excitation, decoder = model.decoder.excitation, DecoderGraph(model.decoder)
    synthesis = SYNTHESES[type(excitation)](excitation)
    postprocessing = PostProcessingGraph(model.postprocessing)
    length, hop = model.config.audio.grain_length, model.config.audio.hop_length
    history, latent, condition = model.postprocessing.history, model.config.grain.latent_size, sum(model.sizes)
    frame = _shapes(excitation.frame_sizes)
    state = {"phase": (excitation.bins,)} if excitation.has_phase else {}
    first = {"first": (length,), "motion": (excitation.points,)} if excitation.shape_size else {}
    lasting = {"sum": (length - hop,), "weight": (length - hop,), "history": (history,), **state}
    given = {"latent": (latent,), "condition": (condition,)}
    starts = {"onset": Graph(OnsetGraph(decoder), {**given, "noise": (length,)}, ("grain", "phase"))} if first else {}
    return {
        "encoder": Graph(_encoder_graph(model.encoder), {"grain": (length,), "onset": (1,)}, ("mean", "log_variance")),
        "decoder": Graph(decoder, given, tuple(frame)),
        **starts,
        "synthesis": Graph(synthesis, {**frame, "noise": (length,), **state}, ("grain", *_following(state))),
        "postprocessing": Graph(postprocessing, {"signal": (history + hop,)}, ("audio",)),
        "decoder_stream": Graph(
            StreamGraph(decoder, synthesis, postprocessing),
            {**given, "noise": (length,), "onset": (1,), "level": (1,), **lasting, **first},
            ("audio", *_following(lasting)),
        ),
    }


def embedding_graphs(model: NeuralGranularModel) -> dict[str, Graph]:
    """The graphs of a bundle that read and write paths and embeddings, by name."""
    level2 = model.config.embedding
    embedding, hidden, condition = (level2.embedding_size,), (level2.hidden_size,), (sum(model.sizes),)
    path, prior = (model.config.audio.path_length, model.config.grain.latent_size), model.embedding.prior
    given = {"embedding": embedding, "condition": condition}
    return {
        "embedding_encoder": Graph(
            ConditionedGraph(model.embedding, "encode"),
            {"path": path, "condition": condition},
            ("mean", "log_variance"),
        ),
        "embedding_decoder": Graph(EmbeddingDecoderGraph(model), given, ("path",)),
        "embedding_step": Graph(
            EmbeddingStepGraph(model), {**given, "step": (1,), "hidden": hidden}, ("path", "next_step", "next_hidden")
        ),
        "prior": Graph(
            ConditionedGraph(prior, "from_normal"), {"normal": embedding, "condition": condition}, ("embedding",)
        ),
        "prior_inverse": Graph(ConditionedGraph(prior, "to_normal"), given, ("normal",)),
    }


def _shapes(sizes: Mapping[str, int]) -> dict[str, tuple[int, ...]]:
    return {name: (size,) for name, size in sizes.items()}


def _following(states: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"next_{name}" for name in states)


def _encoder_graph(encoder: GrainEncoder) -> nn.Module:
    return encoder if encoder.spectral is None else SpectralEncoderGraph(encoder.spectral)


class SpectralEncoderGraph(nn.Module):
    """SpectralEncoder with its DFT as matrix products, and its first layers reordered to the bins of that DFT."""

    center: Tensor
    bands: Tensor

    def __init__(self, encoder: SpectralEncoder) -> None:
        super().__init__()
        bins, size = encoder.bins, len(encoder.center)
        self.dft, self.encoder = RealDFT(2 * (bins - 1)), encoder
        order = torch.cat((self.dft.bins, torch.arange(bins, size)))
        counted = torch.cat((self.dft.is_first, torch.ones(size - bins, dtype=torch.bool)))
        self.register_buffer("center", encoder.center[order])
        self.register_buffer("bands", encoder.bands[self.dft.bins] * self.dft.is_first[:, None])
        first = encoder.network[0]
        assert isinstance(first, nn.Linear)
        self.linear, self.first = (_reordered(layer, order, counted) for layer in (encoder.linear, first))
        self.rest = encoder.network[1:]

    def forward(self, grain: Tensor, onset: Tensor) -> tuple[Tensor, Tensor]:
        real, imaginary = self.dft(grain)
        magnitudes = torch.sqrt(real * real + imaginary * imaginary).transpose(0, 1).reshape(-1, len(self.dft.bins))
        features = self.encoder.features_of(grain, onset, magnitudes, self.bands) - self.center
        correction, log_variance = self.rest(self.first(FEATURE_SCALE * features)).chunk(2, -1)
        return self.linear(features) + correction, log_variance.clamp(*LOG_VARIANCE_RANGE)


def _reordered(layer: nn.Linear, order: Tensor, counted: Tensor) -> nn.Linear:
    """The layer for inputs in another order. Some come more than once: only those in `counted` get a weight."""
    result = nn.Linear(len(order), layer.out_features)
    with torch.no_grad():
        result.weight.copy_(layer.weight[:, order] * counted)
        result.bias.copy_(layer.bias)
    return result


class DecoderGraph(nn.Module):
    """GrainDecoder up to the frame that its excitation needs, with its two output layers fused into one."""

    def __init__(self, decoder: GrainDecoder) -> None:
        super().__init__()
        self.decoder = decoder
        weight: Tensor = decoder.output.weight
        bias: Tensor = decoder.output.bias
        if decoder.linear is not None:
            weight = torch.cat((weight, decoder.linear.weight), 1)
            bias = bias + decoder.linear.bias
        self.output = nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            self.output.weight.copy_(weight)
            self.output.bias.copy_(bias)

    def coefficients(self, latent: Tensor, condition: Tensor, rows: slice = EVERY) -> Tensor:
        hidden = self.decoder.network(torch.cat((latent, condition), -1))
        if self.decoder.linear is not None:
            hidden = torch.cat((hidden, latent), -1)
        return nn.functional.linear(hidden, self.output.weight[rows], self.output.bias[rows])

    def forward(self, latent: Tensor, condition: Tensor) -> tuple[Tensor, ...]:
        return self.decoder.frame(self.coefficients(latent, condition))


class OnsetGraph(nn.Module):
    """The first grain of a sound from its latent, with all DFTs as matrix products."""

    def __init__(self, decoder: DecoderGraph) -> None:
        super().__init__()
        self.decoder = decoder
        self.dft = RealDFT(decoder.decoder.grain_length, decoder.decoder.grain_length // 2)

    def forward(self, latent: Tensor, condition: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        decoder, coefficients = self.decoder.decoder, self.decoder.coefficients(latent, condition)
        magnitude = decoder.magnitudes(coefficients)
        assert decoder.frames is not None
        return first_grain(magnitude, decoder.shape(coefficients), noise, self.dft, decoder.frames)


class StyleGraph(nn.Module):
    """Style, with the decoder's output layers fused."""

    def __init__(self, style: Style, decoder: DecoderGraph) -> None:
        super().__init__()
        self.style, self.decoder = style, decoder

    def forward(self, latent: Tensor, condition: Tensor, amount: Tensor) -> tuple[Tensor, ...]:
        moved: tuple[Tensor, ...] = self.style(latent, condition, amount, self.decoder)
        return moved


class NoiseSynthesisGraph(nn.Module):
    """FilteredNoise (eq. 7 and 8), with both DFTs as matrix products."""

    def __init__(self, excitation: Excitation) -> None:
        super().__init__()
        self.dft = RealDFT(excitation.grain_length)

    def forward(self, magnitude: Tensor, noise: Tensor) -> Tensor:
        real, imaginary = self.dft(noise)
        ordered = self.dft.ordered(magnitude)
        return self.dft.inverse(real * ordered, imaginary * ordered)


class LockedSynthesisGraph(nn.Module):
    """LockedTones for one grain, with both DFTs as matrix products. The phases are the state."""

    window: Tensor

    def __init__(self, excitation: Excitation) -> None:
        super().__init__()
        length = excitation.grain_length
        self.dft = RealDFT(length, length // 2, GAIN)
        self.register_buffer("window", torch.hann_window(length))

    def forward(
        self, magnitude: Tensor, peak: Tensor, advance: Tensor, profile: Tensor, noise: Tensor, phase: Tensor
    ) -> tuple[Tensor, Tensor]:
        phase = next_phase(phase, peak, advance)
        noise_spectrum = self.dft(noise * self.window)
        spectrum = excite(self.dft.ordered(magnitude), self.dft.ordered(phase, odd=True), noise_spectrum)
        return self.dft.inverse(*spectrum) * profile_gain(profile, self.dft.length), phase


SYNTHESES: dict[type[Excitation], Callable[[Excitation], nn.Module]] = {
    FilteredNoise: NoiseSynthesisGraph,
    LockedTones: LockedSynthesisGraph,
}


class PostProcessingGraph(nn.Module):
    """PostProcessing with the filter's matrix as a constant."""

    matrix: Tensor

    def __init__(self, postprocessing: PostProcessing) -> None:
        super().__init__()
        self.postprocessing = postprocessing
        self.register_buffer("matrix", postprocessing.matrix().detach())

    def forward(self, signal: Tensor) -> Tensor:
        return self.postprocessing.filter_block(signal, self.matrix)


class StreamGraph(nn.Module):
    """One hop of a sound: decoder, synthesis, overlap-add and post-processing. What lasts beyond a hop is state.

    `sum` and `weight` are what past grains and their windows add to the next hops; `history` is the past that the
    filter needs. A grain whose onset flag is set starts a sound: it ignores the state. If the excitation has onset
    shapes, it is given as `first`, and `phase` is its own; `motion` is added to the energy profile of other grains.
    """

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
        weight: Tensor, history: Tensor, phase: Tensor | None = None, first: Tensor | None = None,
        motion: Tensor | None = None,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        starts, frame = onset > 0.5, self.decoder(latent, condition)
        total, weight, history = (torch.where(starts, 0.0, state) for state in (sum, weight, history))
        following: tuple[Tensor, ...] = ()
        if phase is None or first is None or motion is None:
            grain = self.synthesis(*frame, noise)
        else:
            *spectrum, profile = frame
            grain, moved = self.synthesis(*spectrum, profile + motion, noise, phase)
            grain, following = torch.where(starts, first, grain), (torch.where(starts, phase, moved),)
        window = self.window + onset * self.onset_difference
        total = self._added(total, grain * (level * window))
        weight = self._added(weight, window)
        # once a sound is under way, windows sum to at least 1; without an onset, the first grain rises with its window
        signal = torch.cat((history, total[:, : self.hop] / weight[:, : self.hop].clamp_min(1.0)), 1)
        audio = self.postprocessing(signal)
        return audio, total[:, self.hop :], weight[:, self.hop :], signal[:, self.hop :], *following

    def _added(self, past: Tensor, grain: Tensor) -> Tensor:
        return torch.cat((past + grain[:, : -self.hop], grain[:, -self.hop :]), 1)


class ConditionedGraph(nn.Module):
    """One method of a trained module: what is given, under a condition."""

    def __init__(self, module: nn.Module, method: str) -> None:
        super().__init__()
        self.module, self.method = module, method

    def forward(self, given: Tensor, condition: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        result: Tensor | tuple[Tensor, Tensor] = getattr(self.module, self.method)(given, condition)
        return result


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


class LoudnessGraph(nn.Module):
    """`predicted_loudness`, and what a drawn sound lacks to have the envelope of real ones."""

    own_offset: Tensor
    offset: Tensor
    weights: Tensor
    windows: Tensor

    def __init__(self, model: NeuralGranularModel, fit: LoudnessFit, envelopes: Envelopes) -> None:
        super().__init__()
        self.path, self.decoder = EmbeddingDecoderGraph(model), DecoderGraph(model.decoder)
        self.envelopes = envelopes
        windows = loudness_windows(model.config.audio.path_length, window_grains(model), fit.onset)
        every = torch.eye(sum(model.sizes) + 1, sum(model.sizes))  # each class alone, and none
        offsets = fit.offset(every)
        self.register_buffer("own_offset", offsets[:-1] - offsets[-1])
        self.register_buffer("offset", offsets[-1])
        self.register_buffer("weights", bin_weights(model)[:, None])
        self.register_buffer("windows", windows)

    def forward(self, embedding: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        path = self.path(embedding, condition)
        conditions = condition[:, None].expand(-1, len(self.windows), -1).flatten(0, 1)
        magnitude = self.decoder(path.flatten(0, 1), conditions)[0]
        energy = (magnitude.square() @ self.weights).reshape(-1, len(self.windows))
        loudest = (energy @ self.windows).amax(1, keepdim=True)
        level = DB * torch.log(loudest.clamp_min(FAINTEST))
        loudness = level + condition @ self.own_offset + self.offset
        return loudness, self.envelopes(energy, condition, self.windows)
