"""OSC over TCP, as OSC 1.1 has it: packets between the end bytes of SLIP. For one thread, which never waits."""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from pythonosc import slip

from ngs.pyo_instruments.surfaces.osc_subscribers import Address

CONNECTIONS = 8
# Who vanishes without a word (a tablet out of reach) must not keep one of them: half a minute at most. Not all systems
# have all of these options.
ALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPALIVE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4, "TCP_USER_TIMEOUT": 30_000}
TCP = "TCP"  # in place of the host, the first part of the address of a connection
PIECE = 256  # bytes read at once: a few messages, so that a flood waits in the system and not here


class StreamError(ValueError):
    """What comes is no SLIP with OSC; a web page, for example, may send anything to a port of this computer."""


@dataclass
class Stream:
    """A connection, and the packet that is not complete yet."""

    socket: socket.socket
    address: Address
    waiting: bytearray = field(default_factory=bytearray)

    def packets(self, largest: int) -> Iterator[bytes]:
        """The packets that have come. Raises StreamError, and EOFError at the end."""
        piece = self.socket.recv(PIECE)
        if not piece:
            raise EOFError
        *whole, rest = (bytes(self.waiting) + piece).split(slip.END)
        self.waiting = bytearray(rest)
        for each in whole:
            if each:
                yield self._decoded(each)
        if rest[:1] not in (b"", b"/", b"#") or len(rest) > 2 * largest:
            raise StreamError("TCP takes packets of OSC 1.1, framed by SLIP")

    def _decoded(self, packet: bytes) -> bytes:
        if packet[:1] not in (b"/", b"#"):
            raise StreamError("TCP takes packets of OSC 1.1, framed by SLIP")
        try:
            return slip.decode(packet)
        except slip.ProtocolError:
            raise StreamError("a packet has an escape byte of SLIP without what belongs to it") from None


class Streams:
    """The connections to a TCP port."""

    def __init__(self, selector: selectors.BaseSelector, host: str, port: int) -> None:
        """Raises OSError if the port cannot be opened."""
        self._selector = selector
        self._open: dict[Address, Stream] = {}
        self.listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # at once after the last program
            self.listener.bind((host, port))
            self.listener.listen(CONNECTIONS)
            self.listener.setblocking(False)
        except OSError:
            self.listener.close()
            raise
        selector.register(self.listener, selectors.EVENT_READ)

    def accept(self, taken: Callable[[Address], bool]) -> Address | None:
        """Take a connection if `taken` says yes to its address. Returns the address if there are too many already."""
        connection, source = self.listener.accept()
        heard = taken(source)
        if not heard or len(self._open) >= CONNECTIONS:
            connection.close()
            return source if heard else None
        connection.setblocking(False)
        with contextlib.suppress(OSError):  # closed already: to read it will say so
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name in ALIVE.keys() & vars(socket).keys():
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), ALIVE[name])
        stream = Stream(connection, (TCP, *source))  # a sender by UDP may have the same host and port
        self._open[stream.address] = stream
        self._selector.register(connection, selectors.EVENT_READ, stream)
        return None

    def send(self, target: Address, packet: bytes) -> bool:
        """Send a packet; who does not read what comes is cut off. Returns whether the connection is there still."""
        stream = self._open.get(target)
        if not stream:
            return False
        framed = slip.encode(packet)
        with contextlib.suppress(OSError):
            if stream.socket.send(framed) == len(framed):
                return True
        self.close(stream)
        return False

    def close(self, stream: Stream) -> None:
        """End a connection."""
        if self._open.pop(stream.address, None):
            self._selector.unregister(stream.socket)
            stream.socket.close()

    def close_all(self) -> None:
        """End all connections, and close the port."""
        for stream in list(self._open.values()):
            self.close(stream)
        self._selector.unregister(self.listener)
        self.listener.close()
