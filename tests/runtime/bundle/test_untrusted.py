"""Bundles from strangers: whatever is wrong is refused in one line, and nothing hangs, crashes or fills the memory."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from onnx import TensorProto, helper, numpy_helper
from tests.mutations import Contents, beyond, every_operator, load, mutated, sealed, sound_bundle, unzipped, zipped
from tests.tiny import write_tiny

from ngs.runtime.bundle import files, graph_check, graph_sizes, onnx_fields
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.bundle.graph_check import check_graph
from ngs.runtime.bundle.session import make_session

ROOT = Path(__file__).parents[3]
node = helper.make_node


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Contents:
    """A bundle's files by name, with a graph of every operator added."""
    return sound_bundle(tmp_path_factory.mktemp("sound"))


def refused(path: Path, message: str) -> None:
    with pytest.raises(BundleError, match=message) as raised:
        load(path)
    text = str(raised.value)
    assert text.isprintable() and len(text) < 600 and path.name in text


def written(folder: Path, contents: bytes) -> Path:
    (folder / "a.ngs").write_bytes(contents)
    return folder / "a.ngs"


def test_intact_bundles_load(sound: Contents, tmp_path: Path) -> None:
    load(written(tmp_path, zipped(sound, zipfile.ZIP_DEFLATED)))


# Any change at all


@given(random=st.randoms(use_true_random=False))
@settings(max_examples=500, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), database=None)
def test_any_change_is_harmless_or_refused(sound: Contents, random: Random) -> None:
    kind, content = mutated(sound, random)
    with tempfile.TemporaryDirectory() as folder:
        try:
            load(written(Path(folder), content))
        except BundleError as error:
            assert str(error).isprintable(), kind


def test_a_seed_gives_the_same_change_everywhere(environment: dict[str, str], tmp_path: Path) -> None:
    """What the fuzzer finds can be reproduced, whatever the order of Python's sets."""
    script = (
        "import hashlib, pathlib, random, sys; from tests.mutations import mutated, sound_bundle\n"
        "sound = sound_bundle(pathlib.Path(sys.argv[1]))\n"
        "changed = [mutated(sound, random.Random(f'0-{index}'))[1] for index in range(100)]\n"
        "print(hashlib.sha256(b''.join(changed)).hexdigest())\n"
    )
    results = set()
    for seed in "12":
        (tmp_path / seed).mkdir()
        command = [sys.executable, "-c", script, tmp_path / seed]
        variables = {**environment, "PYTHONHASHSEED": seed}
        results.add(subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True).stdout)
    assert len(results) == 1


def test_the_fuzzer_runs(environment: dict[str, str], tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "scripts" / "fuzz-bundles", "--loads", "30", "--keep", "kept"]
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert "30 loads" in result.stdout and "0 escaped" in result.stdout and os.listdir(tmp_path) == []


# Files


def entry(name: str, kind: int = 0, packing: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.external_attr, info.compress_type = kind << 16, packing
    return info


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (entry("../x"), "plain file names in the archive, found ../x"),
        (entry("/etc/passwd"), "plain file names"),
        (entry("a/b"), "plain file names"),
        (entry("a\\b"), "plain file names"),
        (entry("C:x"), "plain file names"),
        (entry(".x"), "plain file names"),
        (entry("x\x1b[2J"), "plain file names"),
        (entry("x" * 300), "plain file names"),
        (entry("folder/"), "plain file names"),
        (entry("x", stat.S_IFLNK | 0o777), "plain files in the archive, but x is not one"),
        (entry("x", stat.S_IFIFO), "but x is not one"),
        (entry("x", stat.S_IFDIR), "but x is not one"),
        (entry("x", packing=zipfile.ZIP_BZIP2), "stored or deflated files, found x"),
        (entry("x", packing=zipfile.ZIP_LZMA), "stored or deflated files, found x"),
    ],
)
def test_entries_of_an_archive(sound: Contents, tmp_path: Path, extra: zipfile.ZipInfo, message: str) -> None:
    path = written(tmp_path, zipped(sound))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(extra, b"", extra.compress_type)
    refused(path, message)


def test_a_name_that_ends_early(sound: Contents, tmp_path: Path) -> None:
    content = zipped({**sound, "x.extra": b""}).replace(b"x.extra", b"x\0extra")
    refused(written(tmp_path, content), "plain file names")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice(sound: Contents, tmp_path: Path) -> None:
    path = written(tmp_path, zipped(sound))
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("decoder.onnx", b"")
    refused(path, "each file once in the archive, found decoder.onnx twice")


def test_an_encrypted_entry(sound: Contents, tmp_path: Path) -> None:
    content = bytearray(zipped(sound))
    content[content.rindex(b"PK\1\2") + 8] |= 1
    refused(written(tmp_path, bytes(content)), "stored or deflated files, found .* encrypted")


