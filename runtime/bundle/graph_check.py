"""Refuses ONNX graphs that onnxruntime should not see: all but those that `ngs export` writes, and close relatives.

onnxruntime copes with most damaged graphs, but it runs whatever is well formed, and so are graphs that read files, fill
the memory or never end. The file is read tag by tag, just far enough to tell; weights are not copied.
"""

from __future__ import annotations

import math
from collections.abc import Container
from typing import Any, NamedTuple

import numpy as np

from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.bundle.graph_sizes import FOLLOWED, Misfit, Tensor, check_size, outputs_of, steps_of
from ngs.runtime.bundle.onnx_fields import (
    ATTRIBUTE,
    GRAPH,
    MODEL,
    NAMED,
    NODE,
    OPSET,
    SHAPE,
    SIZE,
    TENSOR,
    TENSOR_TYPE,
    TYPE,
    VALUES,
    Unexpected,
    read_fields,
    signed,
)

MAX_GRAPH_BYTES = 128 << 20
MAX_NUMBERS = 1 << 26  # in all tensors computed from one row, in addition to a few copies of the weights
MAX_STEPS = 1 << 32  # multiplications for one row
MANY_ROWS = 64  # a larger batch, whose cost may grow in proportion but no faster

FLOAT, INT16, INT32, INT64, BOOL, FLOAT16 = 1, 5, 6, 7, 9, 10
ITEM_BYTES = {FLOAT: 4, INT16: 2, INT32: 4, INT64: 8, BOOL: 1, FLOAT16: 2}
IR_VERSIONS, OPSETS = range(8, 14), range(17, 24)

# no control flow, no random numbers, no strings
OPERATORS = frozenset(
    b"Abs Add And Cast Ceil Clip Concat Conv Cos Div Equal Erf Exp Expand Flatten Floor GRU Gather GatherElements "
    b"GatherND Gemm Greater GreaterOrEqual Identity LayerNormalization LeakyRelu Less LessOrEqual Log MatMul Max Min "
    b"Mul Neg Not Or Pad Pow Reciprocal ReduceMax ReduceMean ReduceMin ReduceSum Relu Reshape Round Shape Sigmoid Sign "
    b"Sin Slice Softmax Softplus Softsign Split Sqrt Squeeze Sub Tanh Transpose Unsqueeze Where".split()
)
COMPARISONS = frozenset(b"And Equal Greater GreaterOrEqual Less LessOrEqual Not Or".split())

AXES, SIZES, SWITCH = range(-8, 9), range(1, 65537), range(2)
ATTRIBUTES: dict[bytes, Container[Any] | None] = {  # the values that each may have; None: any number
    b"allowzero": SWITCH, b"alpha": None, b"auto_pad": (b"NOTSET",), b"axis": AXES, b"batch_dims": range(8),
    b"beta": None, b"dilations": SIZES, b"direction": (b"forward", b"reverse", b"bidirectional"), b"end": AXES,
    b"epsilon": None, b"group": SIZES, b"hidden_size": SIZES, b"keepdims": SWITCH, b"kernel_shape": SIZES,
    b"layout": SWITCH, b"linear_before_reset": SWITCH, b"mode": (b"constant",), b"noop_with_empty_axes": SWITCH,
    b"num_outputs": range(1, 65), b"pads": range(65537), b"perm": range(8), b"stash_type": (FLOAT,), b"start": AXES,
    b"strides": SIZES, b"to": ITEM_BYTES, b"transA": SWITCH, b"transB": SWITCH,
}  # fmt: skip


def largest_constant(model: bytes | memoryview) -> int:
    """Size limit, in bytes, for tensors that onnxruntime computes from a graph's constants when it loads the graph."""
    return 8 * len(model) + (1 << 16)  # 16-bit angles become 32-bit cosines and sines, side by side


def check_graph(model: bytes, file: str) -> None:
    """Raise BundleError for a graph that does more than those `ngs export` writes. `file` is its name in errors."""
    try:
        _check_model(memoryview(model))
    except Unexpected as error:
        expected, found = error.args
        raise BundleError(f"{file}: expected {expected}, found {found}: export the run anew") from None


