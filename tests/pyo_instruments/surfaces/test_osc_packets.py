"""OSC packets: what python-osc writes is read; nothing broken gets through, hangs or is logged."""

from __future__ import annotations

import logging
import random
import struct

import pytest
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from ngs.pyo_instruments.surfaces.osc_packets import PacketError, read, write

HEAD = b"#bundle\0" + struct.pack(">Q", 1)


def message(address: str, *values: object) -> OscMessageBuilder:
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)  # type: ignore[arg-type]
    return builder


def test_what_python_osc_writes_is_read() -> None:
    assert read(message("/track/1/class", "Kick", 3, True, False, 2**40).build().dgram) == [
        (0.0, "/track/1/class", ["Kick", 3, True, False, 2**40])
    ]


def test_what_is_written_is_read() -> None:
    assert read(write("/status", [0.25, 7, "é"])) == [(0.0, "/status", [0.25, 7, "é"])]


def test_a_message_may_come_without_types() -> None:
    assert read(b"/ping\0\0\0") == [(0.0, "/ping", [])]


def test_32_bit_floats_become_the_shortest_numbers() -> None:
    """As a 32-bit float, 0.1 would lie beyond a range that ends there."""
    builder = OscMessageBuilder("/x")
    for value, kind in ((0.1, "f"), (0.1, "d"), (16777216.0, "f")):
        builder.add_arg(value, kind)
    assert read(builder.build().dgram) == [(0.0, "/x", [0.1, 0.1, 16777216.0])]


def test_bundles_keep_their_order_and_their_times() -> None:
    inner = OscBundleBuilder(1_700_000_001.5)
    inner.add_content(message("/b", 2).build())
    outer = OscBundleBuilder(IMMEDIATELY)
    outer.add_content(message("/a", 1).build())
    outer.add_content(inner.build())
    outer.add_content(message("/c", 3).build())
    found = read(outer.build().dgram)
    assert [(address, values) for _, address, values in found] == [("/a", [1]), ("/b", [2]), ("/c", [3])]
    assert [due for due, _, _ in found] == pytest.approx([0, 1_700_000_001.5, 0], abs=1e-5)


@pytest.mark.parametrize(
    ("packet", "text"),
    [
        (b"", "begins with /"),
        (b"hello\0\0\0", "begins with /"),
        (b"/a", "ends before"),
        (b"/a\0\0,i\0\0\0\0", "ends before"),
        (b"/a\0\0,s\0\0abcd", "ends before"),
        (b"/\xff\xfe\0,\0\0\0", "UTF-8"),
        (b"/a\0\0,b\0\0\0\0\0\1a\0\0\0", "type 'b'"),
        (b"/a\0\0,[i]\0\0\0\0\0\0\0\1", "type '\\['"),
        (b"/a\0\0,N\0\0", "type 'N'"),
        (b"#bundle\0", "time tag"),
        (HEAD + struct.pack(">i", -4), "does not fit"),  # python-osc 1.10 reads this one for ever
        (HEAD + struct.pack(">i", 0), "does not fit"),
        (HEAD + struct.pack(">i", 400) + b"/a\0\0", "does not fit"),
        (HEAD + b"\0\0", "does not fit"),
        (HEAD + struct.pack(">i", 4) + b"abc\0", "begins with /"),
    ],
)
def test_broken_packets_are_refused(packet: bytes, text: str) -> None:
    with pytest.raises(PacketError, match=text) as caught:
        read(packet)
    assert "\n" not in str(caught.value)


def test_a_refused_type_names_the_address() -> None:
    with pytest.raises(PacketError) as caught:
        read(b"/a\0\0,b\0\0\0\0\0\1a\0\0\0")
    assert caught.value.address == "/a"


def test_bundles_may_nest_as_deep_as_a_packet_allows() -> None:
    packet = write("/deep", [1])
    while len(packet) < 8000:
        packet = HEAD + struct.pack(">i", len(packet)) + packet
    assert read(packet) == [(0.0, "/deep", [1])]


def test_random_damage_is_at_worst_refused(caplog: pytest.LogCaptureFixture) -> None:
    rng = random.Random(0)
    bundle = OscBundleBuilder(IMMEDIATELY)
    for number in range(4):
        bundle.add_content(message(f"/track/{number}/pattern", "x...", number, 0.5).build())
    whole, read_well = bundle.build().dgram, 0
    for _ in range(20000):
        damaged = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            damaged[rng.randrange(len(damaged))] = rng.choice([0, 44, 47, 255, rng.randrange(256)])
        try:
            read_well += len(read(bytes(damaged[: rng.randint(0, 2 * len(damaged))]))) == 4
        except PacketError:
            pass
    assert 0 < read_well < 20000
    assert not caplog.records and logging.getLogger().level >= logging.WARNING
