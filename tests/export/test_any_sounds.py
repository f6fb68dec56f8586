"""Whatever can be trained on can be exported, and what cannot is known before it is trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from tests.kinds import MAKERS, write_kind

from ngs.corpus.cache import build_cache
from ngs.corpus.sounds import find_sounds
from ngs.export import run_to_bundle
from ngs.export.encoding import draw_embeddings
from ngs.export.rehearsal import errors_in_torch, rehearse
from ngs.export.run_to_bundle import export_run
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.golden import EXPORT_TOLERANCE, TOLERANCE, largest_errors
from ngs.runtime.offline.render import sample
from ngs.training.config import Config, budget, load_preset, override
from ngs.training.learning.batches import first_signals
from ngs.training.learning.checkpoints import load_model
from ngs.training.learning.machine import Machine
from ngs.training.learning.phases import EmbeddingPhase
from ngs.training.learning.session import train
from ngs.training.learning.trainer import start_grains
from ngs.training.model.model import NeuralGranularModel
from ngs.training.run_folder import RunError

Started = tuple[NeuralGranularModel, torch.Tensor, torch.Tensor]
EXPORTED = ("808", "500 classes")  # that rounding shows most in, and whose conditions are the largest


def small(*changes: str) -> Config:
    """Spectra as fine as those of the presets, all else small."""
    shared = ("grain.hidden_size=16", "embedding.hidden_size=16", "embedding.embedding_size=16", "audio.path_length=16")
    return override(budget(load_preset("fast"), "steps", "2"), [*shared, "data.pitch_semitones=0", *changes])


def started(kind: str, tmp_path: Path, config: Config, embedding: bool) -> Started:
    """A model as it is before its first step, and signals and labels of its sounds."""
    corpus = build_cache(find_sounds(write_kind(kind, tmp_path / "data")), config.audio.sample_rate, tmp_path / "cache")
    everything = np.arange(len(corpus.names))
    torch.manual_seed(0)
    model = NeuralGranularModel(config, tuple(len(attribute.classes) for attribute in corpus.attributes))
    start_grains(model, corpus, everything)
    if embedding:
        phase = EmbeddingPhase(model, config.embedding_stage)
        phase.prepare(phase.batches(corpus, everything, 0))
    return model, *first_signals(corpus, everything, config, 32)


def trained(kind: str, tmp_path: Path) -> tuple[Path, dict[str, float]]:
    """A run of a kind, and the errors in its rehearsals."""
    data, run, errors = write_kind(kind, tmp_path / "data"), tmp_path / "run", dict[str, float]()
    arguments = (data, None, run, small(), False, Machine("cpu", workers=0), tmp_path / "cache")
    assert train(
        *arguments, lambda line: None, lambda title, done, total: None, lambda *model: errors.update(rehearse(*model))
    )
    return run, errors


@pytest.mark.parametrize("kind", [kind for kind in MAKERS if kind not in EXPORTED])
def test_models_of_any_sounds_have_graphs_with_room(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of an export but the conversion to ONNX, which is the same for all sounds."""
    run, rehearsed = trained(kind, tmp_path)
    assert sorted(rehearsed) == ["decoder", "embedding_decoder", "embedding_encoder", "encoder"]
    assert 0 < max(rehearsed.values()) < EXPORT_TOLERANCE / 2
    monkeypatch.setattr(run_to_bundle, "export_graph", lambda graph: graph)
    monkeypatch.setattr(
        run_to_bundle,
        "write_bundle",
        lambda path, manifest, graphs, arrays, zipped: errors_in_torch(graphs, arrays["golden"]),
    )
    errors = export_run(run, tmp_path / "a.ngs", "a", zipped=False)
    assert len(errors) == 13 and max(errors.values()) < EXPORT_TOLERANCE / 2

    model, _, _ = load_model(run)
    condition = torch.zeros(1, sum(model.sizes))
    with torch.no_grad():
        path = model.embedding.decode(draw_embeddings(model, condition), condition, 16)
        sound = model.decode(path, condition)
    assert sound.isfinite().all() and sound.abs().max() > 1e-4


def test_a_rehearsal_leaves_the_model_as_it_is(tmp_path: Path) -> None:
    model, audio, labels = started("one file", tmp_path, small(), embedding=False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert sorted(rehearse(model, audio, labels, embedding=False)) == ["decoder", "encoder"]
    assert model.training and all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("name", "remedy"), [("encoder", "grain.floor=0.021"), ("embedding_encoder", "embedding.components=32")]
)
def test_a_model_that_magnifies_rounding_is_refused(
    name: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, audio, labels = started("one file", tmp_path, small(), embedding=True)
    monkeypatch.setattr("ngs.export.rehearsal.graph_error", lambda graph, *others: 0.002 if graph == name else 0.0)
    with pytest.raises(RunError, match=f"its {name} would differ by 0.002, more than .*: train with --set {remedy}$"):
        rehearse(model, audio, labels, embedding=True)


def test_what_cannot_be_exported_is_known_before_the_first_step(tmp_path: Path) -> None:
    asked = []

    def refuse(model: NeuralGranularModel, audio: torch.Tensor, labels: torch.Tensor, embedding: bool) -> None:
        asked.append((model.spectral is not None and bool(model.spectral.linear.weight.any()), len(audio), embedding))
        raise RunError("no")

    data, run = write_kind("one file", tmp_path / "data"), tmp_path / "run"
    with pytest.raises(RunError, match="no"):
        train(
            data, None, run, small(), False, Machine("cpu", workers=0), tmp_path / "cache",
            lambda line: None, lambda title, done, total: None, refuse,
        )  # fmt: skip
    assert asked == [(True, 1, False)] and not list((run / "checkpoints").iterdir())


@pytest.mark.parametrize("kind", EXPORTED)
def test_from_sounds_to_sounds(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in ("DECODED", "DRAWN"):  # of each class, of which there are many
        monkeypatch.setattr(f"ngs.export.loudness.{number}", 2)
    run, rehearsed = trained(kind, tmp_path)
    assert 0 < max(rehearsed.values()) < EXPORT_TOLERANCE / 2
    errors = export_run(run, tmp_path / "a.ngs", "a", zipped=False)
    assert max(errors.values()) < EXPORT_TOLERANCE == pytest.approx(TOLERANCE / 10)
    bundle = Bundle.open(tmp_path / "a.ngs", "cpu")
    sound = sample(bundle, bundle.condition({}), temperature=0.5, seed=1, index=0)
    assert np.isfinite(sound).all() and np.abs(sound).max() > 1e-4

    monkeypatch.setattr(onnxruntime, "InferenceSession", as_elsewhere(onnxruntime.InferenceSession))
    assert max(largest_errors(Bundle.open(tmp_path / "a.ngs", "cpu")).values()) < TOLERANCE / 5


def as_elsewhere(make: Callable[..., Any]) -> Callable[..., Any]:
    """Sessions that add up in another order, as another processor does: nothing is fused, and threads share sums."""

    def session(model: bytes, options: onnxruntime.SessionOptions, *others: Any, **more: Any) -> Any:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.intra_op_num_threads = 3
        return make(model, options, *others, **more)

    return session
