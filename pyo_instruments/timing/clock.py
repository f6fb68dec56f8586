"""The audio callback: before each block, it carries out the commands that are due and lets every player make its block.

A pyo server has a single callback. It runs with the GIL held, and its errors are lost. So each server has one `Clock`,
which counts frames, calls everything that needs to be called, and counts failures. It carries out the commands of other
threads between two blocks: players need no locks.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import math
import threading
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np

from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.pyo_instruments.timing.preparer import Preparer
from ngs.pyo_instruments.timing.timed_queue import ALL, TimedQueue
from ngs.runtime.arrays import Array
from ngs.runtime.errors import reason
from ngs.runtime.live.worker import WorkDurations

T = TypeVar("T")
Tap = Callable[[Array], None]
MESSAGES_AT_ONCE = 64  # commands per live block: a flood must not make it late
PREPARED_SECONDS = 0.25  # a thread has this long to make what takes longer than a block
LEAD_SECONDS = 0.05  # before the first frame, while the server fades in
MET_BLOCKS = 100  # over how many blocks the offset from wall-clock time to frames is smoothed


class Node(Protocol):
    """Something that the clock calls before each block: a player, an instrument."""

    def before_block(self) -> None: ...

    def statistics(self) -> dict[str, Any]: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class ClockStatistics:
    """What the callback did so far."""

    frames: int
    blocks: int
    late_blocks: int  # that began more than two blocks' time after the one before
    unprepared: int  # times that something was not ready when it was due
    failures: int  # commands and nodes that failed
    last_failure: str
    median_ms: float  # duration of the callback, over the last 4096 blocks
    p99_ms: float
    worst_ms: float
    budget_ms: float  # duration of a block

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Clock(ABC):
    """The clock of a server that is booted and not yet started: a `LiveClock` or an `OfflineClock`.

    frame: the first frame of the next block. block: frames per block. live: whether players render in threads.
    """

    live: ClassVar[bool]
    _current: ClassVar[Clock | None] = None

    def __init__(self, server: Any, at_once: float) -> None:
        """`server`: pyo's C object; `at_once`: commands that a block carries out at most."""
        self.sample_rate, self.block = int(server.getSamplingRate()), int(server.getBufferSize())
        self.channels = int(server.getNchnls())
        self.frame = 0
        self.offset = 0  # of the current command, within the block
        self.taps: list[Tap] = []  # called with every block [frames, channels] after it was played
        self._server = server
        self._output = _view(server.getOutputAddr(), (self.block, self.channels))
        self._nodes: list[weakref.ref[Node]] = []
        self._queue = TimedQueue(at_once)
        self._ticker: int | None = None  # the thread that ticks, while it does
        self._late = self._unprepared = self._failures = 0
        self._last_failure = ""
        self._durations = WorkDurations()  # of the callback
        self._lead = math.ceil(LEAD_SECONDS * self.sample_rate / self.block)  # blocks
        server.setCallback(functools.partial(_call, weakref.WeakMethod(self._tick)))
        atexit.register(_call, weakref.WeakMethod(self.close))
        Clock._current = self

    @staticmethod
    def of(server: pyo.Server) -> Clock:
        """The clock of a Python server, made if it has none: offline if the server makes blocks only on request."""
        base = server._server
        if Clock._current is None or Clock._current._server is not base:
            return OfflineClock(base) if server._audio in ("manual", "offline", "offline_nb") else LiveClock(base)
        return Clock._current

    @staticmethod
    def current() -> Clock:
        """The clock of the server that was booted last. Raises RuntimeError if there is none."""
        if not pyo.serverBooted():
            raise RuntimeError("there is no pyo server yet: boot one first, as in s = Server().boot()")
        base = pyo.Sig(0).getServer()
        if Clock._current is None or Clock._current._server is not base:
            return LiveClock(base)
        return Clock._current

    def prepare(self, make: Callable[[], T], use: Callable[[T], Any], seconds: float = PREPARED_SECONDS) -> None:
        """Make something that takes longer than a block, and use it `seconds` from now.

        A live clock makes it in a thread; if it is not ready in time, it is used as soon as it is, and counted. An
        offline clock makes it when it is due. Before the server is started, it is made and used at once.
        """
        if not self._server.getIsStarted():
            use(make())
            return
        self.send(self._prepared(make, use), self.now + round(seconds * self.sample_rate))

    @abstractmethod
    def _prepared(self, make: Callable[[], T], use: Callable[[T], Any]) -> Callable[[], None]:
        """What to call when it is due."""

    def add(self, node: Node) -> None:
        """Call `node.before_block` before every block, after the nodes added earlier, while the node exists."""
        self._nodes = [*(each for each in self._nodes if each() is not None), weakref.ref(node)]

    def send(self, act: Callable[[], None], at: int | None = None, weight: int = 1) -> None:
        """Carry out `act` before the next block, or at frame `at`. Raises ClockBusy. Any thread may call it.

        weight: how many commands it counts for. Without `at`, it is carried out at once if the server is not started,
        or if the clock itself is calling.
        """
        if at is None and (self.ticking or not self._server.getIsStarted()):
            outer, self._ticker = self._ticker, threading.get_ident()  # what `act` sends is carried out at once, too
            try:
                act()
            finally:
                self._ticker = outer
            return
        self._queue.put(act, at, weight)

    @property
    def server(self) -> Any:
        """Pyo's C object of the server."""
        return self._server

    @property
    def ticking(self) -> bool:
        """Whether the caller runs inside the clock's callback."""
        return self._ticker == threading.get_ident()

    @property
    def now(self) -> int:
        """The frame of the current command, or the first of the next block."""
        return self.frame + self.offset

    def frame_at(self, seconds: float) -> int | None:
        """The frame at which to carry out a command that came at `seconds` of `time.perf_counter`, just now.

        A live clock delays every command by exactly one block: two commands stay as far apart as they came. Returns
        None for "as soon as possible": offline, and before the first block.
        """
        return None

    def statistics(self) -> ClockStatistics:
        """What happened so far; any thread may call it."""
        return ClockStatistics(
            frames=self.frame, blocks=self._durations.count, late_blocks=self._late, unprepared=self._unprepared,
            failures=self._failures, last_failure=self._last_failure, **self._durations.statistics(),
            budget_ms=1e3 * self.block / self.sample_rate,
        )  # fmt: skip

    def players(self) -> dict[str, dict[str, Any]]:
        """The statistics of every node that has some, by class and number."""
        nodes = [node for node in (reference() for reference in self._nodes) if node is not None]
        told = [(type(node).__name__, node.statistics()) for node in nodes]
        return {f"{name} {number}": each for number, (name, each) in enumerate(told) if each}

    def hear(self) -> None:
        """Give the taps the block that was made last. The clock does this itself for all blocks but the very last."""
        for tap in tuple(self.taps):
            try:
                tap(self._output)
            except Exception as error:
                self.failed(error)

    def failed(self, error: Exception) -> None:
        """Count a failure."""
        self._failures += 1
        self._last_failure = reason(error)

    def close(self) -> None:
        """End the threads of the nodes. Stop the server first."""
        for reference in self._nodes:
            node = reference()
            if node is not None:
                node.close()
        self._queue.clear()

    def _tick(self) -> None:
        """Called by the server before each block."""
        if self._lead > 0:
            self._lead -= 1
            return
        begun = time.perf_counter()
        self._look_at(begun)
        self._ticker = threading.get_ident()
        if self._durations.count:
            self.hear()
        for due, act in self._queue.due(self.frame, self.block):
            self.offset = due - self.frame
            self._guarded(act)
        self.offset = 0
        for reference in self._nodes:
            node = reference()
            if node is not None:
                self._guarded(node.before_block)
        self.frame += self.block
        self._ticker = None
        self._durations.add(time.perf_counter() - begun)

    @abstractmethod
    def _look_at(self, begun: float) -> None:
        """Take note that a block begins at `begun` of `time.perf_counter`."""

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:
            self.failed(error)


