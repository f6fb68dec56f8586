"""Reads the protobuf messages of an ONNX file, as far as their fields are ones that `ngs export` writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_NODES = 2048

# fields of a protobuf message by tag (number << 3 | wire type): the name, and how many there may be
VARINT, BYTES, FIXED32 = 0, 2, 5
Schema = Mapping[int, tuple[str, int]]


def _schema(**fields: tuple[int, int, int]) -> Schema:
    return {number << 3 | wire: (name, most) for name, (number, wire, most) in fields.items()}


MODEL = _schema(
    ir_version=(1, VARINT, 1), producer_name=(2, BYTES, 1), producer_version=(3, BYTES, 1), domain=(4, BYTES, 1),
    model_version=(5, VARINT, 1), doc_string=(6, BYTES, 1), graph=(7, BYTES, 1), opset_import=(8, BYTES, 1),
    metadata=(14, BYTES, 64),
)  # fmt: skip
OPSET = _schema(domain=(1, BYTES, 1), version=(2, VARINT, 1))
GRAPH = _schema(
    nodes=(1, BYTES, MAX_NODES), name=(2, BYTES, 1), initializers=(5, BYTES, MAX_NODES), doc_string=(10, BYTES, 1),
    inputs=(11, BYTES, 64), outputs=(12, BYTES, 64), shapes=(13, BYTES, 2 * MAX_NODES), metadata=(16, BYTES, 64),
)  # fmt: skip
NODE = _schema(
    inputs=(1, BYTES, 64), outputs=(2, BYTES, 64), name=(3, BYTES, 1), operator=(4, BYTES, 1),
    attributes=(5, BYTES, 16), doc_string=(6, BYTES, 1), domain=(7, BYTES, 1), metadata=(9, BYTES, 64),
)  # fmt: skip
ATTRIBUTE = _schema(
    name=(1, BYTES, 1), float=(2, FIXED32, 1), integer=(3, VARINT, 1), text=(4, BYTES, 1), integers=(8, VARINT, 64),
    doc_string=(13, BYTES, 1), type=(20, VARINT, 1),
)  # fmt: skip
VALUES = {1: "float", 2: "integer", 3: "text", 7: "integers"}  # the field that holds an attribute, by its type
TENSOR = _schema(
    sizes=(1, VARINT, 8), type=(2, VARINT, 1), name=(8, BYTES, 1), content=(9, BYTES, 1), doc_string=(12, BYTES, 1)
)
NAMED = _schema(name=(1, BYTES, 1), type=(2, BYTES, 1), doc_string=(3, BYTES, 1), metadata=(4, BYTES, 64))
TYPE = _schema(tensor=(1, BYTES, 1))
TENSOR_TYPE = _schema(type=(1, VARINT, 1), shape=(2, BYTES, 1))
SHAPE = _schema(sizes=(1, BYTES, 8))
SIZE = _schema(size=(1, VARINT, 1), batch=(2, BYTES, 1))


class Unexpected(Exception):
    """What was expected in a graph, and what was found."""

    def __init__(self, expected: str, found: object) -> None:
        text = repr(bytes(found[:40]))[1:] if isinstance(found, bytes | memoryview) else str(found)
        super().__init__(expected, text)


def read_fields(message: memoryview, schema: Schema, what: str) -> dict[str, Any]:
    """The fields of a message by name: numbers or bytes, in a list if there may be several."""
    values: dict[str, Any] = {name: [] for name, most in schema.values() if most > 1 or name == "opset_import"}
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at)
        name, most = schema.get(tag, ("", 0))
        if not most:
            raise Unexpected(f"fields of {what} that ngs exports", f"field {tag >> 3} of wire type {tag & 7}")
        value: int | memoryview
        if tag & 7 == VARINT:
            value, at = _varint(message, at)
        else:
            size, at = _varint(message, at) if tag & 7 == BYTES else (4, at)
            value = message[at : at + size]
            at += size
            if at > end:
                raise Unexpected(f"{what} of {size} bytes", "the end of the file")
        before = values.get(name)
        if isinstance(before, list) and len(before) < most:
            before.append(value)
        elif name not in values:
            values[name] = value
        else:
            raise Unexpected(f"at most {most} {name} of {what}", "more")
    return values


def signed(value: int | memoryview) -> int | bytes:
    """A 64-bit number as a signed one; text as bytes."""
    if isinstance(value, int):
        return value - (1 << 64) if value >> 63 else value
    return bytes(value)


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A number of up to 64 bits that starts at `at`, and where it ends."""
    value = shift = 0
    for byte in message[at : at + 10]:
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value & (1 << 64) - 1, at
    raise Unexpected("whole numbers", "the end of the file")
