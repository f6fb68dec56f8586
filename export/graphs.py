"""The graphs of a bundle as torch modules of standard operators, each with its named inputs and outputs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ngs.export.dft import RealDFT
from ngs.training.decoders import LOUDEST, FilterDecoder
from ngs.training.encoders import FEATURE_SCALE, LOG_VARIANCE_RANGE, SpectralEncoder
from ngs.training.model import NeuralGranularModel
from ngs.training.synthesis import PostProcessing, soft_sign


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
    return {
        "encoder": Graph(encoder, {"grain": (length,)}, ("mean", "log_variance")),
        "decoder": Graph(
            DecoderGraph(model.decoder),
            {"latent": (latent,), "condition": (conditions,), "noise": (length,)},
            ("grain",),
        ),
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

    def __init__(self, encoder: SpectralEncoder) -> None:
        super().__init__()
        self.dft = RealDFT(2 * (len(encoder.center) - 1))
        self.floor = encoder.floor
        self.register_buffer("center", encoder.center[self.dft.bins])
        first = encoder.network[0]
        assert isinstance(first, nn.Linear)
        self.linear = self._reordered(encoder.linear, 1.0)
        self.first = self._reordered(first, FEATURE_SCALE)
        self.rest = encoder.network[1:]

    def _reordered(self, layer: nn.Linear, scale: float) -> nn.Linear:
        result = nn.Linear(len(self.dft.bins), layer.out_features)
        with torch.no_grad():
            result.weight.copy_(scale * layer.weight[:, self.dft.bins] * self.dft.is_first)
            result.bias.copy_(layer.bias)
        return result

    def forward(self, grain: Tensor) -> tuple[Tensor, Tensor]:
        real, imaginary = self.dft(grain)
        magnitudes = torch.sqrt(real * real + imaginary * imaginary).transpose(0, 1).reshape(-1, len(self.dft.bins))
        features = torch.log(self.floor + magnitudes) - self.center
        correction, log_variance = self.rest(self.first(features)).chunk(2, -1)
        return self.linear(features) + correction, log_variance.clamp(*LOG_VARIANCE_RANGE)


class DecoderGraph(nn.Module):
    """FilterDecoder with both DFTs as matrix products and its output layers fused into one, in the bins' order.

    The gain of the filter is part of that layer: a is log(gain * (floor + |DFT|)), and DC, whose gain is 0, lies far
    below the floor.
    """

    def __init__(self, decoder: FilterDecoder) -> None:
        super().__init__()
        self.dft = RealDFT(decoder.grain_length)
        self.head, self.excitation = decoder.head, decoder.excitation
        self.network = decoder.network
        weight: Tensor = decoder.output.weight
        bias: Tensor = decoder.output.bias
        gain = float(decoder.gain[1])
        self.floor, self.loudest = gain * decoder.floor, LOUDEST + math.log(gain)
        if self.head == "log_magnitude":
            weight = torch.cat((weight, decoder.linear.weight), 1)
            bias = bias + decoder.linear.bias + math.log(gain)
        audible = decoder.gain[self.dft.bins] > 0
        self.output = nn.Linear(weight.shape[1], len(self.dft.bins))
        with torch.no_grad():
            self.output.weight.copy_(weight[self.dft.bins] * audible[:, None])
            self.output.bias.copy_(torch.where(audible, bias[self.dft.bins], -30.0))

    def forward(self, latent: Tensor, condition: Tensor, noise: Tensor) -> Tensor:
        hidden = self.network(torch.cat((latent, condition), -1))
        if self.head == "log_magnitude":
            hidden = torch.cat((hidden, latent), -1)
        coefficients = self.output(hidden).reshape(-1, self.dft.k_size, self.dft.q_size).transpose(0, 1)
        if self.head == "log_magnitude":
            magnitude = torch.relu(torch.exp(coefficients.clamp_max(self.loudest)) - self.floor)
        else:
            magnitude = 2 * torch.sigmoid(coefficients) ** math.log(10) + 1e-7
        real, imaginary = self.dft(noise)
        if self.excitation == "flat":
            magnitude = magnitude / torch.sqrt(real * real + imaginary * imaginary + 1e-18)
        return self.dft.inverse(real * magnitude, imaginary * magnitude)


class PostProcessingGraph(nn.Module):
    """The FIR filter as a product with a small banded matrix, then the soft sign.

    A block is cut into pieces as long as the filter's history: each needs itself and the piece before it.
    (A convolution of one channel takes onnxruntime's CPU provider several times longer.)
    """

    matrix: Tensor

    def __init__(self, postprocessing: PostProcessing) -> None:
        super().__init__()
        self.knee, self.piece = postprocessing.knee, postprocessing.history
        matrix = torch.zeros(2 * self.piece, self.piece)
        for delay, value in enumerate(postprocessing.response.detach()):
            place = torch.arange(self.piece)
            matrix[place + self.piece - delay, place] = value
        self.register_buffer("matrix", matrix)

    def forward(self, signal: Tensor) -> Tensor:
        before = signal[:, : -self.piece].reshape(-1, signal.shape[1] // self.piece - 1, self.piece)
        pieces = signal[:, self.piece :].reshape(-1, signal.shape[1] // self.piece - 1, self.piece)
        filtered = (torch.cat((before, pieces), -1) @ self.matrix).reshape(-1, signal.shape[1] - self.piece)
        return soft_sign(filtered, self.knee)


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
