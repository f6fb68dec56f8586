"""`ngs export`: a trained run to a bundle."""

from __future__ import annotations

import copy
import datetime
import io
import logging
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from ngs import __version__
from ngs.export.graphs import Graph, bundle_graphs
from ngs.runtime.manifest import Condition, Manifest, check_model_card
from ngs.runtime.timbre import timbre, timbre_axes
from ngs.runtime.writer import check_target, write_bundle
from ngs.training.batches import one_hot
from ngs.training.embedding import EmbeddingVAE
from ngs.training.excitation import PROMINENCE, prominence
from ngs.training.losses import multi_scale_distance
from ngs.training.model import NeuralGranularModel
from ngs.training.run import RunError, RunInfo, load_model, read_excerpts
from ngs.training.synthesis import event_windows

OPSET = 20
FORBIDDEN = {"If", "Loop", "Scan"}
HALVED = 1024  # numbers from which on weights are stored in 16 bits
MAP_POINTS = 2000
MAP_COMPONENTS = 8
AUDIBLE = 0.05  # peak within a hop


def export_run(
    run: Path, path: Path, name: str, zipped: bool, say: Callable[[str], None] = lambda line: None,
    card: Mapping[str, str] | None = None,
) -> dict[str, float]:  # fmt: skip
    """Export the furthest trained model of a run; returns the largest error of each graph against torch.

    Entries of `card` stand in the model card, instead of those that the run itself gives under the same name.
    Raises RunError when there is nothing to export yet, BundleError when a graph disagrees with torch.
    """
    card = check_model_card(dict(card or {}))
    model, info, phase = load_model(run)
    round_weights(model)
    if phase in ("spectra", "grains"):
        raise RunError(f"{run} has trained its grains only so far: go on with `ngs train --out {run} --resume`")
    check_target(path)
    audio, labels = read_excerpts(run)
    paths, condition = _paths(model, audio), one_hot(labels, model.sizes)
    model.embedding.prior.fit(_embeddings(model, paths, condition), condition)
    graphs = {}
    modules = bundle_graphs(model)
    for key, graph in modules.items():
        say(f"Exporting {key} ...")
        graphs[key] = export_graph(graph)
    say("Comparing every graph with torch ...")
    golden = _golden_vectors(modules, model, audio, condition)
    config = info.config
    embeddings = _embeddings(model, paths, condition)
    manifest = Manifest(
        name=name,
        sample_rate=config.audio.sample_rate,
        grain_length=config.audio.grain_length,
        hop_length=config.audio.hop_length,
        latent_size=config.grain.latent_size,
        embedding_size=config.embedding.embedding_size,
        path_length=config.audio.path_length,
        conditions=tuple(Condition(attribute, classes) for attribute, classes in info.attributes),
        graphs={},
        files={},
        created=datetime.date.today().isoformat(),
        model_card={**_model_card(model, info, phase, audio, labels), **card},
    )
    latent_map = _latent_map(model, audio, labels, paths, embeddings)
    return write_bundle(path, manifest, graphs, {"latent_map": latent_map, "golden": golden}, zipped)


