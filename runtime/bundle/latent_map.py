"""The latent map of a bundle: axes through the grain latents, and a sample of the corpus.

With Z numbers in a latent, E in an embedding, and A attributes, its arrays are

    mean                [Z]     mean of the corpus's grain latents
    components          [K, Z]  unit axes along which timbre changes most
    explained_variance  [K]     variance of the latents along each axis
    low, high           [K]     2nd and 98th percentiles along each axis
    points              [N, Z]  latents of grains of the corpus
    labels              [N, A]  their classes, -1 if unknown
    loudness            [N]     of these grains, as `dsp.loudness.grain_loudness` has it; none in format 3
    embeddings          [M, E]  embeddings of sounds of the corpus
    embedding_labels    [M, A]  their classes, -1 if unknown
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.bundle.manifest import Manifest


def check_latent_map(arrays: dict[str, NDArray[Any]], manifest: Manifest) -> dict[str, NDArray[Any]]:
    """The arrays above, labels as they are and all others as float32.

    Raises BundleError for one that is missing, of another shape or kind, not finite, or with unknown classes.
    """
    z, e, columns = manifest.latent_size, manifest.embedding_size, len(manifest.attributes)
    k, n, m = (
        arrays[name].shape[0] if name in arrays and arrays[name].ndim else -1
        for name in ("components", "points", "embeddings")
    )
    expected = {
        "mean": (z,), "components": (k, z), "explained_variance": (k,), "low": (k,), "high": (k,),
        "points": (n, z), "labels": (n, columns), "embeddings": (m, e), "embedding_labels": (m, columns),
    }  # fmt: skip
    if manifest.format_version >= 4:
        expected["loudness"] = (n,)
    classes = [len(attribute.classes) for attribute in manifest.attributes]
    checked = {}
    for name, shape in expected.items():
        if name not in arrays or arrays[name].shape != shape or min(k, n, m) < 1:
            found = arrays[name].shape if name in arrays else "missing"
            raise BundleError(f"latent_map {name} is {found}, expected {shape}")
        array, labels = arrays[name], "labels" in name
        if array.dtype.kind != ("i" if labels else "f"):
            raise BundleError(f"latent_map {name} holds {array.dtype}, expected {'integers' if labels else 'floats'}")
        if not np.isfinite(array).all():
            raise BundleError(f"latent_map {name} holds NaN or infinite values")
        if labels and (array.min() < -1 or (array.max(axis=0) >= classes).any()):
            raise BundleError(f"latent_map {name} holds classes that the manifest does not have")
        checked[name] = array if labels else array.astype(np.float32)
    return checked
