"""ONNX graphs, read just far enough to refuse what onnxruntime should not see. Tags are walked, weights are not copied.

onnxruntime holds its own against most bad graphs, but it runs whatever is well formed: graphs that read files, fill the
memory or never end are. Allowed is what `ngs export` writes and close relatives of it, nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping
from typing import Any

from ngs.runtime.manifest import BundleError

MAX_GRAPH_BYTES = 128 << 20
MAX_NODES = 2048
MAX_FOLDED_BYTES = 4 << 30  # upper bound of all that onnxruntime may compute from constants when it loads a graph
MAX_FOLDED_STEPS = 1 << 40  # upper bound of the multiplications that takes

FLOAT, INT32, INT64, BOOL, FLOAT16 = 1, 6, 7, 9, 10
ITEM_BYTES = {FLOAT: 4, INT32: 4, INT64: 8, BOOL: 1, FLOAT16: 2}
IR_VERSIONS, OPSETS = range(8, 14), range(17, 24)

# no control flow, nothing random, no strings
ELEMENTWISE = frozenset(
    b"Abs Add And Cast Ceil Clip Cos Div Equal Erf Exp Floor Greater GreaterOrEqual Identity LeakyRelu Less "
    b"LessOrEqual Log Max Min Mul Neg Not Or Pow Reciprocal Relu Round Sigmoid Sign Sin Softplus Softsign Sqrt Sub "
    b"Tanh Where".split()
)
PRODUCTS = frozenset(b"Conv GRU Gemm MatMul".split())
GATHERS = frozenset(b"Gather GatherElements GatherND".split())
GROWING = frozenset(b"Expand Pad".split())
KEEPING = frozenset(  # their outputs have no more numbers than their first input, or 8
    b"Flatten LayerNormalization ReduceMax ReduceMean ReduceMin ReduceSum Reshape Shape Slice Softmax Split Squeeze "
    b"Transpose Unsqueeze".split()
)
OPERATORS = ELEMENTWISE | PRODUCTS | GATHERS | GROWING | KEEPING | {b"Concat"}
COMPARISONS = frozenset(b"And Equal Greater GreaterOrEqual Less LessOrEqual Not Or".split())

AXES, SIZES, SWITCH = range(-8, 9), range(1, 65537), range(2)
ATTRIBUTES: dict[bytes, Container[Any] | None] = {  # allowed values; None: any number
    b"allowzero": SWITCH, b"alpha": None, b"auto_pad": (b"NOTSET",), b"axis": AXES, b"batch_dims": range(8),
    b"beta": None, b"dilations": SIZES, b"direction": (b"forward", b"reverse", b"bidirectional"), b"end": AXES,
    b"epsilon": None, b"group": SIZES, b"hidden_size": SIZES, b"keepdims": SWITCH, b"kernel_shape": SIZES,
    b"layout": SWITCH, b"linear_before_reset": SWITCH, b"mode": (b"constant",), b"noop_with_empty_axes": SWITCH,
    b"num_outputs": range(1, 65), b"pads": range(65537), b"perm": range(8), b"stash_type": (FLOAT,), b"start": AXES,
    b"strides": SIZES, b"to": ITEM_BYTES, b"transA": SWITCH, b"transB": SWITCH,
}  # fmt: skip

# fields of protobuf messages by tag (number << 3 | wire type): name, how many there may be
VARINT, BYTES, FIXED32 = 0, 2, 5
Schema = Mapping[int, tuple[str, int]]


def _schema(**fields: tuple[int, int, int]) -> Schema:
    return {number << 3 | wire: (name, most) for name, (number, wire, most) in fields.items()}


MODEL = _schema(
    ir_version=(1, VARINT, 1), producer_name=(2, BYTES, 1), producer_version=(3, BYTES, 1), domain=(4, BYTES, 1),
    model_version=(5, VARINT, 1), doc_string=(6, BYTES, 1), graph=(7, BYTES, 1), opset_import=(8, BYTES, 1),
    metadata=(14, BYTES, 64),
)  # fmt: skip
OPSET = _schema(domain=(1, BYTES, 1), version=(2, VARINT, 1))
GRAPH = _schema(
    nodes=(1, BYTES, MAX_NODES), name=(2, BYTES, 1), initializers=(5, BYTES, MAX_NODES), doc_string=(10, BYTES, 1),
    inputs=(11, BYTES, 64), outputs=(12, BYTES, 64), shapes=(13, BYTES, 2 * MAX_NODES), metadata=(16, BYTES, 64),
)  # fmt: skip
NODE = _schema(
    inputs=(1, BYTES, 64), outputs=(2, BYTES, 64), name=(3, BYTES, 1), operator=(4, BYTES, 1),
    attributes=(5, BYTES, 16), doc_string=(6, BYTES, 1), domain=(7, BYTES, 1), metadata=(9, BYTES, 64),
)  # fmt: skip
ATTRIBUTE = _schema(
    name=(1, BYTES, 1), float=(2, FIXED32, 1), integer=(3, VARINT, 1), text=(4, BYTES, 1), integers=(8, VARINT, 64),
    doc_string=(13, BYTES, 1), type=(20, VARINT, 1),
)  # fmt: skip
VALUES = {1: "float", 2: "integer", 3: "text", 7: "integers"}  # by type
TENSOR = _schema(
    sizes=(1, VARINT, 8), type=(2, VARINT, 1), name=(8, BYTES, 1), content=(9, BYTES, 1), doc_string=(12, BYTES, 1)
)
NAMED = _schema(name=(1, BYTES, 1), type=(2, BYTES, 1), doc_string=(3, BYTES, 1), metadata=(4, BYTES, 64))


def largest_constant(model: bytes | memoryview) -> int:
    """Bytes of the largest tensor that onnxruntime may make of a graph's constants when it loads it."""
    return 2 * len(model) + (1 << 16)  # 16 bits become 32, and weights are put side by side