def test_zeros_that_unpack_a_thousandfold(sound: Contents, tmp_path: Path) -> None:
    content = zipped({**sound, "zeros": bytes(files.SMALL_BYTES + 1)}, zipfile.ZIP_DEFLATED)
    refused(written(tmp_path, content), "packed at most 200fold, found zeros")
    load(written(tmp_path, zipped({**sound, "zeros": bytes(files.SMALL_BYTES)}, zipfile.ZIP_DEFLATED)))


def test_an_archive_with_too_many_bytes(sound: Contents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, zipped({**sound, "more": bytes(1 << 20)}))
    monkeypatch.setattr(files, "MAX_BUNDLE_BYTES", 1 << 20)
    refused(path, "at most 1 MiB in the archive")


def test_an_archive_with_too_many_entries(sound: Contents, tmp_path: Path) -> None:
    many = {f"{number}": b"" for number in range(files.MAX_ENTRIES)}
    refused(written(tmp_path, zipped({**sound, **many})), "at most 256 files")


def test_a_table_of_contents_that_is_too_large(sound: Contents, tmp_path: Path) -> None:
    path = written(tmp_path, zipped(sound))
    with zipfile.ZipFile(path, "a") as archive:
        for name in "abc":
            archive.writestr(zipfile.ZipInfo(name), b"")
            archive.getinfo(name).extra = struct.pack("<HH", 0x9999, 65000) + bytes(65000)
    refused(path, "at most 256 files, found a larger one")


@pytest.mark.parametrize("inside", [False, True])
def test_an_entry_beyond_the_end(sound: Contents, tmp_path: Path, inside: bool) -> None:
    """In the bundle, or in an archive of arrays in it: an entry at an offset that the file does not have."""
    archive = beyond(sound["golden.npz"] if inside else zipped(sound), (1 << 64) - 1)
    content = zipped(sealed({**sound, "golden.npz": archive})) if inside else archive
    refused(written(tmp_path, content), "golden.npz is not an archive" if inside else "synthesis.onnx cannot be read")


def test_bytes_around_an_archive(sound: Contents, tmp_path: Path) -> None:
    content = zipped(sound)
    far = b"PK\6\7" + bytes(16)  # says where the table of a large archive is
    for whole in (content + b"x", b"x" + content, content[:-1], content[:-22] + far + content[-22:]):
        refused(written(tmp_path, whole), "not a bundle|a larger one")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_pipes_are_not_waited_for(sound: Contents, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.ngs")
    refused(tmp_path / "pipe.ngs", "neither a folder nor a file")
    with pytest.raises(BundleError, match="pipe.ngs exists and is not a bundle"):
        write_tiny(tmp_path / "pipe.ngs")
    folder = tmp_path / "a.ngs"
    folder.mkdir()
    for name, content in sound.items():
        (folder / name).write_bytes(content)
    load(folder)
    for name in ("manifest.json", "decoder.onnx", "golden.npz"):
        shutil.copytree(folder, tmp_path / "b.ngs")
        (tmp_path / "b.ngs" / name).unlink()
        os.mkfifo(tmp_path / "b.ngs" / name)
        refused(tmp_path / "b.ngs", f"{name} is missing .not a plain file")
        shutil.rmtree(tmp_path / "b.ngs")


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no devices")
def test_devices_are_not_read() -> None:
    refused(Path("/dev/zero"), "neither a folder nor a file")


def test_a_folder_in_place_of_a_file(tiny_bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny_bundle, tmp_path / "a.ngs"))
    (copy / "decoder.onnx").unlink()
    (copy / "decoder.onnx").mkdir()
    refused(copy, "decoder.onnx is missing .not a plain file")


