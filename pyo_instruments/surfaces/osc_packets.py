"""Packets of OSC 1.0 and 1.1: what is clear is read, the rest is refused with a line. Anybody can send a datagram.

python-osc would read messages, but it leaves out argument types that it does not know, with a line in the log, and a
negative size in a bundle would keep it busy for ever.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from pythonosc.osc_message_builder import OscMessageBuilder

Value = float | int | str
BUNDLE = b"#bundle\0"
AT_ONCE = 1  # the time tag of what is due at once
EPOCH = 2208988800  # seconds from 1900, where time tags count from, to 1970
NUMBERS = {"i": ">i", "f": ">f", "h": ">q", "d": ">d"}
LINE_ENDS = (b"\n", b"\r\n")  # that tools for text add
MOST_WHOLE = 1 << 23  # of a word without a type: the bits of smaller whole numbers are no float that anybody sends


class PacketError(ValueError):
    """A packet that cannot be read; `address` is that of the message, if known."""

    def __init__(self, text: str, address: str = "") -> None:
        super().__init__(text)
        self.address = address


@dataclass(frozen=True)
class Untyped:
    """Arguments without type tags, as old clients send them: the command alone knows what they are."""

    data: bytes

    def read(self, texts: Sequence[bool]) -> list[Value]:
        """The arguments of a command: for each one whether it is a text, else it is a number. Raises PacketError."""
        values: list[Value] = []
        at = 0
        for text in texts:
            if text:
                value, at = _text(self.data, at)
                values.append(value)
            else:
                if at + 4 > len(self.data):
                    break
                values.append(_word(self.data, at))
                at += 4
        if at != len(self.data) or len(values) != len(texts):
            raise PacketError("a message has no type tags, and its bytes do not fit the command: send ,f or ,i or ,s")
        return values


class Message(NamedTuple):
    """A message that was read."""

    due: float  # in seconds since 1970; 0: at once
    address: str
    values: list[Value] | Untyped


def read(datagram: bytes) -> tuple[list[Message], list[PacketError]]:
    """The messages of a packet in order, bundles unpacked, and what is wrong with those that cannot be read."""
    found: list[Message] = []
    errors: list[PacketError] = []
    waiting = [(datagram, 0.0)]
    while waiting:
        packet, due = waiting.pop()
        try:
            if packet.startswith(BUNDLE):
                waiting.extend(reversed(_elements(packet)))
            else:
                found.append(Message(due, *_message(packet)))
        except PacketError as error:
            errors.append(error)
    return found, errors


def write(address: str, values: Iterable[Value]) -> bytes:
    """A packet with one message."""
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)
    return builder.build().dgram


def _elements(bundle: bytes) -> list[tuple[bytes, float]]:
    """The packets inside a bundle, each with the due time of the bundle."""
    if len(bundle) < 16:
        raise PacketError("a bundle ends within its time tag")
    tag, at = struct.unpack_from(">Q", bundle, 8)[0], 16
    due = 0.0 if tag == AT_ONCE else tag / 2**32 - EPOCH
    elements: list[tuple[bytes, float]] = []
    while at < len(bundle):
        size = struct.unpack_from(">i", bundle, at)[0] if at + 4 <= len(bundle) else 0
        if not 0 < size <= len(bundle) - at - 4:
            raise PacketError("a bundle has an element that does not fit into it")
        elements.append((bundle[at + 4 : at + 4 + size], due))
        at += 4 + size
    return elements


def _message(packet: bytes) -> tuple[str, list[Value] | Untyped]:
    if not packet.startswith(b"/"):
        raise PacketError("an OSC message begins with / and a bundle with #bundle")
    address, at = _text(packet, 0)
    if b"," in packet[len(address.encode()) : at]:
        raise PacketError("the address is not padded with zeros to four bytes", address)
    if at == len(packet) or packet[at:] in LINE_ENDS:
        return address, []
    if packet[at : at + 1] != b",":
        return address, Untyped(packet[at:])
    try:
        kinds, at = _text(packet, at)
        return address, _arguments(kinds[1:], packet, at)
    except PacketError as error:
        raise PacketError(str(error), address) from None


def _arguments(kinds: str, packet: bytes, at: int) -> list[Value]:
    """The arguments from byte `at` on. Arrays are read as their elements, an impulse as no argument."""
    values: list[Value] = []
    depth = 0
    if kinds == "I":
        return values
    for kind in kinds:
        if kind in NUMBERS:
            form = NUMBERS[kind]
            if at + struct.calcsize(form) > len(packet):
                raise PacketError("a message ends before its arguments do")
            value = struct.unpack_from(form, packet, at)[0]
            values.append(_shortest(value) if kind == "f" else value)
            at += struct.calcsize(form)
        elif kind in "sS":
            text, at = _text(packet, at)
            values.append(text)
        elif kind in "TF":
            values.append(int(kind == "T"))
        elif kind in "[]":
            depth += 1 if kind == "[" else -1
            if depth < 0:
                break
        else:
            raise PacketError(f"arguments of type {kind!r} are not accepted: send i f s T or F")
    if depth:
        raise PacketError("an array has a [ or ] without the other")
    return values


def _text(packet: bytes, at: int) -> tuple[str, int]:
    """The text that begins at a byte, and where the next thing begins."""
    end = packet.find(b"\0", at)
    after = at + ((end - at) // 4 + 1) * 4
    if end < 0 or after > len(packet):
        raise PacketError("a message ends before its arguments do: texts end with zeros, up to four bytes")
    try:
        return packet[at:end].decode(), after
    except UnicodeDecodeError:
        raise PacketError("a message has text that is not UTF-8") from None


def _word(data: bytes, at: int) -> Value:
    """The number that four bytes without a type are."""
    whole = int(struct.unpack_from(">i", data, at)[0])
    return whole if -MOST_WHOLE <= whole < MOST_WHOLE else _shortest(struct.unpack_from(">f", data, at)[0])


def _shortest(value: float) -> float:
    """The shortest number with the same 32 bits: 0.1, not 0.10000000149, which could lie outside a range."""
    return float(str(np.float32(value)))