def _check_model(model: memoryview) -> None:
    if len(model) > MAX_GRAPH_BYTES:
        raise Unexpected(f"at most {MAX_GRAPH_BYTES} bytes", len(model))
    fields = read_fields(model, MODEL, "a model")
    if fields.get("ir_version") not in IR_VERSIONS:
        raise Unexpected(f"ir_version {IR_VERSIONS[0]} to {IR_VERSIONS[-1]}", fields.get("ir_version"))
    for opset in fields["opset_import"] or [b""]:
        values = read_fields(memoryview(opset), OPSET, "an opset")
        _check_domain(values)
        if values.get("version") not in OPSETS:
            raise Unexpected(f"opset {OPSETS[0]} to {OPSETS[-1]}", values.get("version"))
    _check_contents(read_fields(fields.get("graph", model[:0]), GRAPH, "a graph"), largest_constant(model))


class _Node(NamedTuple):
    """A node whose operator, attributes and types have been checked."""

    operator: bytes
    attributes: dict[str, Any]
    inputs: list[bytes]
    outputs: list[bytes]


def _check_contents(graph: dict[str, Any], largest: int) -> None:
    """Check inputs, initializers and nodes in order: a name is defined once, before it is used. Then check the cost."""
    types: dict[bytes, int] = {}
    rows: dict[bytes, tuple[int, ...]] = {}  # shapes of the inputs, with 0 for the batch
    constants: dict[bytes, Tensor] = {}
    for encoded in graph["inputs"]:
        values = read_fields(encoded, NAMED, "an input")
        rows[_define(types, values, FLOAT)] = _input_shape(values)
    for encoded in graph["initializers"]:
        values = read_fields(encoded, TENSOR, "an initializer")
        constants[_define(types, values, values.get("type", 0))] = _initializer(values)
    nodes = [_node(encoded, types) for encoded in graph["nodes"]]
    numbers, steps = _cost(nodes, constants, rows, 1)
    if numbers > MAX_NUMBERS + 4 * largest or steps > MAX_STEPS:
        raise Unexpected(f"a row of {MAX_NUMBERS} numbers in {MAX_STEPS} steps", f"{numbers} in {steps}")
    if _cost(nodes, constants, rows, MANY_ROWS)[0] > MANY_ROWS * numbers:
        raise Unexpected("tensors that grow with the batch", "some that grow faster")


def _node(encoded: memoryview, types: dict[bytes, int]) -> _Node:
    """Check the operator, attributes and types of a node, and add the types of its outputs to `types`."""
    values = read_fields(encoded, NODE, "a node")
    operator = bytes(values.get("operator", b""))
    _check_domain(values)
    if operator not in OPERATORS:
        raise Unexpected("operators that ngs exports", operator)
    attributes = _attributes(values, operator)
    inputs = [bytes(name) for name in values["inputs"]]
    for name in inputs:
        if name and name not in types:
            raise Unexpected(f"{operator.decode()} of tensors that come before it", name)
    given = [types[name] for name in inputs if name]
    if not given or not inputs[0]:
        raise Unexpected(f"inputs of {operator.decode()}", "none")
    type_ = given[operator == b"Where" and len(given) > 1]
    if operator == b"Div" and type_ in (INT32, INT64):
        raise Unexpected("Div of floats", "integers")  # the smallest integer divided by -1 crashes the process
    type_ = INT64 if operator == b"Shape" else BOOL if operator in COMPARISONS else type_
    if operator == b"Cast":
        type_ = attributes["to"]
    outputs = [bytes(name) for name in values["outputs"]]
    for name in outputs:
        if name:
            _define(types, {"name": name}, type_)
    return _Node(operator, attributes, inputs, outputs)