def test_a_graph_with_too_many_bytes(sound: Contents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ngs.runtime.bundle.bundle.MAX_GRAPH_BYTES", 1000)
    refused(written(tmp_path, zipped(sound)), "onnx has .* bytes, and 1000 are allowed")


# Manifests


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"format_version": 2, "format_version": 2}', "each name once, found 'format_version' twice"),
        (b'{"format_version": NaN}', "expected numbers, found NaN"),
        (b'{"format_version": -Infinity}', "expected numbers, found -Infinity"),
        (b'{"format_version": ' + b"9" * 5000 + b"}", "not JSON .*digits"),
        (b'{"format_version": ' + b"9" * 4000 + b"}", "format_version: expected 3 or 4, found 9"),
        (b'{"format_version": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}", "format_version|nested"),
        (b'{"format_version": ' + b"[" * 100000, "nested too deeply"),
        (b"\xef\xbb\xbf{}", "not JSON .*BOM"),
        ("{}".encode("utf-16"), "not JSON"),
        (b'{"a": "\xff"}', "not JSON"),
        (b'{"\\ud800": 1, "\\ud800": 1}', "found '.ud800' twice"),
    ],
)
def test_manifests(sound: Contents, tmp_path: Path, content: bytes, message: str) -> None:
    refused(written(tmp_path, zipped({**sound, "manifest.json": content})), f"manifest.json.*{message}")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(name="\ud800"), "name: expected printable text"),
        (lambda d: d["graphs"].update({"\ud800": d["graphs"]["decoder"]}), "graphs: expected printable text"),
        (lambda d: d["graphs"].update({f"{n}": d["graphs"]["decoder"] for n in range(300)}), "graphs: .*256 entries"),
        (lambda d: d["model_card"].update({f"{n}": "x" for n in range(300)}), "model_card: .*256 entries"),
        (lambda d: d["graphs"]["decoder"].update(file="decoder.onnx\n"), "graphs.decoder.file"),
    ],
)
def test_fields_of_manifests(
    sound: Contents, tmp_path: Path, change: Callable[[Any], None], message: str
) -> None:  # fmt: skip
    document = json.loads(sound["manifest.json"])
    change(document)
    refused(written(tmp_path, zipped({**sound, "manifest.json": json.dumps(document).encode()})), message)


# Arrays


def array(values: np.ndarray, **changes: str) -> bytes:
    """An array as numpy.save writes it, with words of its header changed."""
    content = io.BytesIO()
    np.save(content, values)
    data = content.getvalue()
    length = int.from_bytes(data[8:10], "little")
    header = data[10 : 10 + length].decode()
    for old, new in changes.items():
        header = header.replace({"type_": values.dtype.str, "order": "False"}.get(old, str(values.shape)), new)
    return data[:8] + len(header).to_bytes(2, "little") + header.encode() + data[10 + length :]


FOUR = np.arange(4, dtype=np.float32)


@pytest.mark.parametrize(
    ("mean", "message"),
    [
        (array(FOUR, type_="|O"), "the header that numpy.save writes"),
        (array(FOUR, type_=">f4"), "the header that numpy.save writes"),
        (array(FOUR, type_="<U1"), "the header that numpy.save writes"),
        (array(FOUR, shape="(-4,)"), "the header that numpy.save writes"),
        (array(FOUR, shape="(" + "(" * 5000), "the header that numpy.save writes"),
        (array(FOUR, shape="(4294967296, 4294967296)"), "expected 16 bytes, found sizes"),
        (array(FOUR, shape="(1, 1, 1, 1, 1, 1, 1, 1, 4)"), "found sizes"),
        (array(FOUR, shape="()"), "expected 16 bytes"),
        (array(FOUR) + b"more", "expected 20 bytes"),
        (array(FOUR)[:-1], "expected 15 bytes"),
        (array(FOUR).replace(b"\1\0", b"\2\0", 1), "the header that numpy.save writes"),
        (b"", "the header that numpy.save writes"),
        (array(np.float32(1)), "mean is .., expected"),
        (array(FOUR.astype(np.int32)), "mean holds int32"),
        (array(np.full(4, np.inf, np.float32)), "mean holds NaN or infinite"),
    ],
)
def test_arrays(sound: Contents, tmp_path: Path, mean: bytes, message: str) -> None:
    arrays = zipped({**unzipped(sound["latent_map.npz"]), "mean.npy": mean})
    refused(written(tmp_path, zipped(sealed({**sound, "latent_map.npz": arrays}))), f"latent_map.*{message}")


@pytest.mark.parametrize("name", ["components", "points", "embeddings"])
def test_arrays_without_dimensions(sound: Contents, tmp_path: Path, name: str) -> None:
    arrays = zipped({**unzipped(sound["latent_map.npz"]), f"{name}.npy": array(np.float32(1))})
    refused(written(tmp_path, zipped(sealed({**sound, "latent_map.npz": arrays}))), "latent_map")


def test_arrays_in_the_order_of_fortran(sound: Contents, tmp_path: Path) -> None:
    arrays = unzipped(sound["latent_map.npz"])
    points = np.load(io.BytesIO(arrays["points.npy"]))
    turned = zipped({**arrays, "points.npy": array(np.asfortranarray(points))})
    assert b"'fortran_order': True" in turned
    bundle = Bundle.open(written(tmp_path, zipped(sealed({**sound, "latent_map.npz": turned}))), "cpu")
    np.testing.assert_array_equal(bundle.latent_map["points"], points)
    assert bundle.latent_map["points"].flags.c_contiguous


