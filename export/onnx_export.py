"""Graphs as ONNX models of standard operators, with weights in 16 bits if nothing is lost."""

from __future__ import annotations

import io
import logging
import warnings

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from ngs.export.graphs import Graph

OPSET = 20
LARGEST_BATCH = 1 << 20
CONTROL_FLOW = {"If", "Loop", "Scan"}
HALVED = 1024  # a tensor with at least this many weights is stored in 16 bits


@torch.no_grad()
def round_weights(model: torch.nn.Module) -> None:
    """Round every large tensor of a model to 16-bit floats, in place: bundles hold half as many bytes."""
    for values in (*model.parameters(), *model.buffers()):
        if values.is_floating_point() and values.numel() >= HALVED:
            half = values.half().float()
            if half.isfinite().all():
                values.copy_(half)


def export_graph(graph: Graph) -> bytes:
    """An ONNX model with a dynamic batch, checked by onnx. Raises RuntimeError for other than standard operators."""
    model = _converted(graph)
    _halve_weights(model)
    _narrow_indices(model)
    del model.metadata_props[:]
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    onnx.checker.check_model(model, full_check=True)
    domains = {node.domain for node in model.graph.node} | {entry.domain for entry in model.opset_import}
    operators = {node.op_type for node in model.graph.node}
    if domains - {""} or operators & CONTROL_FLOW:
        raise RuntimeError(f"a graph uses more than standard operators: {sorted(domains)} {sorted(operators)}")
    content = io.BytesIO()
    onnx.save_model(model, content)
    return content.getvalue()


def _converted(graph: Graph) -> onnx.ModelProto:
    example = tuple(torch.zeros(3, *shape) for shape in graph.inputs.values())
    batch = torch.export.Dim("batch", min=1, max=LARGEST_BATCH)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            graph.module.eval(),
            example,
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
            dynamo=True,
            dynamic_shapes=tuple({0: batch} for _ in example),
            opset_version=OPSET,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    return model


def _halve_weights(model: onnx.ModelProto) -> None:
    """Store weights as 16-bit floats if that loses nothing. Casts restore the 32 bits when the graph is loaded."""
    casts = []
    for initializer in model.graph.initializer:
        values = numpy_helper.to_array(initializer)
        if values.dtype != np.float32 or values.size < HALVED:
            continue
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if np.array_equal(half.astype(np.float32), values):
            name = initializer.name
            initializer.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
            casts.append(helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _narrow_indices(model: onnx.ModelProto) -> None:
    """Gather by 32-bit indices: onnxruntime takes several times as long to turn floats into 64-bit ones."""
    readers: dict[str, set[str]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, set()).add(node.op_type)
    for node in model.graph.node:
        if node.op_type == "Cast" and readers.get(node.output[0]) == {"GatherElements"}:
            node.attribute[0].i = TensorProto.INT32
    del model.graph.value_info[:]
