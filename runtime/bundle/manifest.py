"""The manifest of a bundle: its schema, read from and written to JSON, checked as the untrusted input it is."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from typing import Any

FORMAT_VERSION = 4
NAME_OF_ATTRIBUTES = {3: "conditions", 4: "attributes"}  # by the versions that can be read
MAX_MANIFEST_BYTES = 4 << 20
MAX_FILE_BYTES = 1 << 30
DTYPES = ("float32",)
BATCH = "batch"
REQUIRED_GRAPHS = (
    "encoder", "decoder", "synthesis", "postprocessing", "decoder_stream",
    "embedding_encoder", "embedding_decoder", "embedding_step",
)  # fmt: skip
REQUIRED_FILES = ("latent_map", "golden")
PROFILE_POINTS = 64  # the most a synthesis graph may ask for
HIDDEN_SIZE = 65536  # the largest state of an embedding step
HISTORY_SAMPLES = 65536  # the longest past a post-processing graph may ask for


class BundleError(ValueError):
    """A bundle that cannot be used: says which file or field, what was expected there and what was found."""


@dataclass(frozen=True)
class TensorSpec:
    """A named tensor of a graph; the first size is "batch", the others are fixed."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class GraphSpec:
    """One ONNX file and its signature.

    `states` are the inputs that a graph hands from one call to the next: the state s comes back as the output next_s.
    """

    file: str
    sha256: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    states: tuple[TensorSpec, ...] = ()


@dataclass(frozen=True)
class FileSpec:
    file: str
    sha256: str