def test_names_of_arrays(sound: Contents, tmp_path: Path) -> None:
    for name in ("../mean.npy", "a/b/c.npy", "/x.npy"):
        arrays = zipped({**unzipped(sound["golden.npz"]), name: array(FOUR)})
        refused(written(tmp_path, zipped(sealed({**sound, "golden.npz": arrays}))), "golden.npz.*plain file names")


def test_arrays_with_too_many_bytes(sound: Contents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_ARRAYS_BYTES", 1 << 10)
    refused(written(tmp_path, zipped(sound)), "npz: expected at most 0 MiB in the archive")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.zeros((300, 256), np.float32), "of encoder: expected grain of up to 16 rows|expected grain"),
        (np.zeros((2, 255), np.float32), r"expected grain .*found \(2, 255\)"),
        (np.zeros((2, 256), np.float16), "expected grain .*float16"),
        (np.float32(0), r"expected grain .*found \(\)"),
        (np.full((2, 256), np.nan, np.float32), "encoder gave mean that is not finite"),
    ],
)
def test_golden_vectors(sound: Contents, tmp_path: Path, values: Any, message: str) -> None:
    arrays = zipped({**unzipped(sound["golden.npz"]), "encoder/grain.npy": array(values)})
    refused(written(tmp_path, zipped(sealed({**sound, "golden.npz": arrays}))), message)


def test_golden_vectors_with_too_many_rows(sound: Contents, tmp_path: Path) -> None:
    arrays = unzipped(sound["golden.npz"])
    for name in ("encoder/grain", "encoder/mean", "encoder/log_variance"):
        values = np.load(io.BytesIO(arrays[f"{name}.npy"]))
        arrays[f"{name}.npy"] = array(np.resize(values, (257, values.shape[1])))
    refused(written(tmp_path, zipped(sealed({**sound, "golden.npz": zipped(arrays)}))), r"16 rows.*found \(257")


# Graphs


