"""A bundle: a folder NAME.ngs/, or the same files zipped. Opens it, checks it, and runs its graphs in onnxruntime."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.bundle.files import MAX_ARRAYS_BYTES, Files, read_arrays
from ngs.runtime.bundle.graph_check import MAX_GRAPH_BYTES
from ngs.runtime.bundle.latent_map import check_latent_map
from ngs.runtime.bundle.manifest import MAX_MANIFEST_BYTES, Manifest, read_manifest
from ngs.runtime.bundle.session import PROVIDERS, check_signature, choose_provider, make_session
from ngs.runtime.drum_names import same_class
from ngs.runtime.dsp.locked_tones import HAS_FFT32, Filling
from ngs.runtime.dsp.paths import LoudnessMap, map_grid
from ngs.runtime.errors import printable, reason

if TYPE_CHECKING:
    import onnxruntime


class Bundle:
    """An opened bundle. A graph's hash and signature are checked, and its session made, when it is first run.

    Nothing in a bundle is trusted: files are read from inside it only, sizes are capped, archives hold no pickles, and
    a graph that does more than those of `ngs export` is refused.

    sha256: of the manifest, which has those of all files: the same for a folder and an archive of one bundle.
    `with Bundle.open(...) as bundle` closes it at the end.
    """

    def __init__(
        self, path: Path, manifest: Manifest, sha256: str, files: Files, provider: str, threads: int, held: bool = True
    ) -> None:  # fmt: skip
        self.path, self.manifest, self.sha256, self.provider, self.threads = path, manifest, sha256, provider, threads
        self.held = held and bool(manifest.loudness)  # whether its sounds are held to the loudness of the corpus
        self._files = files
        self._sessions: dict[str, onnxruntime.InferenceSession] = {}
        self._closed = False

    @classmethod
    def open(
        cls, path: str | Path | None = None, provider: str = "auto", threads: int = 1, held: bool = True,
        verify: bool = False,
    ) -> Self:  # fmt: skip
        """Open a folder or a zipped bundle; without a path, the drums that come with ngs.

        provider: "cpu", "cuda", or "auto" (CUDA if it works, else the CPU). threads: how many a session computes
        with; 1 is the steadiest beside live audio. held: whether drawn sounds and free paths are held to the loudness
        of the corpus, if the bundle knows it (format 4), or stay as they are decoded. verify: check the hashes of all
        files now (for the drums some 0.15 s of a core), not only that of a file when it is first used. Raises
        BundleError, ValueError.

        Thread: any. Waits: for the file, with `verify` for all files. Memory: the manifest.
        """
        if provider not in ("auto", *PROVIDERS):
            raise ValueError(f"There is no provider {provider!r}; known: auto, cpu, cuda")
        path = shipped() if path is None else Path(path)
        files = Files(path)
        if path.is_dir() and "manifest.json" not in files.names():
            raise BundleError(f"{path} is not a bundle: it has no manifest.json. Is it a folder of sounds, or a run?")
        content = files.read("manifest.json", MAX_MANIFEST_BYTES)
        try:
            manifest = read_manifest(content)
        except BundleError as error:
            raise BundleError(f"{path}: {error}") from error
        for group in (manifest.graphs, manifest.files):
            for spec in group.values():
                files.check(spec.file)
        sha256 = hashlib.sha256(content).hexdigest()
        opened = cls(path, manifest, sha256, files, choose_provider(provider), threads, held)
        if verify:
            for group, most in ((manifest.graphs, MAX_GRAPH_BYTES), (manifest.files, MAX_ARRAYS_BYTES)):
                for spec in group.values():
                    opened._verified(spec.file, spec.sha256, most)
        return opened

    def close(self) -> None:
        """Close the file and free the sessions. What still plays the bundle keeps what it has until it is freed.

        Further use raises BundleError; closing again does nothing.

        Thread: any, when no other uses it. Waits: no. Memory: frees the sessions.
        """
        self._closed = True
        self._files.close()
        self._sessions.clear()
        for name in ("latent_map", "latent_spread", "map_grid", "loudness_map", "filling", "_filling_or_reason"):
            self.__dict__.pop(name, None)

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def check_open(self) -> None:
        """Raise BundleError if the bundle is closed.

        Thread: any. Waits: no. Memory: none.
        """
        if self._closed:
            raise BundleError(f"{self.path} is closed: open it again, and close it after all that plays it")

    def __enter__(self) -> Self:
        self.check_open()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        manifest = self.manifest
        classes = ", ".join(f"{len(each.classes)} of {each.name}" for each in manifest.attributes)
        return (
            f"<Bundle {printable(str(self.path))}: format {manifest.format_version}, {manifest.sample_rate} Hz, "
            f"{classes}, {'closed' if self._closed else self.provider}>"
        )

    def run(self, graph: str, **inputs: Array) -> tuple[Array, ...]:
        """Run a graph on float32 inputs by name, and return its outputs in the manifest's order.

        Raises BundleError if the graph fails, or if an output has the wrong shape or is not finite.

        Thread: any. Waits: for the graph, and at first for its session. Memory: the outputs.
        """
        session = self.session(graph)
        if not all(value.size for value in inputs.values()):  # onnxruntime's GRU would crash the process
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

    def synthesise(self, inputs: Mapping[str, Array], starts: bool = False) -> tuple[Array, ...]:
        """Run the graph `synthesis` on inputs [B, ...] by name, but `onset`: grains [B, L] and following states.

        `starts`: whether these grains are the first of their sounds, which only graphs of format 3 want to know. Raises
        BundleError for outputs that are not what the manifest says.

        Thread: any. Waits: for the graph, and at first for its session. Memory: the outputs.
        """
        if "onset" in [spec.name for spec in self.manifest.graphs["synthesis"].inputs]:
            inputs = {**inputs, "onset": np.full((len(inputs["noise"]), 1), starts, np.float32)}
        return self.run("synthesis", **inputs)

    def session(self, graph: str) -> onnxruntime.InferenceSession:
        """The graph's onnxruntime session, made on first use.

        Thread: any. Waits: at first for the file and onnxruntime. Memory: the session, kept.
        """
        self.check_open()
        if graph not in self._sessions:
            if graph not in self.manifest.graphs:
                raise BundleError(f"{self.path}: there is no graph {graph!r}")
            self._sessions[graph] = self._made(graph)
        return self._sessions[graph]

    def captured_session(self, graph: str) -> onnxruntime.InferenceSession:
        """A new CUDA session that replays its calls as a CUDA graph, or `session` if onnxruntime cannot do that.

        Its inputs and outputs must be bound once, to buffers on the device.

        Thread: any. Waits: for the file and onnxruntime. Memory: the session.
        """
        try:
            return self._made(graph, captured=True)
        except BundleError:
            return self.session(graph)

    def profiled_session(self, graph: str, prefix: str) -> onnxruntime.InferenceSession:
        """A new session, checked as `session` is, that writes onnxruntime's profile to a file PREFIX_*.json.

        Thread: any. Waits: for the file and onnxruntime. Memory: the session.
        """
        return self._made(graph, profile=prefix)

    def _made(self, graph: str, captured: bool = False, profile: str = "") -> onnxruntime.InferenceSession:
        spec = self.manifest.graphs[graph]
        content = self._verified(spec.file, spec.sha256, MAX_GRAPH_BYTES)
        try:
            session = make_session(content, self.provider, self.threads, spec.file, captured, profile)
            check_signature(session, spec)
        except BundleError as error:
            raise BundleError(f"{self.path}: {error}") from error
        return session

    def condition(self, choices: Mapping[str, str] | str) -> Array:
        """The condition for classes by attribute, float32 [C]: one-hot in each attribute, zeros in those left open.

        A single word is a class of the first attribute. Spelling does not matter as far as `drum_names` sees the same
        word: case, plurals, "BD" for "Kicks". Raises ValueError for an attribute or a class that the bundle does not
        have, and BundleError if it is closed.

        Thread: any. Waits: no. Memory: the array.
        """
        self.check_open()
        if isinstance(choices, str):
            choices = {self.manifest.attributes[0].name: choices}
        if not isinstance(choices, Mapping) or not all(
            isinstance(text, str) for pair in choices.items() for text in pair
        ):
            raise ValueError(f"choices are {choices!r:.80}: choose a class, or classes by attribute")
        vector = np.zeros(self.manifest.condition_size, dtype=np.float32)
        attributes = {attribute.name: attribute for attribute in self.manifest.attributes}
        for name, chosen in choices.items():
            attribute = attributes[_look_up(name, attributes, "attribute")]
            place = self.manifest.places[attribute.name]
            vector[place] = 0.0  # "class" and "Class" are one attribute: the last one counts
            vector[place.start + attribute.classes.index(_look_up(chosen, attribute.classes, attribute.name))] = 1.0
        return vector

    def first_class(self, condition: Array) -> int | None:
        """The index of the condition's class of the first attribute, or None if it is open.

        Thread: any. Waits: no. Memory: a little.
        """
        classes = condition[self.manifest.places[self.manifest.attributes[0].name]]
        return int(classes.argmax()) if classes.any() else None

    @cached_property
    def latent_map(self) -> dict[str, NDArray[Any]]:
        """Axes of the grain latents and a sample of the corpus, as `ngs.runtime.bundle.latent_map` describes them.

        Thread: any. Waits: at first for the file. Memory: the arrays, kept.
        """
        arrays = self._archive("latent_map")
        try:
            return check_latent_map(arrays, self.manifest)
        except BundleError as error:
            raise BundleError(f"{self.path}: {error}") from error

    @cached_property
    def latent_spread(self) -> Array:
        """The axes of the latent map, each as long as the standard deviation of the corpus along it: [K, Z].

        Thread: any. Waits: at first for the file. Memory: the array, kept.
        """
        spread: Array = np.sqrt(self.latent_map["explained_variance"])[:, None] * self.latent_map["components"]
        return spread

    @cached_property
    def map_grid(self) -> Array:
        """The whole latent map as a path, as `ngs.runtime.dsp.paths.map_grid` makes it: float32 [17, 17, Z].

        Thread: any. Waits: at first for the file. Memory: the array, kept.
        """
        grid = map_grid(self.latent_map)
        grid.setflags(write=False)  # players share it
        return grid

    @cached_property
    def loudness_map(self) -> LoudnessMap:
        """The loudness of the corpus around latents, which free paths are held to. Only for format 4.

        Thread: any. Waits: at first for the file. Memory: the map, kept.
        """
        return LoudnessMap(self.latent_map)

    def golden(self) -> dict[str, NDArray[Any]]:
        """Inputs of every graph, and the outputs torch computed for them at export, by "graph/tensor".

        Thread: any. Waits: for the file. Memory: the arrays.
        """
        return self._archive("golden")

    @cached_property
    def filling(self) -> Filling | None:
        """A faster numpy version of the synthesis graph, or None if it does not match the graph.

        Thread: any. Waits: at first for the graph. Memory: its tables, kept.
        """
        found = self._filling_or_reason
        return None if isinstance(found, str) else found

    @property
    def offline_decoding(self) -> str:
        """What fills grains when this machine decodes offline, and why, as a line to show.

        Thread: any. Waits: at first for the graph. Memory: that of `filling`.
        """
        found = self._filling_or_reason
        return (
            f"the synthesis graph: {found}"
            if isinstance(found, str)
            else "numpy, which agrees with the synthesis graph"
        )

    @cached_property
    def _filling_or_reason(self) -> Filling | str:
        """The numpy version of the synthesis graph, or why there is none."""
        spec, grain_length = self.manifest.graphs["synthesis"], self.manifest.grain_length
        if self.provider != "cpu":
            return "it runs on a GPU"
        if not spec.states:
            return "numpy has a faster version for locked tones only"
        if not HAS_FFT32:
            return f"numpy {np.__version__} has no FFT of 32-bit floats (numpy 2 has one, and is faster)"
        points = int({tensor.name: tensor.shape[1] for tensor in spec.inputs}["profile"])
        if grain_length % points:
            return f"grains of {grain_length} samples do not divide into {points} parts"
        filling = Filling(grain_length, points)
        if not filling.agrees(self.synthesise):
            return "numpy computes other grains than this graph"
        return filling

    def _verified(self, file: str, sha256: str, most: int) -> bytes:
        self.check_open()
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


def as_bundle(
    bundle: Bundle | str | Path, provider: str = "auto", threads: int = 1, held: bool = True
) -> Bundle:  # fmt: skip
    """A bundle that is open, or the one at a path, opened. Raises BundleError, ValueError."""
    if isinstance(bundle, Bundle):
        bundle.check_open()
        return bundle
    if not isinstance(bundle, str | Path):
        raise ValueError(
            f"the bundle is {bundle!r}: give a path or a Bundle; Bundle.open() is the one that comes with ngs"
        )
    return Bundle.open(bundle, provider, threads, held)


def shipped_path() -> Path:
    """Where the bundle that comes with ngs should be."""
    return Path(str(resources.files("ngs.runtime") / "drums.ngs"))


def shipped() -> Path:
    """Path of the bundle that comes with ngs, drums of eight classes. Raises BundleError if it is missing."""
    path = shipped_path()
    if not path.is_file():
        raise BundleError(f"The bundle that comes with ngs is missing ({path}): install ngs again, or name a bundle")
    return path


def _look_up(name: str, known: Iterable[str], kind: str) -> str:
    known = list(known)
    if (same := same_class(name, known)) is not None:
        return same
    near = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    listed = ", ".join(known[:40]) + (", ..." if len(known) > 40 else "")
    raise ValueError(f"There is no {kind} {name!r} in this bundle; {hint}known: {listed}")
