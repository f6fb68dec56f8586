"""`ngs export`: the whole way from a trained run to a bundle."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from ngs import __version__
from ngs.export.corpus_map import corpus_map
from ngs.export.encoding import EncodedExcerpts, encode_excerpts
from ngs.export.envelope import Envelopes
from ngs.export.golden import Reference, golden_vectors
from ngs.export.graphs import bundle_graphs
from ngs.export.loudness import class_loudness, fit_loudness
from ngs.export.onnx_export import export_graph, round_weights
from ngs.export.style import Style
from ngs.runtime.bundle.manifest import Manifest, check_model_card
from ngs.runtime.bundle.specs import LoudnessRange
from ngs.runtime.bundle.writer import check_target, write_bundle
from ngs.training.learning.checkpoints import load_model
from ngs.training.learning.excerpts import read_excerpts
from ngs.training.learning.losses import multi_scale_distance
from ngs.training.model.model import NeuralGranularModel
from ngs.training.run_folder import RunError, RunInfo

CARD_EXCERPTS = 16  # that the model card's distance is measured on; up to twice as many


def export_run(
    run: Path, path: Path, name: str, zipped: bool, say: Callable[[str], None] = lambda line: None,
    card: Mapping[str, str] | None = None,
) -> dict[str, float]:  # fmt: skip
    """Export the furthest trained model of a run; returns the largest error of each graph against torch.

    Entries of `card` go into the model card and replace the run's own of the same name. Raises RunError when there is
    nothing to export yet, BundleError when a graph disagrees with torch.
    """
    card = check_model_card(dict(card or {}))
    model, info, phase = load_model(run)
    if phase in ("spectra", "grains"):
        raise RunError(f"{run} has trained its grains only so far: go on with `ngs train --out {run} --resume`")
    check_target(path)

    round_weights(model)
    excerpts = encode_excerpts(model, *read_excerpts(run))
    if phase != "prior":  # not trained yet: a normal distribution for each condition
        prior, everyone = model.embedding.prior, torch.ones(len(excerpts))
        prior.know(info.attributes)
        prior.fit(excerpts.embedding_mean, excerpts.embedding_log_variance.exp(), excerpts.condition, everyone)
    say("Measuring how loud sounds are ...")
    fit = fit_loudness(model, excerpts, say)
    loudness = class_loudness(model, fit, excerpts)
    style, envelopes = Style(model, excerpts, info.attributes), Envelopes(model, excerpts)
    modules, graphs = bundle_graphs(model, style, fit, envelopes), {}
    for key, graph in modules.items():
        say(f"Exporting {key} ...")
        graphs[key] = export_graph(graph)
    say("Comparing every graph with torch ...")
    golden = golden_vectors(Reference(model, style, fit, envelopes), modules, excerpts)
    card = {**_own_card(model, info, phase, excerpts), **card}
    arrays = {"latent_map": corpus_map(model, excerpts), "golden": golden}
    return write_bundle(path, _manifest(name, info, card, loudness), graphs, arrays, zipped)


def _manifest(
    name: str, info: RunInfo, card: dict[str, str], loudness: tuple[LoudnessRange, ...]
) -> Manifest:  # fmt: skip
    config = info.config
    return Manifest(
        name=name,
        sample_rate=config.audio.sample_rate,
        grain_length=config.audio.grain_length,
        hop_length=config.audio.hop_length,
        latent_size=config.grain.latent_size,
        embedding_size=config.embedding.embedding_size,
        path_length=config.audio.path_length,
        attributes=info.attributes,
        loudness=loudness,
        graphs={},
        files={},
        created=datetime.date.today().isoformat(),
        model_card=card,
    )


@torch.no_grad()
def _own_card(model: NeuralGranularModel, info: RunInfo, phase: str, excerpts: EncodedExcerpts) -> dict[str, str]:
    """What a run knows about its model."""
    few = excerpts.every(max(len(excerpts) // CARD_EXCERPTS, 1))
    torch.manual_seed(0)
    distance = float(multi_scale_distance(model.decode(few.paths, few.condition), few.audio, info.config.loss))
    return {
        "made_with": f"ngs {__version__}",
        "data": Path(info.data).name,
        "trained_up_to": phase,
        "parameters": str(sum(parameter.numel() for parameter in model.parameters())),
        "distance_of_training_sounds": f"{distance:.3f}",
    }
