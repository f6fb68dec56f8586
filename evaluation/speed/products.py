"""The matrix products in a bundle's graphs, and how long they take alone on one CPU thread.

onnxruntime's profile says which products an optimised graph runs. A graph of the same products and nothing else is then
timed: no implementation of the graph can be faster, and whatever it takes beyond that is not matrix products.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ngs.runtime.bundle.bundle import Bundle

OPERATORS = ("MatMul", "FusedMatMul", "Gemm", "FusedGemm")
FLOAT = 1  # among ONNX's data types
OPSET, IR_VERSION = 17, 8
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Product:
    """left [..., M, K] times right [..., K, N]. onnxruntime knows a weight beforehand and may prepare it."""

    left: Shape
    right: Shape
    weight: str  # "left", "right", or "" if both are computed

    @property
    def result(self) -> Shape:
        """Shape of the product, [..., M, N]."""
        return (*np.broadcast_shapes(self.left[:-2], self.right[:-2]), self.left[-2], self.right[-1])

    @property
    def operations(self) -> int:
        """How many multiplications and additions."""
        return 2 * math.prod(self.result) * self.left[-1]


def products(bundle: Bundle, graph: str, rows: int) -> list[Product]:
    """The products that a graph runs for a batch of `rows`, in order, without biases. Raises BundleError."""
    spec = bundle.manifest.graphs[graph]
    inputs = {tensor.name: np.zeros((rows, *map(int, tensor.shape[1:])), np.float32) for tensor in spec.inputs}
    with tempfile.TemporaryDirectory() as folder:
        session = bundle.profiled_session(graph, f"{folder}/profile")
        session.run(None, inputs)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    kernels = [event["args"] for event in events if event["name"].endswith("_kernel_time")]
    return [_product(kernel) for kernel in kernels if kernel["op_name"] in OPERATORS]


def _product(kernel: dict[str, Any]) -> Product:
    """A product from the profile of its kernel, which does not list weights that onnxruntime packed beforehand."""
    left, *others = (_shape(tensor) for tensor in kernel["input_type_shape"])
    result = _shape(kernel["output_type_shape"][0])
    inner, columns = left[-1], result[-1]
    right: Shape = (inner, columns)
    weight = "right"
    if "MatMul" in kernel["op_name"] and others:
        right, known = others[0], int(kernel["parameter_size"]) // 4
        weight = {math.prod(left): "left", math.prod(right): "right"}.get(known, "")
    if weight != "left":
        left = (*result[:-1], inner)
    return Product(left, right, weight)


def _shape(tensor: dict[str, list[int]]) -> Shape:
    (shape,) = tensor.values()
    return tuple(shape)


def plain_session(model: bytes) -> Any:
    """A session for a graph of our own making, which needs no guards: one CPU thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])


def alone(wanted: Sequence[Product]) -> Callable[[], object]:
    """A function that computes these products, with random matrices, and nothing else."""
    rng = np.random.default_rng(0)
    session = plain_session(_model(wanted, rng))
    binding = session.io_binding()
    arrays = []  # the binding does not keep them alive
    for tensor in session.get_inputs():
        arrays.append(rng.standard_normal(tensor.shape, dtype=np.float32))
        binding.bind_cpu_input(tensor.name, arrays[-1])
    for tensor in session.get_outputs():
        arrays.append(np.zeros(tensor.shape, dtype=np.float32))
        binding.bind_output(tensor.name, "cpu", 0, np.float32, arrays[-1].shape, arrays[-1].ctypes.data)

    def run() -> list[Any]:
        session.run_with_iobinding(binding)
        return arrays

    return run


def _model(wanted: Sequence[Product], rng: np.random.Generator) -> bytes:
    """An ONNX model of products, written field by field with the numbers of onnx.proto, without the onnx package."""
    graph, operator = _field(2, "products"), _field(4, "MatMul")
    for index, product in enumerate(wanted):
        names, result = {"left": f"left{index}", "right": f"right{index}"}, f"result{index}"
        graph += _field(1, b"".join([*(_field(1, name) for name in names.values()), _field(2, result), operator]))
        for side, shape in (("left", product.left), ("right", product.right)):
            if side == product.weight:
                values = rng.standard_normal(shape, dtype=np.float32).astype("<f4").tobytes()
                dims = b"".join(_field(1, size) for size in shape)
                graph += _field(5, dims + _field(2, FLOAT) + _field(8, names[side]) + _field(9, values))
            else:
                graph += _field(11, _value(names[side], shape))
        graph += _field(12, _value(result, product.result))
    return _field(1, IR_VERSION) + _field(7, graph) + _field(8, _field(2, OPSET))


def _value(name: str, shape: Shape) -> bytes:
    dims = b"".join(_field(1, _field(1, size)) for size in shape)
    return _field(1, name) + _field(2, _field(1, _field(1, FLOAT) + _field(2, dims)))


def _field(number: int, value: int | str | bytes) -> bytes:
    """A protobuf field: a number, or text or bytes preceded by their length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    low, rest = value & 127, value >> 7
    return bytes([low | 128]) + _varint(rest) if rest else bytes([low])
