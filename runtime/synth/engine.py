"""Plays a synth live: a thread renders ahead into a ring buffer, and the host's callback only copies.

Neither side waits for the other: commands cross in a bounded queue, frames in a ring buffer without a lock. Sessions of
onnxruntime release the GIL while they run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle, as_bundle
from ngs.runtime.bundle.state import check_state, field, needed_bundle, new_state
from ngs.runtime.live.read_ahead import read_ahead
from ngs.runtime.live.ring import FADE_SECONDS, Ring
from ngs.runtime.live.schedule import Act, Schedule
from ngs.runtime.live.worker import Worker, WorkStatistics
from ngs.runtime.synth.controls import check_fade
from ngs.runtime.synth.note_stream import NoteStream
from ngs.runtime.synth.notes import Note
from ngs.runtime.synth.synth import Synth

COMMANDS_AT_ONCE = 64  # taken in before a block, so that a thousand notes do not make it late


@dataclass(frozen=True)
class Statistics(WorkStatistics):
    """What an engine did since it was made or reset. A piece of work is a block."""

    frames: int  # read by the host
    blocks: int  # rendered
    hops: int  # calls of the decoder, for one or more voices each
    late: int  # reads that found too few frames
    skipped: int  # frames that were late and never played
    late_events: int  # notes and changes that came after their time
    dropped: int  # notes without a free voice
    failures: int  # of voices and bundles
    last_failure: str
    voices: int  # sounding now


class Engine(NoteStream, Worker):
    """Plays a bundle's notes in a host's callback. Only the host's thread calls `process`; any thread calls the rest.

    max_block: the most frames that the host reads at once, 1024 by default; `process` refuses more. block: frames
    rendered at a time. ahead: frames rendered before the host reads them, the `latency`; at least `max_block` and a
    block. The default, `max_block`, 8 ms and another 0.5 ms per voice, lets a laptop core decode all voices at once
    between two reads. If `ahead` is given and `max_block` is not, it is what `ahead` allows. threaded: False if nobody
    waits for the sound. `process` then renders what it needs, however much, and is never late; all else is the same.
    After `stop`, the frames that are ready can still be read.

    `at` counts the frames the host has read (`time`). A time is met exactly if it is at least `latency` and one read
    away. Without one, a note plays as soon as possible.
    """

    def __init__(
        self, bundle: Bundle, sample_rate: int, voices: int = 16, block: int = 256, ahead: int | None = None,
        outputs: int = 1, channels: int = 2, threaded: bool = True, *, max_block: int | None = None,
    ) -> None:  # fmt: skip
        if not 1 <= block <= 8192:
            raise ValueError(f"block is {block}: choose 1 to 8192 frames")
        NoteStream.__init__(self, sample_rate, voices, outputs, channels)
        work = max(2 * block, round(self.sample_rate * (0.008 + 0.0005 * voices)))
        self._agreed = read_ahead(max_block, ahead, block, work, least=2 * block)
        Worker.__init__(self, block / self.sample_rate / 4)
        self.block, self.threaded = block, threaded
        self.max_block, self.latency = self._agreed.max_block, self._agreed.ahead
        self._bundle, self._synth = bundle, self._new_synth(bundle)
        # the synth to change to, with the seconds of the fade; of several before the next block, the last counts
        self._loaded: deque[tuple[Synth, float]] = deque(maxlen=1)
        self._leaving: list[Synth] = []  # fading out
        self._retired: list[Synth] = []  # to be freed by another thread than the one that plays
        self._out, self._mix = (np.zeros((self.rows, block), dtype=np.float32) for _ in range(2))
        self.reset()

    def reset(self) -> None:
        """Silence at time 0, no commands to come, nothing counted. Raises RuntimeError while the thread runs.

        Thread: any, when no other uses it. Waits: no. Memory: the ring buffer.
        """
        self._refuse_while_running("reset")
        fade = max(1, round(FADE_SECONDS * self.sample_rate))
        self._ring = Ring(1 << (self.latency + self.block + 2 * fade).bit_length(), self.rows, fade)
        self._schedule = Schedule()
        self._late_events = self._skipped = 0
        self._earlier_hops = self._earlier_dropped = self._earlier_failures = 0  # of synths that are gone
        self._forget_work()
        self._change_synths()
        self._leaving.clear()
        self._synth.reset()

    def _facts(self) -> list[str]:
        return [*super()._facts(), f"max_block {self.max_block}", self._work_fact]

    # the host's side

    def start(self) -> None:
        """Warm up, fill the ring buffer and, if `threaded`, start the thread. Raises BundleError.

        Thread: any but the callback's, one at a time. Waits: until the ring buffer is full. Memory: the thread.
        """
        if self.running:
            return
        self._change_synths()
        if not self._worked:  # a warm-up would end notes that sound
            self._synth.warm_up()
        if self.threaded:
            self._start_thread(self._fill)

    @property
    def time(self) -> int:
        """Frames the host has read: what `at` counts."""
        return self._ring.read

    @property
    def bundle(self) -> Bundle:
        return self._bundle

    def process(self, out: Array) -> None:
        """Fill `out`, float32 [outputs * channels, n], with the next frames. The host's callback calls this.

        It never waits. Without a thread, it renders. Raises ValueError for another kind of block, or one of more than
        `max_block` frames.

        Thread: the callback's. Waits: no, without a thread for graphs. Memory: none.
        """
        self._check(out)
        if self.threaded:
            self._agreed.check(out.shape[1])
            self._ring.take(out)
            return
        for start in range(0, out.shape[1], self.block):
            self._fill()
            self._ring.take(out[:, start : start + self.block])
        self._fill()  # as a thread would: what is asked for next is heard `latency` later

    def load(self, bundle: Bundle | str | Path, fade: float = 0.5, provider: str = "auto") -> None:
        """Change to another bundle. The caller's thread gets it ready while the old one plays on.

        Notes that sound fade out in `fade` seconds. The new bundle plays all others, those that wait included.
        Raises BundleError, ValueError.

        Thread: any but the callback's, one at a time. Waits: until the bundle is ready. Memory: another synth.
        """
        check_fade("fade", fade)
        opened = as_bundle(bundle, provider)
        self._change_to(opened, self._ready_synth(opened), fade)

    def state(self) -> dict[str, Any]:
        """What a host stores with its project, as plain JSON values: the bundle, and the notes that would not end.

        Each note that sounds until it is released is stored where it is on its path, as its controls are turned;
        the speed of one on its way back has the other sign. The
        layout is not stored: the host makes the engine. Notes that were only just asked for may be missing.

        Thread: any. Waits: no. Memory: the dictionary.
        """
        bundle, synth = self._bundle, self._synth
        lasting = synth.lasting() if synth.bundle is bundle else []
        return new_state("Engine", bundle, notes=[{"number": number, **note.to_dict()} for number, note in lasting])

    def restore(
        self, state: Mapping[str, Any], bundle: Bundle | str | Path | None = None, fade: float = 0.5
    ) -> dict[int, int]:
        """Fade out what sounds in `fade` seconds, and play what `state` stored. All of it or, if that raises, nothing.

        Notes that were asked for and have not begun are cancelled. bundle: plays instead of the one that was stored,
        which is otherwise looked for where it was. Returns the new numbers of the notes by their old ones; of more
        notes than voices, the last ones sound. Raises BundleError, ValueError, EngineBusy.

        Thread: any but the callback's, one at a time. Waits: for another bundle until it is ready. Memory: the notes.
        """
        check_state(state, "Engine")
        check_fade("fade", fade)
        notes = []
        for each in field(state, "notes", list):
            told = dict(each) if isinstance(each, Mapping) else {}
            number = field(told, "number", int, "state: note")
            del told["number"]
            notes.append((number, Note.from_dict(told)))
        with needed_bundle(state, self._bundle, bundle) as opened:
            for _, note in notes:
                note.check(opened, self.outputs)
            synth = None if opened is self._bundle else self._ready_synth(opened)
            self._schedule.check_room()
        begun = [(next(self._numbers), note) for _, note in notes]

        def change() -> None:
            self.end(None, fade)
            self._earlier_dropped += len(begun[: -self.voices])  # to draw them first would take long
            for number, note in begun[-self.voices :]:
                self.begin(note, number)

        if synth:
            self._change_to(opened, synth, fade)
        self._schedule.send_anyway(change)
        return {old: new for (old, _), (new, _) in zip(notes, begun, strict=True)}

    def statistics(self) -> Statistics:
        """What happened so far. Any thread may call this at any time, but not the callback: it takes too long.

        Thread: any but the callback's. Waits: no. Memory: a little.
        """
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

    def _ask(self, at: float | None, act: Act, number: int | None = None) -> None:
        self._schedule.send(at, act, number)

    # the engine's thread, or the host's if there is none

    def _fill(self) -> None:
        while self._step():
            pass

    def _work(self) -> bool:
        """Take commands in, and render a block if the ring buffer has room."""
        if self._ring.filled + self.block > self.latency:
            self._take_in()
            return False
        self._skipped += self._ring.skip() * (self._worked > 0)  # before the first block, nothing was to be played
        self._take_in()
        self._render()
        self._ring.write(self._out)
        return True

    def _take_in(self) -> None:
        most = COMMANDS_AT_ONCE if self.threaded else None
        self._late_events += self._schedule.take_in(self._ring.written, most)
        self._change_synths()

    def _render(self) -> None:
        for start, stop in self._schedule.segments(self._ring.written, self.block, self._guarded):
            out, mix = self._out[:, start:stop], self._mix[:, start:stop]
            self._synth.process(out)
            for old in self._leaving:
                old.process(mix)
                out += mix
        for old in [old for old in self._leaving if not old.sounding]:
            self._leaving = [other for other in self._leaving if other is not old]
            self._retired.append(old)
            self._earlier_hops += old.hops
            self._earlier_dropped += old.dropped
            self._earlier_failures += old.failures[0]
            self._last_failure = old.failures[1] or self._last_failure

    def _change_synths(self) -> None:
        while self._loaded:
            synth, fade = self._loaded.popleft()
            old, self._synth = self._synth, synth  # first, so that statistics never count a synth twice
            old.end(None, fade)
            self._leaving.append(old)

    def begin(self, note: Note, number: int) -> None:
        self._synth.begin(note, number)

    def end(self, number: int | None, release: float) -> None:
        self._schedule.cancel(number)
        for synth in self._synths():
            synth.end(number, release)

    def turn(self, number: int | None, values: Mapping[str, float]) -> None:
        for synth in self._synths():
            synth.turn(number, values)

    def _synths(self) -> list[Synth]:
        return [self._synth, *self._leaving]

    def _change_to(self, bundle: Bundle, synth: Synth, fade: float) -> None:
        self._retired.clear()
        self._bundle = bundle
        self._loaded.append((synth, fade))

    def _ready_synth(self, bundle: Bundle) -> Synth:
        synth = self._new_synth(bundle)
        synth.warm_up()
        return synth

    def _new_synth(self, bundle: Bundle) -> Synth:
        return Synth(bundle, self.sample_rate, self.voices, self.outputs, self.channels)