@dataclass(frozen=True)
class Attribute:
    """An attribute of a sound, such as its class or pitch, and the values it may have."""

    name: str
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Manifest:
    name: str
    sample_rate: int  # hertz
    grain_length: int  # samples
    hop_length: int  # samples, a quarter of a grain
    latent_size: int
    embedding_size: int
    path_length: int  # grains of one embedded sound
    attributes: tuple[Attribute, ...]
    graphs: dict[str, GraphSpec]
    files: dict[str, FileSpec]
    created: str  # ISO date
    model_card: dict[str, str]
    format_version: int = FORMAT_VERSION

    @property
    def condition_size(self) -> int:
        """Length C of a condition: the number of classes of all attributes."""
        return sum(len(attribute.classes) for attribute in self.attributes)

    @property
    def places(self) -> dict[str, slice]:
        """Where in a condition the classes of each attribute are, one attribute after the other."""
        ends = list(accumulate(len(attribute.classes) for attribute in self.attributes))
        starts = (0, *ends)
        return {a.name: slice(start, end) for a, start, end in zip(self.attributes, starts, ends, strict=False)}

    def to_dict(self) -> dict[str, Any]:
        """The document, in the words of its version."""
        document = asdict(self)
        return {NAME_OF_ATTRIBUTES[self.format_version]: document.pop("attributes"), **document}

    def facts(self) -> dict[str, str]:
        """Rate, sizes and classes in words."""
        seconds = self.path_length * self.hop_length / self.sample_rate
        return {
            "sample rate": f"{self.sample_rate} Hz",
            "grain": f"{self.grain_length} samples, one every {self.hop_length}",
            "latent": f"{self.latent_size} numbers a grain",
            "embedding": f"{self.embedding_size} numbers a sound of {seconds:.2f} s",
            **{attribute.name: ", ".join(attribute.classes) for attribute in self.attributes},
        }

    @classmethod
    def from_dict(cls, data: object) -> Manifest:
        """Check every field; raises BundleError for the first that is missing or wrong."""
        fields = _object(data, "content")
        version = _member(fields, "format_version")
        if not isinstance(version, int) or version not in NAME_OF_ATTRIBUTES:
            problem = _wrong("format_version", " or ".join(map(str, NAME_OF_ATTRIBUTES)), version)
            raise BundleError(f"{problem}: export the run anew, or use the version of ngs that wrote this bundle")
        grain_length = _integer(_member(fields, "grain_length"), "grain_length", 64, 65536)
        if grain_length & (grain_length - 1):
            raise _wrong("grain_length", "a power of two", grain_length)
        manifest = cls(
            name=_text(_member(fields, "name"), "name"),
            created=_text(_member(fields, "created"), "created"),
            model_card=check_model_card(_member(fields, "model_card")),
            sample_rate=_integer(_member(fields, "sample_rate"), "sample_rate", 1000, 384000),
            grain_length=grain_length,
            hop_length=_integer(_member(fields, "hop_length"), "hop_length", grain_length // 4, grain_length // 4),
            latent_size=_integer(_member(fields, "latent_size"), "latent_size", 1, 4096),
            embedding_size=_integer(_member(fields, "embedding_size"), "embedding_size", 1, 4096),
            path_length=_integer(_member(fields, "path_length"), "path_length", 1, 65536),
            format_version=version,
            attributes=_attributes(_member(fields, NAME_OF_ATTRIBUTES[version]), NAME_OF_ATTRIBUTES[version]),
            graphs={
                _text(name, "graphs"): _graph(value, f"graphs.{name}")
                for name, value in _object(_member(fields, "graphs"), "graphs").items()
            },
            files={
                _text(name, "files"): _file(value, f"files.{name}")
                for name, value in _object(_member(fields, "files"), "files").items()
            },
        )
        manifest._check_contents()
        return manifest

    def _check_contents(self) -> None:
        for names, required, field in (
            (self.graphs, REQUIRED_GRAPHS, "graphs"), (self.files, REQUIRED_FILES, "files")
        ):  # fmt: skip
            for name in required:
                if name not in names:
                    raise _wrong(f"{field}.{name}", "an entry", "none")
        for name, (inputs, outputs) in self._signatures().items():
            graph = self.graphs[name]
            states = tuple(tensor for tensor in inputs if f"next_{tensor.name}" in [other.name for other in outputs])
            _compare(f"graphs.{name}.states", states, graph.states)
            _compare(f"graphs.{name}.inputs", inputs, graph.inputs)
            _compare(f"graphs.{name}.outputs", outputs, graph.outputs)

    def _signatures(self) -> dict[str, tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]]:
        """Inputs and outputs that the required graphs must have for this geometry."""

        def tensor(name: str, *sizes: int) -> TensorSpec:
            return TensorSpec(name, "float32", (BATCH, *sizes))

        hop, bins = self.hop_length, self.grain_length // 2 + 1
        signal = self._size("postprocessing", "signal", hop, hop + HISTORY_SAMPLES)
        history = self._size("decoder_stream", "history", 1, HISTORY_SAMPLES)
        hidden = self._size("embedding_step", "hidden", 1, HIDDEN_SIZE)
        steps = self._size("embedding_step", "path", 1, self.path_length)
        latent, embedding = tensor("latent", self.latent_size), tensor("embedding", self.embedding_size)
        condition, noise, onset = tensor("condition", self.condition_size), tensor("noise", 4 * hop), tensor("onset", 1)
        path = tensor("path", self.path_length, self.latent_size)
        frame: tuple[TensorSpec, ...] = (tensor("magnitude", bins),)
        flags: tuple[TensorSpec, ...] = ()
        phase: tuple[TensorSpec, ...] = ()
        if self.graphs["synthesis"].states:
            points = self._size("synthesis", "profile", 1, PROFILE_POINTS)
            frame += (tensor("peak", bins), tensor("advance", bins), tensor("profile", points))
            flags, phase = (onset,), (tensor("phase", bins),)
        past = (tensor("sum", 3 * hop), tensor("weight", 3 * hop), tensor("history", history), *phase)

        def following(states: tuple[TensorSpec, ...]) -> tuple[TensorSpec, ...]:
            return tuple(replace(state, name=f"next_{state.name}") for state in states)

        def gaussian(size: int) -> tuple[TensorSpec, ...]:
            return tensor("mean", size), tensor("log_variance", size)

        written = (tensor("step", 1), tensor("hidden", hidden))
        audio = tensor("audio", hop)
        return {
            "encoder": ((tensor("grain", 4 * hop),), gaussian(self.latent_size)),
            "decoder": ((latent, condition), frame),
            "synthesis": ((*frame, noise, *flags, *phase), (tensor("grain", 4 * hop), *following(phase))),
            "postprocessing": ((tensor("signal", signal),), (audio,)),
            "decoder_stream": (
                (latent, condition, noise, onset, tensor("level", 1), *past), (audio, *following(past))
            ),
            "embedding_encoder": ((path, condition), gaussian(self.embedding_size)),
            "embedding_decoder": ((embedding, condition), (path,)),
            "embedding_step": (
                (embedding, condition, *written), (tensor("path", steps, self.latent_size), *following(written))
            ),
        }  # fmt: skip

    def _size(self, graph: str, name: str, low: int, high: int) -> int:
        """The first size of a tensor that a graph is free to choose."""
        specs = (*self.graphs[graph].inputs, *self.graphs[graph].outputs)
        shape = next((spec.shape for spec in specs if spec.name == name), ())
        found = shape[1] if len(shape) > 1 else None
        return _integer(found, f"graphs.{graph}.{name}.shape", low, high)


def read_manifest(content: bytes) -> Manifest:
    """The manifest in a file of JSON. Raises BundleError."""
    try:
        document = json.loads(content.decode(), object_pairs_hook=_members, parse_constant=_no_number)
        return Manifest.from_dict(document)
    except BundleError:
        raise
    except RecursionError as error:
        raise BundleError("manifest.json is nested too deeply") from error
    except ValueError as error:  # not UTF-8, not JSON, or a number of thousands of digits
        raise BundleError(f"manifest.json is not JSON ({error})") from error


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _wrong("content", "each name once", f"{ascii(twice)} twice")
    return members


def _no_number(name: str) -> None:
    raise _wrong("content", "numbers", name)


def check_model_card(value: object) -> dict[str, str]:
    """Printable text by printable names, or BundleError."""
    return {
        _text(key, "model_card"): _text(text, f"model_card.{key}", 65536, lines=True)
        for key, text in _object(value, "model_card").items()
    }


