"""Does a bundle compute on this machine what torch computed when it was exported?

Every bundle carries golden vectors: inputs of every graph, and the outputs that the torch model gave for them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.bundle.specs import GraphSpec

MAX_GOLDEN_ROWS = 16
TOLERANCE = 1e-4  # largest error of a graph that passes
# the inverse of the prior's map magnifies rounding errors ten times and more, along directions that few sounds take
MAGNIFICATION = {"embedding_encoder": 10.0}


def largest_errors(bundle: Bundle) -> dict[str, float]:
    """Run every graph on its golden inputs: the largest difference from the golden outputs, by graph.

    An error is divided by the largest value of the output, if that is above 1, and by the graph's MAGNIFICATION.
    A graph passes if its error is below TOLERANCE. Raises BundleError.
    """
    golden = bundle.golden()
    errors = {}
    for name, graph in bundle.manifest.graphs.items():
        try:
            inputs, expected = _vectors(golden, name, graph)
        except BundleError as error:
            raise BundleError(f"{bundle.path}: the golden vectors {error}") from error
        outputs = bundle.run(name, **inputs)
        with np.errstate(all="ignore"):  # golden outputs that are not finite give NaN
            errors[name] = max(
                float(np.abs(ours - theirs).max() / max(1.0, np.abs(theirs).max()) / MAGNIFICATION.get(name, 1.0))
                for ours, theirs in zip(outputs, expected, strict=True)
            )
    return errors


def _vectors(
    golden: dict[str, NDArray[Any]], name: str, graph: GraphSpec
) -> tuple[dict[str, NDArray[Any]], list[NDArray[Any]]]:
    """A graph's golden inputs by name, and its golden outputs, all of the shapes and dtypes of its signature."""
    try:
        inputs = {spec.name: golden[f"{name}/{spec.name}"] for spec in graph.inputs}
        expected = [golden[f"{name}/{spec.name}"] for spec in graph.outputs]
    except KeyError as error:
        raise BundleError(f"lack {error}") from error
    arrays = (*inputs.values(), *expected)
    if not all(array.size for array in arrays):
        raise BundleError(f"of {name} are empty")
    rows = len(expected[0]) if expected[0].ndim else 0
    for spec, array in zip((*graph.inputs, *graph.outputs), arrays, strict=True):
        if array.dtype != spec.dtype or array.shape != (rows, *spec.shape[1:]) or rows > MAX_GOLDEN_ROWS:
            raise BundleError(
                f"of {name}: expected {spec.name} of up to {MAX_GOLDEN_ROWS} rows of {spec.shape[1:]}, {spec.dtype}, "
                f"found {array.shape}, {array.dtype}"
            )
    return inputs, expected
