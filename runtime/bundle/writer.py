"""Writes bundles: under another name first, checked by the classes that read them, then renamed."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.atomic import replace_path, writable
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.bundle.files import Files
from ngs.runtime.bundle.golden import EXPORT_TOLERANCE, largest_errors
from ngs.runtime.bundle.manifest import Manifest
from ngs.runtime.bundle.session import make_session, signature
from ngs.runtime.bundle.specs import FileSpec, GraphSpec, TensorSpec


def write_bundle(
    path: Path,
    manifest: Manifest,
    graphs: Mapping[str, bytes],
    arrays: Mapping[str, Mapping[str, NDArray[Any]]],
    zipped: bool = False,
) -> dict[str, float]:
    """Write a bundle, and return the largest error of each graph against its golden vectors.

    The manifest comes without graphs and files; they are filled in from `graphs` (ONNX models by name) and `arrays`
    (latent_map and golden). The bundle appears under its name when it has been opened and every graph agrees with its
    golden vectors, to a tenth of what it may differ by on other machines. It replaces a bundle of that name. Raises
    BundleError, OSError.
    """
    check_target(path)
    contents = {f"{name}.onnx": model for name, model in graphs.items()}
    contents |= {f"{name}.npz": _archive(members) for name, members in arrays.items()}
    manifest = replace(
        manifest,
        graphs={name: _graph_spec(f"{name}.onnx", model) for name, model in graphs.items()},
        files={name: FileSpec(f"{name}.npz", _sha256(contents[f"{name}.npz"])) for name in arrays},
    )
    contents["manifest.json"] = (json.dumps(manifest.to_dict(), indent=1) + "\n").encode()
    beside = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=writable(path.parent)))
    try:
        made = beside / path.name
        _write_contents(made, contents, zipped)
        errors = largest_errors(Bundle.open(made, provider="cpu"))
        for name, error in errors.items():
            if not error < EXPORT_TOLERANCE:
                raise BundleError(f"{name}.onnx differs from torch by {error:.2g}, more than {EXPORT_TOLERANCE:.0e}")
        replace_path(made, path, beside / "old")
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return errors


def _write_contents(path: Path, contents: Mapping[str, bytes], zipped: bool) -> None:
    if zipped:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in contents.items():
                # an entry without a time: the same contents give the same bytes
                archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    else:
        path.mkdir()
        for name, content in contents.items():
            (path / name).write_bytes(content)


def check_target(path: Path) -> None:
    """Raise BundleError or OSError if no bundle can be written to this path."""
    if path.exists() and not _is_bundle(path):
        raise BundleError(f"{path} exists and is not a bundle: choose another name")
    writable(path.parent)


def _is_bundle(path: Path) -> bool:
    """Whether a folder or archive holds a manifest, graphs and arrays and nothing else, so that it may be replaced."""
    try:
        names = Files(path).names()
    except BundleError:
        return False
    return "manifest.json" in names and all(
        name == "manifest.json" or name.endswith((".onnx", ".npz")) for name in names
    )  # fmt: skip


def _graph_spec(file: str, model: bytes) -> GraphSpec:
    session = make_session(model, "cpu", 1, file)
    inputs, outputs = (
        tuple(TensorSpec(*values) for values in signature(side, file))
        for side in (session.get_inputs(), session.get_outputs())
    )
    following = {tensor.name for tensor in outputs}
    states = tuple(tensor for tensor in inputs if f"next_{tensor.name}" in following)
    return GraphSpec(file, _sha256(model), inputs, outputs, states)


def _archive(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays)
    return content.getvalue()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
