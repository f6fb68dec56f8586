"""Opening and running bundles, good ones and damaged ones."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from ngs.runtime.bundle.bundle import Bundle, as_bundle
from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.bundle.golden import TOLERANCE, graph_error, largest_errors
from ngs.runtime.bundle.manifest import Attribute


@pytest.fixture
def copy(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A bundle to spoil."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "copy.ngs"))


def edit(bundle: Path, file: str, content: bytes, key: str, group: str = "graphs") -> None:
    """Replace a file together with its hash."""
    (bundle / file).write_bytes(content)
    document = json.loads((bundle / "manifest.json").read_text())
    document[group][key]["sha256"] = hashlib.sha256(content).hexdigest()
    (bundle / "manifest.json").write_text(json.dumps(document))


def read_all(path: Path) -> None:
    bundle = Bundle.open(path, "cpu")
    largest_errors(bundle)
    _ = bundle.latent_map


@pytest.mark.parametrize("kind", ["tiny_bundle", "tiny_noise"])
def test_every_graph_agrees_with_its_golden_vectors(kind: str, request: pytest.FixtureRequest) -> None:
    errors = largest_errors(Bundle.open(request.getfixturevalue(kind), "cpu"))
    assert len(errors) == (13 if kind == "tiny_bundle" else 12) and max(errors.values()) < TOLERANCE


def test_a_zipped_bundle_is_the_same(tiny_bundle: Path, tiny_zip: Path) -> None:
    folder, zipped = Bundle.open(tiny_bundle, "cpu"), Bundle.open(tiny_zip, "cpu")
    assert folder.manifest == zipped.manifest
    read_all(tiny_zip)
    np.testing.assert_array_equal(folder.latent_map["points"], zipped.latent_map["points"])


@pytest.mark.parametrize("batch", [1, 2, 43])
def test_the_batch_is_free(tiny_bundle: Path, batch: int) -> None:
    inputs = {"grain": np.ones((batch, 256), np.float32), "onset": np.eye(batch, 1, dtype=np.float32)}
    mean, log_variance = Bundle.open(tiny_bundle, "cpu").run("encoder", **inputs)
    assert mean.shape == log_variance.shape == (batch, 4)


def test_conditions(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle, "cpu")
    assert bundle.condition({}).tolist() == [0, 0, 0]
    assert bundle.condition({"class": "Snare"}).tolist() == [0, 1, 0]
    assert bundle.condition({"CLASS": "snare"}).dtype == np.float32
    assert bundle.condition({"class": "Kick", "Class": "Hat"}).tolist() == [0, 0, 1]
    with pytest.raises(ValueError, match="'Snar'.*did you mean 'Snare'.*Kick, Snare, Hat"):
        bundle.condition({"class": "Snar"})
    with pytest.raises(ValueError, match="'pitch'.*known: class"):
        bundle.condition({"pitch": "C4"})


@pytest.mark.parametrize("choices", [3, None, ["Kick"], {"class": 3}, {"class": None}, {3: "Kick"}])
def test_choices_are_words(choices: Any, tiny_bundle: Path) -> None:
    with pytest.raises(ValueError, match="choices are .*: choose a class, or classes by attribute"):
        Bundle.open(tiny_bundle, "cpu").condition(choices)


def test_the_first_class_of_a_condition(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle, "cpu")
    assert bundle.first_class(bundle.condition("snare")) == 1
    assert bundle.first_class(bundle.condition({})) is None


def test_where_attributes_are_in_a_condition(tiny_bundle: Path) -> None:
    attributes = (Attribute("class", ("Kick", "Snare")), Attribute("pitch", ("C", "D", "E")))
    manifest = replace(Bundle.open(tiny_bundle, "cpu").manifest, attributes=attributes)
    assert manifest.places == {"class": slice(0, 2), "pitch": slice(2, 5)} and manifest.condition_size == 5


def test_a_wrong_provider_is_named(tiny_bundle: Path) -> None:
    with pytest.raises(ValueError, match="tpu.*auto, cpu, cuda"):
        Bundle.open(tiny_bundle, "tpu")


def test_an_unknown_graph_is_named(tiny_bundle: Path) -> None:
    with pytest.raises(BundleError, match="nothing"):
        Bundle.open(tiny_bundle, "cpu").run("nothing")


@pytest.mark.parametrize("file", ["encoder.onnx", "manifest.json", "latent_map.npz", "golden.npz"])
def test_a_missing_file(copy: Path, file: str) -> None:
    (copy / file).unlink()
    with pytest.raises(BundleError, match=file.replace(".", "[.]")):
        Bundle.open(copy, "cpu")


@pytest.mark.parametrize("file", ["decoder.onnx", "latent_map.npz", "golden.npz"])
def test_a_wrong_hash(copy: Path, file: str) -> None:
    content = bytearray((copy / file).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / file).write_bytes(content)
    with pytest.raises(BundleError, match=f"{file}.*sha256"):
        read_all(copy)


def test_a_truncated_graph(copy: Path) -> None:
    edit(copy, "decoder.onnx", (copy / "decoder.onnx").read_bytes()[:100], "decoder")
    with pytest.raises(BundleError, match="decoder.onnx"):
        read_all(copy)


def test_a_graph_that_is_not_what_the_manifest_says(copy: Path) -> None:
    edit(copy, "decoder.onnx", (copy / "encoder.onnx").read_bytes(), "decoder")
    with pytest.raises(BundleError, match="decoder.onnx.*grain"):
        read_all(copy)


def test_a_link_to_outside_the_bundle(copy: Path, tmp_path: Path) -> None:
    os.rename(copy / "decoder.onnx", tmp_path / "elsewhere.onnx")
    (copy / "decoder.onnx").symlink_to(tmp_path / "elsewhere.onnx")
    with pytest.raises(BundleError, match="decoder.onnx.*link"):
        Bundle.open(copy, "cpu")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"[" * 100000, b'{"format_version": 99}'])
def test_an_invalid_manifest(copy: Path, content: bytes) -> None:
    (copy / "manifest.json").write_bytes(content)
    with pytest.raises(BundleError, match="manifest.json"):
        Bundle.open(copy, "cpu")


def test_a_huge_manifest(copy: Path) -> None:
    (copy / "manifest.json").write_bytes(b" " * (5 << 20))
    with pytest.raises(BundleError, match="manifest.json"):
        Bundle.open(copy, "cpu")


def test_not_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "song.ngs").write_text("la la la")
    for path in (tmp_path, tmp_path / "song.ngs", tmp_path / "nothing.ngs"):
        with pytest.raises(BundleError, match=path.name):
            Bundle.open(path, "cpu")


def spoil_map(copy: Path, **changes: Any) -> None:
    arrays = dict(np.load(copy / "latent_map.npz"))
    arrays |= changes
    np.savez(copy / "changed.npz", **{key: value for key, value in arrays.items() if value is not None})
    edit(copy, "latent_map.npz", (copy / "changed.npz").read_bytes(), "latent_map", "files")


@pytest.mark.parametrize(
    "changes",
    [
        {"mean": np.zeros(5, np.float32)},
        {"points": np.zeros((60, 3), np.float32)},
        {"labels": np.zeros((59, 1), np.int32)},
        {"mean": None},
        {"mean": np.full(4, np.nan, np.float32)},
        {"mean": np.array([{}] * 4, dtype=object)},
        {"mean": np.array(["a", "b", "c", "d"])},
        {"labels": np.full((60, 1), 3, np.int32)},
        {"embedding_labels": np.full((12, 1), -2, np.int32)},
        {"embedding_labels": np.zeros((12, 1), np.float32)},
    ],
)
def test_a_latent_map_of_wrong_arrays(copy: Path, changes: dict[str, Any]) -> None:
    spoil_map(copy, **changes)
    with pytest.raises(BundleError, match="latent_map"):
        read_all(copy)


def test_an_array_that_claims_more_than_there_is(copy: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (1 << 42,)})
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("mean.npy", header.getvalue())
    edit(copy, "latent_map.npz", archive.getvalue(), "latent_map", "files")
    with pytest.raises(BundleError, match="latent_map"):
        read_all(copy)


def test_weights_outside_the_graph_are_not_read(copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = onnx.load_from_string((copy / "encoder.onnx").read_bytes())
    for tensor in model.graph.initializer:
        (tmp_path / "weights.bin").write_bytes(tensor.raw_data)
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value="weights.bin")
    edit(copy, "encoder.onnx", model.SerializeToString(), "encoder")
    with pytest.raises(BundleError, match="encoder.onnx"):
        read_all(copy)


def test_inputs_that_do_not_fit(tiny_bundle: Path) -> None:
    with pytest.raises(BundleError, match="encoder cannot be run"):
        Bundle.open(tiny_bundle, "cpu").run("encoder", grain=np.ones((1, 255), np.float32))


@pytest.mark.parametrize("kind", ["tiny_bundle", "tiny_older", "tiny_noise"])
def test_only_in_format_3_a_synthesis_hears_that_sounds_start(kind: str, request: pytest.FixtureRequest) -> None:
    bundle = Bundle.open(request.getfixturevalue(kind), "cpu")
    golden, names = bundle.golden(), sides(bundle, "synthesis")[0]
    inputs = {name: golden[f"synthesis/{name}"] for name in names if name != "onset"}
    flags = {"onset": np.ones((2, 1), np.float32)} if kind == "tiny_older" else {}
    for starts in (True, False):
        expected = bundle.run("synthesis", **inputs, **{name: starts * flag for name, flag in flags.items()})
        for found, wanted in zip(bundle.synthesise(inputs, starts), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)
    same = np.allclose(bundle.synthesise(inputs, starts=True)[0], bundle.synthesise(inputs)[0])
    assert same == (kind != "tiny_older")


def test_empty_golden_vectors_prove_nothing(copy: Path) -> None:
    np.savez(copy / "changed.npz", **{name: array[:0] for name, array in np.load(copy / "golden.npz").items()})
    edit(copy, "golden.npz", (copy / "changed.npz").read_bytes(), "golden", "files")
    with pytest.raises(BundleError, match="golden vectors of encoder are empty"):
        largest_errors(Bundle.open(copy, "cpu"))


@pytest.mark.parametrize("graph", ["decoder/magnitude", "embedding_encoder/log_variance"])
@pytest.mark.parametrize("level", [1e-3, 50.0])
def test_golden_vectors_that_differ_are_noticed(copy: Path, graph: str, level: float) -> None:
    """Errors are absolute if values are at most 1, and relative to the largest value if they are larger."""
    arrays = dict(np.load(copy / "golden.npz"))
    truth = arrays[graph].copy()
    arrays[graph] = np.full_like(truth, level)
    arrays[graph][0, 0] = truth[0, 0]
    np.savez(copy / "changed.npz", **arrays)
    edit(copy, "golden.npz", (copy / "changed.npz").read_bytes(), "golden", "files")
    name = graph.partition("/")[0]
    expected = np.abs(truth - arrays[graph]).max() / max(1.0, np.abs(arrays[graph]).max())
    errors = largest_errors(Bundle.open(copy, "cpu"))
    assert errors.pop(name) == pytest.approx(expected, rel=1e-3)
    assert max(errors.values()) < TOLERANCE


@pytest.mark.parametrize("name", ["encoder", "embedding_encoder"])
def test_a_mean_is_compared_by_what_is_decoded_from_it(copy: Path, name: str) -> None:
    """What the decoder makes nothing of is no error; what it makes something of is one, relative to the loudest bin."""
    bundle, arrays = Bundle.open(copy, "cpu"), dict(np.load(copy / "golden.npz"))
    truth = arrays[f"{name}/mean"].copy()
    condition = arrays.get(f"{name}/condition", np.zeros((len(truth), 3), np.float32))

    def decoded(mean: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of all the grains of a path, which are fewer than 16."""
        if name == "encoder":
            return np.abs(bundle.run("decoder", latent=mean, condition=condition)[0])
        path = bundle.run("embedding_decoder", embedding=mean, condition=condition)[0]
        latent, repeated = path.reshape(-1, path.shape[2]), np.repeat(condition, path.shape[1], 0)
        return np.abs(bundle.run("decoder", latent=latent, condition=repeated)[0]).reshape(len(mean), -1)

    moved = truth + np.float32(0.01)
    expected = np.max(np.abs(decoded(moved) - decoded(truth)) / decoded(moved).max(1, keepdims=True))
    arrays[f"{name}/mean"] = moved
    errors = graph_error(name, *sides(bundle, name), arrays, bundle.run)
    assert errors == pytest.approx(expected, rel=1e-3) and errors > 1e-3

    def deaf(graph: str, **inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        return [0 * each + 1 if graph == "decoder" else each for each in bundle.run(graph, **inputs)]

    assert graph_error(name, *sides(bundle, name), arrays, deaf) < TOLERANCE


@pytest.mark.parametrize("tensor", ["onset/phase", "synthesis/next_phase", "decoder_stream/next_phase"])
@pytest.mark.parametrize(
    ("turns", "error", "passes"),
    [
        (0.009, 0.0009, True),
        (0.011, 0.0011, False),
        (0.25, 0.025, False),
        (0.989, 0.0011, False),
        (0.991, 0.0009, True),
        (1.5, 0.05, False),
    ],
)
def test_a_phase_may_be_a_hundredth_of_a_turn_away(
    copy: Path, tensor: str, turns: float, error: float, passes: bool
) -> None:
    bundle, golden = Bundle.open(copy, "cpu"), dict(np.load(copy / "golden.npz"))
    name, _, output = tensor.partition("/")

    def run(graph: str, **inputs: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        found = list(bundle.run(graph, **inputs))
        moved = found[sides(bundle, name)[1].index(output)]
        moved[0, 3] += np.float32(turns)
        return found

    apart = graph_error(name, *sides(bundle, name), golden, run)
    assert apart == pytest.approx(error, rel=0.01) and (apart < TOLERANCE) == passes


def sides(bundle: Bundle, name: str) -> list[list[str]]:
    graph = bundle.manifest.graphs[name]
    return [[tensor.name for tensor in side] for side in (graph.inputs, graph.outputs)]


@pytest.mark.parametrize("tensor", ["encoder/mean", "encoder/log_variance", "synthesis/next_phase"])
def test_golden_outputs_that_are_not_finite_prove_nothing(copy: Path, tensor: str) -> None:
    arrays = dict(np.load(copy / "golden.npz"))
    arrays[tensor][0, 0] = np.nan
    np.savez(copy / "changed.npz", **arrays)
    edit(copy, "golden.npz", (copy / "changed.npz").read_bytes(), "golden", "files")
    errors = largest_errors(Bundle.open(copy, "cpu"))
    assert np.isnan(errors.pop(tensor.partition("/")[0])) and max(errors.values()) < TOLERANCE


def rezip(source: Path, target: Path, leave_out: str = "", **changed: bytes) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            if name != leave_out:
                new.writestr(name, changed.get(name.partition(".")[0], old.read(name)))
    return target


def test_a_zip_without_a_file(tiny_zip: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="decoder.onnx"):
        Bundle.open(rezip(tiny_zip, tmp_path / "a.ngs", leave_out="decoder.onnx"), "cpu")


def test_a_zip_with_a_wrong_hash(tiny_zip: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="decoder.onnx.*sha256"):
        read_all(rezip(tiny_zip, tmp_path / "a.ngs", decoder=b"changed"))


def test_a_zip_that_unpacks_to_too_much(tiny_zip: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="manifest.json"):
        Bundle.open(rezip(tiny_zip, tmp_path / "a.ngs", manifest=b" " * (5 << 20)), "cpu")


def test_a_truncated_zip(tiny_zip: Path, tmp_path: Path) -> None:
    (tmp_path / "a.ngs").write_bytes(tiny_zip.read_bytes()[:-200])
    with pytest.raises(BundleError, match="a.ngs"):
        Bundle.open(tmp_path / "a.ngs", "cpu")


def broken(archive: Path, name: str, share: float) -> bytes:
    """An archive with a few bytes of an entry overwritten: some places break the compression, others the checksum."""
    content = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as opened:
        entry = opened.getinfo(name)
    header = 30 + len(name) + int.from_bytes(content[entry.header_offset + 28 : entry.header_offset + 30], "little")
    at = entry.header_offset + header + int(share * (entry.compress_size - 8))
    content[at : at + 8] = b"\xff" * 8
    return bytes(content)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_a_zip_with_a_broken_entry(tiny_zip: Path, tmp_path: Path, share: float) -> None:
    (tmp_path / "a.ngs").write_bytes(broken(tiny_zip, "decoder.onnx", share))
    with pytest.raises(BundleError, match="decoder.onnx"):
        read_all(tmp_path / "a.ngs")


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 0.75, 1.0])
def test_an_archive_of_arrays_with_a_broken_entry(copy: Path, share: float) -> None:
    broken_map = broken(copy / "latent_map.npz", "points.npy", share)
    edit(copy, "latent_map.npz", broken_map, "latent_map", "files")
    with pytest.raises(BundleError, match="latent_map"):
        read_all(copy)


