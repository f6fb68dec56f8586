"""Resynthesises live: the host's callback copies a block in and a block out, a thread of its own does the work between.

Time is that of the input. What is heard of input sample t comes out `latency` samples later, whatever was late before.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.live.ring import Ring
from ngs.runtime.live.worker import Worker, WorkStatistics
from ngs.runtime.resynthesis.crossfade import Choices, ResynthesiserBank, Row
from ngs.runtime.resynthesis.resynthesiser import Resynthesiser
from ngs.runtime.synth.controls import RESYNTHESIS_CONTROLS, check_controls, check_frame, check_sample_rate
from ngs.runtime.synth.engine import COMMANDS, EVENTS, FADE_SECONDS, EngineBusy

AHEAD_SECONDS = 0.016  # beside a block
BACKLOG_SECONDS = 0.25  # of input that a late thread works off; more is forgotten


@dataclass(frozen=True)
class ResynthesisStatistics(WorkStatistics):
    """What an engine did since it was made; most pieces of its work have no hop to play."""

    frames: int  # the host has handed in
    late: int  # reads that found too little
    skipped: int  # frames that were late and never played
    failures: int  # hops, commands and blocks that failed
    last_failure: str


class ResynthesisEngine(Worker):
    """A `Resynthesiser` a channel, of seeds `seed`, `seed` + 1 and so on, behind rings.

    `process` is called from one thread, the host's; everything else from any. Without a thread (`threaded` False)
    `process` does the work itself, and gives the samples that it gives where nothing is late.

    block: samples that the host hands over at once, at most; as many are worked on at a time.
    ahead: samples that the thread has for its work and to be woken, and a block. By default 16 ms and a block: a minute
    beside two processes on two cores that were always busy took 5 ms and a block with real-time scheduling, 70 without.
    latency: samples from input to output, that of the `Resynthesiser` and `ahead`.
    After `stop` what comes in is late.
    """

    def __init__(
        self,
        bundle: Bundle,
        choices: Choices | None = None,
        sample_rate: int = 48000,
        seed: int = 0,
        channels: int = 1,
        block: int = 256,
        ahead: int | None = None,
        threaded: bool = True,
    ) -> None:
        if not 1 <= block <= 8192:
            raise ValueError(f"block is {block}: choose 1 to 8192 samples")
        if not 1 <= channels <= 64:
            raise ValueError(f"channels is {channels}: choose 1 to 64")
        sample_rate = check_sample_rate(sample_rate)
        ahead = block + round(AHEAD_SECONDS * sample_rate) if ahead is None else ahead
        least = block if threaded else 0
        if not least <= ahead <= 1 << 20:
            raise ValueError(f"ahead is {ahead}: choose {least} to {1 << 20} samples")
        super().__init__(block / sample_rate / 4)
        self.sample_rate, self.channels, self.block, self.ahead = sample_rate, channels, block, ahead
        self.threaded, self._seed, self._bundle = threaded, seed, bundle
        row = Row(bundle, choices or {}, sample_rate, seed, channels)
        self._bank = ResynthesiserBank(row, block)
        self.latency = ahead + row.latency
        self._commands: deque[tuple[int | None, Callable[[], Any]]] = deque()
        self._events: list[_Event] = []
        self._order = itertools.count()
        edge = max(1, round(FADE_SECONDS * sample_rate))
        self._most = ahead + block + round(BACKLOG_SECONDS * sample_rate)  # samples that may wait
        self._in = Ring(1 << (2 * self._most + 2 * edge).bit_length(), channels, edge)
        self._out = Ring(1 << (ahead + block + 2 * edge).bit_length(), channels, edge)
        self._out.write(np.zeros((channels, ahead), np.float32))
        self._given, self._made = (np.zeros((channels, block), np.float32) for _ in range(2))
        self._skipped = 0

    # the host's side

    def start(self) -> None:
        """Warm up, and work in a thread. Raises BundleError where the bundle cannot be run."""
        if not self._in.read:
            self._bank.each(Resynthesiser.warm_up)
        if self.threaded and not self._thread:
            self._start_thread()

    @property
    def time(self) -> int:
        """Samples of input taken so far: the time `at` counts in."""
        return self._in.written

    @property
    def bundle(self) -> Bundle:
        """The bundle that was loaded last."""
        return self._bundle

    def process(self, block_in: Array, out: Array) -> None:
        """Take a block, float32 [channels, n], and fill one as large, `latency` later: the host's callback calls this.

        Never waits; `out` may be `block_in`. What is not there yet is late: what was heard last, backwards and fading,
        then silence. Blocks larger than `ahead` are late always. NaN counts as silence.
        """
        if block_in.shape != out.shape or out.ndim != 2 or len(out) != self.channels:
            raise ValueError(f"blocks are [{self.channels}, n] both, these are {block_in.shape} and {out.shape}")
        for start in range(0, out.shape[1], self.block):
            self._in.write(block_in[:, start : start + self.block])
            if not self.threaded:
                while self._step():
                    pass
            self._out.take(out[:, start : start + self.block])

    def set(self, at: float | None = None, **controls: float) -> None:
        """Turn controls (`notes.RESYNTHESIS_CONTROLS`) of all channels at input sample `at`, or as soon as possible.

        A time that has not come in yet is met to the sample. Raises ValueError, EngineBusy.
        """
        values = check_controls(controls, RESYNTHESIS_CONTROLS)
        self._send(at, lambda: self._bank.each(lambda stream: stream.set(**values)))

    def condition(self, choices: Choices, at: float | None = None) -> None:
        """Play grains of these classes of `bundle` from input sample `at` on. Raises ValueError, EngineBusy."""
        bundle = self._bundle
        bundle.condition(choices)

        def change(stream: Resynthesiser) -> None:
            if stream.bundle is bundle:
                stream.condition(choices)

        self._send(at, lambda: self._bank.each(change))

    def load(
        self, bundle: Bundle | str | Path, choices: Choices | None = None, fade: float = 0.1, provider: str = "auto"
    ) -> None:
        """Change to another bundle: made ready here, in the caller's thread, while the old one plays on.

        It listens from the next block on and is faded to, in `fade` seconds (5 ms at least), once it has something to
        say: its latency later. Changes follow each other; of several that wait the last one counts. Controls stay as
        they are. `latency` stays where the other bundle needs no more, else it grows, for good, from the fade on.
        Raises BundleError, ValueError, EngineBusy.
        """
        if not 0 <= fade <= 60:
            raise ValueError(f"fade is {fade!r}: choose 0 to 60 seconds")
        opened = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle, provider)
        least, samples = self.latency - self.ahead, round(max(fade, FADE_SECONDS) * self.sample_rate)
        row = Row(opened, choices or {}, self.sample_rate, self._seed, self.channels, least)
        for stream in row.streams:
            stream.warm_up()
        self._bank.retired.clear()
        self._send(None, lambda: self._bank.change(row, samples))
        self._bundle, self.latency = opened, self.ahead + row.latency

    def statistics(self) -> ResynthesisStatistics:
        """What happened so far; safe to call at any time, not from the callback."""
        failures, reason = self._bank.failures
        return ResynthesisStatistics(
            frames=self._in.written, late=self._out.late, skipped=self._skipped, failures=self._failures + failures,
            last_failure=self._last_failure or reason, **self._work_statistics(),
        )  # fmt: skip

    def _send(self, at: float | None, act: Callable[[], Any]) -> None:
        at = None if at is None else check_frame(at)
        if len(self._commands) >= COMMANDS:
            raise EngineBusy(f"{COMMANDS} commands wait already: the engine is not running, or they come too fast")
        if len(self._events) >= EVENTS:
            raise EngineBusy(f"{EVENTS} events wait for their time already: schedule less far ahead")
        self._commands.append((at, act))

    # the engine's thread

    def _work(self) -> bool:
        """Play what came in, a block at most: whether there was any."""
        if self._in.filled > self._most:
            self._in.jump()  # more than can be worked off
            self._bank.reset()
            self._put(self._in.read + self.ahead, self._made[:, :0])
        count = min(self._in.filled, self.block)  # before the commands are looked at: they were sent before these came
        self._take_in()
        if not count:
            return False
        start = self._in.read
        self._in.take(self._given[:, :count])
        done = 0
        while done < count:
            until = min(count, self._act(start + done) - start)
            self._bank.process(self._given[:, done:until], self._made[:, done:until])
            done = until
        self._put(start + self.ahead, self._made[:, :count])
        return True

    def _take_in(self) -> None:
        while self._commands:
            at, act = self._commands.popleft()
            heapq.heappush(self._events, _Event(self._in.read if at is None else at, next(self._order), act))

    def _act(self, now: int) -> int:
        """Do what is to be done at input sample `now`: the sample at which there is more to do."""
        while self._events and self._events[0].time <= now:
            self._guarded(heapq.heappop(self._events).act)
        return self._events[0].time if self._events else now + self.block

    def _put(self, time: int, made: Array) -> None:
        """Hand over what is to be heard from `time` on, less what is late, after silence where input was forgotten."""
        self._skipped += self._out.skip()
        missing = time - self._out.written
        if missing > 0:
            self._out.write(np.zeros((self.channels, missing), np.float32))
        self._out.write(made[:, max(0, -missing) :])


@dataclass(order=True)
class _Event:
    time: int  # of the input
    order: int
    act: Callable[[], Any] = field(compare=False)