def model(*nodes: onnx.NodeProto, **constants: Any) -> onnx.ModelProto:
    """A graph [batch, 4] -> [batch, 4], or so it claims: nothing has checked it."""
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    sides = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4])] for name in "xy"]
    graph = helper.make_graph(list(nodes), "graph", *sides, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def plain() -> onnx.ModelProto:
    return model(node("Add", ["x", "a"], ["y"]), a=np.float32([[1, 2, 3, 4]]))


def changed(change: Callable[[onnx.ModelProto], object]) -> bytes:
    proto = plain()
    change(proto)
    return proto.SerializeToString()


def first(proto: onnx.ModelProto) -> Any:
    return proto.graph.node[0]


def weights(proto: onnx.ModelProto) -> Any:
    return proto.graph.initializer[0]


def external(proto: onnx.ModelProto) -> None:
    weights(proto).ClearField("raw_data")
    weights(proto).data_location = TensorProto.EXTERNAL
    weights(proto).external_data.add(key="location", value="/etc/passwd")


def subgraph(proto: onnx.ModelProto) -> None:
    first(proto).attribute.append(helper.make_attribute("body", proto.graph))


WRONG: dict[str, tuple[Callable[[onnx.ModelProto], object], str]] = {
    "domain": (lambda p: setattr(first(p), "domain", "com.microsoft"), "the standard domain, found 'com.microsoft'"),
    "opset domain": (lambda p: p.opset_import.append(helper.make_opsetid("evil", 1)), "at most 1 opset_import"),
    "only opset": (lambda p: setattr(p.opset_import[0], "domain", "evil"), "the standard domain, found 'evil'"),
    "no opset": (lambda p: p.ClearField("opset_import"), "opset 17 to 23, found None"),
    "opset": (lambda p: setattr(p.opset_import[0], "version", 11), "opset 17 to 23, found 11"),
    "ir_version": (lambda p: setattr(p, "ir_version", 3), "ir_version 8 to 13, found 3"),
    "no graph": (lambda p: p.ClearField("graph"), ""),
    "loop": (lambda p: setattr(first(p), "op_type", "Loop"), "operators that ngs exports, found 'Loop'"),
    "random": (lambda p: setattr(first(p), "op_type", "RandomNormalLike"), "found 'RandomNormalLike'"),
    "tile": (lambda p: setattr(first(p), "op_type", "Tile"), "found 'Tile'"),
    "no operator": (lambda p: setattr(first(p), "op_type", ""), "found ''"),
    "overload": (lambda p: setattr(first(p), "overload", "x"), "fields of a node .*field 8"),
    "subgraph": (subgraph, "fields of an attribute of Add .*field 6 of wire type 2"),
    "function": (lambda p: p.functions.add(name="f", domain="d"), "fields of a model .*field 25"),
    "training": (lambda p: p.training_info.add(), "fields of a model .*field 20"),
    "sparse": (lambda p: p.graph.sparse_initializer.add(), "fields of a graph .*field 15"),
    "quantization": (lambda p: p.graph.quantization_annotation.add(), "fields of a graph .*field 14"),
    "external": (external, "fields of an initializer .*field 1[34]"),
    "strings": (
        lambda p: weights(p).CopyFrom(numpy_helper.from_array(np.array([["a"]], object), "a")),
        "fields of an initializer .*field 6",
    ),
    "string type": (lambda p: setattr(weights(p), "data_type", 8), "initializers of numbers, found type 8"),
    "double": (lambda p: setattr(weights(p), "data_type", 11), "initializers of numbers, found type 11"),
    "typed data": (lambda p: weights(p).float_data.append(1.0), "fields of an initializer .*field 4"),
    "sizes": (lambda p: weights(p).dims.__setitem__(1, 1 << 40), "of the sizes they name, .*found 16 bytes"),
    "size overflow": (lambda p: weights(p).dims.extend([1 << 62, 4]), "of the sizes they name"),
    "negative size": (lambda p: weights(p).dims.extend([-1, -1]), "of the sizes they name"),
    "dimensions": (lambda p: weights(p).dims.extend([1] * 7), "at most 8 sizes of an initializer"),
    "no content": (lambda p: weights(p).ClearField("raw_data"), "found 0 bytes"),
    "undefined": (lambda p: first(p).input.__setitem__(0, "z"), "Add of tensors that come before it, found 'z'"),
    "circle": (lambda p: first(p).input.__setitem__(0, "y"), "come before it, found 'y'"),
    "same output": (lambda p: p.graph.node.append(p.graph.node[0]), "each once, found 'y'"),
    "same initializer": (lambda p: p.graph.initializer.append(weights(p)), "each once, found 'a'"),
    "input initializer": (lambda p: setattr(weights(p), "name", "x"), "each once, found 'x'"),
    "no name": (lambda p: setattr(weights(p), "name", ""), "names of 1 to 256 letters, each once, found ''"),
    "long name": (lambda p: setattr(weights(p), "name", "a" * 257), "names of 1 to 256 letters"),
    "other letters": (lambda p: setattr(weights(p), "name", "é\x1b"), "names of 1 to 256 letters"),
    "inputs": (lambda p: first(p).input.extend(["x"] * 64), "at most 64 inputs of a node"),
    "unknown attribute": (
        lambda p: first(p).attribute.append(helper.make_attribute("unroll", 1)), "attributes of Add .*found 'unroll'"
    ),
    "attribute twice": (
        lambda p: first(p).attribute.extend([helper.make_attribute("axis", 1)] * 2), "attributes of Add .*found 'axis'"
    ),
    "huge attribute": (
        lambda p: first(p).attribute.append(helper.make_attribute("axis", 1 << 40)), "a axis of Add .*1099511627776"
    ),
    "negative attribute": (
        lambda p: first(p).attribute.append(helper.make_attribute("pads", [0, -1])), "a pads of Add .*found -1"
    ),
    "text attribute": (
        lambda p: first(p).attribute.append(helper.make_attribute("mode", "wrap")), "a mode of Add .*found 'wrap'"
    ),
    "number for text": (lambda p: first(p).attribute.append(helper.make_attribute("mode", 1)), "a mode of Add .*1"),
    "number for float": (lambda p: first(p).attribute.append(helper.make_attribute("alpha", 1)), "a alpha of Add"),
    "tensor attribute": (
        lambda p: first(p).attribute.append(helper.make_attribute("value", weights(p))), "field 5 of wire type 2"
    ),
    "referred attribute": (
        lambda p: first(p).attribute.append(onnx.AttributeProto(name="axis", ref_attr_name="x", type=2)), "field 21"
    ),
    "attribute of two types": (
        lambda p: first(p).attribute.append(onnx.AttributeProto(name="axis", i=1, f=1.0, type=2)), "found 'axis'"
    ),
    "cast to text": (
        lambda p: (setattr(first(p), "op_type", "Cast"), first(p).attribute.append(helper.make_attribute("to", 8))),
        "a to of Cast that ngs exports, found 8",
    ),
    "cast to nothing": (lambda p: setattr(first(p), "op_type", "Cast"), "a type that Cast gives"),
}  # fmt: skip


@pytest.mark.parametrize("kind", WRONG)
def test_graphs(kind: str) -> None:
    change, message = WRONG[kind]
    if kind == "no graph":
        return
    with pytest.raises(BundleError, match=f"^a.onnx: expected .*{message}") as raised:
        make_session(changed(change), "cpu", 1, "a.onnx")
    assert str(raised.value).isprintable()


def field(number: int, wire: int, content: bytes) -> bytes:
    return bytes([number << 3 | wire]) + content


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (field(1, 0, b"\x0a"), "at most 1 ir_version of a model, found more"),
        (field(7, 2, b"\0"), "at most 1 graph of a model, found more"),
        (field(1, 2, b"\0"), "field 1 of wire type 2"),
        (field(6, 3, b""), "field 6 of wire type 3"),
        (field(15, 0, b"\1"), "field 15"),
        (field(0, 0, b"\1"), "field 0"),
        (field(6, 2, b"\x7f"), "a model of 127 bytes, found the end of the file"),
        (field(6, 2, b"\xff" * 9 + b"\1"), "a model of 18446744073709551615 bytes"),
        (field(6, 2, b""), "whole numbers, found the end"),
        (field(5, 0, b"\x80" * 11 + b"\1"), "whole numbers"),
        (field(5, 0, b"\x80"), "whole numbers"),
    ],
)
def test_encodings_that_protobuf_parsers_disagree_on(extra: bytes, message: str) -> None:
    with pytest.raises(BundleError, match=f"a.onnx: expected .*{message}"):
        check_graph(plain().SerializeToString() + extra, "a.onnx")


