"""The size of every tensor in an ONNX graph and its cost, known before onnxruntime allocates anything.

A rule for each operator says what comes out, given what goes in. Integers that sizes are computed from are followed
too; a size that depends on anything else is refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]
Values = NDArray[np.int64]
FOLLOWED = 64  # the values of a tensor with more numbers are not followed
DIMENSIONS, LARGEST = 8, 1 << 40  # of a tensor: the most dimensions, and numbers
ARITHMETIC = {b"Add": np.add, b"Max": np.maximum, b"Min": np.minimum, b"Mul": np.multiply, b"Sub": np.subtract}
COPIES = frozenset(b"Identity Reshape Squeeze Unsqueeze".split())


class Misfit(ValueError):
    """Inputs that do not fit a node: says what they should be."""


class Tensor:
    """The shape of a tensor and, if they are followed, its values."""

    def __init__(self, shape: Shape, values: Values | None = None) -> None:
        self.shape, self.values = shape, values


class Node:
    """A node as the rules see it: attributes, inputs (None for one that is left out), and the number of outputs."""

    def __init__(self, attributes: Mapping[str, Any], inputs: list[Tensor | None], count: int) -> None:
        self.attributes, self.inputs, self.count = attributes, inputs, count
        self.shapes = [tensor.shape for tensor in inputs if tensor]
        self.first = self.shapes[0]
        self.rank = len(self.first)

    def axis(self, default: int = 0) -> int:
        """The attribute axis, counted from the front."""
        return int(self.attributes.get("axis", default)) % self.rank

    def has(self, index: int) -> bool:
        """Whether an optional input is there."""
        return len(self.inputs) > index and self.inputs[index] is not None

    def numbers(self, index: int) -> list[int]:
        """The values of an input, which must be known."""
        tensor = self.inputs[index]
        if tensor is None or tensor.values is None:
            raise Misfit("sizes that are known before it runs")
        return [int(value) for value in tensor.values.reshape(-1)]


def outputs_of(operator: bytes, attributes: Mapping[str, Any], inputs: list[Tensor | None], count: int) -> list[Tensor]:
    """The outputs of a node. Raises Misfit, or what Python itself raises, for inputs that do not fit together."""
    node = Node(attributes, inputs, count)
    shapes = RULES.get(operator, _elementwise)(node)
    return [Tensor(shape, _values(operator, node, shapes)) for shape in shapes]


def _values(operator: bytes, node: Node, shapes: list[Shape]) -> Values | None:
    """The values of a node's output, if they follow from values that are known."""
    given = [tensor for tensor in node.inputs if tensor]
    followed = [tensor.values for tensor in given if tensor.values is not None]
    if operator == b"Shape":
        return np.array(node.first, dtype=np.int64)[_shape_part(node)]
    if given[0].values is not None and operator in COPIES:
        return given[0].values.reshape(shapes[0])
    if given[0].values is not None and operator == b"Slice":
        return given[0].values[_slices(node)]
    if len(followed) == len(given) and math.prod(shapes[0]) <= FOLLOWED:
        if operator in ARITHMETIC:
            return np.asarray(ARITHMETIC[operator](*followed), dtype=np.int64)
        if operator == b"Concat":
            return np.concatenate(followed, node.attributes["axis"])
        if operator == b"Gather":
            return np.take(followed[0], followed[1], node.attributes.get("axis", 0))
    return None


def check_size(shape: Shape) -> None:
    """Raise Misfit for a tensor that is empty or too large."""
    if len(shape) > DIMENSIONS or min(shape, default=1) < 1 or math.prod(shape) > LARGEST:
        raise Misfit(f"tensors of up to {DIMENSIONS} dimensions and {LARGEST} numbers, none of them empty")