def export_graph(graph: Graph) -> bytes:
    """An ONNX model of standard operators with a dynamic batch, checked by onnx."""
    example = tuple(torch.zeros(3, *shape) for shape in graph.inputs.values())
    batch = torch.export.Dim("batch", min=1, max=1 << 20)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program: Any = torch.onnx.export(
            graph.module.eval(),
            example,
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            dynamo=True,
            dynamic_shapes=tuple({0: batch} for _ in example),
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    model = program.model_proto
    halve_weights(model)
    narrow_indices(model)
    del model.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    onnx.checker.check_model(model, full_check=True)
    domains = {node.domain for node in model.graph.node} | {entry.domain for entry in model.opset_import}
    operators = {node.op_type for node in model.graph.node}
    if domains - {""} or operators & FORBIDDEN:
        raise RuntimeError(f"a graph uses more than standard operators: {sorted(domains)} {sorted(operators)}")
    content = io.BytesIO()
    onnx.save_model(model, content)
    return content.getvalue()


@torch.no_grad()
def round_weights(model: torch.nn.Module) -> None:
    """Round everything large in a model to what 16-bit floats can say: bundles hold half as many bytes."""
    for values in (*model.parameters(), *model.buffers()):
        if values.is_floating_point() and values.numel() >= HALVED:
            half = values.half().float()
            if half.isfinite().all():
                values.copy_(half)


def halve_weights(model: onnx.ModelProto) -> None:
    """Store as 16-bit floats what loses nothing by it; casts give the graph its 32 bits back when it is loaded."""
    casts = []
    for initializer in model.graph.initializer:
        values = numpy_helper.to_array(initializer)
        if values.dtype != np.float32 or values.size < HALVED:
            continue
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if np.array_equal(half.astype(np.float32), values):
            name = initializer.name
            initializer.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
            casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def narrow_indices(model: onnx.ModelProto) -> None:
    """Gather by 32-bit indices: onnxruntime takes several times as long to make 64-bit ones of floats."""
    readers: dict[str, set[str]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, set()).add(node.op_type)
    for node in model.graph.node:
        if node.op_type == "Cast" and readers.get(node.output[0]) == {"GatherElements"}:
            node.attribute[0].i = TensorProto.INT32
    del model.graph.value_info[:]


@torch.no_grad()
def _paths(model: NeuralGranularModel, audio: torch.Tensor) -> torch.Tensor:
    """Latent means of signals [B, n]: [B, G, Z], a few signals at a time."""
    return torch.cat([model.encode(part)[0] for part in torch.split(audio, 16)])


@torch.no_grad()
def _embeddings(model: NeuralGranularModel, paths: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
    """Embedding means of paths [B, T, Z] under conditions [B, C]: [B, E]."""
    pairs = zip(torch.split(paths, 64), torch.split(condition, 64), strict=True)
    return torch.cat([model.embedding.encode(path, chosen)[0] for path, chosen in pairs])


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


@torch.no_grad()
def _latent_map(
    model: NeuralGranularModel, audio: torch.Tensor, labels: torch.Tensor, paths: torch.Tensor, embeddings: torch.Tensor
) -> dict[str, np.ndarray]:
    """The latents of grains that are well audible, the axes along which they differ to the ear, and the embeddings.

    Free paths start from these points: from the faint ends of sounds they would be all but silent.
    """
    hop = model.config.audio.hop_length
    levels = audio.unfold(1, hop, hop).abs().amax(-1)
    sounding = levels > min(AUDIBLE, float(levels.max()) / 2)
    latents, owners = paths[sounding], labels[torch.nonzero(sounding)[:, 0]].numpy()
    points, mean = latents.numpy(), latents.numpy().mean(0)
    chosen = np.random.default_rng(0).permutation(len(points))[:MAP_POINTS]
    condition = torch.zeros(len(chosen), sum(model.sizes))
    magnitudes = model.decoder.frame(model.decoder.coefficients(latents[chosen], condition))[0]
    timbres = timbre(magnitudes.numpy(), model.config.audio.sample_rate)
    components = timbre_axes(points[chosen], timbres, min(MAP_COMPONENTS, points.shape[1]))
    projected = (points - mean) @ components.T
    return {
        "mean": mean,
        "components": components,
        "explained_variance": projected.var(0),
        "low": np.percentile(projected, 2, axis=0).astype(np.float32),
        "high": np.percentile(projected, 98, axis=0).astype(np.float32),
        "points": points[chosen].astype(np.float16),
        "labels": owners[chosen].astype(np.int32),
        "embeddings": embeddings.numpy().astype(np.float16),
        "embedding_labels": labels.numpy().astype(np.int32),
    }


@torch.no_grad()
def _model_card(
    model: NeuralGranularModel, info: RunInfo, phase: str, audio: torch.Tensor, labels: torch.Tensor
) -> dict[str, str]:
    few = audio[:: max(len(audio) // 16, 1)]
    torch.manual_seed(0)
    condition = one_hot(labels[:: max(len(audio) // 16, 1)], info.sizes)
    distance = float(multi_scale_distance(model.decode(model.encode(few)[0], condition), few, info.config.loss))
    return {
        "made_with": f"ngs {__version__}",
        "data": Path(info.data).name,
        "trained_up_to": phase,
        "parameters": str(sum(parameter.numel() for parameter in model.parameters())),
        "distance_of_training_sounds": f"{distance:.3f}",
    }
