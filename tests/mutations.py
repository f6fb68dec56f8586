"""Bundles with random changes, as accidents or attackers make them: of bytes, and of what the bytes say.

All take a `random.Random`, which decides everything, and contents of a bundle by name of the file.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from onnx import TensorProto, helper
from tests.tiny import make_graph, tiny_arrays, tiny_graphs, tiny_manifest

from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.golden import largest_errors
from ngs.runtime.bundle.graph_check import ATTRIBUTES, OPERATORS
from ngs.runtime.bundle.writer import write_bundle

Contents = dict[str, bytes]
NUMBERS = (0, 1, 2, 3, 7, 8, 16, 127, 128, 255, 1 << 15, 1 << 20, (1 << 31) - 1, 1 << 31, 1 << 32, (1 << 63) - 1)
NUMBERS += tuple((1 << 64) - number for number in NUMBERS[1:])
VALUES = (
    None, True, 0, -1, 2, 1 << 24, 1 << 62, 10**300, 0.5, float("nan"), float("inf"), "", "a", "batch", "phase",
    "magnitude", "\ud800", "\x1b[2J", "a\nb", "../x", "decoder.onnx", "manifest.json", "é" * 300, [], [[]], {},
    {"a": {}}, ["batch", 4],
)  # fmt: skip


def every_operator() -> bytes:
    """A graph with a node of every operator that a bundle may hold: [batch, 4] -> [batch, 4]."""
    node = helper.make_node
    constants: dict[str, Any] = {
        "zero": np.array(0, np.float32), "one": np.array(1, np.float32), "eye": np.eye(4, dtype=np.float32),
        "axis": np.array([1], np.int64), "axis2": np.array([2], np.int64), "wide": np.array([1, 4], np.int64),
        "index": np.array([0, 1, 2, 3], np.int64), "rows": np.array([[0], [1], [2], [3]], np.int64),
        "grid": np.array([[3, 2, 1, 0]], np.int64), "pads": np.array([0, 1, 0, 1], np.int64),
        "from": np.array([1], np.int64), "to": np.array([5], np.int64), "flat": np.array([-1, 4], np.int64),
        "ones": np.ones(4, np.float32), "kernel": np.ones((1, 1, 3), np.float32) / 3,
        "gates": np.full((1, 12, 4), 0.1, np.float32), "half": np.full((1, 4), 0.5, np.float16),
    }  # fmt: skip
    nodes, terms = [], ["x"]

    def add(operator: str, inputs: list[str], result: str = "", **attributes: Any) -> str:
        name = result or f"{operator}_{len(nodes)}"
        nodes.append(node(operator, inputs, [name], **attributes))
        return name

    add("Sigmoid", ["x"], "s")  # between 0 and 1: every function below is finite there
    for operator in (
        "Abs Ceil Cos Erf Exp Floor Identity LeakyRelu Log Neg Reciprocal Relu Round Sign Sin Softplus Softsign Sqrt "
        "Tanh"
    ).split():
        terms.append(add(operator, ["s"]))
    for operator in "Add Div Max Min Mul Pow Sub MatMul Gemm".split():
        terms.append(add(operator, ["s", "eye" if operator in ("MatMul", "Gemm") else "one"]))
    conditions = [add(f, ["s", "x"]) for f in "Equal Greater GreaterOrEqual Less LessOrEqual".split()]
    both = add("Or", [add("And", conditions[:2]), add("Not", conditions[2:3])])
    terms.append(add("Where", [both, "s", "x"]))
    terms.append(add("Clip", ["x", "zero", "one"]))
    terms.append(add("Cast", ["half"], to=TensorProto.FLOAT))
    terms.append(add("Cast", [conditions[3]], to=TensorProto.FLOAT))
    size = add("Shape", ["x"])
    terms.append(add("Expand", ["ones", size]))
    terms.append(add("Reshape", ["x", "flat"]))
    terms.append(add("Slice", [add("Pad", ["x", "pads"], mode="constant"), "from", "to", "axis"]))
    terms.append(add("Gather", ["x", "index"], axis=1))
    terms.append(add("GatherElements", ["x", add("Expand", ["grid", size])], axis=1))
    terms.append(add("Transpose", [add("GatherND", [add("Transpose", ["x"], perm=[1, 0]), "rows"])], perm=[1, 0]))
    terms.append(add("LayerNormalization", ["x", "ones"], axis=-1, epsilon=1e-5))
    terms.append(add("Softmax", ["x"], axis=-1))
    for operator in "ReduceMax ReduceMean ReduceMin ReduceSum".split():
        terms.append(add(operator, ["x", "axis"], keepdims=1))
    terms.append(add("Squeeze", [add("Unsqueeze", ["x", "axis2"]), "axis2"]))
    line = add("Unsqueeze", ["x", "axis"])
    pool = add("Conv", [line, "kernel"], pads=[1, 1], strides=[1], dilations=[1], group=1, kernel_shape=[3])
    terms.append(add("Flatten", [pool], axis=1))
    first = add("Transpose", [line], perm=[1, 0, 2])
    gru = add("GRU", [first, "gates", "gates"], hidden_size=4, linear_before_reset=1, direction="forward")
    terms.append(add("Reshape", [gru, "flat"]))
    nodes.append(node("Split", ["x"], ["left", "right"], axis=1, num_outputs=2))
    terms.append(add("Concat", ["right", "left"], axis=1))
    for term in terms[1:]:
        terms[0] = add("Add", [terms[0], term], "y" if term is terms[-1] else "")
    assert {entry.op_type.encode() for entry in nodes} == OPERATORS
    return make_graph({"x": (4,)}, {"y": (4,)}, nodes, constants)


def sound_bundle(folder: Path) -> Contents:
    """The files of the tests' tiny bundle, with a graph of every operator added."""
    graphs = {**tiny_graphs(), "operators": every_operator()}
    write_bundle(folder / "a.ngs", tiny_manifest(), graphs, tiny_arrays(graphs))
    files = {file.name: file.read_bytes() for file in sorted((folder / "a.ngs").iterdir())}
    return sealed({name: zipped(unzipped(data)) if name.endswith(".npz") else data for name, data in files.items()})


