"""Resynthesises live: the host's callback copies a block in and a block out, and a thread does the work between.

Time is that of the input. Input sample t is heard `latency` samples later, however late the thread was before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle, as_bundle
from ngs.runtime.bundle.state import check_state, field, needed_bundle, new_state, plain_choices
from ngs.runtime.chance import check_seed
from ngs.runtime.live.read_ahead import read_ahead
from ngs.runtime.live.ring import FADE_SECONDS, Ring
from ngs.runtime.live.schedule import Schedule
from ngs.runtime.live.stream import Effect
from ngs.runtime.live.worker import Worker, WorkStatistics
from ngs.runtime.resynthesis.crossfade import Crossfade
from ngs.runtime.resynthesis.resynthesiser import Resynthesiser
from ngs.runtime.resynthesis.resynthesiser_bank import Choices, ResynthesiserBank
from ngs.runtime.synth.controls import RESYNTHESIS_CONTROLS, check_controls, check_fade, check_sample_rate

AHEAD_SECONDS = 0.016  # besides a block
BACKLOG_SECONDS = 0.25  # of input that a late thread works off; if there is more, it is skipped


@dataclass(frozen=True)
class ResynthesisStatistics(WorkStatistics):
    """What an engine did since it was made or reset. Most pieces of its work have no hop to decode."""

    frames: int  # from the host
    late: int  # reads that found too few frames
    skipped: int  # frames that were late and never played
    failures: int  # of hops, commands and blocks
    last_failure: str


class ResynthesisEngine(Effect, Worker):
    """A `Resynthesiser` per channel, with seeds `seed`, `seed` + 1 and so on, behind ring buffers.

    One thread, the host's, calls `process`; any thread calls the rest. If not `threaded`, `process` does the work
    itself, with the same result as a thread that is never late.

    max_block: the most samples that the host hands over at once, 1024 by default; `process` refuses more, unless there
    is no thread. block: the most that are worked on at once.
    ahead: samples in which the thread must wake up and work off a block, at least `max_block`. The default is that and
    16 ms: in a minute beside two busy processes on two cores, the thread took up to 5 ms with real-time scheduling,
    and up to 70 without. If `ahead` is given and `max_block` is not, they are the same.
    latency: from input to output, that of the `Resynthesiser` plus `ahead`.
    After `stop`, all input is late.
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
        *,
        max_block: int | None = None,
    ) -> None:
        if not 1 <= block <= 8192:
            raise ValueError(f"block is {block}: choose 1 to 8192 samples")
        if not 1 <= channels <= 64:
            raise ValueError(f"channels is {channels}: choose 1 to 64")
        sample_rate = check_sample_rate(sample_rate)
        work = round(AHEAD_SECONDS * sample_rate)
        self._agreed = read_ahead(max_block, ahead, 0, work, least=block if threaded else 0)
        self.max_block, ahead = self._agreed.max_block, self._agreed.ahead
        Worker.__init__(self, block / sample_rate / 4)
        self.sample_rate, self.channels, self.block, self.ahead = sample_rate, channels, block, ahead
        self.threaded, self._seed, self._bundle = threaded, seed, bundle
        bank = ResynthesiserBank(bundle, choices or {}, sample_rate, seed, channels)
        self._bank, self._schedule = Crossfade(bank, block), Schedule()
        self.latency = ahead + bank.latency
        self._most = ahead + block + round(BACKLOG_SECONDS * sample_rate)  # samples of input that may wait
        self._given, self._made = (np.zeros((channels, block), np.float32) for _ in range(2))
        self._in, self._out = self._new_rings()
        self.reset()

    def _new_rings(self) -> tuple[Ring, Ring]:
        fade = max(1, round(FADE_SECONDS * self.sample_rate))
        sizes = 2 * self._most, self.ahead + self.block
        given, made = (Ring(1 << (size + 2 * fade).bit_length(), self.channels, fade) for size in sizes)
        return given, made

    def reset(self) -> None:
        """Silence at time 0, no commands to come, nothing counted. Raises RuntimeError while the thread runs.

        What was asked for without a time, or for one that is over, stays.

        Thread: any, when no other uses it. Waits: no. Memory: the ring buffers.
        """
        self._refuse_while_running("reset")
        self._schedule.take_in(self._in.read)
        for act in self._schedule.due(self._in.read):
            self._guarded(act)
        self._in, self._out = self._new_rings()
        self._out.write(np.zeros((self.channels, self.ahead), np.float32))
        self._schedule, self._skipped = Schedule(), 0
        self._forget_work()
        self._bank.reset()
        self._bank.forget_failures()
        plays = self._bank.last
        self._bundle, self._choices, self._controls = plays.bundle, plays.choices, dict(plays.controls)

    def _facts(self) -> list[str]:
        own = [self.bundle.path.name, f"{self.sample_rate} Hz", *super()._facts()]
        return [*own, f"max_block {self.max_block}", self._work_fact]

    # the host's side

    def start(self) -> None:
        """Warm up and, if `threaded`, start the thread. Raises BundleError.

        Thread: any but the callback's, one at a time. Waits: until it is ready. Memory: the thread.
        """
        if not self._in.read:
            self._bank.warm_up()
        if self.threaded and not self.running:
            self._start_thread()

    @property
    def rows(self) -> int:
        return self.channels

    @property
    def time(self) -> int:
        """Samples of input taken so far: what `at` counts."""
        return self._in.written

    @property
    def bundle(self) -> Bundle:
        """The bundle that was loaded last."""
        return self._bundle

    def process(self, given: Array, out: Array) -> None:
        """Take a block, float32 [channels, n], and fill one of the same size. The host's callback calls this.

        It never waits. `out` may be `given`. What the thread has not made yet is replaced by an echo of what was heard
        last, then silence. NaN counts as silence. Raises ValueError for another kind of block, or one of more than
        `max_block` samples.

        Thread: the callback's. Waits: no, without a thread for graphs. Memory: none.
        """
        self._check_pair(given, out)
        if self.threaded:
            self._agreed.check(out.shape[1])
        for start in range(0, out.shape[1], self.block):
            self._in.write(given[:, start : start + self.block])
            if not self.threaded:
                while self._step():
                    pass
            self._out.take(out[:, start : start + self.block])

    def set(self, at: float | None = None, **controls: float) -> None:
        """Turn controls (`RESYNTHESIS_CONTROLS`) of all channels at input sample `at`, or as soon as possible.

        A time that has not come in yet is met exactly. Raises ValueError, EngineBusy.

        Thread: any. Waits: no. Memory: a command.
        """
        values = check_controls(controls, RESYNTHESIS_CONTROLS)
        self._schedule.send(at, lambda: self._bank.each(lambda stream: stream.set(**values)))
        self._controls.update(values)

    def condition(self, choices: Choices, at: float | None = None) -> None:
        """Play grains of these classes of `bundle` from input sample `at` on. Raises ValueError, EngineBusy.

        Thread: any. Waits: no. Memory: a command.
        """
        bundle = self._bundle
        bundle.condition(choices)

        def change(stream: Resynthesiser) -> None:
            if stream.bundle is bundle:
                stream.condition(choices)

        self._schedule.send(at, lambda: self._bank.each(change))
        self._choices = choices

    def load(
        self, bundle: Bundle | str | Path, choices: Choices | None = None, fade: float = 0.1, provider: str = "auto"
    ) -> None:
        """Change to another bundle. The caller's thread gets it ready while the old one plays on.

        The new bundle hears the input from the next block on. Once it has heard its latency, the sound fades to it in
        `fade` seconds (5 ms at least). Changes follow one another; of several that wait, the last one counts. Controls
        stay. `latency` stays too, unless the new bundle needs more: then it grows for good, from the fade on.
        Raises BundleError, ValueError, EngineBusy.

        Thread: any but the callback's, one at a time. Waits: until the bundle is ready. Memory: more resynthesisers.
        """
        self._change(as_bundle(bundle, provider), choices or {}, self._seed, {}, fade)

    def _change(
        self, bundle: Bundle, choices: Choices, seed: int, controls: Mapping[str, float], fade: float
    ) -> None:  # fmt: skip
        check_fade("fade", fade)
        least, samples = self.latency - self.ahead, round(max(fade, FADE_SECONDS) * self.sample_rate)
        bank = ResynthesiserBank(bundle, choices, self.sample_rate, seed, self.channels, least)
        bank.warm_up()
        self._bank.retired.clear()

        def change() -> None:
            self._bank.change(bank, samples)
            for stream in bank.streams:
                stream.set(**controls)

        self._schedule.send(None, change)
        self._bundle, self._seed, self._choices, self.latency = bundle, seed, choices, self.ahead + bank.latency
        self._controls.update(controls)

    def state(self) -> dict[str, Any]:
        """What a host stores with its project, as plain JSON values: the bundle, classes, seed and controls.

        They are those asked for last, whether they are heard yet or not.

        Thread: any. Waits: no. Memory: the dictionary.
        """
        bundle, choices = self._bundle, self._choices
        return new_state(
            "ResynthesisEngine", bundle, choices=plain_choices(bundle, choices), seed=int(self._seed),
            controls=dict(self._controls),
        )  # fmt: skip

    def restore(
        self, state: Mapping[str, Any], bundle: Bundle | str | Path | None = None, fade: float = 0.1
    ) -> None:  # fmt: skip
        """Fade to what `state` stored, as `load` does. All of it or, if that raises, nothing.

        bundle: plays instead of the one that was stored, which is otherwise looked for where it was. Raises
        BundleError, ValueError, EngineBusy.

        Thread: any but the callback's, one at a time. Waits: until the bundle is ready. Memory: more resynthesisers.
        """
        check_state(state, "ResynthesisEngine")
        seed = field(state, "seed", int)
        check_seed(seed)
        check_seed(seed + self.channels - 1)
        values = check_controls(field(state, "controls", dict), RESYNTHESIS_CONTROLS)
        controls = {name: control.start for name, control in RESYNTHESIS_CONTROLS.items()} | values
        with needed_bundle(state, self._bundle, bundle) as opened:
            self._change(opened, plain_choices(opened, field(state, "choices", dict)), seed, controls, fade)

    def statistics(self) -> ResynthesisStatistics:
        """What happened so far. Any thread may call this at any time, but not the callback: it takes too long.

        Thread: any but the callback's. Waits: no. Memory: a little.
        """
        failures, reason = self._bank.failures
        return ResynthesisStatistics(
            frames=self._in.written, late=self._out.late, skipped=self._skipped, failures=self._failures + failures,
            last_failure=self._last_failure or reason, **self._work_statistics(),
        )  # fmt: skip

    # the engine's thread, or the host's if there is none

    def _work(self) -> bool:
        """Work off what came in, a block at most."""
        if self._in.filled > self._most:  # too much
            self._in.jump()
            self._bank.reset()
            self._put(self._in.read + self.ahead, self._made[:, :0])
        count = min(self._in.filled, self.block)  # before commands are taken in: they were sent before these samples
        start = self._in.read
        self._schedule.take_in(start)
        if not count:
            return False
        self._in.take(self._given[:, :count])
        for begin, end in self._schedule.segments(start, count, self._guarded):
            self._bank.process(self._given[:, begin:end], self._made[:, begin:end])
        self._put(start + self.ahead, self._made[:, :count])
        return True

    def _put(self, time: int, made: Array) -> None:
        """Hand over what is heard from `time` on. What is late is left out; silence replaces input that was skipped."""
        self._skipped += self._out.skip()
        missing = time - self._out.written
        if missing > 0:
            self._out.write(np.zeros((self.channels, missing), np.float32))
        self._out.write(made[:, max(0, -missing) :])
