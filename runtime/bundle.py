"""Bundles: a folder NAME.ngs/, or the same files zipped. Opened, checked, and run through onnxruntime."""

from __future__ import annotations

import difflib
import hashlib
import io
import json
import sys
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.excitation import HAS_FFT32, Filling
from ngs.runtime.manifest import MAX_FILE_BYTES, MAX_MANIFEST_BYTES, BundleError, GraphSpec, Manifest

if TYPE_CHECKING:
    import onnxruntime

Array = NDArray[np.float32]
PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
NO_FOLDER = "/nonexistent"
UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, ValueError)  # of a damaged archive
TOLERANCE = 1e-4  # largest error of a graph against its golden vectors
# along directions that hardly a sound takes the prior's inverse magnifies rounding errors ten times and more
MAGNIFICATION = {"embedding_encoder": 10.0}


class Bundle:
    """An opened bundle. Sessions are made when a graph is first run, after its hash and signature were checked.

    Nothing in a bundle is trusted: names stay inside it, sizes are capped, archives hold no pickles.
    """

    def __init__(self, path: Path, manifest: Manifest, files: _Files, provider: str, threads: int) -> None:
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
        files = _Files(path)
        try:
            document = json.loads(files.read("manifest.json", MAX_MANIFEST_BYTES))
        except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
            raise BundleError(f"{path}: manifest.json is not JSON ({error})") from error
        try:
            manifest = Manifest.from_dict(document)
        except BundleError as error:
            raise BundleError(f"{path}: {error}") from error
        for group in (manifest.graphs, manifest.files):
            for spec in group.values():
                files.check(spec.file)
        return cls(path, manifest, files, _choose_provider(provider), threads)

    def run(self, graph: str, **inputs: Array) -> tuple[Array, ...]:
        """Run a graph on float32 inputs by name; returns its outputs in the order of the manifest.

        Raises BundleError where the graph fails or its outputs are not of the shapes it promised.
        """
        session = self.session(graph)
        try:
            values: Any = session.run(None, inputs)
        except Exception as error:  # onnxruntime's own exceptions share no base class
            raise BundleError(f"{self.path}: {graph} cannot be run ({str(error).splitlines()[0]})") from error
        outputs: tuple[Array, ...] = tuple(values)
        batch = len(next(iter(inputs.values())))
        for spec, output in zip(self.manifest.graphs[graph].outputs, outputs, strict=True):
            if output.shape != (batch, *spec.shape[1:]):
                raise BundleError(
                    f"{self.path}: {graph} gave {spec.name} {output.shape}, expected {(batch, *spec.shape[1:])}"
                )
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
        content = self._verified(spec.file, spec.sha256)
        session = make_session(content, self.provider, self.threads, spec.file, captured)
        _check_signature(session, spec)
        return session

    def condition(self, choices: Mapping[str, str] | str) -> Array:
        """One-hot condition, float32 [C], zeros for attributes that are not chosen; a word is a class of the first one.

        Upper and lower case are alike. Raises ValueError for an attribute or class that the bundle does not have.
        """
        if isinstance(choices, str):
            choices = {self.manifest.conditions[0].name: choices}
        vector = np.zeros(self.manifest.condition_size, dtype=np.float32)
        attributes = {condition.name: condition for condition in self.manifest.conditions}
        offsets, total = {}, 0
        for condition in self.manifest.conditions:
            offsets[condition.name] = total
            total += len(condition.classes)
        for name, chosen in choices.items():
            attribute = _look_up(name, attributes, "condition")
            chosen_class = _look_up(chosen, attributes[attribute].classes, attribute)
            classes, offset = attributes[attribute].classes, offsets[attribute]
            vector[offset : offset + len(classes)] = 0.0  # "class" and "Class" are one attribute: the last one counts
            vector[offset + classes.index(chosen_class)] = 1.0
        return vector

    @cached_property
    def latent_map(self) -> dict[str, NDArray[Any]]:
        """PCA of the grain latents and a sample of the corpus: mean [Z], components [K, Z], explained_variance [K],
        low and high [K] (2nd and 98th percentiles), points [N, Z], labels [N, A], embeddings [M, E],
        embedding_labels [M, A]."""
        arrays = self._archive("latent_map")
        z, e = self.manifest.latent_size, self.manifest.embedding_size
        columns = len(self.manifest.conditions)
        k, n, m = (len(arrays[name]) if name in arrays else -1 for name in ("components", "points", "embeddings"))
        expected = {
            "mean": (z,), "components": (k, z), "explained_variance": (k,), "low": (k,), "high": (k,),
            "points": (n, z), "labels": (n, columns), "embeddings": (m, e), "embedding_labels": (m, columns),
        }  # fmt: skip
        for name, shape in expected.items():
            if name not in arrays or arrays[name].shape != shape or min(k, n, m) < 1:
                found = arrays[name].shape if name in arrays else "missing"
                raise BundleError(f"{self.path}: latent_map {name} is {found}, expected {shape}")
            if arrays[name].dtype.kind not in "fi":
                raise BundleError(f"{self.path}: latent_map {name} holds {arrays[name].dtype}, expected numbers")
            if not np.isfinite(arrays[name]).all():
                raise BundleError(f"{self.path}: latent_map {name} holds NaN or infinite values")
        classes = [len(condition.classes) for condition in self.manifest.conditions]
        for name in ("labels", "embedding_labels"):
            labels = arrays[name]
            if labels.dtype.kind != "i" or labels.min() < -1 or (labels.max(axis=0) >= classes).any():
                raise BundleError(f"{self.path}: latent_map {name} holds others than the classes of the manifest")
        return {name: array.astype(np.float32) if array.dtype.kind == "f" else array for name, array in arrays.items()}

    @cached_property
    def latent_spread(self) -> Array:
        """The principal components of the corpus's latents, each as long as its standard deviation: [K, Z]."""
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
            outputs = self.run(name, **inputs)
            if any(ours.shape != theirs.shape for ours, theirs in zip(outputs, expected, strict=True)):
                raise BundleError(f"{self.path}: golden vectors of {name} have other shapes than its outputs")
            errors[name] = max(
                float(np.abs(ours - theirs).max() / max(1.0, np.abs(theirs).max()) / MAGNIFICATION.get(name, 1.0))
                for ours, theirs in zip(outputs, expected, strict=True)
            )
        return errors

    def _verified(self, file: str, sha256: str) -> bytes:
        content = self._files.read(file, MAX_FILE_BYTES)
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            raise BundleError(
                f"{self.path}: {file} is not the file that was exported (sha256 {found[:12]}..., "
                f"expected {sha256[:12]}...): copy the bundle again or export it anew"
            )
        return content

    def _archive(self, name: str) -> dict[str, NDArray[Any]]:
        spec = self.manifest.files[name]
        content = self._verified(spec.file, spec.sha256)
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > MAX_FILE_BYTES:
                    raise BundleError(f"{self.path}: {spec.file} unpacks to more than {MAX_FILE_BYTES >> 20} MiB")
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                return {key: arrays[key] for key in arrays.files}
        except (*UNREADABLE, KeyError, MemoryError) as error:
            if isinstance(error, BundleError):
                raise
            raise BundleError(f"{self.path}: {spec.file} is not an archive of plain arrays ({error})") from error


