"""TODO."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import nn

from ngs.export.encoding import AUDIBLE, _paths
from ngs.export.graphs import Graph
from ngs.training.model.embedding import EmbeddingVAE
from ngs.training.model.excitation import PROMINENCE, prominence
from ngs.training.model.model import NeuralGranularModel
from ngs.training.model.overlap_add import event_windows


@torch.no_grad()
def _golden_vectors(
    graphs: dict[str, Graph],
    model: NeuralGranularModel,
    audio: torch.Tensor,
    condition: torch.Tensor,
) -> dict[str, np.ndarray]:
    """Inputs and outputs of each graph from torch. Seeded; latents, embeddings and grains are those of real sounds.

    A graph takes what another one gives: the synthesis the decoder's frames.
    """
    generator = torch.Generator().manual_seed(0)
    every = max(len(audio) // 32, 1)
    audio, condition = audio[::every], condition[::every]
    path = _paths(model, audio)
    surest = _surest(model.embedding, "encode", path, condition)
    batch, path, condition = len(surest), path[surest], condition[surest]
    embedding, _ = model.embedding.encode(path, condition)
    grains = torch.cat([model.windowed(signal[None])[0, :16] for signal in audio])
    grains = grains[grains.abs().amax(1) > min(AUDIBLE, float(grains.abs().max()) / 2)]
    onset = torch.eye(batch, 1)
    values = {
        "grain": grains[_surest(model.encoder, "forward", grains)], "path": path, "condition": condition,
        "embedding": embedding, "onset": onset, "latent": _decided(model, path, condition),
        "step": torch.arange(batch)[:, None].float(),
        "weight": torch.full((batch, 3 * model.config.audio.hop_length), 2.0),
    }  # fmt: skip
    vectors = {}
    for name, graph in graphs.items():
        for key, shape in graph.inputs.items():
            if key not in values:
                values[key] = torch.rand(batch, *shape, generator=generator) * 2 - 1
            vectors[f"{name}/{key}"] = values[key].contiguous().numpy()
        outputs = reference(model, name, graph)(*(values[key].contiguous() for key in graph.inputs))
        for key, value in zip(graph.outputs, outputs if isinstance(outputs, tuple) else (outputs,), strict=True):
            vectors[f"{name}/{key}"] = value.numpy()
            if name == "decoder":
                values[key] = value
    return vectors


def _surest(module: torch.nn.Module, method: str, *inputs: torch.Tensor) -> torch.Tensor:
    """Rows of an encoder's inputs, three at most, that 32 bits suffice for: golden vectors test graphs, not rounding.

    Where loud bins stand beside silent ones rounding alone moves the logarithms of the silent ones.
    """
    exact = getattr(copy.deepcopy(module).double(), method)(*(values.double() for values in inputs))
    found = getattr(module, method)(*inputs)
    errors = torch.stack([(ours - theirs).abs().amax(1) for ours, theirs in zip(found, exact, strict=True)])
    return errors.amax(0).argsort()[:3]


def _decided(model: NeuralGranularModel, path: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
    """For each condition [N, C] the latent of paths [B, G, Z] whose peaks are clearest: no rounding decides."""
    latents, chosen = path.flatten(0, 1), []
    for row in condition:
        spectra = model.decoder.coefficients(latents, row.expand(len(latents), -1))[:, : model.decoder.bins]
        decisions = spectra.diff(dim=1), spectra[:, 2:] - spectra[:, :-2], prominence(spectra) - PROMINENCE
        steps = torch.cat(decisions, 1)
        chosen.append(latents[steps.abs().amin(1).argmax()])
    return torch.stack(chosen)


def reference(model: NeuralGranularModel, name: str, graph: Graph) -> Any:
    """The trained module itself, not the one rewritten for export: golden vectors prove both."""
    return {
        "encoder": model.encoder,
        "decoder": lambda latent, condition: model.decoder.frame(model.decoder.coefficients(latent, condition)),
        "synthesis": lambda *values: _synthesised(model, graph, values),
        "postprocessing": model.postprocessing.filter_block,
        "embedding_encoder": model.embedding.encode,
        "decoder_stream": lambda *values: _streamed(model, graph, values),
        "embedding_decoder": lambda e, c: model.embedding.decode(e, c, model.config.audio.path_length),
        "embedding_step": lambda e, c, step, hidden: _stepped(model.embedding, e, c, step, hidden),
    }[name]


def _synthesised(model: NeuralGranularModel, graph: Graph, values: tuple[torch.Tensor, ...]) -> Any:
    named = dict(zip(graph.inputs, values, strict=True))
    others = {name: named.pop(name, torch.zeros(0)) for name in ("noise", "onset", "phase")}
    return model.decoder.synthesise(*named.values(), **others)


def _streamed(model: NeuralGranularModel, graph: Graph, values: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """One hop as the trained modules play it, rows whose onset is set from nothing."""
    given = dict(zip(graph.inputs, values, strict=True))
    hop, length = model.config.audio.hop_length, model.config.audio.grain_length
    onset = given["onset"]
    state = {name: given[name] * (1 - onset) for name in graph.inputs if f"next_{name}" in graph.outputs}
    frame = model.decoder.frame(model.decoder.coefficients(given["latent"], given["condition"]))
    phase = state.get("phase", torch.zeros(0))
    grain = model.decoder.synthesise(*frame, noise=given["noise"], onset=onset, phase=phase)
    grain, *following = grain if isinstance(grain, tuple) else (grain,)
    first, later = event_windows(length, 2)
    window = onset * first + (1 - onset) * later
    total = nn.functional.pad(state["sum"], (0, hop)) + given["level"] * window * grain
    weight = nn.functional.pad(state["weight"], (0, hop)) + window
    signal = torch.cat((state["history"], total[:, :hop] / weight[:, :hop].clamp_min(1.0)), 1)
    audio = model.postprocessing.filter_block(signal)
    return audio, total[:, hop:], weight[:, hop:], signal[:, hop:], *following


def _stepped(embedding: EmbeddingVAE, *values: torch.Tensor) -> tuple[torch.Tensor, ...]:
    path, state = embedding.decode_step(*values)
    return path, values[2] + 1, state
