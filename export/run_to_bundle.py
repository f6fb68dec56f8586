"""`ngs export`: a trained run to a bundle."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from ngs import __version__
from ngs.export.corpus_map import _latent_map
from ngs.export.encoding import _embeddings, _paths
from ngs.export.golden import _golden_vectors
from ngs.export.graphs import bundle_graphs
from ngs.export.onnx_export import export_graph, round_weights
from ngs.runtime.bundle.manifest import Manifest, check_model_card
from ngs.runtime.bundle.writer import check_target, write_bundle
from ngs.training.learning.batches import one_hot
from ngs.training.learning.checkpoints import load_model
from ngs.training.learning.excerpts import read_excerpts
from ngs.training.learning.losses import multi_scale_distance
from ngs.training.model.model import NeuralGranularModel
from ngs.training.run_folder import RunError, RunInfo


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
        attributes=info.attributes,
        graphs={},
        files={},
        created=datetime.date.today().isoformat(),
        model_card={**_model_card(model, info, phase, audio, labels), **card},
    )
    latent_map = _latent_map(model, audio, labels, paths, embeddings)
    return write_bundle(path, manifest, graphs, {"latent_map": latent_map, "golden": golden}, zipped)


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
