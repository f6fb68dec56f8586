"""Sizes of every tensor of an ONNX graph, and what it costs to compute, known before onnxruntime allocates anything.

Whole numbers that sizes are computed from are followed as well; a size that depends on anything else is refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

import numpy as np
from numpy.typing import NDArray

Shape = tuple[int, ...]
Values = NDArray[np.int64]
FOLLOWED = 64  # numbers, at most, in a tensor whose values are followed
DIMENSIONS, LARGEST = 8, 1 << 40
ARITHMETIC = {b"Add": np.add, b"Max": np.maximum, b"Min": np.minimum, b"Mul": np.multiply, b"Sub": np.subtract}
COPIES = frozenset(b"Identity Reshape Squeeze Unsqueeze".split())
PLAIN = frozenset(b"LayerNormalization Softmax".split())


class Misfit(ValueError):
    """Says what a node is of, where it makes sense."""


class Tensor:
    """Its sizes and, where they are followed, its values."""

    def __init__(self, shape: Shape, values: Values | None = None) -> None:
        self.shape, self.values = shape, values


def outputs_of(operator: bytes, attributes: Mapping[str, Any], inputs: list[Tensor | None], count: int) -> list[Tensor]:
    """The outputs of a node; inputs that do not fit together raise Misfit and what Python itself raises then."""
    given = [tensor for tensor in inputs if tensor]
    followed = [tensor.values for tensor in given if tensor.values is not None]
    shapes = _shapes(operator, attributes, inputs, [tensor.shape for tensor in given], count)
    values: Values | None = None
    if operator == b"Shape":
        start, end = attributes.get("start", 0), attributes.get("end")
        values = np.array(given[0].shape, dtype=np.int64)[start:end]
        shapes = [values.shape]
    elif given[0].values is not None and operator in COPIES:
        values = given[0].values.reshape(shapes[0])
    elif given[0].values is not None and operator == b"Slice":
        values = given[0].values[_slices(inputs, given[0].shape)]
    elif len(followed) == len(given) and math.prod(shapes[0]) <= FOLLOWED:
        if operator in ARITHMETIC:
            values = np.asarray(ARITHMETIC[operator](*followed), dtype=np.int64)
        elif operator == b"Concat":
            values = np.concatenate(followed, attributes["axis"])
        elif operator == b"Gather":
            values = np.take(followed[0], followed[1], attributes.get("axis", 0))
    return [Tensor(shape, values) for shape in shapes]


def check_size(shape: Shape) -> None:
    if len(shape) > DIMENSIONS or min(shape, default=1) < 1 or math.prod(shape) > LARGEST:
        raise Misfit(f"tensors of up to {DIMENSIONS} dimensions and {LARGEST} numbers, none of them empty")


def steps_of(operator: bytes, inputs: list[Tensor | None], outputs: list[Tensor]) -> int:
    """Multiplications that a node takes, about."""
    shapes = [tensor.shape if tensor else (1,) for tensor in inputs]
    size = max(math.prod(output.shape) for output in outputs)
    if operator in (b"MatMul", b"Gemm"):
        return size * math.prod(shapes[1][-2:]) // outputs[0].shape[-1]
    if operator == b"Conv":
        return size * math.prod(shapes[1][1:])
    if operator == b"GRU":
        return math.prod(shapes[0][:2]) * (math.prod(shapes[1]) + math.prod(shapes[2]))
    return size


def _shapes(
    operator: bytes, attributes: Mapping[str, Any], inputs: list[Tensor | None], shapes: list[Shape], count: int
) -> list[Shape]:  # fmt: skip
    first, axis = shapes[0], attributes.get("axis", 0)
    rank = len(first)
    if operator in (b"MatMul", b"Gemm"):
        a, b = shapes[:2]
        a = (*a[:-2], a[-1], a[-2]) if attributes.get("transA") else a
        b = (*b[:-2], b[-1], b[-2]) if attributes.get("transB") else b
        if a[-1] != b[-2]:
            raise Misfit("matrices that fit together")
        return [(*_broadcast(a[:-2], b[:-2]), a[-2], b[-1])]
    if operator == b"Concat":
        axis %= rank
        return [(*first[:axis], sum(shape[axis] for shape in shapes), *first[axis + 1 :])]
    if operator == b"Conv":
        weight, stride, dilation = shapes[1], attributes.get("strides"), attributes.get("dilations")
        pads = attributes.get("pads") or [0] * (2 * (rank - 2))
        stride, dilation = stride or [1] * (rank - 2), dilation or [1] * (rank - 2)
        size = [
            (first[2 + i] + pads[i] + pads[i + rank - 2] - dilation[i] * (weight[2 + i] - 1) - 1) // stride[i] + 1
            for i in range(rank - 2)
        ]
        return [(first[0], weight[0], *size)]
    if operator == b"Expand":
        return [_broadcast(first, tuple(_numbers(inputs, 1)))]
    if operator == b"Flatten":
        axis = attributes.get("axis", 1)
        return [(math.prod(first[:axis]), math.prod(first[axis:]))]
    if operator == b"Gather":
        axis %= rank
        return [(*first[:axis], *shapes[1], *first[axis + 1 :])]
    if operator == b"GatherElements":
        return [shapes[1]]
    if operator == b"GatherND":
        return [(*shapes[1][:-1], *first[attributes.get("batch_dims", 0) + shapes[1][-1] :])]
    if operator == b"GRU":
        (length, batch, _), directions, hidden = first, shapes[1][0], shapes[2][2]
        return [(length, directions, batch, hidden), (directions, batch, hidden)][:count]
    if operator in PLAIN:
        return [first] * count
    if operator == b"Pad":
        pads = _numbers(inputs, 1)
        if len(pads) != 2 * rank or len(inputs) > 3:
            raise Misfit("pads of every dimension")
        return [tuple(size + pads[i] + pads[rank + i] for i, size in enumerate(first))]
    if operator.startswith(b"Reduce"):
        axes = _numbers(inputs, 1) if len(inputs) > 1 and inputs[1] else []
        if not axes:
            axes = [] if attributes.get("noop_with_empty_axes") else list(range(rank))
        reduced = {axis % rank for axis in axes}
        kept = [1 if i in reduced else size for i, size in enumerate(first)]
        return [tuple(kept if attributes.get("keepdims", 1) else [kept[i] for i in range(rank) if i not in reduced])]
    if operator == b"Reshape":
        shape = _numbers(inputs, 1)
        if not attributes.get("allowzero"):
            shape = [first[i] if size == 0 else size for i, size in enumerate(shape)]
        rest = math.prod(size for size in shape if size != -1)
        shape = [math.prod(first) // rest if size == -1 else size for size in shape]
        if math.prod(shape) != math.prod(first) or min(shape, default=1) < 1:
            raise Misfit("as many numbers as before")
        return [tuple(shape)]
    if operator == b"Shape":
        return [(rank,)]
    if operator == b"Slice":
        return [
            tuple(len(range(*part.indices(size))) for part, size in zip(_slices(inputs, first), first, strict=True))
        ]
    if operator == b"Split":
        axis %= rank
        parts = (
            _numbers(inputs, 1) if len(inputs) > 1 else _equal_parts(first[axis], attributes.get("num_outputs", count))
        )
        if len(parts) != count or sum(parts) != first[axis]:
            raise Misfit("parts of a whole")
        return [(*first[:axis], part, *first[axis + 1 :]) for part in parts]
    if operator == b"Squeeze":
        axes = [axis % rank for axis in _numbers(inputs, 1)]
        if any(first[axis] != 1 for axis in axes):
            raise Misfit("dimensions of 1")
        return [tuple(size for i, size in enumerate(first) if i not in axes)]
    if operator == b"Transpose":
        perm = attributes.get("perm") or list(range(rank))[::-1]
        if sorted(perm) != list(range(rank)):
            raise Misfit("a permutation")
        return [tuple(first[i] for i in perm)]
    if operator == b"Unsqueeze":
        axes = _numbers(inputs, 1)
        new = {axis % (rank + len(axes)) for axis in axes}
        if len(new) != len(axes):
            raise Misfit("new dimensions, each once")
        sizes = iter(first)
        return [tuple(1 if i in new else next(sizes) for i in range(rank + len(new)))]
    return [_broadcast(*shapes)]  # all others are elementwise


def _broadcast(*shapes: Shape) -> Shape:
    result = []
    for sizes in zip_longest(*(shape[::-1] for shape in shapes), fillvalue=1):
        size = max(sizes)
        if any(other not in (1, size) for other in sizes):
            raise Misfit("sizes that are alike or 1")
        result.append(size)
    return tuple(result[::-1])


def _numbers(inputs: list[Tensor | None], index: int) -> list[int]:
    tensor = inputs[index]
    if tensor is None or tensor.values is None:
        raise Misfit("sizes that are known before it runs")
    return [int(value) for value in tensor.values.reshape(-1)]


def _equal_parts(size: int, count: int) -> list[int]:
    part = -(-size // count)
    return [*[part] * (count - 1), size - part * (count - 1)]


def _slices(inputs: list[Tensor | None], shape: Shape) -> tuple[slice, ...]:
    starts, ends = _numbers(inputs, 1), _numbers(inputs, 2)
    axes = _numbers(inputs, 3) if len(inputs) > 3 and inputs[3] else list(range(len(starts)))
    steps = _numbers(inputs, 4) if len(inputs) > 4 else [1] * len(starts)
    parts = [slice(None)] * len(shape)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        parts[axis] = slice(start, end, step)
    return tuple(parts)