def check_graph(model: bytes, file: str) -> None:
    """Raise BundleError for a graph that does more than those that `ngs export` writes."""
    try:
        _check_model(memoryview(model))
    except _Unexpected as error:
        expected, found = error.args
        raise BundleError(f"{file}: expected {expected}, found {found}: export the run anew") from None


class _Unexpected(Exception):
    """What was expected and what was found."""

    def __init__(self, expected: str, found: object) -> None:
        text = repr(bytes(found[:40]))[1:] if isinstance(found, bytes | memoryview) else str(found)
        super().__init__(expected, text)


def _check_model(model: memoryview) -> None:
    if len(model) > MAX_GRAPH_BYTES:
        raise _Unexpected(f"at most {MAX_GRAPH_BYTES} bytes", len(model))
    fields = _fields(model, MODEL, "a model")
    if fields.get("ir_version") not in IR_VERSIONS:
        raise _Unexpected(f"ir_version {IR_VERSIONS[0]} to {IR_VERSIONS[-1]}", fields.get("ir_version"))
    for opset in fields["opset_import"] or [b""]:
        values = _fields(memoryview(opset), OPSET, "an opset")
        _check_domain(values)
        if values.get("version") not in OPSETS:
            raise _Unexpected(f"opset {OPSETS[0]} to {OPSETS[-1]}", values.get("version"))
    _check_contents(_fields(fields.get("graph", model[:0]), GRAPH, "a graph"), largest_constant(model))


