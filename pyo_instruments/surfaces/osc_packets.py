"""Packets of OSC 1.0, read strictly: a datagram comes from anybody.

python-osc reads the messages. It does not read the bundles, where a size below zero keeps it for ever, nor the types
that instruments do not take: it leaves those out and writes to the log.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

import numpy as np
from pythonosc.osc_message import OscMessage, ParseError
from pythonosc.osc_message_builder import OscMessageBuilder

Value = float | int | str
Message = tuple[float, str, list[Value]]  # seconds since 1970 at which it is due, 0 at once; address, arguments
BUNDLE = b"#bundle\0"
AT_ONCE = 1  # as a time tag
EPOCH = 2208988800  # seconds from 1900, where time tags begin, to 1970
TYPES = frozenset(b"ifhdsTF")


class PacketError(ValueError):
    """A packet that cannot be read, in one line; with the address of the message where that is known."""

    def __init__(self, text: str, address: str = "") -> None:
        super().__init__(text)
        self.address = address


def read(datagram: bytes) -> list[Message]:
    """The messages of a packet, those of bundles in their order. Raises PacketError if any of them cannot be read."""
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
    """A packet of one message."""
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)
    return builder.build().dgram


def _elements(bundle: bytes) -> list[tuple[bytes, float]]:
    """What a bundle is made of, each with the time of the bundle."""
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
        raise PacketError("a message of OSC begins with / and a bundle with #bundle")
    start = (packet.find(b"\0") // 4 + 1) * 4
    types = packet[start + 1 : packet.find(b"\0", start)]
    unknown = sorted(set(types) - TYPES) if packet[start:].startswith(b",") else []
    try:
        message = OscMessage(packet[:start] if unknown else packet)
    except (ParseError, ValueError) as error:  # or text that is no UTF-8
        raise PacketError("a message ends before its arguments do, or has text that is no UTF-8") from error
    if unknown:
        raise PacketError(
            f"arguments of the type {chr(unknown[0])!r} are not taken: send i f s T or F", message.address
        )
    pairs = zip(types.decode(), message.params, strict=True)
    return message.address, [_shortest(value) if kind == "f" else value for kind, value in pairs]


def _shortest(value: float) -> float:
    """0.1 of what 32 bits make of it, 0.10000000149: it may be the end of a range."""
    return float(str(np.float32(value)))