def steps_of(operator: bytes, inputs: list[Tensor | None], outputs: list[Tensor]) -> int:
    """About how many multiplications a node takes."""
    shapes = [tensor.shape if tensor else (1,) for tensor in inputs]
    size = max(math.prod(output.shape) for output in outputs)
    if operator in (b"MatMul", b"Gemm"):
        return size * math.prod(shapes[1][-2:]) // outputs[0].shape[-1]
    if operator == b"Conv":
        return size * math.prod(shapes[1][1:])
    if operator == b"GRU":
        return math.prod(shapes[0][:2]) * (math.prod(shapes[1]) + math.prod(shapes[2]))
    return size


def _broadcast(*shapes: Shape) -> Shape:
    """The shape that shapes broadcast to, as in numpy."""
    result = []
    for sizes in zip_longest(*(shape[::-1] for shape in shapes), fillvalue=1):
        size = max(sizes)
        if any(other not in (1, size) for other in sizes):
            raise Misfit("sizes that are alike or 1")
        result.append(size)
    return tuple(result[::-1])


# A rule gives the shapes of a node's outputs. There is one for each operator that is not elementwise.


def _elementwise(node: Node) -> list[Shape]:
    return [_broadcast(*node.shapes)]


def _normalised(node: Node) -> list[Shape]:
    return [node.first] * node.count


def _matrix_product(node: Node) -> list[Shape]:
    a, b = node.shapes[:2]
    a = (*a[:-2], a[-1], a[-2]) if node.attributes.get("transA") else a
    b = (*b[:-2], b[-1], b[-2]) if node.attributes.get("transB") else b
    if a[-1] != b[-2]:
        raise Misfit("matrices that fit together")
    return [(*_broadcast(a[:-2], b[:-2]), a[-2], b[-1])]


def _concat(node: Node) -> list[Shape]:
    axis = node.axis()
    return [(*node.first[:axis], sum(shape[axis] for shape in node.shapes), *node.first[axis + 1 :])]


def _conv(node: Node) -> list[Shape]:
    weight, dimensions = node.shapes[1], node.rank - 2
    pads = node.attributes.get("pads") or [0] * (2 * dimensions)
    strides = node.attributes.get("strides") or [1] * dimensions
    dilations = node.attributes.get("dilations") or [1] * dimensions
    sizes = [
        (node.first[2 + i] + pads[i] + pads[i + dimensions] - dilations[i] * (weight[2 + i] - 1) - 1) // strides[i] + 1
        for i in range(dimensions)
    ]
    return [(node.first[0], weight[0], *sizes)]


def _expand(node: Node) -> list[Shape]:
    return [_broadcast(node.first, tuple(node.numbers(1)))]


def _flatten(node: Node) -> list[Shape]:
    axis = node.attributes.get("axis", 1)
    return [(math.prod(node.first[:axis]), math.prod(node.first[axis:]))]


def _gather(node: Node) -> list[Shape]:
    axis = node.axis()
    return [(*node.first[:axis], *node.shapes[1], *node.first[axis + 1 :])]


def _gather_elements(node: Node) -> list[Shape]:
    return [node.shapes[1]]


def _gather_nd(node: Node) -> list[Shape]:
    indices = node.shapes[1]
    return [(*indices[:-1], *node.first[node.attributes.get("batch_dims", 0) + indices[-1] :])]


def _gru(node: Node) -> list[Shape]:
    (length, batch, _), directions, hidden = node.first, node.shapes[1][0], node.shapes[2][2]
    return [(length, directions, batch, hidden), (directions, batch, hidden)][: node.count]


def _pad(node: Node) -> list[Shape]:
    pads = node.numbers(1)
    if len(pads) != 2 * node.rank or len(node.inputs) > 3:
        raise Misfit("pads of every dimension")
    return [tuple(size + pads[i] + pads[node.rank + i] for i, size in enumerate(node.first))]


def _reduce(node: Node) -> list[Shape]:
    axes = node.numbers(1) if node.has(1) else []
    if not axes and not node.attributes.get("noop_with_empty_axes"):
        axes = list(range(node.rank))
    reduced = {axis % node.rank for axis in axes}
    if node.attributes.get("keepdims", 1):
        return [tuple(1 if i in reduced else size for i, size in enumerate(node.first))]
    return [tuple(size for i, size in enumerate(node.first) if i not in reduced)]


