"""OSC packets: what is clear is read, in every dialect; nothing broken gets through, hangs, raises or is logged."""

from __future__ import annotations

import logging
import random
import re
import struct

import pytest
from hypothesis import given, settings, strategies as st
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from ngs.pyo_instruments.surfaces.osc_packets import BUNDLE, Message, PacketError, Untyped, read, write

HEAD = b"#bundle\0" + struct.pack(">Q", 1)


def message(address: str, *values: object) -> OscMessageBuilder:
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)  # type: ignore[arg-type]
    return builder


def well_read(packet: bytes) -> list[Message]:
    """The messages of a packet that has nothing wrong."""
    found, errors = read(packet)
    assert errors == []
    return found


def refused(packet: bytes) -> PacketError:
    """What is wrong with the only message of a packet."""
    found, [error] = read(packet)
    assert found == []
    return error


def text(value: str) -> bytes:
    return value.encode() + b"\0" * (4 - len(value.encode()) % 4)


def test_what_python_osc_writes_is_read() -> None:
    assert well_read(message("/track/1/class", "Kick", 3, True, False, 2**40).build().dgram) == [
        (0.0, "/track/1/class", ["Kick", 3, 1, 0, 2**40])
    ]


def test_what_is_written_is_read() -> None:
    assert well_read(write("/status", [0.25, 7, "é"])) == [(0.0, "/status", [0.25, 7, "é"])]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b",\0\0\0", b",\0\0\0\n", b",I\0\0"])
def test_a_message_may_have_nothing_but_an_address(end: bytes) -> None:
    assert well_read(b"/ping\0\0\0" + end) == [(0.0, "/ping", [])]


@pytest.mark.parametrize(
    ("types", "body", "values"),
    [
        ("S", text("Kick"), ["Kick"]),
        ("[f]", struct.pack(">f", 0.1), [0.1]),
        ("[[i]i]s", struct.pack(">ii", 1, -2) + text("é"), [1, -2, "é"]),
        ("[]", b"", []),
        ("TF", b"", [1, 0]),
        ("hd", struct.pack(">qd", -(2**40), 0.1), [-(2**40), 0.1]),
    ],
)
def test_arguments_of_every_dialect_are_read(types: str, body: bytes, values: list[object]) -> None:
    assert well_read(text("/x") + text("," + types) + body) == [(0.0, "/x", values)]


@pytest.mark.parametrize(
    ("data", "texts", "values"),
    [
        (struct.pack(">f", 146.5), [False], [146.5]),
        (struct.pack(">f", 0.1), [False], [0.1]),
        (struct.pack(">i", 3), [False], [3]),
        (struct.pack(">i", -3), [False], [-3]),
        (bytes(4), [False], [0]),
        (struct.pack(">fi", -0.5, 127), [False, False], [-0.5, 127]),
        (text("Kick") + struct.pack(">i", 1) + text(""), [True, False, True], ["Kick", 1, ""]),
    ],
)
def test_arguments_without_types_are_what_the_command_takes(
    data: bytes, texts: list[bool], values: list[object]
) -> None:
    [(_, address, untyped)] = well_read(text("/x") + data)
    assert address == "/x" and isinstance(untyped, Untyped) and untyped.read(texts) == values


@pytest.mark.parametrize(
    ("data", "texts"), [(bytes(8), [False]), (bytes(4), [False, False]), (b"ab", [False]), (b"abcd", [True])]
)
def test_arguments_without_types_that_do_not_fit_are_refused(data: bytes, texts: list[bool]) -> None:
    with pytest.raises(PacketError):
        Untyped(data).read(texts)


def test_32_bit_floats_become_the_shortest_numbers() -> None:
    """As a 32-bit float, 0.1 would lie beyond a range that ends there."""
    builder = OscMessageBuilder("/x")
    for value, kind in ((0.1, "f"), (0.1, "d"), (16777216.0, "f")):
        builder.add_arg(value, kind)
    assert well_read(builder.build().dgram) == [(0.0, "/x", [0.1, 0.1, 16777216.0])]


