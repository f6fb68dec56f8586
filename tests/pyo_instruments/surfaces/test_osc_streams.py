"""OSC over TCP: a real client, packets in whatever pieces they come, what is no OSC, who is heard."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from pythonosc import slip
from pythonosc.osc_message import OscMessage
from pythonosc.tcp_client import SimpleTCPClient

from ngs.pyo_instruments import Number, action, control
from ngs.pyo_instruments.instrument import Instrument
from ngs.pyo_instruments.surfaces import osc
from ngs.pyo_instruments.surfaces.notices import Notices
from ngs.pyo_instruments.surfaces.osc import OscServer
from ngs.pyo_instruments.surfaces.osc_packets import write
from ngs.pyo_instruments.surfaces.osc_streams import CONNECTIONS, Stream, StreamError

pyo = pytest.importorskip("pyo")

PATIENCE = 20.0  # of a test that waits; no assertion
LARGEST = 64


class Desk(Instrument):
    """A level, and a button."""

    def __init__(self, bundle: Any) -> None:
        super().__init__(bundle)
        self.hits = 0
        self.sounds(pyo.Sig(0))

    @control("/level", Number("level", 0, 1))
    def setLevel(self, level: float) -> None:
        """How loud."""

    @action("/hit")
    def hit(self) -> None:
        """Now."""
        self.hits += 1


@pytest.fixture
def desk(room: Any, tiny_bundle: Path) -> Desk:
    return Desk(tiny_bundle)


@pytest.fixture
def notices() -> Notices:
    return Notices()


@pytest.fixture
def server(desk: Desk, notices: Notices) -> Iterator[OscServer]:
    with OscServer(desk, 0, notices=notices) as server:
        yield server


@pytest.fixture
def connect(server: OscServer) -> Iterator[Callable[[], socket.socket]]:
    opened: list[socket.socket] = []

    def make() -> socket.socket:
        opened.append(socket.create_connection(server.address, PATIENCE))
        return opened[-1]

    yield make
    for each in opened:
        each.close()


def until(met: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < end, "nothing comes"
        time.sleep(0.01)


def closed(connection: socket.socket) -> bool:
    """Whether the server closes a connection; what it says before is left out."""
    try:
        while connection.recv(4096):
            pass
    except ConnectionError:  # it had more to read
        pass
    except TimeoutError:
        return False
    return True


def test_a_real_client_plays_and_hears(server: OscServer, desk: Desk) -> None:
    with SimpleTCPClient(*server.address) as client:
        client.send_message("/level", 0.5)
        client.send_message("/hit", 1.0)
        until(lambda: desk.hits == 1 and desk.level == 0.5)
        client.send_message("/nowhere", [])
        [answer] = [OscMessage(each) for each in client.receive(PATIENCE)]
        assert answer.address == "/error" and answer.params[0] == "/nowhere"
        client.send_message("/subscribe", [])
        told = [OscMessage(each) for each in client.receive(PATIENCE)]
        assert ("/level", [0.5]) in [(each.address, each.params) for each in told]


def test_a_connection_may_have_its_values_sent_elsewhere(server: OscServer) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as screen, SimpleTCPClient(*server.address) as client:
        screen.bind(("127.0.0.1", 0))
        screen.settimeout(PATIENCE)
        client.send_message("/subscribe", screen.getsockname()[1])
        assert OscMessage(screen.recv(9000)).address == "/level"


def test_packets_come_in_pieces(desk: Desk, connect: Callable[[], socket.socket]) -> None:
    connection = connect()
    for byte in slip.encode(write("/level", [0.25])) + slip.encode(write("/hit", [])):
        connection.sendall(bytes([byte]))
        time.sleep(0.001)
    until(lambda: desk.hits == 1)
    assert desk.level == 0.25


@pytest.mark.parametrize(
    "text",
    [
        b"POST / HTTP/1.1\r\n\r\n" + slip.encode(write("/hit", [])),  # what a page in a browser could send
        b"\0\0\0\x08/hit\0\0\0\0,\0\0\0",  # OSC 1.0: sizes in front
        slip.END + b"/hit\xdb\0\0" + slip.END + slip.encode(write("/hit", [])),
        b"/" * 3 * osc.LARGEST,
    ],
)
def test_what_is_no_osc_ends_the_connection(
    server: OscServer, desk: Desk, notices: Notices, connect: Callable[[], socket.socket], text: bytes
) -> None:
    other, connection = connect(), connect()
    connection.sendall(text)
    assert closed(connection) and desk.hits == 0
    until(notices.shown)
    assert notices.shown().startswith("OSC from 127.0.0.1 refused: ")
    other.sendall(slip.encode(write("/hit", [])))
    until(lambda: desk.hits == 1)
    assert server.statistics().failures == 0


def test_there_are_few_connections_and_room_for_the_next(
    server: OscServer, desk: Desk, notices: Notices, connect: Callable[[], socket.socket]
) -> None:
    connections = [connect() for _ in range(CONNECTIONS)]
    for each in connections:
        each.sendall(slip.encode(write("/subscribe", [])))
        assert each.recv(1)
    assert closed(connect())
    until(notices.shown)
    assert notices.printed() == [
        "OSC from 127.0.0.1 refused: there are 8 connections by TCP already: close one, or use UDP"
    ]
    connections[0].close()
    streams = server._streams
    assert streams is not None
    until(lambda: len(streams._open) < CONNECTIONS)
    last = connect()
    last.sendall(slip.encode(write("/hit", [])) + slip.encode(write("/subscribe", [])))
    until(lambda: desk.hits == 1)
    assert b"/level" in last.recv(4096)  # the closed one's subscription has ended as well


def test_who_vanishes_is_missed(server: OscServer, connect: Callable[[], socket.socket]) -> None:
    streams = server._streams
    assert streams is not None
    connect()
    until(lambda: streams._open)
    [stream] = streams._open.values()
    assert stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    if sys.platform == "linux":
        idle, between, tries = (
            stream.socket.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
        assert idle + between * tries <= 30  # seconds
        assert stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 30_000  # of unread data


def test_a_client_that_does_not_read_is_cut_off(server: OscServer, desk: Desk, connect: Callable[[], Any]) -> None:
    deaf, other = connect(), connect()
    deaf.sendall(slip.encode(write("/subscribe", [])))
    until(lambda: server._subscribers.expire(time.monotonic()))
    streams = server._streams
    assert streams is not None
    [target] = [address for address in list(streams._open) if address[2] == deaf.getsockname()[1]]
    for _ in range(10000):
        server._send(target, "/x", ["y" * 8000])
    assert list(streams._open) != [] and target not in streams._open
    assert not server._subscribers.expire(time.monotonic())
    other.sendall(slip.encode(write("/hit", [])))
    until(lambda: desk.hits == 1)


def test_strangers_are_not_let_in(
    server: OscServer, desk: Desk, notices: Notices, connect: Callable[[], socket.socket], monkeypatch: Any
) -> None:
    monkeypatch.setattr(osc, "allowed", lambda host, networks: False)
    assert closed(connect()) and desk.hits == 0
    until(notices.shown)


def test_a_tcp_port_that_is_taken_leaves_udp(desk: Desk, notices: Notices) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with (
            OscServer(desk, port, notices=notices) as server,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
        ):
            assert notices.printed() == [f"OSC by UDP only: TCP port {port} is taken"]
            client.sendto(write("/hit", []), server.address)
            until(lambda: desk.hits == 1)


@settings(max_examples=1000, derandomize=True, deadline=None, database=None)
@given(st.lists(st.binary(max_size=40) | st.sampled_from([slip.END, slip.ESC, slip.encode(b"/hit")]), max_size=12))
def test_no_stream_escapes(pieces: list[bytes]) -> None:
    """Whatever comes, packets are read or the connection is refused, and what waits is bounded."""

    class Wire:
        def recv(self, size: int) -> bytes:
            return pieces.pop(0) if pieces else b""

    stream = Stream(Wire(), ("TCP", "127.0.0.1", 1))  # type: ignore[arg-type]
    while True:
        try:
            assert all(packet[:1] in (b"/", b"#") for packet in stream.packets(LARGEST))
        except (EOFError, StreamError):
            return
        assert len(stream.waiting) <= 2 * LARGEST