def test_a_folder_of_sounds_is_not_taken_for_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "Kick").mkdir()
    with pytest.raises(BundleError, match="is not a bundle: it has no manifest.json. Is it a folder of sounds"):
        Bundle.open(tmp_path)


@pytest.mark.parametrize("kind", ["tiny_bundle", "tiny_zip"])
def test_a_closed_bundle_says_so(kind: str, request: pytest.FixtureRequest) -> None:
    with Bundle.open(request.getfixturevalue(kind), "cpu") as bundle:
        condition, grain = bundle.condition("Kick"), np.zeros((1, 256), np.float32)
        inputs = {"grain": grain, "onset": np.zeros((1, 1), np.float32)}
        bundle.run("encoder", **inputs)
        assert len(bundle.map_grid) and bundle.filling is None and not bundle.closed
        assert repr(bundle) == f"<Bundle {bundle.path}: format 4, 8000 Hz, 3 of class, cpu>"
    assert bundle.closed and repr(bundle).endswith("closed>") and len(condition) == bundle.manifest.condition_size
    bundle.close()
    for use in (
        lambda: bundle.run("encoder", **inputs),
        lambda: bundle.captured_session("encoder"),
        lambda: bundle.profiled_session("encoder", "profile"),
        lambda: bundle.condition("Kick"),
        lambda: bundle.latent_map,
        lambda: bundle.latent_spread,
        lambda: bundle.map_grid,
        lambda: bundle.loudness_map,
        lambda: bundle.filling,
        bundle.golden,
        bundle.__enter__,
    ):
        with pytest.raises(BundleError, match=r"tiny.ngs is closed: open it again"):
            use()  # type: ignore[no-untyped-call]