def shipped() -> Path:
    """The zipped bundle that comes with ngs: drums of eight classes. Raises BundleError where it was left out."""
    path = Path(str(resources.files(__package__) / "drums.ngs"))
    if not path.is_file():
        raise BundleError(f"The bundle that comes with ngs is missing ({path}): install ngs again, or name a bundle")
    return path


class _Files:
    """Reads files by name out of a folder or an archive, never outside and never more than a cap."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.archive: zipfile.ZipFile | None = None
        if path.is_dir():
            return
        if not path.exists():
            raise BundleError(f"{path} does not exist: name a bundle that `ngs export` wrote")
        try:
            self.archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError) as error:
            raise BundleError(
                f"{path} is not a bundle: neither a folder nor a whole zip archive; if it was one, copy it again"
            ) from error

    def check(self, name: str) -> None:
        """Raise BundleError when there is no such plain file."""
        self._size(name)

    def read(self, name: str, most: int) -> bytes:
        size = self._size(name)
        if size > most:
            raise BundleError(f"{self.path}: {name} has {size} bytes, more than the {most} that are allowed")
        try:
            if self.archive:
                with self.archive.open(name) as file:
                    content = file.read(most + 1)
            else:
                content = (self.path / name).read_bytes()
        except UNREADABLE as error:
            raise BundleError(f"{self.path}: {name} cannot be read ({error})") from error
        if len(content) != size:
            raise BundleError(f"{self.path}: {name} has {len(content)} bytes, expected {size}")
        return content

    def _size(self, name: str) -> int:
        if self.archive:
            try:
                return self.archive.getinfo(name).file_size
            except KeyError as error:
                raise BundleError(f"{self.path}: {name} is missing") from error
        file = self.path / name
        if not file.is_file() or file.is_symlink():
            raise BundleError(f"{self.path}: {name} is missing" + (" (a link)" if file.is_symlink() else ""))
        return file.stat().st_size


def make_session(
    model: bytes, provider: str, threads: int, name: str, captured: bool = False
) -> onnxruntime.InferenceSession:
    """An onnxruntime session that does not spin and keeps quiet; `captured`: as a CUDA graph.

    Raises BundleError for a graph it cannot load.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what goes wrong is raised as well
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # subnormal numbers make an audio thread stall
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    # weights are inside the graph: one that names files would have them looked for in the current folder
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", NO_FOLDER)
    cuda = (PROVIDERS["cuda"], {"enable_cuda_graph": "1"} if captured else {})
    providers = [cuda, PROVIDERS["cpu"]] if provider == "cuda" else [PROVIDERS["cpu"]]
    try:
        return onnxruntime.InferenceSession(model, options, providers=providers)
    except Exception as error:  # onnxruntime's own exceptions share no base class
        raise BundleError(f"{name} is not a graph that onnxruntime can load ({str(error).splitlines()[0]})") from error