def load(path: Path) -> None:
    """Do everything that can be done with a bundle that somebody sent: works, or raises BundleError."""
    bundle = Bundle.open(path, "cpu")
    json.dumps(bundle.manifest.to_dict())
    _ = bundle.latent_map
    bundle.golden()
    for graph in bundle.manifest.graphs:
        bundle.session(graph)
    largest_errors(bundle)


def sealed(files: Contents) -> Contents:
    """The files with their hashes brought up to date, so that changes get past the first check."""
    document = json.loads(files["manifest.json"])
    for group in ("graphs", "files"):
        for spec in document[group].values():
            spec["sha256"] = hashlib.sha256(files.get(spec["file"], b"")).hexdigest()
    return {**files, "manifest.json": json.dumps(document).encode()}


def zipped(files: Contents, packing: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", packing) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, packing)  # of no date: the same bytes every time
    return content.getvalue()


def unzipped(archive: bytes) -> Contents:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


KINDS = ("archive", "directory", "stale", "bytes", "manifest", "text", "graph", "arrays", "header")


def mutated(files: Contents, random: Random, kinds: Sequence[str] = (*KINDS, "graph", "graph")) -> tuple[str, bytes]:
    """What was done to a bundle, and the zip archive that came of it."""
    kind = random.choice(kinds)
    files = dict(files)
    graph = random.choice(["operators.onnx", *(name for name in files if name.endswith(".onnx"))])
    arrays = random.choice([name for name in files if name.endswith(".npz")])
    if kind == "archive":
        return kind, noise(zipped(files, zipfile.ZIP_DEFLATED), random)
    if kind == "directory":
        return kind, directory(zipped(files), random)
    if kind in ("stale", "bytes"):
        name = random.choice([graph, arrays])
        files[name] = noise(files[name], random)
    elif kind == "manifest":
        files["manifest.json"] = manifest(files["manifest.json"], random)
    elif kind == "text":
        files["manifest.json"] = noise(files["manifest.json"], random)
    elif kind == "graph":
        for _ in range(random.choice((1, 1, 1, 2, 4))):
            files[graph] = protobuf(files[graph], random)
    elif kind == "arrays":
        files[arrays] = directory(files[arrays], random)
    else:
        files[arrays] = headers(files[arrays], random)
    return kind, zipped(files if kind in ("stale", "manifest", "text") else sealed(files))


def noise(content: bytes, random: Random) -> bytes:
    """Flip bits, truncate, splice a piece in or out, or swap two blocks."""
    data = bytearray(content)
    a, b = sorted(random.randrange(len(data) + 1) for _ in range(2))
    kind = random.randrange(5)
    if kind == 0:
        for _ in range(random.choice((1, 1, 2, 8, 64))):
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    elif kind == 1:
        del data[a:]
    elif kind == 2:
        data[a : a + random.choice((1, 4, 64))] = random.randbytes(random.choice((0, 1, 4, 64)))
    elif kind == 3:
        data[a:a] = data[b : b + 512]
    else:
        size = random.choice((1, 8, 64, 512))
        data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]
    return bytes(data)


