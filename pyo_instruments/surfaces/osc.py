"""OSC: every command of an instrument by UDP, and what changes back to those who subscribe.

One thread reads, answers and sends. The clock of the audio only takes commands from a queue, and puts what changes
into another.
"""

from __future__ import annotations

import errno
import math
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ngs.pyo_instruments.commands.command import CommandError, Value, Whole, declarations
from ngs.pyo_instruments.instrument import Instrument
from ngs.pyo_instruments.surfaces.osc_packets import PacketError, read, write

Address = tuple[str, int]  # host and port
PERIOD_SECONDS = 0.01  # in which changes are collected
SHARE = 0.04  # of the time of a processor that messages may take: more, and the audio waits for Python
BURST_SECONDS = 0.005  # that they may take at once, if few came before: some hundred messages
RECEIVED_BYTES = 1 << 20  # that the kernel is asked to keep
LARGEST = 8192  # bytes of a datagram
AHEAD_SECONDS = 60.0  # of a time tag
ERRORS_A_SECOND = 20  # to one sender
SENDERS = 256  # that hear of their errors, a second
SUBSCRIBERS = 8
SUBSCRIPTION_SECONDS = 60.0
CHANGES = 4096  # that wait at most
TOUCH_SECONDS = 0.2  # for which a fader that is moved is not told its own value
METERS_SECONDS, STATUS_SECONDS = 0.05, 1.0
STATUS = ("cpu", "late_blocks", "voices")
TEXT = 240  # characters of an error
PORT = Whole("port", 1, 65535)

TAKES = (
    ("/subscribe", "nothing, or port: whole number, 1 to 65535",
     f"Send every value now and whenever it changes, to the sender or to that port of the same host, for "
     f"{SUBSCRIPTION_SECONDS:g} seconds; again before they end. {SUBSCRIBERS} at most."),
    ("/unsubscribe", "nothing, or the same port", "Send no more."),
    ("/ping", "nothing", "Answer /pong."),
)  # fmt: skip
SENDS = (
    ("/meters", "peak of each track", f"{1 / METERS_SECONDS:g} times a second; to subscribers."),
    ("/status", " ".join(STATUS), "Once a second: share of a block's time, blocks that came late, voices that sound; "
     "to subscribers."),
    ("/error", "address, text", f"What is wrong with a message; to its sender, {ERRORS_A_SECOND} a second at most."),
    ("/pong", "nothing", "Answer to /ping; to its sender."),
)  # fmt: skip
POSITION = ("/position", "step", "At every step, from 1 on; to subscribers.")


@dataclass
class Subscriber:
    """Who is told what changes."""

    source: Address  # that asked for it
    ends: float
    pending: dict[str, tuple[Value, ...]] = field(default_factory=dict)
    touched: dict[str, float] = field(default_factory=dict)  # when its own messages came, by address

    def ready(self, now: float) -> list[tuple[str, tuple[Value, ...]]]:
        """What it can be told."""
        free = [each for each in self.pending if now - self.touched.get(each, -math.inf) > TOUCH_SECONDS]
        return [(address, self.pending.pop(address)) for address in free]


