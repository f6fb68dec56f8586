"""The one callback of a pyo server: it tells the time in frames and lets every object of ours make its next block.

A pyo server has one callback, called before each block with the GIL held, and loses its errors. So there is one `Clock`
a server, which calls all that need it and counts what fails. Whatever is asked for from other threads is carried out
between two blocks, by the clock: objects need no locks.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import heapq
import itertools
import math
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from queue import SimpleQueue
from typing import Any, Protocol, TypeVar

import numpy as np

from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.runtime.arrays import Array
from ngs.runtime.live.worker import WorkDurations

T = TypeVar("T")
Tap = Callable[[Array], None]
MESSAGES = 4096  # that wait at most
MESSAGES_AT_ONCE = 64  # that a block takes in: a flood must not make it late
EVENTS = 4096  # that wait at most for their time
PREPARED_SECONDS = 0.25  # that what takes longer than a block has
LEAD_SECONDS = 0.05  # before the first frame, in which a server fades in
MET_BLOCKS = 100  # of which one counts, in what frames the times of other threads are


class ClockBusy(RuntimeError):
    """More is asked for than can be carried out."""


class Node(Protocol):
    """What makes a block whenever the clock ticks."""

    def process(self) -> None: ...

    def statistics(self) -> dict[str, Any]: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class ClockStatistics:
    """What the callback did so far."""

    frames: int
    blocks: int
    late_blocks: int  # that began more than two blocks' time after the one before
    unprepared: int  # times that something was not ready when it was to be used
    failures: int  # commands and objects that failed
    last_failure: str
    median_ms: float  # of the callback, of the last TIMED
    p99_ms: float
    worst_ms: float
    budget_ms: float  # a block's time

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Clock:
    """The clock of a server, which is booted and not yet started.

    frame: the first frame of the block that is made next. block: frames of a block. live: whether blocks are asked for
    by a sound card; otherwise everything is made when it is needed, and nothing is ever late.
    """

    _current: Clock | None = None

    def __init__(self, server: Any, live: bool) -> None:
        self.live = live
        self.sample_rate, self.block = int(server.getSamplingRate()), int(server.getBufferSize())
        self.channels = int(server.getNchnls())
        self.frame = 0
        self.offset = 0  # of what is carried out now, within the block
        self.taps: list[Tap] = []  # that hear every block [frames, channels] after it was played
        self._server = server
        self._output = _view(server.getOutputAddr(), (self.block, self.channels))
        self._nodes: list[weakref.ref[Node]] = []
        self._messages: deque[tuple[int | None, int, Callable[[], None]]] = deque()
        self._events: list[tuple[int, int, int, Callable[[], None]]] = []  # frame, order, weight
        self._order = itertools.count()
        self._ticker: int | None = None  # the thread that ticks, while it does
        self._late = self._unprepared = self._failures = 0
        self._last_failure = ""
        self._times = WorkDurations()  # of the blocks
        self._begun = self._met = 0.0
        self._lead = math.ceil(LEAD_SECONDS * self.sample_rate / self.block)  # blocks
        self._preparer = _Preparer()
        if live:
            self._preparer.start()
        server.setCallback(functools.partial(_call, weakref.WeakMethod(self._tick)))
        atexit.register(_call, weakref.WeakMethod(self.close))
        Clock._current = self

    @classmethod
    def of(cls, server: pyo.Server) -> Clock:
        """The clock of a Python server, made where it has none."""
        base = server._server
        if cls._current is None or cls._current._server is not base:
            cls._current = cls(base, server._audio not in ("manual", "offline", "offline_nb"))
        return cls._current

    @classmethod
    def current(cls) -> Clock:
        """The clock of the server that was booted last. Raises RuntimeError where there is none."""
        if not pyo.serverBooted():
            raise RuntimeError("there is no pyo server yet: boot one first, as in s = Server().boot()")
        base = pyo.Sig(0).getServer()
        if cls._current is None or cls._current._server is not base:
            cls._current = cls(base, live=True)
        return cls._current

    def prepare(self, make: Callable[[], T], use: Callable[[T], Any], seconds: float = PREPARED_SECONDS) -> None:
        """Make something that takes longer than a block, in another thread, and use it `seconds` from now.

        What comes later than that is used as soon as it is there, and counted. Where nothing has been started it is
        made and used at once; where nothing is live it is made when its time has come.
        """
        if not self._server.getIsStarted():
            use(make())
            return
        made = self._preparer.ask(make) if self.live else None

        def finish() -> None:
            if made is None:
                use(make())
            elif made.done():
                use(made.result())
            else:
                self._unprepared += 1
                made.add_done_callback(lambda future: self.send(lambda: use(future.result())))

        self.send(finish, self.now + round(seconds * self.sample_rate))

    def add(self, node: Node) -> None:
        """Call `node.process` before every block, after those that were added before; as long as the node exists."""
        self._nodes = [*(each for each in self._nodes if each() is not None), weakref.ref(node)]

    def send(self, act: Callable[[], None], at: int | None = None, weight: int = 1) -> None:
        """Carry something out before the next block, or at frame `at`; from any thread. Raises ClockBusy.

        weight: as much as so many commands.

        At once where the server has not been started, or where the clock itself asks.
        """
        if at is None and (self.ticking or not self._server.getIsStarted()):
            outer, self._ticker = self._ticker, threading.get_ident()  # what it asks for in turn is its own
            try:
                act()
            finally:
                self._ticker = outer
            return
        if len(self._messages) >= MESSAGES or len(self._events) >= EVENTS:
            raise ClockBusy(f"{MESSAGES} commands wait already: the server is not running, or they come too fast")
        self._messages.append((at, weight, act))

    @property
    def preparing(self) -> int:
        """Things that are not there yet."""
        return self._preparer.asked - self._preparer.made

    @property
    def ticking(self) -> bool:
        """Whether the caller is called by the clock."""
        return self._ticker == threading.get_ident()

    @property
    def now(self) -> int:
        """The frame of what is carried out now, or of the next block."""
        return self.frame + self.offset

    def frame_at(self, seconds: float) -> int | None:
        """The frame to carry something out at that came at `seconds` of `time.perf_counter`, just now.

        What comes is carried out as late as a block takes, always: not at the beginning of the next. None, as soon as
        it can be, where nothing is live.
        """
        return round(seconds * self.sample_rate + self._met) if self.live and self._times.count else None

    def statistics(self) -> ClockStatistics:
        """What happened so far; from any thread."""
        return ClockStatistics(
            frames=self.frame, blocks=self._times.count, late_blocks=self._late, unprepared=self._unprepared,
            failures=self._failures, last_failure=self._last_failure, **self._times.statistics(),
            budget_ms=1e3 * self.block / self.sample_rate,
        )  # fmt: skip

    def _tick(self) -> None:
        if self._lead > 0:
            self._lead -= 1
            return
        begun = time.perf_counter()
        self._late += self.live and self._times.count > 0 and begun - self._begun > 2 * self.block / self.sample_rate
        self._begun = begun
        met = self.frame + self.block - begun * self.sample_rate  # least where the block is late, so that most is true
        self._met = max(met, self._met + (met - self._met) / MET_BLOCKS) if self._times.count else met
        self._ticker = threading.get_ident()
        if self._times.count:
            self.hear()
        self._take_in()
        self._carry_out()
        self.offset = 0
        for reference in self._nodes:
            node = reference()
            if node is not None:
                self._guarded(node.process)
        self.frame += self.block
        self._ticker = None
        self._times.add(time.perf_counter() - begun)

    def _take_in(self) -> None:
        """Messages that wait; of a flood, the first."""
        room = MESSAGES_AT_ONCE if self.live else MESSAGES
        while self._messages and room > 0:
            at, weight, act = self._messages.popleft()
            room -= weight if self.live else 1
            heapq.heappush(self._events, (max(at or 0, self.frame), next(self._order), weight, act))

    def _carry_out(self) -> None:
        """What is due in the next block; of a flood the rest in the one after it."""
        room = MESSAGES_AT_ONCE
        while self._events and self._events[0][0] < self.frame + self.block and room > 0:
            due, _, weight, act = heapq.heappop(self._events)
            room -= weight if self.live else 0
            self.offset = max(due - self.frame, 0)
            self._guarded(act)

    def players(self) -> dict[str, dict[str, Any]]:
        """Statistics of every node that has some, by its kind and number."""
        nodes = [node for node in (reference() for reference in self._nodes) if node is not None]
        told = [(type(node).__name__, node.statistics()) for node in nodes]
        return {f"{name} {number}": each for number, (name, each) in enumerate(told) if each}

    def close(self) -> None:
        """End the threads of what plays; pyo's server should be stopped by then."""
        self._preparer.end()
        for reference in self._nodes:
            node = reference()
            if node is not None:
                node.close()
        self._messages.clear()
        self._events.clear()

    def hear(self) -> None:
        """Give the taps the block that was made last: the clock does so, but for the very last one."""
        for tap in tuple(self.taps):
            try:
                tap(self._output)
            except Exception as error:
                self.failed(error)

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:
            self.failed(error)

    def failed(self, error: Exception) -> None:
        """Count a failure."""
        self._failures += 1
        self._last_failure = str(error) or type(error).__name__