def _reshape(node: Node) -> list[Shape]:
    shape = node.numbers(1)
    if not node.attributes.get("allowzero"):
        shape = [node.first[i] if size == 0 else size for i, size in enumerate(shape)]
    rest = math.prod(size for size in shape if size != -1)
    shape = [math.prod(node.first) // rest if size == -1 else size for size in shape]
    if math.prod(shape) != math.prod(node.first) or min(shape, default=1) < 1:
        raise Misfit("as many numbers as before")
    return [tuple(shape)]


def _shape(node: Node) -> list[Shape]:
    return [(len(node.first[_shape_part(node)]),)]


def _shape_part(node: Node) -> slice:
    return slice(node.attributes.get("start", 0), node.attributes.get("end"))


def _slice(node: Node) -> list[Shape]:
    parts = zip(_slices(node), node.first, strict=True)
    return [tuple(len(range(*part.indices(size))) for part, size in parts)]


def _slices(node: Node) -> tuple[slice, ...]:
    """What a Slice takes of each dimension."""
    starts, ends = node.numbers(1), node.numbers(2)
    axes = node.numbers(3) if node.has(3) else list(range(len(starts)))
    steps = node.numbers(4) if len(node.inputs) > 4 else [1] * len(starts)
    parts = [slice(None)] * node.rank
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        parts[axis] = slice(start, end, step)
    return tuple(parts)


def _split(node: Node) -> list[Shape]:
    axis = node.axis()
    whole = node.first[axis]
    if len(node.inputs) > 1:
        parts = node.numbers(1)
    else:  # parts of one size; the last one may be smaller
        count = node.attributes.get("num_outputs", node.count)
        part = -(-whole // count)
        parts = [*[part] * (count - 1), whole - part * (count - 1)]
    if len(parts) != node.count or sum(parts) != whole:
        raise Misfit("parts of a whole")
    return [(*node.first[:axis], part, *node.first[axis + 1 :]) for part in parts]


def _squeeze(node: Node) -> list[Shape]:
    axes = [axis % node.rank for axis in node.numbers(1)]
    if any(node.first[axis] != 1 for axis in axes):
        raise Misfit("dimensions of 1")
    return [tuple(size for i, size in enumerate(node.first) if i not in axes)]


def _transpose(node: Node) -> list[Shape]:
    order = node.attributes.get("perm") or list(range(node.rank))[::-1]
    if sorted(order) != list(range(node.rank)):
        raise Misfit("a permutation")
    return [tuple(node.first[i] for i in order)]


def _unsqueeze(node: Node) -> list[Shape]:
    axes = node.numbers(1)
    new = {axis % (node.rank + len(axes)) for axis in axes}
    if len(new) != len(axes):
        raise Misfit("new dimensions, each once")
    sizes = iter(node.first)
    return [tuple(1 if i in new else next(sizes) for i in range(node.rank + len(new)))]


RULES: Mapping[bytes, Callable[[Node], list[Shape]]] = {
    b"Concat": _concat, b"Conv": _conv, b"Expand": _expand, b"Flatten": _flatten, b"GRU": _gru, b"Gather": _gather,
    b"GatherElements": _gather_elements, b"GatherND": _gather_nd, b"Gemm": _matrix_product,
    b"LayerNormalization": _normalised, b"MatMul": _matrix_product, b"Pad": _pad, b"ReduceMax": _reduce,
    b"ReduceMean": _reduce, b"ReduceMin": _reduce, b"ReduceSum": _reduce, b"Reshape": _reshape, b"Shape": _shape,
    b"Slice": _slice, b"Softmax": _normalised, b"Split": _split, b"Squeeze": _squeeze, b"Transpose": _transpose,
    b"Unsqueeze": _unsqueeze,
}  # fmt: skip