@dataclass(frozen=True)
class OscStatistics:
    """What came in so far, and what went wrong."""

    messages: int
    refused: int
    failures: int  # to tell what changes
    last_failure: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class OscServer:
    """Listens for commands of an instrument, on one UDP port of this computer.

    status is asked once a second for what `/status` says. A port of 0 is any that is free; `address` tells which.
    """

    def __init__(
        self,
        instrument: Instrument,
        port: int,
        host: str = "127.0.0.1",
        status: Callable[[], Mapping[str, float]] | None = None,
    ) -> None:
        self._instrument, self._clock, self._status = instrument, instrument.clock, status
        self.address: Address = (host, port)
        self._own: dict[str, Callable[[Address, Sequence[Value]], None]] = {
            "/subscribe": self._subscribe, "/unsubscribe": self._unsubscribe, "/ping": self._ping,
        }  # fmt: skip
        self._subscribers: dict[Address, Subscriber] = {}
        self._changes: deque[tuple[str, tuple[Value, ...]]] = deque(maxlen=CHANGES)
        self._errors: dict[Address, int] = {}  # of this second
        self._second = 0
        self._credit = BURST_SECONDS  # of processor time
        self._last = 0  # frame of a message
        self._messages = self._refused = self._failures = 0
        self._last_failure = ""
        self._due = self._meters_due = self._status_due = 0.0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen. Raises OSError, one line, where the port cannot be had."""
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind(self.address)
        except (OSError, OverflowError) as error:
            self._socket.close()
            raise _refused(self.address, error) from error
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_BYTES)
        self._socket.settimeout(PERIOD_SECONDS)
        self.address = self._socket.getsockname()
        self._instrument.listeners = [*self._instrument.listeners, self._hear]
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="osc", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Listen no more."""
        if self._thread:
            self._stopping.set()
            self._thread.join()
            self._thread = None
            self._instrument.listeners = [each for each in self._instrument.listeners if each != self._hear]
            self._socket.close()

    def statistics(self) -> OscStatistics:
        """What happened so far; from any thread."""
        return OscStatistics(self._messages, self._refused, self._failures, self._last_failure)

    def __enter__(self) -> OscServer:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _hear(self, frame: int, address: str, values: tuple[Value, ...]) -> None:
        """A listener of the instrument: called by the clock."""
        self._changes.append((address, values))

    def _run(self) -> None:
        begun = time.thread_time()
        while not self._stopping.is_set():
            try:
                datagram, source = self._socket.recvfrom(LARGEST + 1)
            except (TimeoutError, ConnectionError):  # nothing came, or a subscriber has gone
                pass
            else:
                self._take(datagram, source)
            now = time.monotonic()
            spent = time.thread_time() - begun
            if spent > self._credit and now < self._due:  # leave the rest to the kernel, which drops it
                time.sleep(self._due - now)
                now = self._due
            if now >= self._due:
                try:
                    self._publish(now)
                except Exception as error:  # a value that OSC does not know, of an instrument of one's own
                    self._failures, self._last_failure = self._failures + 1, str(error) or type(error).__name__
                self._due, begun = now + PERIOD_SECONDS, begun + spent
                self._credit = min(self._credit - spent + SHARE * PERIOD_SECONDS, BURST_SECONDS)

    def _take(self, datagram: bytes, source: Address) -> None:
        try:
            if len(datagram) > LARGEST:
                raise PacketError(f"a packet is larger than {LARGEST} bytes: send several")
            messages = read(datagram)
        except PacketError as error:
            self._refuse(source, error.address, str(error))
            return
        for due, address, values in messages:
            self._messages += 1
            try:
                self._carry_out(source, due, address, values)
            except Exception as error:  # CommandError, ClockBusy, or what an instrument of one's own raises
                self._refuse(source, address, str(error))

    def _carry_out(self, source: Address, due: float, address: str, values: Sequence[Value]) -> None:
        own = self._own.get(address)
        if own:
            own(source, values)
            return
        self._instrument.do(address, *values, at=self._frame(due))
        if address in self._instrument.commands:
            for subscriber in self._subscribers.values():
                if subscriber.source == source:
                    subscriber.touched[address] = time.monotonic()

    def _frame(self, due: float) -> int | None:
        """The frame for a time, in seconds since 1970; 0 is now: always as late as a block. Raises CommandError."""
        ahead = due - time.time() if due else 0.0
        if ahead > AHEAD_SECONDS:
            raise CommandError(f"the time tag is {ahead:.0f} seconds ahead: choose {AHEAD_SECONDS:.0f} at most")
        at = self._clock.frame_at(time.perf_counter() + max(ahead, 0.0))
        if ahead <= 0 and at is not None:  # in the order in which they came
            at = self._last = max(at, self._last)
        return at

    def _subscribe(self, source: Address, values: Sequence[Value]) -> None:
        target = self._target("/subscribe", source, values)
        if len(self._subscribers) >= SUBSCRIBERS and target not in self._subscribers:
            raise CommandError(f"there are {SUBSCRIBERS} subscribers already: end one with /unsubscribe")
        subscriber = self._subscribers.setdefault(target, Subscriber(source, 0.0))
        subscriber.source, subscriber.ends = source, time.monotonic() + SUBSCRIPTION_SECONDS
        subscriber.pending |= self._instrument.values

    def _unsubscribe(self, source: Address, values: Sequence[Value]) -> None:
        self._subscribers.pop(self._target("/unsubscribe", source, values), None)

    def _target(self, address: str, source: Address, values: Sequence[Value]) -> Address:
        if len(values) > 1:
            raise CommandError(f"{address} takes a port or nothing, not {len(values)} arguments")
        return (source[0], PORT.read(values[0])) if values else source

    def _ping(self, source: Address, values: Sequence[Value]) -> None:
        self._send(source, "/pong", ())

    def _publish(self, now: float) -> None:
        """Tell the subscribers what changed since the last time."""
        self._subscribers = {key: each for key, each in self._subscribers.items() if each.ends > now}
        missed = len(self._changes) == CHANGES
        changes = dict([self._changes.popleft() for _ in range(len(self._changes))])  # the last of each
        if not self._subscribers:
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
        for target, subscriber in self._subscribers.items():
            subscriber.pending |= changes
            for address, values in subscriber.ready(now):
                self._send(target, address, values)

    def _refuse(self, source: Address, address: str, text: str) -> None:
        """Answer with an error, as often as it may be."""
        self._refused += 1
        second = int(time.monotonic())
        if second != self._second:
            self._second = second
            self._errors.clear()
        count = self._errors.get(source, 0)
        if count < ERRORS_A_SECOND and (count or len(self._errors) < SENDERS):
            self._errors[source] = count + 1
            self._send(source, "/error", (address[:TEXT], " ".join(text[:TEXT].split())))

    def _send(self, target: Address, address: str, values: Sequence[Value]) -> None:
        try:
            self._socket.sendto(write(address, values), target)
        except OSError:  # its buffer is full, or there is nobody any more
            pass


def address_table(kind: type[Instrument]) -> str:
    """What an instrument takes and sends by OSC, as tables in Markdown."""
    sends = [POSITION, *SENDS] if "step" in kind.counts else SENDS
    takes = [*(declared.row(kind.counts) for declared in declarations(kind)), *TAKES]
    return f"{_table('address', takes)}\n\n{_table('sent', sends)}"


def _table(title: str, rows: Sequence[tuple[str, str, str]]) -> str:
    lines = [(title, "arguments", "what"), ("---", "---", "---")]
    lines += [
        (f"`{address}`", arguments.replace("|", r"\|"), what.replace("|", r"\|")) for address, arguments, what in rows
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _refused(address: tuple[Any, Any], error: Exception) -> OSError:
    host, port = address
    choose = "choose another with --osc PORT"
    number = getattr(error, "errno", None)
    if isinstance(error, OverflowError):
        return OSError(f"Port {port} is none: {choose}, 1024 to 65535")
    if number == errno.EADDRINUSE:
        return OSError(f"Port {port} is taken: {choose}")
    if number == errno.EACCES:
        return OSError(f"Port {port} is the system's: {choose}, 1024 or above")
    return OSError(f"{host} is no address of this computer: {error}")