def _cost(
    nodes: list[_Node], constants: dict[bytes, Tensor], rows: dict[bytes, tuple[int, ...]], batch: int
) -> tuple[int, int]:  # fmt: skip
    """How many numbers and multiplications the nodes take for a batch.

    Raises Unexpected for sizes that do not fit together, and for an empty tensor: in a GRU it crashes the process.
    """
    tensors = {**constants, **{name: Tensor(tuple(size or batch for size in shape)) for name, shape in rows.items()}}
    numbers = steps = 0
    for operator, attributes, names, results in nodes:
        inputs = [tensors.get(name) for name in names]
        try:
            outputs = outputs_of(operator, attributes, inputs, len(results))
            steps += steps_of(operator, inputs, outputs)
            for name, output in zip(results, outputs, strict=True):
                check_size(output.shape)
                numbers += math.prod(output.shape)
                if name:
                    tensors[name] = output
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            expected = f"{operator.decode()} of {error if isinstance(error, Misfit) else 'sizes that fit together'}"
            raise Unexpected(expected[:120], [tensor.shape if tensor else () for tensor in inputs][:4]) from error
    return numbers, steps


def _input_shape(values: dict[str, Any]) -> tuple[int, ...]:
    """The shape of an input, floats with a free batch in front, which is 0 here."""
    empty = memoryview(b"")
    tensor = read_fields(
        read_fields(values.get("type", empty), TYPE, "a type").get("tensor", empty), TENSOR_TYPE, "a type"
    )
    sizes = read_fields(tensor.get("shape", empty), SHAPE, "a shape")["sizes"]
    found = tuple(read_fields(size, SIZE, "a size").get("size", 0) for size in sizes)
    if tensor.get("type") != FLOAT or found[:1] != (0,) or not all(0 < size < 1 << 31 for size in found[1:]):
        raise Unexpected("inputs of floats, a batch first", found)
    return found


def _check_domain(values: dict[str, Any]) -> None:
    domain = bytes(values.get("domain", b""))
    if domain not in (b"", b"ai.onnx"):
        raise Unexpected("the standard domain", domain)


def _define(types: dict[bytes, int], values: dict[str, Any], type_: int) -> bytes:
    """Add a name, which must be new, and its type to `types`."""
    name = bytes(values.get("name", b""))
    if not 0 < len(name) <= 256 or not name.isascii() or name in types:
        raise Unexpected("names of 1 to 256 letters, each once", name)
    types[name] = type_
    return name


def _initializer(values: dict[str, Any]) -> Tensor:
    """A constant, with its values if sizes may depend on them."""
    if values.get("type") not in ITEM_BYTES:
        raise Unexpected("initializers of numbers", f"type {values.get('type')}")
    count, content = math.prod(values["sizes"]), values.get("content", b"")
    if not count or len(content) != count * ITEM_BYTES[values["type"]]:
        raise Unexpected(f"initializers of the sizes they name, {values['sizes']}", f"{len(content)} bytes")
    followed = values["type"] == INT64 and count <= FOLLOWED
    numbers = np.frombuffer(content, dtype="<i8").reshape(values["sizes"]) if followed else None
    return Tensor(tuple(values["sizes"]), numbers)


def _attributes(node: dict[str, Any], operator: bytes) -> dict[str, Any]:
    """The attributes of a node by name, each with a value that is allowed."""
    values: dict[str, Any] = {}
    for encoded in node["attributes"]:
        attribute = read_fields(encoded, ATTRIBUTE, f"an attribute of {operator.decode()}")
        name = bytes(attribute.get("name", b""))
        key = VALUES.get(attribute.get("type", 0), "")
        others = [other for other in VALUES.values() if other != key and attribute.get(other)]
        value = attribute.get(key, 0 if key == "integer" else None)
        if name not in ATTRIBUTES or name.decode() in values or value is None or others:
            raise Unexpected(f"attributes of {operator.decode()} that ngs exports", name)
        allowed = ATTRIBUTES[name]
        items = [signed(item) for item in value] if key == "integers" else [signed(value)]
        for item in items:
            if allowed is None and key != "float" or allowed is not None and item not in allowed:
                raise Unexpected(f"a {name.decode()} of {operator.decode()} that ngs exports", item)
        values[name.decode()] = items if key == "integers" else items[0]
    if operator == b"Cast" and "to" not in values:
        raise Unexpected("a type that Cast gives", "none")
    return values
