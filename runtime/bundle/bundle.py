"""Bundles: a folder NAME.ngs/, or the same files zipped. Opened, checked, and run through onnxruntime."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.files import MAX_ARRAYS_BYTES, Files, read_arrays, reason
from ngs.runtime.bundle.graph_check import MAX_GRAPH_BYTES
from ngs.runtime.bundle.manifest import MAX_MANIFEST_BYTES, BundleError, Manifest, read_manifest
from ngs.runtime.bundle.session import PROVIDERS, _check_signature, _choose_provider, make_session
from ngs.runtime.dsp.excitation import HAS_FFT32, Filling

if TYPE_CHECKING:
    import onnxruntime

MAX_GOLDEN_ROWS = 16
TOLERANCE = 1e-4  # largest error of a graph against its golden vectors
# along directions that hardly a sound takes the prior's inverse magnifies rounding errors ten times and more
MAGNIFICATION = {"embedding_encoder": 10.0}


class Bundle:
    """An opened bundle. Sessions are made when a graph is first run, after its hash and signature were checked.

    Nothing in a bundle is trusted: names stay inside it, sizes are capped, archives hold no pickles, graphs do no more
    than those that `ngs export` writes.
    """

    def __init__(self, path: Path, manifest: Manifest, files: Files, provider: str, threads: int) -> None:
        self.path, self.manifest, self.provider, self.threads = path, manifest, provider, threads
        self._files = files
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}

    @classmethod
    def open(cls, path: str | Path | None = None, provider: str = "auto", threads: int = 1) -> Bundle:
        """Open a folder or a zipped bundle; without a path the one that comes with ngs.

        provider: "cpu", "cuda", or "auto" (CUDA where onnxruntime finds a device and its libraries, else the CPU).
        threads: of one session; 1 is the steadiest beside live audio. Raises BundleError, ValueError.
        """
        if provider not in ("auto", *PROVIDERS):
            raise ValueError(f"There is no provider {provider!r}; known: auto, cpu, cuda")
        path = shipped() if path is None else Path(path)
        files = Files(path)
        if path.is_dir() and "manifest.json" not in files.names():
            raise BundleError(f"{path} is no bundle: it has no manifest.json. Is it a folder of sounds, or a run?")
        content = files.read("manifest.json", MAX_MANIFEST_BYTES)
        try:
            manifest = read_manifest(content)
        except BundleError as error:
            raise BundleError(f"{path}: {error}") from error
        for group in (manifest.graphs, manifest.files):
            for spec in group.values():
                files.check(spec.file)
        return cls(path, manifest, files, _choose_provider(provider), threads)

    def run(self, graph: str, **inputs: Array) -> tuple[Array, ...]:
        """Run a graph on float32 inputs by name; returns its outputs in the order of the manifest.

        Raises BundleError where the graph fails or its outputs are not numbers of the shapes it promised.
        """
        session = self.session(graph)
        if not all(value.size for value in inputs.values()):  # onnxruntime's GRU would end the process
            raise BundleError(f"{self.path}: {graph} cannot be run (an input is empty)")
        try:
            values: Any = session.run(None, inputs)
        except Exception as error:  # onnxruntime's own exceptions share no base class
            raise BundleError(f"{self.path}: {graph} cannot be run ({reason(error)})") from error
        outputs: tuple[Array, ...] = tuple(values)
        batch = len(next(iter(inputs.values())))
        for spec, output in zip(self.manifest.graphs[graph].outputs, outputs, strict=True):
            if output.shape != (batch, *spec.shape[1:]):
                raise BundleError(
                    f"{self.path}: {graph} gave {spec.name} {output.shape}, expected {(batch, *spec.shape[1:])}"
                )
            if not np.isfinite(output).all():
                raise BundleError(f"{self.path}: {graph} gave {spec.name} that is not finite: export the run anew")
        return outputs

    def session(self, graph: str) -> onnxruntime.InferenceSession:
        """The graph's onnxruntime session, made on first use."""
        if graph not in self._sessions:
            if graph not in self.manifest.graphs:
                raise BundleError(f"{self.path}: there is no graph {graph!r}")
            self._sessions[graph] = self._made(graph)
        return self._sessions[graph]

    def captured_session(self, graph: str) -> onnxruntime.InferenceSession:
        """A new CUDA session that replays its calls as a CUDA graph, or, where onnxruntime cannot, one like `session`.

        Its inputs and outputs must be bound once, to buffers of the device.
        """
        try:
            return self._made(graph, captured=True)
        except BundleError:
            return self.session(graph)

    def _made(self, graph: str, captured: bool = False) -> onnxruntime.InferenceSession:
        spec = self.manifest.graphs[graph]
        content = self._verified(spec.file, spec.sha256, MAX_GRAPH_BYTES)
        try:
            session = make_session(content, self.provider, self.threads, spec.file, captured)
            _check_signature(session, spec)
        except BundleError as error:
            raise BundleError(f"{self.path}: {error}") from error
        return session

    def condition(self, choices: Mapping[str, str] | str) -> Array:
        """One-hot condition, float32 [C], zeros for attributes that are not chosen; a word is a class of the first one.

        Upper and lower case are alike. Raises ValueError for an attribute or class that the bundle does not have.
        """
        if isinstance(choices, str):
            choices = {self.manifest.attributes[0].name: choices}
        vector = np.zeros(self.manifest.condition_size, dtype=np.float32)
        attributes = {attribute.name: attribute for attribute in self.manifest.attributes}
        offsets, total = {}, 0
        for attribute in self.manifest.attributes:
            offsets[attribute.name] = total
            total += len(attribute.classes)
        for name, chosen in choices.items():
            named = _look_up(name, attributes, "attribute")
            classes, offset = attributes[named].classes, offsets[named]
            chosen_class = _look_up(chosen, classes, named)
            vector[offset : offset + len(classes)] = 0.0  # "class" and "Class" are one attribute: the last one counts
            vector[offset + classes.index(chosen_class)] = 1.0
        return vector

    @cached_property
    def latent_map(self) -> dict[str, NDArray[Any]]:
        """Axes of the grain latents and a sample of the corpus: mean [Z], components [K, Z] (the directions along which
        timbre changes most, of unit length), explained_variance [K] (of the latents along each), low and high [K]
        (2nd and 98th percentiles), points [N, Z], labels [N, A], embeddings [M, E], embedding_labels [M, A]."""
        arrays = self._archive("latent_map")
        z, e = self.manifest.latent_size, self.manifest.embedding_size
        columns = len(self.manifest.attributes)
        k, n, m = (
            arrays[name].shape[0] if name in arrays and arrays[name].ndim else -1
            for name in ("components", "points", "embeddings")
        )
        expected = {
            "mean": (z,), "components": (k, z), "explained_variance": (k,), "low": (k,), "high": (k,),
            "points": (n, z), "labels": (n, columns), "embeddings": (m, e), "embedding_labels": (m, columns),
        }  # fmt: skip
        for name, shape in expected.items():
            if name not in arrays or arrays[name].shape != shape or min(k, n, m) < 1:
                found = arrays[name].shape if name in arrays else "missing"
                raise BundleError(f"{self.path}: latent_map {name} is {found}, expected {shape}")
            if arrays[name].dtype.kind != ("i" if "labels" in name else "f"):
                raise BundleError(f"{self.path}: latent_map {name} holds {arrays[name].dtype}, expected other numbers")
            if not np.isfinite(arrays[name]).all():
                raise BundleError(f"{self.path}: latent_map {name} holds NaN or infinite values")
        classes = [len(attribute.classes) for attribute in self.manifest.attributes]
        for name in ("labels", "embedding_labels"):
            labels = arrays[name]
            if labels.min() < -1 or (labels.max(axis=0) >= classes).any():
                raise BundleError(f"{self.path}: latent_map {name} holds others than the classes of the manifest")
        return {name: arrays[name] if "labels" in name else arrays[name].astype(np.float32) for name in expected}

    @cached_property
    def latent_spread(self) -> Array:
        """The axes of the latent map, each as long as the corpus's standard deviation along it: [K, Z]."""
        spread: Array = np.sqrt(self.latent_map["explained_variance"])[:, None] * self.latent_map["components"]
        return spread

    def golden(self) -> dict[str, NDArray[Any]]:
        """Inputs and outputs of every graph as torch computed them, by "graph/tensor"."""
        return self._archive("golden")

    @cached_property
    def filling(self) -> Filling | None:
        """What fills many grains at once as the synthesis graph does, and faster; None where the graph has to.

        That is on a GPU, without a state (noise alone), with numpy 1, and where the graph follows another law.
        """
        spec = self.manifest.graphs["synthesis"]
        if self.provider != "cpu" or not spec.states or not HAS_FFT32:
            return None
        points = int({tensor.name: tensor.shape[1] for tensor in spec.inputs}["profile"])
        if self.manifest.grain_length % points:
            return None
        filling = Filling(self.manifest.grain_length, points)
        return filling if filling.agrees(lambda **inputs: self.run("synthesis", **inputs)) else None

    def largest_errors(self) -> dict[str, float]:
        """Run every graph on its golden inputs: the largest difference to the golden outputs, by graph.

        Relative to the largest value of an output where that is above 1, and to what the graph magnifies rounding by.
        """
        golden = self.golden()
        errors = {}
        for name, graph in self.manifest.graphs.items():
            try:
                inputs = {spec.name: golden[f"{name}/{spec.name}"] for spec in graph.inputs}
                expected = [golden[f"{name}/{spec.name}"] for spec in graph.outputs]
            except KeyError as error:
                raise BundleError(f"{self.path}: the golden vectors lack {error}") from error
            if not all(array.size for array in (*inputs.values(), *expected)):
                raise BundleError(f"{self.path}: the golden vectors of {name} are empty")
            rows = len(expected[0]) if expected[0].ndim else 0
            for spec, array in zip((*graph.inputs, *graph.outputs), (*inputs.values(), *expected), strict=True):
                if array.dtype != spec.dtype or array.shape != (rows, *spec.shape[1:]) or rows > MAX_GOLDEN_ROWS:
                    raise BundleError(
                        f"{self.path}: the golden vectors of {name}: expected {spec.name} of up to {MAX_GOLDEN_ROWS} "
                        f"rows of {spec.shape[1:]}, {spec.dtype}, found {array.shape}, {array.dtype}"
                    )
            outputs = self.run(name, **inputs)
            with np.errstate(all="ignore"):  # vectors that are not finite give NaN
                errors[name] = max(
                    float(np.abs(ours - theirs).max() / max(1.0, np.abs(theirs).max()) / MAGNIFICATION.get(name, 1.0))
                    for ours, theirs in zip(outputs, expected, strict=True)
                )
        return errors

    def _verified(self, file: str, sha256: str, most: int) -> bytes:
        content = self._files.read(file, most)
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise BundleError(
                f"{self.path}: {file} is not the file that was exported (sha256 {found[:12]}..., "
                f"expected {sha256[:12]}...): copy the bundle again or export it anew"
            )
        return content

    def _archive(self, name: str) -> dict[str, NDArray[Any]]:
        spec = self.manifest.files[name]
        content = self._verified(spec.file, spec.sha256, MAX_ARRAYS_BYTES)
        return read_arrays(content, f"{self.path}: {spec.file}")


def shipped() -> Path:
    """The zipped bundle that comes with ngs: drums of eight classes. Raises BundleError where it was left out."""
    path = Path(str(resources.files("ngs.runtime") / "drums.ngs"))
    if not path.is_file():
        raise BundleError(f"The bundle that comes with ngs is missing ({path}): install ngs again, or name a bundle")
    return path


def _look_up(name: str, known: Iterable[str], kind: str) -> str:
    known = list(known)
    for candidate in sorted(known, key=lambda candidate: candidate != name):  # the same case first
        if candidate.lower() == name.lower():
            return candidate
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    listed = ", ".join(known[:40]) + (", ..." if len(known) > 40 else "")
    raise ValueError(f"There is no {kind} {name!r} in this bundle; {hint}known: {listed}")
