"""Can a model be exported? Asked before it is trained, while its sounds alone decide.

`ngs export` refuses graphs that differ from the trained modules. What sounds have to do with it is how much the linear
maps that are computed from them magnify rounding. So the modules that export would convert run here as they are, in
torch, against the golden vectors. Those that would compute exactly what the trained modules do run in 64 bits, so that
they round in another way, as onnxruntime does. The conversion to ONNX is the same for all sounds.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ngs.export.encoding import encode_excerpts
from ngs.export.golden import Reference, golden_vectors
from ngs.export.graphs import Graph, embedding_graphs, grain_graphs
from ngs.export.onnx_export import round_weights
from ngs.runtime.bundle.golden import EXPORT_TOLERANCE, graph_error
from ngs.training.config import Config
from ngs.training.model.model import NeuralGranularModel
from ngs.training.run_folder import RunError

GRAINS = ("encoder", "decoder")  # the graphs whose weights come from sounds before any training
EMBEDDINGS = ("embedding_encoder", "embedding_decoder")
# already round in another way than the trained modules
WITH_DFT = ("encoder", "onset", "synthesis", "decoder_stream")


@torch.no_grad()
def rehearse(model: NeuralGranularModel, audio: Tensor, labels: Tensor, embedding: bool) -> dict[str, float]:
    """The errors that graphs would have if a model were exported now, by graph.

    Of the graphs of grains, and with `embedding` of those that read and write paths. Signals [N, n] with labels [N, A]
    are of the model's sounds. The model does not change. Raises RunError if an error is too large for an export.
    """
    model = copy.deepcopy(model).cpu().eval()
    round_weights(model)
    graphs = {**grain_graphs(model), **embedding_graphs(model)}
    checked = {name: graphs[name] for name in (*GRAINS, *(EMBEDDINGS if embedding else ()))}
    errors = errors_in_torch(checked, golden_vectors(Reference(model), checked, encode_excerpts(model, audio, labels)))
    for name, error in errors.items():
        if not error < EXPORT_TOLERANCE:
            raise RunError(
                f"A model of these sounds could not be exported: its {name} would differ by {error:.1g}, more than "
                f"{EXPORT_TOLERANCE:.0e}: train with --set {_remedy(name, model.config)}"
            )
    return errors


@torch.no_grad()
def errors_in_torch(graphs: Mapping[str, Graph], golden: Mapping[str, NDArray[Any]]) -> dict[str, float]:
    """The errors of graphs against golden vectors, by graph; none of them is converted.

    With an encoder, the graphs that decode what it gives have to be among them.
    """
    widths = {name: torch.float32 if name in WITH_DFT else torch.float64 for name in graphs}
    modules = {name: copy.deepcopy(graph.module).to(widths[name]) for name, graph in graphs.items()}

    def run(name: str, **inputs: NDArray[Any]) -> list[NDArray[Any]]:
        outputs = modules[name](*(torch.from_numpy(inputs[tensor]).to(widths[name]) for tensor in graphs[name].inputs))
        parts = outputs if isinstance(outputs, tuple) else (outputs,)
        return [part.numpy().astype(np.float32) for part in parts]

    return {name: graph_error(name, graph.inputs, graph.outputs, golden, run) for name, graph in graphs.items()}


def _remedy(name: str, config: Config) -> str:
    """The setting with which rounding is magnified less."""
    if name in GRAINS:
        return f"grain.floor={3 * config.grain.floor:.2g}"
    return f"embedding.components={max(config.embedding.components // 2, 1)}"
