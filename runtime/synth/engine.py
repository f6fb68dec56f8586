"""Plays a synth live: a thread of its own renders ahead into a ring, the host's callback only copies.

Beyond that thread nothing waits: commands go into a bounded queue, frames come out of a ring without a lock. Sessions
release the GIL while they run. While an engine runs, threads hand the GIL on after half a millisecond.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.live.ring import Ring
from ngs.runtime.live.worker import Worker, WorkStatistics
from ngs.runtime.synth.controls import check_controls, check_frame, check_outputs, check_release, check_sample_rate
from ngs.runtime.synth.notes import Note
from ngs.runtime.synth.synth import Synth

COMMANDS = 4096  # that wait at most to be taken in
EVENTS = 1 << 16  # that wait at most for their time
COMMANDS_AT_ONCE = 64  # that are taken in: a thousand notes must not make a block late
FADE_SECONDS = 0.005  # around what was late


class EngineBusy(RuntimeError):
    """More commands than the engine can take: it hangs, or a host sends them faster than they can be played."""


@dataclass(frozen=True)
class Statistics(WorkStatistics):
    """What an engine did since it was started; a piece of work is a block."""

    frames: int  # the host has read
    blocks: int  # rendered
    hops: int  # decoded, of one or several voices each
    late: int  # reads that found too little
    skipped: int  # frames that were late and never played
    late_events: int  # notes and changes whose time had passed when they came
    dropped: int  # notes that found no voice
    failures: int  # voices and bundles that failed
    last_failure: str
    voices: int  # that sound now


class Engine(Worker):
    """A bundle's synth behind a ring. `read` from one thread, the host's; everything else from any.

    block: frames rendered at a time. ahead: frames rendered before they are read, the `latency` of what is played at
    once; at least two blocks and what the host reads in one go. By default 8 ms and 0.5 ms a voice: a core of a laptop
    decodes all of them at once in that time. outputs, channels: of the synth. threaded: false where nobody waits for
    the sound: `read` renders what it needs itself, is never late, and all else is as it is with a thread. What the ring
    holds can be read after `stop`.
    """

    def __init__(
        self, bundle: Bundle, sample_rate: int, voices: int = 16, block: int = 256, ahead: int | None = None,
        outputs: int = 1, channels: int = 2, threaded: bool = True,
    ) -> None:  # fmt: skip
        if not 1 <= block <= 8192:
            raise ValueError(f"block is {block}: choose 1 to 8192 frames")
        sample_rate = check_sample_rate(sample_rate)
        check_outputs(outputs, channels)
        ahead = max(3 * block, round(sample_rate * (0.008 + 0.0005 * voices))) if ahead is None else ahead
        if not 2 * block <= ahead <= 1 << 20:
            raise ValueError(f"ahead is {ahead}: choose {2 * block} (two blocks) to {1 << 20} frames")
        super().__init__(block / sample_rate / 4)
        self.sample_rate, self.voices, self.block, self.latency = sample_rate, voices, block, ahead
        self.outputs, self.channels, self.threaded = outputs, channels, threaded
        self._rows = outputs * channels  # of what is read
        fade = max(1, round(FADE_SECONDS * sample_rate))
        self._ring = Ring(1 << (ahead + block + 2 * fade).bit_length(), self._rows, fade)
        self._synth = Synth(bundle, sample_rate, voices, outputs, channels)
        self._bundle = bundle
        self._retired: list[Synth] = []  # to be freed by another thread than this one
        self._leaving: list[Synth] = []
        self._commands: deque[tuple[int | None, Callable[[Synth, int | None], Any]]] = deque()
        self._numbers = itertools.count(1)
        self._late_events = self._skipped = 0
        self._earlier_hops = self._earlier_dropped = self._earlier_failures = 0  # of synths that are gone
        self._out, self._mix = (np.zeros((self._rows, block), dtype=np.float32) for _ in range(2))

    # the host's side

    def start(self) -> None:
        """Warm up, fill the ring and go on in a thread, where it is to have one."""
        if self._thread:
            return
        if not self._worked:  # later there may be notes that go on
            self._synth.warm_up()
        if self.threaded:
            self._start_thread(self._fill)

    @property
    def time(self) -> int:
        """Frames the host has read: the time `at` counts in."""
        return self._ring.read

    def read(self, out: Array) -> None:
        """Fill `out` float32 [outputs * channels, n] with the next frames: the host's callback calls this.

        It never waits; without a thread it renders.
        """
        if out.ndim != 2 or len(out) != self._rows:
            raise ValueError(f"a block is [{self._rows}, n], this one is {out.shape}")
        if self.threaded:
            self._ring.take(out)
            return
        for start in range(0, out.shape[1], self.block):
            self._fill()
            self._ring.take(out[:, start : start + self.block])
        self._fill()  # as a thread would: what is asked for next is heard `latency` later

    def note_on(self, note: Note, at: float | None = None) -> int:
        """Play a note when the host reads frame `at`, or as soon as possible: its number.

        A frame is met exactly where it is `latency` and what the host reads in one go away, or more.
        Raises ValueError, EngineBusy.
        """
        note.check(self._bundle, self.outputs)
        number = next(self._numbers)
        self._send(at, lambda synth, time: synth.admit(note, number, time))
        return number

    def note_off(self, number: int, release: float = 0.05, at: float | None = None) -> None:
        """Fade a note in `release` seconds, or cancel it where it has not begun."""
        check_release(release)
        self._send(at, lambda synth, time: synth.note_off(number, release, time), everywhere=True)

    def all_off(self, release: float = 0.05, at: float | None = None) -> None:
        """Fade every note, and cancel those that have not begun."""
        check_release(release)
        self._send(at, lambda synth, time: synth.all_off(release, time), everywhere=True)

    def set(self, number: int | None, at: float | None = None, **controls: float) -> None:
        """Turn controls (`notes.CONTROLS`) of a note, or of all that sound (None). Raises ValueError, EngineBusy."""
        values = check_controls(controls)
        self._send(at, lambda synth, time: synth.set(number, time, **values), everywhere=True)

    def load(self, bundle: Bundle | str | Path, fade: float = 0.5, provider: str = "auto") -> None:
        """Change to another bundle: made ready here, in the caller's thread, while the old one plays on.

        Notes that sound fade in `fade` seconds; later ones, and those that wait for their time, are the new bundle's.
        Raises BundleError, ValueError.
        """
        if not 0 <= fade <= 60:
            raise ValueError(f"fade is {fade!r}: choose 0 to 60 seconds")
        opened = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle, provider)
        synth = Synth(opened, self.sample_rate, self.voices, self.outputs, self.channels)
        synth.warm_up()
        self._retired.clear()
        self._bundle = opened
        if self.threaded and self._thread is None:
            self._change(synth, fade)
        else:
            self._commands.append((None, lambda old, time: self._change(synth, fade)))

    @property
    def bundle(self) -> Bundle:
        """The bundle whose notes are played next."""
        return self._bundle

    def statistics(self) -> Statistics:
        """What happened so far; safe to call at any time, not from the callback."""
        synths = self._synths()
        failures, reasons = zip(*(synth.failures for synth in synths), strict=True)
        return Statistics(
            frames=self._ring.read, blocks=self._worked, hops=self._earlier_hops + sum(synth.hops for synth in synths),
            late=self._ring.late, skipped=self._skipped, late_events=self._late_events,
            dropped=self._earlier_dropped + sum(synth.dropped for synth in synths),
            failures=self._failures + self._earlier_failures + sum(failures),
            last_failure=next(filter(None, reasons), self._last_failure),
            voices=sum(synth.sounding for synth in synths),
            **self._work_statistics(),
        )  # fmt: skip

    def _send(self, at: float | None, act: Callable[[Synth, int | None], Any], everywhere: bool = False) -> None:
        at = None if at is None else check_frame(at)
        if len(self._commands) >= COMMANDS:
            raise EngineBusy(f"{COMMANDS} commands wait already: the engine is not running, or they come too fast")
        if self._synth.pending >= EVENTS:
            raise EngineBusy(f"{EVENTS} events wait for their time already: schedule less far ahead")
        if everywhere:
            self._commands.append((at, lambda synth, time: [act(each, time) for each in self._synths()]))
        else:
            self._commands.append((at, act))

    # the engine's thread, or without one the reader's

    def _fill(self) -> None:
        while self._step():
            pass

    def _work(self) -> bool:
        """Take commands in, and render a block where the ring has room: whether it had."""
        if self._ring.filled + self.block > self.latency:
            self._take_in()
            return False
        late = self._ring.skip()
        if late:
            self._skipped += late * (self._worked > 0)  # before that nothing was to be played
            for synth in self._synths():
                synth.skip(late)
        self._take_in()
        self._play()
        self._ring.write(self._out)
        return True

    def _take_in(self) -> None:
        """Commands that wait, the first of them; all where no block can be late."""
        waiting = len(self._commands)
        for _ in range(min(waiting, COMMANDS_AT_ONCE) if self.threaded else waiting):
            at, act = self._commands.popleft()
            self._late_events += at is not None and at < self._synth.time
            self._guarded(act, self._synth, at)

    def _play(self) -> None:
        self._out[:] = 0.0
        self._synth.process(self.block, self._out)
        for old in self._leaving:
            old.process(self.block, self._mix)
            self._out += self._mix
        for old in [old for old in self._leaving if not old.sounding]:
            self._leaving = [other for other in self._leaving if other is not old]
            self._retired.append(old)
            self._earlier_hops += old.hops
            self._earlier_dropped += old.dropped
            self._earlier_failures += old.failures[0]
            self._last_failure = old.failures[1] or self._last_failure

    def _change(self, synth: Synth, fade: float) -> None:
        old, self._synth = self._synth, synth
        synth.succeed(old)
        old.all_off(fade)
        self._leaving.append(old)

    def _synths(self) -> list[Synth]:
        return [self._synth, *self._leaving]