def test_a_graph_cut_anywhere() -> None:
    whole = plain().SerializeToString()
    for end in range(len(whole)):
        with pytest.raises(BundleError, match="a.onnx"):
            make_session(whole[:end], "cpu", 1, "a.onnx")


def test_a_graph_with_too_many_nodes() -> None:
    many = [node("Neg", [f"n{index}" if index else "x"], [f"n{index + 1}"]) for index in range(onnx_fields.MAX_NODES)]
    with pytest.raises(BundleError, match="at most 2048 nodes of a graph, found more"):
        check_graph(model(*many, node("Neg", [f"n{len(many)}"], ["y"])).SerializeToString(), "a.onnx")


def test_the_standard_domain_has_two_names() -> None:
    proto = plain()
    first(proto).domain = proto.opset_import[0].domain = "ai.onnx"
    check_graph(proto.SerializeToString(), "a.onnx")


def test_every_operator_can_be_run(sound: Contents, tmp_path: Path) -> None:
    check_graph(every_operator(), "a.onnx")
    bundle = Bundle.open(written(tmp_path, zipped(sound)), "cpu")
    assert np.isfinite(bundle.run("operators", x=np.float32([[1, 2, 3, 4]]))[0]).all()


@pytest.mark.parametrize("dtype", [TensorProto.INT32, TensorProto.INT64])
@pytest.mark.parametrize("way", ["cast", "shape", "kept"])
def test_integers_are_not_divided(dtype: int, way: str) -> None:
    """The smallest integer divided by -1 crashes the process."""
    whole = node("Cast", ["x"], ["i"], to=dtype)
    if way == "shape":
        whole = node("Shape", ["x"], ["i"])
        dtype = TensorProto.INT64
    nodes = [whole, node("Identity" if way == "kept" else "Abs", ["i"], ["j"]), node("Cast", ["a"], ["b"], to=dtype)]
    proto = model(*nodes, node("Div", ["j", "b"], ["d"]), node("Cast", ["d"], ["y"], to=1), a=np.int64([-1]))
    with pytest.raises(BundleError, match="Div of floats, found integers"):
        check_graph(proto.SerializeToString(), "a.onnx")


def bombs() -> Iterator[tuple[str, onnx.ModelProto]]:
    """Small graphs that would take gigabytes."""
    end = [node("ReduceSum", ["e"], ["r"], keepdims=0), node("Add", ["x", "r"], ["y"])]
    c, wide = np.float32([[1]]), np.int64([1 << 15, 1 << 15])
    yield "expand", model(node("Expand", ["c", "s"], ["e"]), *end, c=c, s=wide)
    grow = [node("Mul", ["s", "s"], ["t"]), node("Expand", ["c", "t"], ["e"])]
    yield "computed", model(*grow, *end, c=c[0], s=np.int64([1 << 15]))
    yield "pad", model(node("Pad", ["x", "p"], ["e"]), *end, p=np.int64([0, 1 << 30, 0, 0]))
    column = np.ones((1 << 15, 1), np.float32)
    yield "product", model(node("MatMul", ["a", "b"], ["e"]), *end, a=column, b=column.T)
    yield "broadcast", model(node("Mul", ["a", "b"], ["e"]), *end, a=column, b=column.T)
    double = [node("Concat", [f"d{n}" if n else "x"] * 2, [f"d{n + 1}"], axis=1) for n in range(30)]
    yield "concat", model(*double, node("Identity", ["d30"], ["e"]), *end)
    rows = np.zeros(1 << 17, np.int64)
    twice = [node("Gather", ["x", "i"], ["g"], axis=1), node("Gather", ["g", "i"], ["h"], axis=0)]
    yield "gather", model(*twice, node("Identity", ["h"], ["e"]), *end, i=rows)