def test_a_bundle_that_is_closed_gives_its_file_back(tiny_zip: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(tiny_zip, tmp_path / "own.ngs"))
    bundle = Bundle.open(path, "cpu")
    assert bundle._files.archive and bundle._files.archive.fp
    bundle.close()
    assert bundle._files.archive.fp is None


def test_a_folder_and_an_archive_are_one_bundle(tiny_bundle: Path, tiny_zip: Path, tiny_noise: Path) -> None:
    folder, archive, other = (Bundle.open(path, "cpu").sha256 for path in (tiny_bundle, tiny_zip, tiny_noise))
    assert folder == archive == hashlib.sha256((tiny_bundle / "manifest.json").read_bytes()).hexdigest() != other


@pytest.mark.parametrize("file", ["decoder.onnx", "latent_map.npz", "golden.npz"])
def test_hashes_are_checked_on_opening_if_asked_for(copy: Path, file: str) -> None:
    Bundle.open(copy, "cpu", verify=True)
    (copy / file).write_bytes((copy / file).read_bytes()[:-1] + b"!")
    Bundle.open(copy, "cpu")
    with pytest.raises(BundleError, match=f"{file} is not the file that was exported"):
        Bundle.open(copy, "cpu", verify=True)


def test_what_is_loaded_is_a_bundle_or_a_path(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle, "cpu")
    assert as_bundle(bundle) is bundle and as_bundle(str(tiny_bundle), "cpu").path == tiny_bundle
    for wrong in (None, 3, b"drums.ngs"):
        with pytest.raises(ValueError, match=r"the bundle is .*: give a path or a Bundle"):
            as_bundle(wrong)  # type: ignore[arg-type]
