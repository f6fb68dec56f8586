"""The parts of a manifest: tensors, graphs, files and attributes, and how they are read from JSON."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from ngs.runtime.bundle.fields import (
    as_integer,
    as_list,
    as_number,
    as_object,
    as_text,
    check_distinct,
    member,
    wrong,
)

MAX_FILE_BYTES = 1 << 30
DTYPES = ("float32",)
BATCH = "batch"
LOUDNESS = -200.0, 200.0  # LUFS
LOUDNESS_PERCENTILES = (10, 25, 50, 75, 90)


@dataclass(frozen=True)
class TensorSpec:
    """A named input or output of a graph. The first size is "batch", the others are fixed."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class GraphSpec:
    """An ONNX file, its hash and its signature.

    `states` are inputs that the next call takes from the outputs of this one: the state s comes back as next_s.
    """

    file: str
    sha256: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    states: tuple[TensorSpec, ...] = ()


@dataclass(frozen=True)
class FileSpec:
    """A file of the bundle and its hash."""

    file: str
    sha256: str


@dataclass(frozen=True)
class Attribute:
    """What sounds are conditioned on, such as their class or pitch, and the classes it may have."""

    name: str
    classes: tuple[str, ...]


@dataclass(frozen=True)
class LoudnessRange:
    """How loud the sounds of a class are, in LUFS: percentiles (`LOUDNESS_PERCENTILES`), each from low to high."""

    real: tuple[float, ...]  # of the corpus
    drawn: tuple[float, ...]  # of sounds drawn at temperature 1, as the graph `loudness` gives it; no two alike


def read_file(value: object, field: str) -> FileSpec:
    """A plain file name and its SHA-256."""
    fields = as_object(value, field)
    name = as_text(member(fields, "file", f"{field}."), f"{field}.file")
    if any(character in name for character in "/\\:") or name.startswith("."):
        raise wrong(f"{field}.file", "a plain file name in the bundle's folder", name)
    digest = as_text(member(fields, "sha256", f"{field}."), f"{field}.sha256")
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise wrong(f"{field}.sha256", "64 hexadecimal digits", digest)
    return FileSpec(name, digest)


def read_graph(value: object, field: str) -> GraphSpec:
    """A graph's file and its inputs, outputs and states."""
    fields, file = as_object(value, field), read_file(value, field)
    inputs, outputs, states = (
        tuple(
            _read_tensor(tensor, f"{field}.{key}[{index}]")
            for index, tensor in enumerate(as_list(member(fields, key, f"{field}."), f"{field}.{key}", 64))
        )
        for key in ("inputs", "outputs", "states")
    )
    return GraphSpec(file.file, file.sha256, inputs, outputs, states)


def _read_tensor(value: object, field: str) -> TensorSpec:
    fields = as_object(value, field)
    dtype = member(fields, "dtype", f"{field}.")
    if dtype not in DTYPES:
        raise wrong(f"{field}.dtype", " or ".join(DTYPES), dtype)
    shape: list[int | str] = []
    for index, size in enumerate(as_list(member(fields, "shape", f"{field}."), f"{field}.shape", 8, 1)):
        at = f"{field}.shape[{index}]"
        if (size == BATCH) != (index == 0):
            raise wrong(at, BATCH if index == 0 else "a fixed size", size)
        shape.append(BATCH if index == 0 else as_integer(size, at, 1, 1 << 24))
    if math.prod(size for size in shape if isinstance(size, int)) > MAX_FILE_BYTES // 4:
        raise wrong(f"{field}.shape", f"at most {MAX_FILE_BYTES >> 20} MiB", shape)
    return TensorSpec(as_text(member(fields, "name", f"{field}."), f"{field}.name"), dtype, tuple(shape))


def read_attributes(value: object, at: str) -> tuple[Attribute, ...]:
    """Attributes with distinct names, each with distinct classes."""
    result = []
    for index, item in enumerate(as_list(value, at, 64, 1)):
        field = f"{at}[{index}]"
        fields = as_object(item, field)
        classes = as_list(member(fields, "classes", f"{field}."), f"{field}.classes", 4096, 1)
        names = tuple(as_text(name, f"{field}.classes") for name in classes)
        check_distinct(names, f"{field}.classes")
        result.append(Attribute(as_text(member(fields, "name", f"{field}."), f"{field}.name"), names))
    check_distinct(tuple(attribute.name for attribute in result), at)
    return tuple(result)


def read_loudness(value: object, field: str) -> tuple[LoudnessRange, ...]:
    """Ranges of loudness, each from low to high."""
    result = []
    for index, item in enumerate(as_list(value, field, 4097, 2)):
        at = f"{field}[{index}]"
        fields, size = as_object(item, at), len(LOUDNESS_PERCENTILES)
        real, drawn = (
            tuple(
                as_number(number, f"{at}.{name}[{place}]", *LOUDNESS)
                for place, number in enumerate(as_list(member(fields, name, f"{at}."), f"{at}.{name}", size, size))
            )
            for name in ("real", "drawn")
        )
        if any(low > high for low, high in pairwise(real)):
            raise wrong(f"{at}.real", "numbers from low to high", ", ".join(map(str, real)))
        if any(low >= high for low, high in pairwise(drawn)):
            raise wrong(
                f"{at}.drawn", "numbers from low to high, each above the one before", ", ".join(map(str, drawn))
            )
        result.append(LoudnessRange(real, drawn))
    return tuple(result)