def directory(archive: bytes, random: Random) -> bytes:
    """Set fields of a zip archive's headers to extreme numbers."""
    if random.randrange(8) == 0:
        return beyond(archive, random.choice(NUMBERS))
    data = bytearray(archive)
    signature = random.choice((b"PK\1\2", b"PK\1\2", b"PK\1\2", b"PK\3\4", b"PK\5\6"))
    at = random.choice([match.start() for match in re.finditer(re.escape(signature), data)])
    for _ in range(random.choice((1, 1, 2, 4))):
        size = random.choice((1, 2, 4))
        place = at + random.randrange(4, 60 if signature == b"PK\1\2" else 40 if signature == b"PK\3\4" else 22)
        data[place : place + size] = (random.choice(NUMBERS) % (1 << 8 * size)).to_bytes(size, "little")
    return bytes(data[: len(archive)])


def beyond(archive: bytes, place: int) -> bytes:
    """Move the last entry of a zip archive, by its own account, to where 32 bits do not reach."""
    data, table = bytearray(archive), archive.rindex(b"PK\1\2")
    far = struct.pack("<HHQ", 1, 8, place)
    name = table + 46 + int.from_bytes(data[table + 28 : table + 30], "little")
    data[table + 30 : table + 32], data[table + 42 : table + 46] = len(far).to_bytes(2, "little"), b"\xff" * 4
    size = len(data) - 10
    data[size : size + 4] = (int.from_bytes(data[size : size + 4], "little") + len(far)).to_bytes(4, "little")
    data[name:name] = far
    return bytes(data)


def manifest(content: bytes, random: Random) -> bytes:
    """Replace values by unlikely ones, remove them, or rename them."""
    document = json.loads(content)
    for _ in range(random.choice((1, 1, 2))):
        parents = [document]
        for parent in parents:
            members = parent.values() if isinstance(parent, dict) else parent
            parents += [member for member in members if isinstance(member, dict | list) and member]
        parent = random.choice(parents)
        key = random.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
        kind = random.randrange(4)
        if kind == 0:
            del parent[key]
        elif kind == 1 and isinstance(parent, dict):
            parent[random.choice(("later", "../x", "\ud800", "decoder", ""))] = parent.pop(key)
        elif kind == 2:
            parent[key] = random.choice(parents[1:] or [0])
        else:
            parent[key] = random.choice(VALUES)
        try:
            json.dumps(document)
        except ValueError:  # a value that holds itself
            parent[key] = None
    return json.dumps(document).encode()


MESSAGES: dict[str, dict[int, str]] = {
    "model": {7: "graph", 8: "opset"}, "graph": {1: "node", 5: "tensor", 11: "info", 12: "info", 13: "info"},
    "node": {5: "attribute"}, "info": {2: "type"}, "type": {1: "tensor_type"}, "tensor_type": {2: "shape"},
    "shape": {1: "size"}, "attribute": {}, "opset": {}, "tensor": {}, "size": {},
}  # fmt: skip
Message = list[list[Any]]  # [number, wire type, kind, value]


def protobuf(model: bytes, random: Random) -> bytes:
    """Replace, double, remove or move a field of an ONNX file, with the lengths around it corrected."""
    try:
        message = _parsed(model, "model")
    except (IndexError, ValueError):  # of a file that was broken before
        return noise(model, random) if model else model
    places: list[tuple[Message, int]] = []
    pending = [message]
    for fields in pending:
        places += [(fields, index) for index in range(len(fields))]
        pending += [field[3] for field in fields if isinstance(field[3], list)]
    if not places:
        return model
    fields, index = random.choice(places)
    field = fields[index]
    kind = random.randrange(8)
    if kind == 0:
        del fields[index]
    elif kind == 1:
        fields.insert(random.randrange(len(fields) + 1), [*field])
    elif kind == 2:
        other, place = random.choice(places)
        fields[index] = [*other[place]]
    elif kind == 3:
        fields[index] = [random.randrange(1, 32), *field[1:]]
    else:
        _change(field, random)
    return _encoded(message) if not _circular(message) else model