def _call(method: weakref.WeakMethod[Callable[[], None]]) -> None:
    """Call a method of what may be gone: pyo has 256 servers at most, and frees none that its callback holds."""
    act = method()
    if act is not None:
        act()


class _Preparer:
    """A thread that makes things one after the other; to begin one for each would make the callback wait."""

    def __init__(self) -> None:
        self.asked = self.made = 0  # each is counted by one thread
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def start(self) -> None:
        """Begin the thread, which holds no clock."""
        threading.Thread(target=self._run, name="ngs prepares", daemon=True).start()

    def ask(self, make: Callable[[], T]) -> Future[T]:
        """What will be made, soon."""
        made: Future[T] = Future()

        def work() -> None:
            try:
                made.set_result(make())
            except Exception as error:
                made.set_exception(error)

        self.asked += 1
        self._jobs.put(work)
        return made

    def end(self) -> None:
        """No more."""
        self._jobs.put(None)

    def _run(self) -> None:
        while (work := self._jobs.get()) is not None:
            work()
            self.made += 1


def _view(address: str, shape: tuple[int, ...]) -> Array:
    """Memory of a server as an array."""
    pointer = ctypes.cast(int(address, 16), ctypes.POINTER(ctypes.c_float))
    return np.ctypeslib.as_array(pointer, shape)
