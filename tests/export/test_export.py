"""Exported graphs are the torch modules they came from, and a run becomes a bundle that plays."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from ngs.export.bundle import export_graph, export_run
from ngs.export.graphs import bundle_graphs
from ngs.runtime.bundle import Bundle, make_session
from ngs.runtime.manifest import BundleError
from ngs.training.config import load_preset, override
from ngs.training.model import NeuralGranularModel
from ngs.training.run import RunError, load_model

KINDS = {
    "fast": ["grain.latent_size=16", "embedding.hidden_size=16", "embedding.embedding_size=4"],
    "paper-16k": ["grain.channels=8", "grain.latent_size=12", "grain.stages=3", "embedding.hidden_size=16"],
}
NAMES = ["encoder", "decoder", "postprocessing", "embedding_encoder", "embedding_decoder"]
Exported = tuple[NeuralGranularModel, dict[str, bytes]]


@pytest.fixture(scope="module", params=KINDS)
def exported(request: pytest.FixtureRequest) -> Exported:
    """An untrained model whose every parameter does something, and its graphs."""
    torch.manual_seed(0)
    shared = ["audio.grain_length=256", "audio.path_length=8", "grain.hidden_size=16", "grain.postprocessing_taps=17"]
    config = override(load_preset(request.param), [*shared, *KINDS[request.param]])
    model = NeuralGranularModel(config, (3, 2)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        if request.param == "fast":
            model.start_from_pca(torch.randn(100, 256) * torch.rand(100, 1))
        model.scale_paths(torch.randn(2, 8, config.grain.latent_size))
        condition = torch.eye(5)[torch.arange(40) % 3] + torch.eye(5)[3 + torch.arange(40) % 2]
        model.embedding.prior.fit(torch.randn(40, config.embedding.embedding_size), condition)
    return model, {name: export_graph(graph) for name, graph in bundle_graphs(model).items()}


@torch.no_grad()
def expected(model: NeuralGranularModel, name: str, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    """The trained modules themselves, not the ones rewritten for export."""
    functions: dict[str, Any] = {
        "encoder": model.encoder,
        "decoder": model.decoder,
        "postprocessing": model.postprocessing.filter_block,
        "embedding_encoder": model.embedding.encode,
        "embedding_decoder": lambda e, c: model.embedding.decode(e, c, model.config.audio.path_length),
    }
    outputs = functions[name](*inputs)
    return list(outputs) if isinstance(outputs, tuple) else [outputs]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("batch", [1, 5])
def test_a_graph_agrees_with_torch(exported: Exported, name: str, batch: int) -> None:
    model, graphs = exported
    graph = bundle_graphs(model)[name]
    generator = torch.Generator().manual_seed(batch)
    inputs = [torch.rand(batch, *shape, generator=generator) * 2 - 1 for shape in graph.inputs.values()]
    for place, key in enumerate(graph.inputs):
        if key == "condition":  # one class of each attribute, the last row's left open
            inputs[place] = torch.eye(5)[torch.arange(batch) % 3] + torch.eye(5)[3 + torch.arange(batch) % 2]
            inputs[place][-1] = 0
    session = make_session(graphs[name], "cpu", 1, name)
    outputs = session.run(list(graph.outputs), {
        key: value.numpy() for key, value in zip(graph.inputs, inputs, strict=True)
    })  # fmt: skip
    for found, reference in zip(outputs, expected(model, name, inputs), strict=True):
        assert found.shape == reference.shape and found.dtype == np.float32
        np.testing.assert_allclose(found, reference, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_a_graph_has_standard_operators_and_a_dynamic_batch_only(exported: Exported, name: str) -> None:
    model, graphs = exported
    content = onnx.load_from_string(graphs[name])
    onnx.checker.check_model(content, full_check=True)
    assert {entry.domain for entry in content.opset_import} == {""} and not content.functions
    assert {node.domain for node in content.graph.node} <= {""}
    assert not {node.op_type for node in content.graph.node} & {"If", "Loop", "Scan", "DFT", "STFT", "RandomUniform"}
    graph = bundle_graphs(model)[name]
    assert [value.name for value in content.graph.input] == list(graph.inputs)
    assert [value.name for value in content.graph.output] == list(graph.outputs)
    for value in (*content.graph.input, *content.graph.output):
        batch, *sizes = value.type.tensor_type.shape.dim
        assert batch.dim_param and all(size.dim_value > 0 for size in sizes)


def test_an_exported_bundle_opens_and_agrees(exported_bundle: Path, trained_run: Path) -> None:
    bundle = Bundle.open(exported_bundle, provider="cpu")
    manifest, (_, info, _) = bundle.manifest, load_model(trained_run)
    assert max(bundle.largest_errors().values()) < 1e-4
    assert sorted(manifest.graphs) == sorted(NAMES) and manifest.name == "drums"
    assert (manifest.sample_rate, manifest.grain_length, manifest.hop_length) == (8000, 256, 64)
    assert (manifest.latent_size, manifest.embedding_size, manifest.path_length) == (16, 4, 8)
    assert [(entry.name, entry.classes) for entry in manifest.conditions] == list(info.attributes)
    assert str(trained_run.parent) not in str(manifest.to_dict())  # nobody's folders
    points = bundle.latent_map["points"]
    assert points.shape[1] == 16 and 0 < len(points) <= 2000
    assert np.unique(bundle.latent_map["labels"]).tolist() == list(range(8))


def test_a_run_becomes_one_file_and_replaces_bundles_only(
    trained_run: Path, exported_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = iter([(exported_bundle / f"{name}.onnx").read_bytes() for name in NAMES] * 2)  # made once, compared anew
    monkeypatch.setattr("ngs.export.bundle.export_graph", lambda graph: next(made))
    path = tmp_path / "one.ngs"
    path.write_text("a text")
    with pytest.raises(BundleError, match="not a bundle"):
        export_run(trained_run, path, "one", zipped=True)
    assert path.read_text() == "a text"
    path.unlink()
    errors = export_run(trained_run, path, "one", zipped=True)
    assert sorted(errors) == sorted(NAMES) and max(errors.values()) < 1e-4
    assert zipfile.is_zipfile(path) and Bundle.open(path, provider="cpu").manifest.name == "one"
    assert [entry.name for entry in tmp_path.iterdir()] == ["one.ngs"]


@pytest.fixture
def run(trained_run: Path, tmp_path: Path) -> Path:
    """A copy of a finished run, to be damaged."""
    return Path(shutil.copytree(trained_run, tmp_path / "run"))


def test_a_run_that_has_only_grains_is_one_line(run: Path, tmp_path: Path) -> None:
    for name in ("joint", "embedding"):
        (run / "checkpoints" / f"{name}.ckpt").unlink()
    with pytest.raises(RunError, match="grains only so far: go on with `ngs train --out .* --resume`"):
        export_run(run, tmp_path / "x.ngs", "x", zipped=False)
    assert not (tmp_path / "x.ngs").exists()


def test_nothing_to_export_is_one_line(run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run folder"):
        export_run(tmp_path, tmp_path / "x.ngs", "x", zipped=False)
    (run / "excerpts.npz").write_bytes(b"garbage")
    with pytest.raises(RunError, match="excerpts.npz is missing or damaged"):
        export_run(run, tmp_path / "x.ngs", "x", zipped=False)
