"""OSC: every command of an instrument over UDP, and every change back to subscribers.

One thread reads, answers and sends. The audio clock only takes commands from one queue and puts changes into another.
"""

from __future__ import annotations

import errno
import math
import selectors
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ngs.pyo_instruments.commands.arguments import CommandError, Number, Switch, Value, Whole
from ngs.pyo_instruments.surfaces.notices import Notices
from ngs.pyo_instruments.surfaces.osc_access import Network, allowed, subnets
from ngs.pyo_instruments.surfaces.osc_packets import Untyped, read, write
from ngs.pyo_instruments.surfaces.osc_streams import CONNECTIONS, TCP, Stream, StreamError, Streams
from ngs.pyo_instruments.surfaces.osc_subscribers import Address, Subscribers, Values
from ngs.runtime.errors import reason

if TYPE_CHECKING:
    from ngs.pyo_instruments.instrument import Instrument

PERIOD_SECONDS = 0.01  # for which changes are collected
SHARE = 0.04  # of a processor that messages may take: with more, the audio would wait for Python
BURST_SECONDS = 0.005  # of processor time, some hundred messages, that a burst may take after a quiet time
RECEIVED_BYTES = 1 << 20  # buffer that we ask the kernel for
LARGEST = 8192  # bytes in a datagram
AHEAD_SECONDS = 60.0  # that a time tag may lie ahead
ERRORS_A_SECOND = 20  # to one sender
SENDERS = 256  # that hear of their errors in one second
CHANGES = 4096  # that may wait
METERS_SECONDS, STATUS_SECONDS = 0.05, 1.0
STATUS = ("cpu", "late_blocks", "voices")
TEXT = 240  # characters in an error
NOTICE_SECONDS = 2.0  # between two that tell the player of refused messages
PORT = Whole("port", 1, 65535)
LEARN = "/midi/learn"