@pytest.mark.parametrize("kind", [kind for kind, _ in bombs()])
def test_small_graphs_that_would_fill_the_memory(kind: str) -> None:
    with pytest.raises(BundleError, match="a.onnx: expected .*(a row of|dimensions)"):
        check_graph(dict(bombs())[kind].SerializeToString(), "a.onnx")


@pytest.mark.parametrize("kind", [kind for kind, _ in bombs()])
def test_onnxruntime_itself_is_bounded(
    kind: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    """Even without the checks above memory is bounded, both when a graph is loaded and when it runs."""
    resource = pytest.importorskip("resource")
    monkeypatch.setattr("ngs.runtime.bundle.session.check_graph", lambda model, file: None)
    proto = dict(bombs())[kind]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    session = make_session(proto.SerializeToString(), "cpu", 1, "a.onnx")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kilobytes
    with pytest.raises(Exception, match="(?i)memory|alloc|exceed|overflow|Fail"):
        session.run(None, {"x": np.ones((1, 4), np.float32)})
    assert capfd.readouterr() == ("", "")


def test_a_graph_that_takes_too_long() -> None:
    square = np.ones((1 << 10, 1 << 10), np.float32)
    many = [node("MatMul", [f"n{n}" if n else "a", "a"], [f"n{n + 1}"]) for n in range(5)]
    pick = [node("Gather", ["n5", "i"], ["n"], axis=1), node("ReduceMax", ["n"], ["m"]), node("Add", ["m", "x"], ["y"])]
    check_graph(
        model(*many[:1], node("Identity", ["n1"], ["n5"]), *pick, a=square, i=np.int64([0])).SerializeToString(), ""
    )
    with pytest.raises(BundleError, match="a row of .* steps, found [0-9]* in 5[0-9]*:"):
        check_graph(model(*many, *pick, a=square, i=np.int64([0])).SerializeToString(), "a.onnx")


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (
            [node("Slice", ["x", "one", "four", "zero"], ["y"])],
            "Slice of tensors of up to 8 dimensions .*none of them empty",
        ),
        ([node("Slice", ["x", "four", "four", "one"], ["y"])], "none of them empty"),
        ([node("Split", ["x", "parts"], ["y", "z"], axis=1)], "none of them empty"),
        ([node("Expand", ["x", "zeros"], ["y"])], "sizes that are alike or 1"),
        ([node("Pad", ["x", "cut"], ["y"])], "none of them empty"),
        ([node("Shape", ["x"], ["s"], start=1, end=1)], "none of them empty"),
        ([node("Cast", ["x"], ["i"], to=7), node("Expand", ["a", "i"], ["y"])], "sizes that are known before it runs"),
        ([node("MatMul", ["x", "a"], ["y"])], "MatMul of matrices that fit together"),
        ([node("Reshape", ["x", "five"], ["y"])], "Reshape of as many numbers as before"),
        ([node("Transpose", ["x"], ["y"], perm=[0, 0])], "Transpose of a permutation"),
        ([node("Split", ["x", "five"], ["y"], axis=1)], "Split of parts of a whole"),
        ([node("GRU", ["x", "a", "a"], ["y"])], "GRU of sizes that fit together"),
        ([node("Reshape", ["x", ""], ["y"])], "Reshape of sizes that are known before it runs"),
        ([node("Squeeze", ["x", "one"], ["y"])], "Squeeze of dimensions of 1"),
        ([node("Pad", ["x", "one"], ["y"])], "Pad of pads of every dimension"),
        ([node("Gather", ["x"], ["y"])], "Gather of sizes that fit together"),
        ([node("Unsqueeze", ["x", "twice"], ["y"])], "Unsqueeze of new dimensions, each once"),
        ([node("Unsqueeze", ["x", "many"], ["y"])], "up to 8 dimensions"),
        ([node("Transpose", ["x"], ["t"]), node("MatMul", ["x", "t"], ["y"])], "tensors that grow with the batch"),
    ],
)
def test_sizes_that_do_not_fit(nodes: list[onnx.NodeProto], message: str) -> None:
    numbers = {
        "zero": [0],
        "one": [1],
        "four": [4],
        "five": [5],
        "parts": [4, 0],
        "zeros": [0, 4],
        "cut": [0, 0, 0, -4],
    }
    numbers |= {"many": list(range(2, 9)), "twice": [3, 3]}
    constants: dict[str, Any] = {name: np.int64(values) for name, values in numbers.items()}
    proto = model(*nodes, node("Identity", ["x"], ["w"]), a=np.ones((3, 1), np.float32), **constants)
    with pytest.raises(BundleError, match=f"a.onnx: expected .*{message}"):
        check_graph(proto.SerializeToString(), "a.onnx")