def _check_contents(graph: dict[str, Any], largest: int) -> None:
    """Initializers and nodes, in order: each name is given once, before it is used."""
    types: dict[bytes, int] = {}  # of all tensors so far
    constants: dict[bytes, int] = {b"": 1}  # numbers, at most, in those that no input decides
    for named in graph["inputs"]:
        _define(types, _fields(named, NAMED, "an input"), FLOAT)  # compared with the manifest later
    for tensor in graph["initializers"]:
        values = _fields(tensor, TENSOR, "an initializer")
        constants[_define(types, values, values.get("type", 0))] = _check_initializer(values)
    folded = steps = 0
    for encoded in graph["nodes"]:
        node = _fields(encoded, NODE, "a node")
        operator = bytes(node.get("operator", b""))
        _check_domain(node)
        if operator not in OPERATORS:
            raise _Unexpected("operators that ngs exports", operator)
        to = _check_attributes(node, operator)
        inputs = [bytes(name) for name in node["inputs"]] or [b""]
        for name in inputs:
            if name and name not in types:
                raise _Unexpected(f"{operator.decode()} of tensors that come before it", name)
        given = [types[name] for name in inputs if name] or [FLOAT]
        result = given[operator == b"Where" and len(given) > 1]
        if operator == b"Div" and result in (INT32, INT64):
            raise _Unexpected("Div of floats", "integers")  # the smallest number by -1 ends the process
        result = to or (INT64 if operator == b"Shape" else BOOL if operator in COMPARISONS else result)
        outputs = [_define(types, {"name": name}, result) for name in node["outputs"] if len(name)]
        if operator == b"Shape" or all(name in constants for name in inputs):
            size = _largest_size(operator, [constants.get(name, 1) for name in inputs], largest // 8)
            folded += 8 * size * len(outputs)
            steps += math.prod(constants.get(name, 1) for name in inputs) if operator in PRODUCTS else 0
            constants |= dict.fromkeys(outputs, size)
    if folded > MAX_FOLDED_BYTES or steps > MAX_FOLDED_STEPS:
        raise _Unexpected("constants that are stored", f"constants that unfold to {folded} bytes in {steps} steps")


def _largest_size(operator: bytes, sizes: list[int], most: int) -> int:
    """Upper bound of the numbers in an output, from those in the inputs; onnxruntime folds no more than `most`."""
    if operator in KEEPING:
        return min(max(sizes[0], 8), most)
    if operator == b"Concat":
        return min(sum(sizes), most)
    return most if operator in GROWING or operator in (b"Conv", b"GRU") else min(math.prod(sizes), most)


def _check_domain(values: dict[str, Any]) -> None:
    domain = bytes(values.get("domain", b""))
    if domain not in (b"", b"ai.onnx"):
        raise _Unexpected("the standard domain", domain)


def _define(types: dict[bytes, int], values: dict[str, Any], type_: int) -> bytes:
    name = bytes(values.get("name", b""))
    if not 0 < len(name) <= 256 or not name.isascii() or name in types:
        raise _Unexpected("names of 1 to 256 letters, each once", name)
    types[name] = type_
    return name


def _check_initializer(values: dict[str, Any]) -> int:
    """The count of numbers in it."""
    if values.get("type") not in ITEM_BYTES:
        raise _Unexpected("initializers of numbers", f"type {values.get('type')}")
    count: int = math.prod(values["sizes"])
    stored = len(values.get("content", b""))
    if stored != count * ITEM_BYTES[values["type"]]:
        raise _Unexpected(f"initializers of the sizes they name, {values['sizes']}", f"{stored} bytes")
    return count


def _check_attributes(node: dict[str, Any], operator: bytes) -> int:
    """Returns the type that a Cast gives, else 0."""
    to, names = 0, set()
    for encoded in node["attributes"]:
        attribute = _fields(encoded, ATTRIBUTE, f"an attribute of {operator.decode()}")
        name = bytes(attribute.get("name", b""))
        key = VALUES.get(attribute.get("type", 0), "")
        others = [other for other in VALUES.values() if other != key and attribute.get(other)]
        value = attribute.get(key, 0 if key == "integer" else None)
        if name not in ATTRIBUTES or name in names or value is None or others:
            raise _Unexpected(f"attributes of {operator.decode()} that ngs exports", name)
        names.add(name)
        allowed = ATTRIBUTES[name]
        for item in value if key == "integers" else [bytes(value) if key == "text" else value]:
            signed = item - (1 << 64) if isinstance(item, int) and item >> 63 else item
            if allowed is None and key != "float" or allowed is not None and signed not in allowed:
                found = signed if isinstance(signed, int) else bytes(signed)
                raise _Unexpected(f"a {name.decode()} of {operator.decode()} that ngs exports", found)
        to = value if name == b"to" else to
    if operator == b"Cast" and not to:
        raise _Unexpected("a type that Cast gives", "none")
    return to


def _fields(message: memoryview, schema: Schema, what: str) -> dict[str, Any]:
    """Values by name: whole numbers, bytes; lists of them where there may be more than one."""
    values: dict[str, Any] = {name: [] for name, most in schema.values() if most > 1 or name == "opset_import"}
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at)
        name, most = schema.get(tag, ("", 0))
        if not most:
            raise _Unexpected(f"fields of {what} that ngs exports", f"field {tag >> 3} of wire type {tag & 7}")
        value: int | memoryview
        if tag & 7 == VARINT:
            value, at = _varint(message, at)
        else:
            size, at = _varint(message, at) if tag & 7 == BYTES else (4, at)
            value = message[at : at + size]
            at += size
            if at > end:
                raise _Unexpected(f"{what} of {size} bytes", "the end of the file")
        before = values.get(name)
        if isinstance(before, list) and len(before) < most:
            before.append(value)
        elif name not in values:
            values[name] = value
        else:
            raise _Unexpected(f"at most {most} {name} of {what}", "more")
    return values


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number of up to 64 bits and where it ends."""
    value = shift = 0
    for byte in message[at : at + 10]:
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value & (1 << 64) - 1, at
    raise _Unexpected("whole numbers", "the end of the file")