def _change(field: list[Any], random: Random) -> None:
    value = field[3]
    if isinstance(value, int):
        field[3] = random.choice((*NUMBERS, value + 1, value - 1)) % (1 << 64)
    elif isinstance(value, bytes):
        words = [*sorted(OPERATORS), *ATTRIBUTES, b"", b"x", b"Loop", b"\xff" * 300]
        if field[2] == "tensor" and len(value) % 8 == 0 and 0 < len(value) <= 64:
            at = random.randrange(0, len(value), 8)
            field[3] = value[:at] + random.choice(NUMBERS).to_bytes(8, "little") + value[at + 8 :]
        else:
            field[3] = random.choice(words) if random.randrange(2) or not value else noise(value, random)
    elif value:
        random.shuffle(value)


def _circular(message: Message, above: tuple[int, ...] = ()) -> bool:
    inner = [field[3] for field in message if isinstance(field[3], list)]
    return id(message) in above or any(_circular(fields, (*above, id(message))) for fields in inner)


def _parsed(data: bytes, kind: str) -> Message:
    message: Message = []
    at = 0
    while at < len(data):
        tag, at = _number(data, at)
        if tag & 7 == 0:
            value, at = _number(data, at)
            message.append([tag >> 3, 0, kind, value])
            continue
        size, at = (4, at) if tag & 7 == 5 else _number(data, at)
        if tag & 7 not in (2, 5) or at + size > len(data):
            raise ValueError("not a message")
        inner = MESSAGES[kind].get(tag >> 3)
        content = data[at : at + size]
        message.append([tag >> 3, tag & 7, kind, _parsed(content, inner) if inner else content])
        at += size
    return message


def _number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at


def _encoded(message: Message) -> bytes:
    parts = []
    for number, wire, _, value in message:
        content = _encoded(value) if isinstance(value, list) else value
        if isinstance(content, int):
            parts.append(_varint(number << 3) + _varint(content))
        elif wire == 5 and len(content) == 4:
            parts.append(_varint(number << 3 | 5) + content)
        else:
            parts.append(_varint(number << 3 | 2) + _varint(len(content)) + content)
    return b"".join(parts)


def _varint(value: int) -> bytes:
    digits = [value >> shift & 127 for shift in range(0, max(value.bit_length(), 1), 7)]
    return bytes([*(digit | 128 for digit in digits[:-1]), digits[-1]])


def headers(archive: bytes, random: Random) -> bytes:
    """Give an array of an archive another header, name or number of bytes."""
    arrays = unzipped(archive)
    name = random.choice(list(arrays))
    array = arrays[name]
    kind = random.randrange(6)
    if kind == 0:
        arrays[random.choice(("x.npy", "../x.npy", "a/b/c.npy", "x/", "mean", "mean.npy"))] = arrays.pop(name)
    elif kind == 1:
        del arrays[name]
    elif kind == 2:
        arrays[name] = noise(array, random)
    else:
        length = int.from_bytes(array[8:10], "little")
        header, data = array[10 : 10 + length].decode(), array[10 + length :]
        old = random.choice(("'<f4'", "'<i4'", "False", "(", ")", "}", "shape", ", "))
        new = random.choice((
            "'>f4'", "'|O'", "'<f2'", "'<i8'", "'<U8'", "True", "(-1, ", "(4294967296, ", "((((", "[", "None", "1e9",
            "", "(2, 2, 2, 2, 2, 2, 2, 2, 2, 2, ", "__import__('os')", "nan",
        ))  # fmt: skip
        header = header.replace(old, new, 1)
        arrays[name] = array[:8] + len(header).to_bytes(2, "little") + header.encode() + data
        if kind == 5:
            arrays[name] = array[: 10 + length] + random.choice((
                b"", b"\0" * len(data), b"\xff" * len(data), b"\0\0\xc0\x7f" * (len(data) // 4), data * 2
            ))  # fmt: skip
    return zipped(arrays)