def test_bundles_keep_their_order_and_their_times() -> None:
    inner = OscBundleBuilder(1_700_000_001.5)
    inner.add_content(message("/b", 2).build())
    outer = OscBundleBuilder(IMMEDIATELY)
    outer.add_content(message("/a", 1).build())
    outer.add_content(inner.build())
    outer.add_content(message("/c", 3).build())
    found = well_read(outer.build().dgram)
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
        (b"/a\0\0,ii\0\0\0\0\1", "ends before"),
        (b"/a\0\0,s\0\0\xff\0\0\0", "UTF-8"),
        (b"/a\0\0,b\0\0\0\0\0\1a\0\0\0", "type 'b'"),
        (b"/a\0\0,[i\0\0\0\0\1", r"\[ or \] without the other"),
        (b"/a\0\0,]i[\0\0\0\0\0\0\0\1", r"\[ or \] without the other"),
        (b"/a\0\0,N\0\0", "type 'N'"),
        (b"/a\0\0,iI\0\0\0\0\1", "type 'I'"),
        (b"/tempo\0,f\0\0\0\0\0", "not padded"),
        (b"#bundle\0", "time tag"),
        (HEAD + struct.pack(">i", -4), "does not fit"),  # python-osc 1.10 reads this one for ever
        (HEAD + struct.pack(">i", 0), "does not fit"),
        (HEAD + struct.pack(">i", 400) + b"/a\0\0", "does not fit"),
        (HEAD + b"\0\0", "does not fit"),
        (HEAD + struct.pack(">i", 4) + b"abc\0", "begins with /"),
    ],
)
def test_broken_packets_are_refused(packet: bytes, text: str) -> None:
    said = str(refused(packet))
    assert re.search(text, said) and "\n" not in said


def test_a_refused_type_names_the_address() -> None:
    assert refused(b"/a\0\0,b\0\0\0\0\0\1a\0\0\0").address == "/a"


def test_a_bad_message_of_a_bundle_does_not_spoil_the_others() -> None:
    elements = [write("/a", [1]), b"/b\0\0,N\0\0", write("/c", [2])]
    found, errors = read(HEAD + b"".join(struct.pack(">i", len(each)) + each for each in elements))
    assert [address for _, address, _ in found] == ["/a", "/c"] and [each.address for each in errors] == ["/b"]


def test_bundles_may_nest_as_deep_as_a_packet_allows() -> None:
    packet = write("/deep", [1])
    while len(packet) < 8000:
        packet = HEAD + struct.pack(">i", len(packet)) + packet
    assert well_read(packet) == [(0.0, "/deep", [1])]


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
        found, _ = read(bytes(damaged[: rng.randint(0, 2 * len(damaged))]))
        read_well += len(found) == 4
    assert 0 < read_well < 20000
    assert not caplog.records and logging.getLogger().level >= logging.WARNING


def padded(strategy: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    return strategy.map(lambda each: each + b"\0" * (4 - len(each) % 4))


ADDRESS = padded(st.sampled_from([b"/tempo", b"/track/*/mute", b"/", b"tempo", b"/\xff", b""]) | st.binary(max_size=9))
KINDS = padded(st.text("ifhdsSTFINbtrmc[],\0x", max_size=12).map(lambda each: b"," + each.encode()))
BODY = st.lists(st.binary(max_size=8) | st.integers(0, 2**64 - 1).map(lambda each: each.to_bytes(8)), max_size=6)
MESSAGE = st.builds(lambda *parts: b"".join(parts), ADDRESS, KINDS | st.just(b""), BODY.map(b"".join))


def bundled(elements: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    sizes = st.integers(-(2**31), 2**31 - 1) | st.none()  # None: the right one
    element = st.tuples(sizes, elements).map(
        lambda each: struct.pack(">i", len(each[1]) if each[0] is None else each[0]) + each[1]
    )
    tags = st.integers(0, 2**64 - 1).map(lambda each: each.to_bytes(8))
    return st.builds(lambda tag, inner: BUNDLE + tag + b"".join(inner), tags, st.lists(element, max_size=4))


@settings(max_examples=1000, derandomize=True, deadline=None, database=None)
@given(st.binary(max_size=64) | st.recursive(MESSAGE, bundled, max_leaves=8), st.lists(st.booleans(), max_size=3))
def test_no_packet_escapes(datagram: bytes, texts: list[bool]) -> None:
    """Whatever comes, each message is read or refused with one line, and nothing raises."""
    found, errors = read(datagram)
    assert all("\n" not in str(error) for error in errors)
    for due, address, values in found:
        assert address.startswith("/") and isinstance(due, float)
        if isinstance(values, Untyped):
            try:
                values = values.read(texts)
            except PacketError:
                continue
            assert len(values) == len(texts)
        assert all(type(value) in (int, float, str) for value in values)
