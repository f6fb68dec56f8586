"""Golden vectors: inputs of every graph of a bundle, and the outputs that the trained modules give.

`ngs.export.graphs` rewrites the trained modules, onnx_export turns the result into ONNX, and onnxruntime runs it.
`Reference` uses none of that: it calls the modules as they were trained. A bundle whose graphs reproduce its golden
vectors proves all three steps at once; `ngs.runtime.bundle.writer.write_bundle` refuses any other.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ngs.export.encoding import EncodedExcerpts, audible
from ngs.export.envelope import Envelopes
from ngs.export.graphs import Graph
from ngs.export.loudness import LoudnessFit, grain_energies, loudness_windows, window_grains
from ngs.export.style import Style
from ngs.runtime.bundle.golden import FAINT
from ngs.training.model.excitation import PROMINENCE, prominence
from ngs.training.model.model import NeuralGranularModel
from ngs.training.model.overlap_add import event_windows

ROWS = 3  # of a golden vector
CANDIDATES = 32  # excerpts that the rows are chosen from
GRAINS_OF_EACH = 16
LEVEL = 0.1  # peak of golden grains at most: the louder, the more rounding adds to silent bins
NOTHING = torch.zeros(0)


@torch.no_grad()
def golden_vectors(
    reference: Reference, graphs: Mapping[str, Graph], excerpts: EncodedExcerpts
) -> dict[str, NDArray[Any]]:
    """The inputs of each graph and the outputs by a reference, named `graph/tensor`.

    Grains, latents and embeddings are those of real sounds. Noise and states are random, but always the same.
    """
    generator = torch.Generator().manual_seed(0)
    known = _real_inputs(reference.model, excerpts)
    rows = len(known["condition"])
    vectors: dict[str, NDArray[Any]] = {}
    for name, graph in graphs.items():
        for tensor, shape in graph.inputs.items():
            if tensor not in known:
                known[tensor] = torch.rand(rows, *shape, generator=generator) * 2 - 1
        inputs = {tensor: known[tensor].contiguous() for tensor in graph.inputs}
        outputs = dict(zip(graph.outputs, reference(name, inputs), strict=True))
        vectors |= {f"{name}/{tensor}": value.numpy() for tensor, value in (inputs | outputs).items()}
        if name == "decoder":  # the synthesis takes its frames
            known |= outputs
        elif name == "embedding_encoder":
            known["embedding"] = outputs["mean"]
    return vectors


class Reference:
    """What each graph has to compute, by the trained modules alone; `style` and `loudness` need the other parts.

    Each method is named after its graph, takes the graph's inputs by name and returns its outputs in their order, a
    single one without a tuple. Calling a reference with the graph's name always gives a tuple.
    """

    def __init__(
        self, model: NeuralGranularModel, style: Style | None = None, fit: LoudnessFit | None = None,
        envelopes: Envelopes | None = None,
    ) -> None:  # fmt: skip
        self.model, self.moved, self.fit, self.envelopes = model, style, fit, envelopes

    def __call__(self, name: str, inputs: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
        outputs = getattr(self, name)(**inputs)
        return outputs if isinstance(outputs, tuple) else (outputs,)

    def encoder(self, grain: Tensor, onset: Tensor) -> Any:
        return self.model.encoder(grain, onset)

    def decoder(self, latent: Tensor, condition: Tensor) -> tuple[Tensor, ...]:
        return self.model.decoder.frame(self.model.decoder.coefficients(latent, condition))

    def onset(self, latent: Tensor, condition: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        decoder = self.model.decoder
        coefficients = decoder.coefficients(latent, condition)
        return decoder.first_grain(coefficients, noise)

    def style(self, latent: Tensor, condition: Tensor, amount: Tensor) -> Any:
        assert self.moved is not None
        return self.moved(latent, condition, amount, self.model.decoder)

    def synthesis(self, noise: Tensor, phase: Tensor = NOTHING, **frame: Tensor) -> tuple[Tensor, ...]:
        grain, states = self.model.decoder.synthesise(*frame.values(), noise=noise, phase=phase)
        return grain, *states

    def postprocessing(self, signal: Tensor) -> Tensor:
        return self.model.postprocessing.filter_block(signal)

    def decoder_stream(
        self, latent: Tensor, condition: Tensor, noise: Tensor, onset: Tensor, level: Tensor, sum: Tensor,
        weight: Tensor, history: Tensor, phase: Tensor = NOTHING, first: Tensor = NOTHING, motion: Tensor = NOTHING,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        """One hop: overlap-add and post-processing. Rows whose onset is set start from zero states, with `first`."""
        hop, length = self.model.config.audio.hop_length, self.model.config.audio.grain_length
        goes_on = 1 - onset
        frame = self.decoder(latent, condition)
        if len(motion):
            frame = (*frame[:-1], frame[-1] + motion)
        grain, states = self.model.decoder.synthesise(*frame, noise=noise, phase=phase)
        if len(first):
            grain, states = onset * first + goes_on * grain, (onset * phase + goes_on * states[0],)
        rising, later = event_windows(length, 2)
        window = onset * rising + goes_on * later
        sum = nn.functional.pad(sum * goes_on, (0, hop)) + level * window * grain
        weight = nn.functional.pad(weight * goes_on, (0, hop)) + window
        signal = torch.cat((history * goes_on, sum[:, :hop] / weight[:, :hop].clamp_min(1.0)), 1)
        return self.postprocessing(signal), sum[:, hop:], weight[:, hop:], signal[:, hop:], *states

    def prior(self, normal: Tensor, condition: Tensor) -> Tensor:
        return self.model.embedding.prior.from_normal(normal, condition)

    def prior_inverse(self, embedding: Tensor, condition: Tensor) -> Tensor:
        return self.model.embedding.prior.to_normal(embedding, condition)

    def embedding_encoder(self, path: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        return self.model.embedding.encode(path, condition)

    def embedding_decoder(self, embedding: Tensor, condition: Tensor) -> Tensor:
        return self.model.embedding.decode(embedding, condition, self.model.config.audio.path_length)

    def embedding_step(
        self, embedding: Tensor, condition: Tensor, step: Tensor, hidden: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        path, following = self.model.embedding.decode_step(embedding, condition, step, hidden)
        return path, step + 1, following

    def loudness(self, embedding: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        assert self.fit is not None and self.envelopes is not None
        length, window = self.model.config.audio.path_length, window_grains(self.model)
        energy = grain_energies(self.model, self.model.embedding.decode(embedding, condition, length), condition)
        windows = loudness_windows(length, window, self.fit.onset)
        return self.fit.loudness(energy, window, condition), self.envelopes(energy, condition, windows)


def _real_inputs(model: NeuralGranularModel, excerpts: EncodedExcerpts) -> dict[str, Tensor]:
    """The inputs, of any graph, that come from sounds or have to fit one another."""
    few = excerpts.every(max(len(excerpts) // CANDIDATES, 1))
    rows = _least_rounded(model.embedding, "encode", few.paths, few.condition)
    path, condition = few.paths[rows], few.condition[rows]
    grains = torch.cat([model.windowed(signal[None])[0, :GRAINS_OF_EACH] for signal in few.audio])
    grains = grains[audible(grains.abs().amax(1))]
    grains = grains * (LEVEL / grains.abs().amax(1, keepdim=True).clamp_min(LEVEL))
    chosen = _least_rounded_grains(model, grains)
    return {
        "grain": grains[chosen[torch.arange(len(rows)) % len(chosen)]],  # as many as there are onset flags
        "path": path,
        "condition": condition,
        "latent": _clear_latents(model, path, condition),
        "onset": torch.eye(len(rows), 1),
        "amount": torch.linspace(0, 1, len(rows))[:, None],
        "step": torch.arange(len(rows))[:, None].float(),
        "weight": torch.full((len(rows), 3 * model.config.audio.hop_length), 2.0),  # windows of a sound under way
    }


def _least_rounded_grains(model: NeuralGranularModel, grains: Tensor) -> Tensor:
    """The windowed grains [N, L], ROWS at most, of which the encoder's rounding changes least that is heard."""
    magnitudes, log_variance = _heard(model, grains)
    exact_magnitudes, exact_log_variance = _heard(copy.deepcopy(model).double(), grains.double())
    errors = (magnitudes - exact_magnitudes).abs().amax(1) / exact_magnitudes.amax(1).clamp_min(FAINT)
    return torch.maximum(errors, (log_variance - exact_log_variance).abs().amax(1)).argsort()[:ROWS]