@dataclass(frozen=True)
class OscStatistics:
    """What came in so far, and what went wrong."""

    messages: int
    refused: int
    failures: int  # to send what changed
    last_failure: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class OscServer:
    """Listens for the commands of an instrument on a UDP port, and on the TCP port of the same number if it is free.

    port: 0 takes any free port; `address` says which. host: an address of this computer; at any but a loopback address,
    programs of other computers are heard. networks: the subnets of those, beside this computer; at first that of
    `host`. status: called once a second for the values of `/status`. learn: called with the address of `/midi/learn`.
    notices: hears of refused messages.
    """

    def __init__(
        self,
        instrument: Instrument,
        port: int,
        host: str = "127.0.0.1",
        status: Callable[[], Mapping[str, float]] | None = None,
        networks: Sequence[Network] = (),
        learn: Callable[[str], None] | None = None,
        notices: Notices | None = None,
    ) -> None:
        """Raises ValueError for a host that is no IP address, and for networks to be named or not heard at `host`."""
        self._instrument, self._clock, self._status = instrument, instrument.clock, status
        self.address: Address = (host, port)
        self.networks = subnets(host, networks)
        self._learn, self._notices = learn, notices or Notices()
        self._own: dict[str, Callable[[Address, Sequence[Value]], None]] = {
            "/subscribe": self._subscribe, "/unsubscribe": self._unsubscribe, "/ping": self._ping, LEARN: self._bind,
        }  # fmt: skip
        self._subscribers = Subscribers()
        self._streams: Streams | None = None
        self._changes: deque[tuple[str, Values]] = deque(maxlen=CHANGES)
        self._errors: dict[Address, int] = {}  # sent in this second
        self._second = 0
        self._credit = BURST_SECONDS  # of processor time
        self._last = 0  # frame of the last message
        self._messages = self._refused = self._failures = 0
        self._last_failure = ""
        self._unshown, self._shown_at = "", 0.0  # the last refusal that the player has not seen, when one was
        self._untold = 0  # refusals since then
        self._due = self._meters_due = self._status_due = 0.0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen. Raises OSError, one line, if the port cannot be opened."""
        self._socket = socket.socket(socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind(self.address)
        except (OSError, OverflowError) as error:
            self._socket.close()
            raise _refused(self.address, error) from error
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_BYTES)
        self._socket.setblocking(False)
        self.address = self._socket.getsockname()[:2]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        try:
            self._streams = Streams(self._selector, *self.address)
        except OSError:
            self._streams = None
            self._notices.say(f"OSC by UDP only: TCP port {self.address[1]} is taken")
        self._instrument.listeners = [*self._instrument.listeners, self._hear]
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="osc", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and close the port."""
        if self._thread:
            self._stopping.set()
            self._thread.join()
            self._thread = None
            self._instrument.listeners = [each for each in self._instrument.listeners if each != self._hear]
            if self._streams:
                self._streams.close_all()
            self._selector.close()
            self._socket.close()

    def statistics(self) -> OscStatistics:
        """What happened so far; any thread may call it."""
        return OscStatistics(self._messages, self._refused, self._failures, self._last_failure)

    def __enter__(self) -> OscServer:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _hear(self, frame: int, address: str, values: tuple[Value, ...]) -> None:
        """Note a change; a listener of the instrument."""
        self._changes.append((address, values))

    def _run(self) -> None:
        begun = time.thread_time()
        while not self._stopping.is_set():
            for key, _ in self._selector.select(PERIOD_SECONDS):
                self._guarded(lambda: self._receive(key.fileobj, key.data))  # noqa: B023, called at once
            now = time.monotonic()
            spent = time.thread_time() - begun
            if spent > self._credit and now < self._due:  # the kernel keeps the rest, or drops it
                time.sleep(self._due - now)
                now = self._due
            if now >= self._due:
                self._guarded(lambda: self._publish(now))  # noqa: B023, called at once
                self._due, begun = now + PERIOD_SECONDS, begun + spent
                self._credit = min(self._credit - spent + SHARE * PERIOD_SECONDS, BURST_SECONDS)

    def _receive(self, ready: Any, stream: Stream | None) -> None:
        """Read from a socket that has something."""
        if stream:
            self._hear_stream(stream)
        elif self._streams and ready is self._streams.listener:
            full = self._streams.accept(self._lets_in)
            if full:
                self._refused += 1
                self._show(full, f"there are {CONNECTIONS} connections by TCP already: close one, or use UDP")
        else:
            try:
                datagram, source = self._socket.recvfrom(LARGEST + 1)
            except (BlockingIOError, ConnectionError):  # a broken one was dropped, or a subscriber is gone
                return
            except OSError:  # the network is gone, for a while
                self._stopping.wait(PERIOD_SECONDS)
                raise
            if self._lets_in(source):
                self._take(datagram, source)

    def _hear_stream(self, stream: Stream) -> None:
        assert self._streams
        try:
            for packet in stream.packets(LARGEST):
                self._take(packet, stream.address)
        except StreamError as error:
            self._refuse(stream.address, "", str(error))
            self._end_stream(stream)
        except (EOFError, OSError):
            self._end_stream(stream)

    def _end_stream(self, stream: Stream) -> None:
        assert self._streams
        self._streams.close(stream)
        self._subscribers.remove(stream.address)

    def _lets_in(self, source: Address) -> bool:
        """Whether messages of a sender are taken. Others get no answer: they may have given another's address."""
        heard = allowed(source[0], self.networks)
        if not heard:
            self._refused += 1
            names = ", ".join(map(str, self.networks))
            self._show(source, f"it is not in {names}; --osc-from names those that may play")
        return heard

    def _guarded(self, act: Callable[[], None]) -> None:
        """Do something that must not end the thread: a user's instrument may have values that OSC lacks."""
        try:
            act()
        except Exception as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self._failures, self._last_failure = self._failures + 1, reason(error)

    def _take(self, datagram: bytes, source: Address) -> None:
        if len(datagram) > LARGEST:
            self._refuse(source, "", f"a packet is larger than {LARGEST} bytes: send several smaller ones")
            return
        messages, errors = read(datagram)
        for error in errors:
            self._refuse(source, error.address, str(error))
        for due, address, values in messages:
            self._messages += 1
            try:
                self._carry_out(source, due, address, values)
            except Exception as error:  # CommandError, ClockBusy, or anything from a user's instrument
                self._refuse(source, address, str(error))

    def _carry_out(self, source: Address, due: float, address: str, values: list[Value] | Untyped) -> None:
        own = self._own.get(address)
        if own:
            own(source, values.read([address == LEARN]) if isinstance(values, Untyped) else values)
            return
        commands = self._instrument.find(address)
        arguments = commands[0].arguments
        if isinstance(values, Untyped):
            values = values.read([not isinstance(each, Number | Switch | Whole) for each in arguments] or [False])
        if not any(command.arguments for command in commands):
            if values == [0]:  # a button that sends a number is released
                return
            values = [] if len(values) == 1 and _finite(values[0]) else values
        self._instrument.do(address, *values, at=self._frame(due))
        if address in self._instrument.commands:
            self._subscribers.touch(source, address, time.monotonic())

    def _frame(self, due: float) -> int | None:
        """The frame for a message that is due at a time in seconds since 1970; 0 is now. Raises CommandError."""
        ahead = due - time.time() if due else 0.0
        if ahead > AHEAD_SECONDS:
            raise CommandError(f"the time tag is {ahead:.0f} seconds ahead: choose {AHEAD_SECONDS:.0f} at most")
        at = self._clock.frame_at(time.perf_counter() + max(ahead, 0.0))
        if ahead <= 0 and at is not None:  # keep the order of arrival
            at = self._last = max(at, self._last)
        return at

    def _subscribe(self, source: Address, values: Sequence[Value]) -> None:
        for target in self._targets("/subscribe", source, values):
            self._subscribers.add(target, source, time.monotonic(), self._instrument.values)

    def _unsubscribe(self, source: Address, values: Sequence[Value]) -> None:
        for target in self._targets("/unsubscribe", source, values):
            self._subscribers.remove(target)

    def _targets(self, address: str, source: Address, values: Sequence[Value]) -> list[Address]:
        """The port that is meant: none for the 0 of a button that is released, the sender for its 1."""
        if len(values) > 1:
            raise CommandError(f"{address} takes a port or nothing, not {len(values)} arguments")
        if not values or values[0] == 1:
            return [source]
        if values[0] == 0:
            return []
        host, *_ = source = source[1:] if source[0] == TCP else source
        return [(host, PORT.read(values[0]), *source[2:])]  # IPv6 has more

    def _bind(self, source: Address, values: Sequence[Value]) -> None:
        if self._learn is None:
            raise CommandError(f"{LEARN}: there is no MIDI port: start with --midi NAME")
        if len(values) != 1 or not isinstance(values[0], str):
            raise CommandError(f'{LEARN} takes an address such as "/level", or "" for none')
        self._learn(values[0])

    def _ping(self, source: Address, values: Sequence[Value]) -> None:
        self._send(source, "/pong", ())

    def _publish(self, now: float) -> None:
        """Send the subscribers what has changed since the last time, and tell the player of refused messages."""
        if self._untold and now >= self._shown_at + NOTICE_SECONDS:
            more = f" ({self._untold - 1} more)" if self._untold > 1 else ""
            self._notices.say(f"{self._unshown}{more}")
            self._untold, self._shown_at = 0, now
        subscribed = self._subscribers.expire(now)
        missed = len(self._changes) == CHANGES
        changes = dict([self._changes.popleft() for _ in range(len(self._changes))])  # the last of each
        if not subscribed:
            return
        if missed:
            changes |= self._instrument.values
        if now >= self._meters_due:
            self._meters_due = now + METERS_SECONDS
            peaks = self._instrument.meters()
            if peaks:
                changes["/meters"] = tuple(peaks)
        if self._status and now >= self._status_due:
            self._status_due = now + STATUS_SECONDS
            status = self._status()
            changes["/status"] = tuple(status[name] for name in STATUS)
        for target, address, values in self._subscribers.messages(changes, now):
            self._send(target, address, values)

    def _show(self, source: Address, text: str) -> None:
        """Have the player told soon that a message was refused."""
        self._untold += 1
        self._unshown = f"OSC from {source[source[0] == TCP]} refused: {text[:TEXT]}"

    def _refuse(self, source: Address, address: str, text: str) -> None:
        """Answer with an error, unless too many have been sent in this second, and tell the player."""
        self._refused += 1
        self._show(source, text if not address or address in text else f"{address[:TEXT]}: {text}")
        second = int(time.monotonic())
        if second != self._second:
            self._second = second
            self._errors.clear()
        count = self._errors.get(source, 0)
        if count < ERRORS_A_SECOND and (count or len(self._errors) < SENDERS):
            self._errors[source] = count + 1
            self._send(source, "/error", (address[:TEXT], " ".join(text[:TEXT].split())))

    def _send(self, target: Address, address: str, values: Sequence[Value]) -> None:
        if target[0] == TCP:
            if self._streams and not self._streams.send(target, write(address, values)):
                self._subscribers.remove(target)
            return
        try:
            self._socket.sendto(write(address, values), target)
        except OSError:  # the buffer is full, or nobody listens any more
            pass


def _refused(address: Address, error: Exception) -> OSError:
    """The error for a port that cannot be opened, in a line that says what to do."""
    host, port = address[:2]
    choose = "choose another with --osc PORT"
    number = getattr(error, "errno", None)
    if isinstance(error, OverflowError):
        return OSError(f"There is no port {port}: {choose}, 1024 to 65535")
    if number == errno.EADDRINUSE:
        return OSError(f"Port {port} is taken: {choose}")
    if number == errno.EACCES:
        return OSError(f"Port {port} is reserved for the system: {choose}, 1024 or above")
    return OSError(f"{host} is not an address of this computer: {error}")


def _finite(value: Value) -> bool:
    return not isinstance(value, str) and math.isfinite(value)