class OfflineClock(Clock):
    """The clock of a server that makes blocks on request: no threads, and nothing is ever late."""

    live = False

    def __init__(self, server: Any) -> None:
        super().__init__(server, at_once=ALL)

    def _prepared(self, make: Callable[[], T], use: Callable[[T], Any]) -> Callable[[], None]:
        return lambda: use(make())

    def _look_at(self, begun: float) -> None:
        """Wall-clock time does not matter."""


class LiveClock(Clock):
    """The clock of a server that a sound card or JACK drives: each block has its time."""

    live = True

    def __init__(self, server: Any) -> None:
        self._preparer = Preparer()
        self._begun = 0.0  # seconds, of the last block
        self._met = 0.0  # frames to add to a time in frames to get the frame one block later
        super().__init__(server, at_once=MESSAGES_AT_ONCE)  # last: from here on, the server calls

    def frame_at(self, seconds: float) -> int | None:
        return round(seconds * self.sample_rate + self._met) if self._durations.count else None

    def close(self) -> None:
        self._preparer.end()
        super().close()

    def _prepared(self, make: Callable[[], T], use: Callable[[T], Any]) -> Callable[[], None]:
        made = self._preparer.ask(make)

        def finish() -> None:
            if made.done():
                use(made.result())
            else:
                self._unprepared += 1
                made.add_done_callback(lambda future: self.send(lambda: use(future.result())))

        return finish

    def _look_at(self, begun: float) -> None:
        met = self.frame + self.block - begun * self.sample_rate
        if self._durations.count:
            self._late += begun - self._begun > 2 * self.block / self.sample_rate
            smooth = self._met + (met - self._met) / MET_BLOCKS
            met = max(met, smooth)  # a late block gives too little: rise at once, fall slowly
        self._begun, self._met = begun, met


def _call(method: weakref.WeakMethod[Callable[[], None]]) -> None:
    """Call a method of an object that may be gone. A callback that held the clock would keep its server for ever,
    and pyo has 256 servers at most.
    """
    act = method()
    if act is not None:
        act()


def _view(address: str, shape: tuple[int, ...]) -> Array:
    """Memory of a server as an array."""
    pointer = ctypes.cast(int(address, 16), ctypes.POINTER(ctypes.c_float))
    return np.ctypeslib.as_array(pointer, shape)