def signature(values: Iterable[Any]) -> list[tuple[str, str, tuple[int | str, ...]]]:
    """(name, dtype, shape) of a session's inputs or outputs; a dynamic dimension is "batch"."""
    dtypes = {"tensor(float)": "float32"}
    return [
        (value.name, dtypes.get(value.type, str(value.type)),
         tuple(size if isinstance(size, int) else "batch" for size in value.shape))
        for value in values
    ]  # fmt: skip


def _check_signature(session: onnxruntime.InferenceSession, spec: GraphSpec) -> None:
    for kind, found, specs in (
        ("inputs", signature(session.get_inputs()), spec.inputs),
        ("outputs", signature(session.get_outputs()), spec.outputs),
    ):
        expected = [(tensor.name, tensor.dtype, tensor.shape) for tensor in specs]
        if found != expected:
            raise BundleError(f"{spec.file}: {kind} are {found}, the manifest says {expected}")


def _choose_provider(wanted: str) -> str:
    """Ask for CUDA only where it can work: onnxruntime prints errors otherwise."""
    if wanted == "cpu":
        return "cpu"
    import ctypes

    import onnxruntime

    usable = PROVIDERS["cuda"] in onnxruntime.get_available_providers()
    if usable:
        try:
            ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        except OSError:
            usable = False
    if usable and hasattr(onnxruntime, "preload_dlls"):
        onnxruntime.preload_dlls()
    if wanted == "cuda" and not usable:
        raise ValueError("The provider cuda needs an NVIDIA GPU with its driver, and: pip install 'ngs[gpu]'")
    return "cuda" if usable else "cpu"


def _look_up(name: str, known: Iterable[str], kind: str) -> str:
    known = list(known)
    for candidate in sorted(known, key=lambda candidate: candidate != name):  # the same case first
        if candidate.lower() == name.lower():
            return candidate
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    listed = ", ".join(known[:40]) + (", ..." if len(known) > 40 else "")
    raise ValueError(f"There is no {kind} {name!r} in this bundle; {hint}known: {listed}")