def _heard(model: NeuralGranularModel, grains: Tensor) -> tuple[Tensor, Tensor]:
    """What is decoded from the means of windowed grains [N, L]: magnitudes [N, K]; and their log-variances [N, Z]."""
    mean, log_variance = model.encoder(grains, grains.new_ones(len(grains), 1))
    coefficients = model.decoder.coefficients(mean, mean.new_zeros(len(mean), sum(model.sizes)))
    return model.decoder.magnitudes(coefficients), log_variance


def _least_rounded(module: nn.Module, method: str, *inputs: Tensor) -> Tensor:
    """The rows, ROWS at most, of an encoder's inputs whose outputs are nearest to those in 64 bits.

    Golden vectors test graphs, not rounding, which alone moves the logarithms of silent bins beside loud ones.
    """
    exact = getattr(copy.deepcopy(module).double(), method)(*(values.double() for values in inputs))
    found = getattr(module, method)(*inputs)
    errors = torch.stack([(ours - theirs).abs().amax(1) for ours, theirs in zip(found, exact, strict=True)])
    return errors.amax(0).argsort()[:ROWS]


def _clear_latents(model: NeuralGranularModel, path: Tensor, condition: Tensor) -> Tensor:
    """For each condition [N, C], the latent [Z] in paths [N, T, Z] whose peaks are least likely to move by rounding."""
    latents, chosen = path.flatten(0, 1), []
    for row in condition:
        spectra = model.decoder.coefficients(latents, row.expand(len(latents), -1))[:, : model.decoder.bins]
        decisions = spectra.diff(dim=1), spectra[:, 2:] - spectra[:, :-2], prominence(spectra) - PROMINENCE
        chosen.append(latents[torch.cat(decisions, 1).abs().amin(1).argmax()])
    return torch.stack(chosen)