@pytest.mark.parametrize("name", ["operators", "decoder", "synthesis", "embedding_encoder", "embedding_decoder"])
@pytest.mark.parametrize("rows", [1, graph_check.MANY_ROWS])
def test_sizes_are_those_of_onnxruntime(
    sound: Contents, monkeypatch: pytest.MonkeyPatch, name: str, rows: int
) -> None:  # fmt: skip
    found: list[tuple[int, ...]] = []

    def recorded(*arguments: Any) -> list[graph_sizes.Tensor]:
        outputs = graph_sizes.outputs_of(*arguments)
        found.extend(output.shape for output in outputs)
        return outputs

    monkeypatch.setattr(graph_check, "outputs_of", recorded)
    check_graph(sound[f"{name}.onnx"], "a.onnx")
    found = found[: len(found) // 2] if rows == 1 else found[len(found) // 2 :]
    proto = onnx.load_from_string(sound[f"{name}.onnx"])
    names = [output for entry in proto.graph.node for output in entry.output]
    del proto.graph.output[:]
    proto.graph.output.extend(onnx.ValueInfoProto(name=output) for output in names)
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    inputs = {tensor.name: np.zeros((rows, *tensor.shape[1:]), np.float32) for tensor in session.get_inputs()}
    shapes = [output.shape for output in session.run(None, inputs)]
    assert dict(zip(names, found, strict=True)) == dict(zip(names, shapes, strict=True))


def test_an_empty_batch_is_not_run(tiny_bundle: Path) -> None:
    with pytest.raises(BundleError, match="encoder cannot be run .an input is empty"):
        Bundle.open(tiny_bundle, "cpu").run("encoder", grain=np.zeros((0, 256), np.float32))


def with_graph(sound: Contents, proto: onnx.ModelProto) -> bytes:
    return zipped(sealed({**sound, "operators.onnx": proto.SerializeToString()}))


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([node("Log", ["a"], ["l"]), node("Add", ["x", "l"], ["y"])], "operators gave y that is not finite"),
        ([node("Sub", ["a", "x"], ["s"]), node("Sqrt", ["s"], ["y"])], "operators gave y that is not finite"),
        ([node("Concat", ["x", "x"], ["y"], axis=0)], r"operators gave y \(4, 4\), expected \(2, 4\)"),
        ([node("Slice", ["x", "i", "two", "zero"], ["y"])], r"operators gave y \(1, 4\), expected"),
        (
            [
                node("Shape", ["x"], ["rows"], start=0, end=1),
                node("Mul", ["rows", "huge"], ["more"]),
                node("Concat", ["more", "four"], ["size"], axis=0),
                node("Expand", ["b", "size"], ["y"]),
            ],
            "operators cannot be run",
        ),
    ],
)
def test_outputs_other_than_the_manifest_promises(
    sound: Contents, tmp_path: Path, nodes: list[onnx.NodeProto], message: str, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Outputs whose size onnxruntime does not know before it runs."""
    monkeypatch.setattr("ngs.runtime.bundle.session.check_graph", lambda model, file: None)
    numbers = {"i": 1, "two": 2, "zero": 0, "four": 4, "huge": 1 << 40}
    constants: dict[str, Any] = {name: np.int64([number]) for name, number in numbers.items()}
    constants |= {"a": np.zeros(1, np.float32), "b": np.ones((1, 4), np.float32)}
    proto = model(*nodes, **constants)
    bundle = Bundle.open(written(tmp_path, with_graph(sound, proto)), "cpu")
    with pytest.raises(BundleError, match=message) as raised:
        bundle.run("operators", x=np.ones((2, 4), np.float32))
    assert str(raised.value).isprintable() and capfd.readouterr() == ("", "")


@pytest.mark.parametrize("place", ["name", "dim_param"])
def test_names_that_are_not_text(sound: Contents, tmp_path: Path, place: str) -> None:
    old = b"log_variance" if place == "name" else b"batch"
    content = sound["encoder.onnx"].replace(old, old[:-1] + b"\xff")
    refused(written(tmp_path, zipped(sealed({**sound, "encoder.onnx": content}))), "encoder.onnx")


def test_a_graph_that_cannot_be_loaded_is_refused_quietly(capfd: pytest.CaptureFixture[str]) -> None:
    proto = changed(lambda p: first(p).input.append("x"))
    with pytest.raises(BundleError, match="a.onnx is not a graph that onnxruntime can load"):
        make_session(proto, "cpu", 1, "a.onnx")
    assert capfd.readouterr() == ("", "")
