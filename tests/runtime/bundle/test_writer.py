"""Bundles are written whole or not at all."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tests.tiny import tiny_arrays, tiny_graphs, tiny_manifest, write_tiny

from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.bundle.writer import write_bundle


@pytest.mark.parametrize("zipped", [False, True])
def test_a_written_bundle_can_be_opened(tmp_path: Path, zipped: bool) -> None:
    path = write_tiny(tmp_path / "a.ngs", zipped)
    assert path.is_file() == zipped
    assert os.listdir(tmp_path) == ["a.ngs"]
    assert Bundle.open(path, "cpu").manifest.name == "tiny"


@pytest.mark.parametrize(("excitation", "states"), [("locked", ["phase"]), ("noise", [])])
def test_states_are_the_inputs_that_come_back_as_next(tmp_path: Path, excitation: str, states: list[str]) -> None:
    graphs = Bundle.open(write_tiny(tmp_path / "a.ngs", excitation=excitation), "cpu").manifest.graphs
    assert [state.name for state in graphs["synthesis"].states] == states
    assert [state.name for state in graphs["decoder_stream"].states] == ["sum", "weight", "history", *states]
    assert [state.name for state in graphs["embedding_step"].states] == ["step", "hidden"]
    stateless = graphs.keys() - {"synthesis", "decoder_stream", "embedding_step"}
    assert all(state in graph.inputs for graph in graphs.values() for state in graph.states)
    assert not any(graphs[name].states for name in stateless)


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("after", [False, True])
def test_a_bundle_is_replaced(tmp_path: Path, before: bool, after: bool) -> None:
    write_tiny(tmp_path / "a.ngs", before)
    path = write_tiny(tmp_path / "a.ngs", after)
    assert path.is_file() == after
    assert os.listdir(tmp_path) == ["a.ngs"]
    assert Bundle.open(path, "cpu").manifest.name == "tiny"


def test_only_bundles_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "letter.txt").write_text("dear")
    (tmp_path / "file").write_text("dear")
    (tmp_path / "site").mkdir()
    for name in ("manifest.json", "index.html"):
        (tmp_path / "site" / name).write_text("{}")
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.writestr("letter.txt", "dear")
    for name in ("folder", "file", "site", "zip"):
        with pytest.raises(BundleError, match=f"{name} exists and is not a bundle"):
            write_tiny(tmp_path / name)
    assert sorted(os.listdir(tmp_path / "site")) == ["index.html", "manifest.json"] and zipfile.is_zipfile(
        tmp_path / "zip"
    )
    assert (tmp_path / "folder" / "letter.txt").read_text() == (tmp_path / "file").read_text() == "dear"


def test_graphs_that_differ_from_torch_are_not_written(tmp_path: Path) -> None:
    graphs = tiny_graphs()
    arrays = tiny_arrays(graphs)
    grain = arrays["golden"]["synthesis/grain"]
    arrays["golden"]["synthesis/grain"] = np.add(grain, 0.01, dtype=np.float32)
    with pytest.raises(BundleError, match="synthesis.onnx differs from torch by 0.00[0-9]*, more than"):
        write_bundle(tmp_path / "a.ngs", tiny_manifest(), graphs, arrays)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["decoder", "synthesis"])
def test_a_bundle_that_lacks_a_graph_is_not_written(tmp_path: Path, name: str) -> None:
    graphs = tiny_graphs()
    arrays = tiny_arrays(graphs)
    del graphs[name]
    with pytest.raises(BundleError, match=f"graphs.{name}"):
        write_bundle(tmp_path / "a.ngs", tiny_manifest(), graphs, arrays)
    assert os.listdir(tmp_path) == []


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be"):
        write_tiny(tmp_path / "file" / "a.ngs")
