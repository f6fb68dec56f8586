"""Packets of OSC 1.0, read strictly: anybody can send a datagram.

Messages are read by python-osc, bundles are not: a negative size would keep it busy for ever. Argument types that it
leaves out, with a line in the log, are errors here.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

import numpy as np
from pythonosc.osc_message import OscMessage, ParseError
from pythonosc.osc_message_builder import OscMessageBuilder

Value = float | int | str
Message = tuple[float, str, list[Value]]  # due time in seconds since 1970 (0: at once), address, arguments
BUNDLE = b"#bundle\0"
AT_ONCE = 1  # the time tag of what is due at once
EPOCH = 2208988800  # seconds from 1900, where time tags count from, to 1970
TYPES = frozenset(b"ifhdsTF")


class PacketError(ValueError):
    """A packet that cannot be read; `address` is that of the message, if known."""

    def __init__(self, text: str, address: str = "") -> None:
        super().__init__(text)
        self.address = address


def read(datagram: bytes) -> list[Message]:
    """The messages of a packet, in order; bundles are unpacked. Raises PacketError if any message cannot be read."""
    found: list[Message] = []
    waiting = [(datagram, 0.0)]
    while waiting:
        packet, due = waiting.pop()
        if packet.startswith(BUNDLE):
            waiting.extend(reversed(_elements(packet)))
        else:
            found.append((due, *_message(packet)))
    return found


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


def _message(packet: bytes) -> tuple[str, list[Value]]:
    if not packet.startswith(b"/"):
        raise PacketError("an OSC message begins with / and a bundle with #bundle")
    start = (packet.find(b"\0") // 4 + 1) * 4
    types = packet[start + 1 : packet.find(b"\0", start)]
    unknown = sorted(set(types) - TYPES) if packet[start:].startswith(b",") else []
    try:
        message = OscMessage(packet[:start] if unknown else packet)
    except (ParseError, ValueError) as error:  # ValueError: text that is not UTF-8
        raise PacketError("a message ends before its arguments do, or has text that is not UTF-8") from error
    if unknown:
        raise PacketError(f"arguments of type {chr(unknown[0])!r} are not accepted: send i f s T or F", message.address)
    pairs = zip(types.decode(), message.params, strict=True)
    return message.address, [_shortest(value) if kind == "f" else value for kind, value in pairs]


def _shortest(value: float) -> float:
    """The shortest number with the same 32 bits: 0.1, not 0.10000000149, which could lie outside a range."""
    return float(str(np.float32(value)))