def _compare(field: str, expected: tuple[TensorSpec, ...], found: tuple[TensorSpec, ...]) -> None:
    if [tensor.name for tensor in found] != [tensor.name for tensor in expected]:
        raise _wrong(field, _names(expected), _names(found))
    for tensor, other in zip(expected, found, strict=True):
        if (other.dtype, other.shape) != (tensor.dtype, tensor.shape):
            raise _wrong(f"{field}.{tensor.name}", _described(tensor), _described(other))


def _names(tensors: tuple[TensorSpec, ...]) -> str:
    return ", ".join(tensor.name for tensor in tensors) or "none"


def _described(tensor: TensorSpec) -> str:
    return f"{tensor.dtype} [{', '.join(str(size) for size in tensor.shape)}]"


def _wrong(field: str, expected: object, found: object) -> BundleError:
    text = found if isinstance(found, str) and found.isprintable() else repr(found)
    text = text if len(text) <= 160 else text[:157] + "..."
    return BundleError(f"manifest.json: {field}: expected {expected}, found {text}")


def _object(value: object, field: str, most: int = 256) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(field, "an object", value)
    if len(value) > most:
        raise _wrong(field, f"at most {most} entries", len(value))
    return value


def _member(fields: dict[str, Any], key: str, parent: str = "") -> Any:
    if key not in fields:
        raise _wrong(f"{parent}{key}", "a value", "none")
    return fields[key]


def _integer(value: object, field: str, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise _wrong(field, low if low == high else f"a whole number from {low} to {high}", value)
    return value


def _list(value: object, field: str, most: int, least: int = 0) -> list[Any]:
    if not isinstance(value, list | tuple) or not least <= len(value) <= most:
        found = f"{len(value)} entries" if isinstance(value, list | tuple) else value
        raise _wrong(field, f"a list of {least} to {most} entries", found)
    return list(value)


def _text(value: object, field: str, most: int = 256, lines: bool = False) -> str:
    """Printable text, so that showing it cannot write to the terminal anything but text."""
    if not isinstance(value, str) or not 0 < len(value) <= most:
        raise _wrong(field, f"text of 1 to {most} characters", value)
    if not (value.replace("\n", "").replace("\t", "") if lines else value).isprintable():
        raise _wrong(field, "printable text", value)
    return value


def _file(value: object, field: str) -> FileSpec:
    fields = _object(value, field)
    name = _text(_member(fields, "file", f"{field}."), f"{field}.file")
    if any(character in name for character in "/\\:") or name.startswith("."):
        raise _wrong(f"{field}.file", "a plain file name in the bundle's folder", name)
    digest = _text(_member(fields, "sha256", f"{field}."), f"{field}.sha256")
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise _wrong(f"{field}.sha256", "64 hexadecimal digits", digest)
    return FileSpec(name, digest)


def _graph(value: object, field: str) -> GraphSpec:
    fields, file = _object(value, field), _file(value, field)
    inputs, outputs, states = (
        tuple(
            _tensor(tensor, f"{field}.{key}[{index}]")
            for index, tensor in enumerate(_list(_member(fields, key, f"{field}."), f"{field}.{key}", 64))
        )
        for key in ("inputs", "outputs", "states")
    )
    return GraphSpec(file.file, file.sha256, inputs, outputs, states)


def _tensor(value: object, field: str) -> TensorSpec:
    fields = _object(value, field)
    dtype = _member(fields, "dtype", f"{field}.")
    if dtype not in DTYPES:
        raise _wrong(f"{field}.dtype", " or ".join(DTYPES), dtype)
    shape: list[int | str] = []
    for index, size in enumerate(_list(_member(fields, "shape", f"{field}."), f"{field}.shape", 8, 1)):
        at = f"{field}.shape[{index}]"
        if (size == BATCH) != (index == 0):
            raise _wrong(at, BATCH if index == 0 else "a fixed size", size)
        shape.append(BATCH if index == 0 else _integer(size, at, 1, 1 << 24))
    if math.prod(size for size in shape if isinstance(size, int)) > MAX_FILE_BYTES // 4:
        raise _wrong(f"{field}.shape", f"at most {MAX_FILE_BYTES >> 20} MiB", shape)
    return TensorSpec(_text(_member(fields, "name", f"{field}."), f"{field}.name"), dtype, tuple(shape))


def _attributes(value: object, at: str) -> tuple[Attribute, ...]:
    result = []
    for index, item in enumerate(_list(value, at, 64, 1)):
        field = f"{at}[{index}]"
        fields = _object(item, field)
        classes = _list(_member(fields, "classes", f"{field}."), f"{field}.classes", 4096, 1)
        names = tuple(_text(name, f"{field}.classes") for name in classes)
        _distinct(names, f"{field}.classes")
        result.append(Attribute(_text(_member(fields, "name", f"{field}."), f"{field}.name"), names))
    _distinct(tuple(attribute.name for attribute in result), at)
    return tuple(result)


def _distinct(names: tuple[str, ...], field: str) -> None:
    seen = set()
    for name in names:
        if name in seen:
            raise _wrong(field, "distinct names", f"{name} twice")
        seen.add(name)
