"""Does a bundle compute on this machine what torch computed when it was exported?

Every bundle carries golden vectors: inputs of every graph, and the outputs that the torch model gave for them. The
means of the two encoders are compared by what is heard: rounding beside loud bins moves latents along directions that
no sound takes, and the decoder makes nothing of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.bundle.specs import GraphSpec

MAX_GOLDEN_ROWS = 16
EXPORT_TOLERANCE = 1e-4  # largest error of a graph that is written
TOLERANCE = 10 * EXPORT_TOLERANCE  # the same where the bundle plays: another processor rounds in another way
HEARD_GRAINS = 16  # of a path that are compared
PHASES = ("phase", "next_phase")  # outputs in turns
TURN = 0.1  # what a turn counts: a hundredth of one is not heard, and rounding moves the phases of silent bins
FAINT = 0.01  # magnitude; differences are never taken relative to less

Run = Callable[..., Sequence[NDArray[Any]]]  # of a graph's name and its inputs by name: its outputs in order


def largest_errors(bundle: Bundle) -> dict[str, float]:
    """Run every graph on its golden inputs: the largest difference from the golden outputs, by graph.

    A graph passes if its error (see `graph_error`) is below TOLERANCE. Raises BundleError.
    """
    golden, graphs = bundle.golden(), bundle.manifest.graphs
    try:
        for name, graph in graphs.items():
            _check_vectors(golden, name, graph)
    except BundleError as error:
        raise BundleError(f"{bundle.path}: the golden vectors {error}") from error
    errors = {}
    for name, graph in graphs.items():
        inputs, outputs = ([spec.name for spec in side] for side in (graph.inputs, graph.outputs))
        errors[name] = graph_error(name, inputs, outputs, golden, bundle.run)
    return errors


def graph_error(
    name: str, inputs: Iterable[str], outputs: Iterable[str], golden: Mapping[str, NDArray[Any]], run: Run
) -> float:
    """How far a graph, run on its golden inputs, is from its golden outputs, all by their names.

    A difference is divided by the largest value of the output, if that is above 1; that of an encoder's mean is the
    difference of the magnitudes decoded from both, divided by the loudest one. NaN if golden outputs are not finite.
    """
    outputs = list(outputs)
    given = {tensor: golden[f"{name}/{tensor}"] for tensor in inputs}
    expected = [golden[f"{name}/{tensor}"] for tensor in outputs]
    if not all(np.isfinite(values).all() for values in expected):
        return float("nan")
    found = list(run(name, **given))
    errors = [
        _apart(tensor, ours, theirs).max() / max(1.0, np.abs(theirs).max())
        for tensor, ours, theirs in zip(outputs, found, expected, strict=True)
    ]
    if name in ("encoder", "embedding_encoder"):
        condition = given.get("condition", np.zeros((len(found[0]), golden["decoder/condition"].shape[1]), np.float32))
        ours, theirs = (_heard(run, name, values[0], condition) for values in (found, expected))
        loudest = np.maximum(theirs.max(1, keepdims=True), FAINT)
        errors[0] = (np.abs(ours - theirs) / loudest).max()
    return float(np.max(errors))


def _apart(tensor: str, ours: NDArray[Any], theirs: NDArray[Any]) -> NDArray[Any]:
    """Differences; those of phases on their circle, weighted by TURN."""
    apart: NDArray[Any] = np.abs(ours - theirs)
    return TURN * np.abs(apart - np.rint(apart)) if tensor in PHASES else apart


def _heard(run: Run, name: str, mean: NDArray[Any], condition: NDArray[Any]) -> NDArray[Any]:
    """The magnitudes [B, ...] of the grains that means [B, ...] of an encoder stand for, under conditions [B, C]."""
    latents = mean[:, None]
    if name == "embedding_encoder":
        path = run("embedding_decoder", embedding=mean, condition=condition)[0]
        latents = path[:, np.linspace(0, path.shape[1] - 1, HEARD_GRAINS).astype(int)]
    grains = range(latents.shape[1])
    decoded = [run("decoder", latent=np.ascontiguousarray(latents[:, n]), condition=condition)[0] for n in grains]
    magnitudes: NDArray[Any] = np.abs(np.concatenate(decoded, 1))
    return magnitudes


def _check_vectors(golden: Mapping[str, NDArray[Any]], name: str, graph: GraphSpec) -> None:
    """Raise BundleError unless a graph's golden inputs and outputs have the shapes and dtypes of its signature."""
    specs = (*graph.inputs, *graph.outputs)
    try:
        arrays = [golden[f"{name}/{spec.name}"] for spec in specs]
    except KeyError as error:
        raise BundleError(f"lack {error}") from error
    if not all(array.size for array in arrays):
        raise BundleError(f"of {name} are empty")
    rows = len(arrays[-1]) if arrays[-1].ndim else 0
    for spec, array in zip(specs, arrays, strict=True):
        if array.dtype != spec.dtype or array.shape != (rows, *spec.shape[1:]) or rows > MAX_GOLDEN_ROWS:
            raise BundleError(
                f"of {name}: expected {spec.name} of up to {MAX_GOLDEN_ROWS} rows of {spec.shape[1:]}, {spec.dtype}, "
                f"found {array.shape}, {array.dtype}"
            )
