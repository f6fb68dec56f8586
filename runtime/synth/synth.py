"""A polyphonic synth on a bundle: notes with sample-accurate times in, sound out, in blocks of any size."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.synth.controls import check_controls, check_frame, check_outputs, check_release, check_sample_rate
from ngs.runtime.synth.notes import Note
from ngs.runtime.synth.voice import Voice
from ngs.runtime.synth.voice_bank import VoiceBank

STEAL_SECONDS = 0.005  # in which a stolen voice fades


class Synth:
    """Up to `voices` notes of a bundle at once, at any sample rate.

    outputs: each a mix of its own, to which notes go by their `output`. channels: of an output, 2 or 1, which hears no
    pan. What is mixed is [outputs * channels, n], the channels of an output beside each other.
    What is played depends on the notes, their seeds and their times, never on the size of the blocks asked for.
    A synth is used by one thread; `ngs.runtime.Engine` plays one live.
    """

    latency = 0

    def __init__(
        self, bundle: Bundle, sample_rate: int | None = None, voices: int = 16, outputs: int = 1, channels: int = 2
    ) -> None:
        if voices < 1:
            raise ValueError(f"voices is {voices}: choose 1 or more")
        check_outputs(outputs, channels)
        self.bundle, self.voices, self.outputs, self.channels = bundle, voices, outputs, channels
        self.sample_rate = check_sample_rate(sample_rate or bundle.manifest.sample_rate)
        self._bank = VoiceBank(bundle, 2 * voices, self.sample_rate, channels, outputs)  # stolen voices still fade
        self._numbers = itertools.count(1)
        self.reset()

    def reset(self) -> None:
        """Silence at time 0, no events to come, nothing counted: as it was made."""
        self._bank.clear()
        self._bank.hops = self._bank.failures = 0
        self._bank.last_failure = ""
        self._events: list[_Event] = []
        self._waiting: dict[int, _Event] = {}  # notes that have not begun
        self._order, self._order_now = itertools.count(), 0
        self.time = 0  # samples played
        self.dropped = 0  # notes that were not heard or not faded: too many came at once

    @property
    def sounding(self) -> int:
        """Voices that sound, released ones among them."""
        return sum(not voice.ended for voice in self._bank.voices)

    @property
    def pending(self) -> int:
        """Events that wait for their time."""
        return len(self._events)

    @property
    def hops(self) -> int:
        """Calls of the decoder so far."""
        return self._bank.hops

    @property
    def failures(self) -> tuple[int, str]:
        """What failed so far, and why the last time."""
        return self._bank.failures, self._bank.last_failure

    def note_on(self, note: Note, at: float | None = None) -> int:
        """Start a note at sample `at` (now, where that is past or not given): its number. Raises ValueError."""
        note.check(self.bundle, self.outputs)
        number = next(self._numbers)
        self.admit(note, number, at)
        return number

    def admit(self, note: Note, number: int, at: float | None = None) -> None:
        """`note_on` under a number of the caller's; the note is checked when it starts."""
        self._waiting[number] = self._schedule(at, lambda synth: synth._start(note, number), number)

    def note_off(self, number: int, release: float = 0.05, at: float | None = None) -> None:
        """Fade a note in `release` seconds, or cancel it where it has not begun; one that has ended is no error."""
        check_release(release)
        self._schedule(at, lambda synth: synth._end(number, release))

    def all_off(self, release: float = 0.05, at: float | None = None) -> None:
        """Fade every note, and cancel those that were asked for and have not begun."""
        check_release(release)
        self._schedule(at, lambda synth: synth._end(None, release))

    def set(self, number: int | None, at: float | None = None, **controls: float) -> None:
        """Turn controls (`notes.CONTROLS`) of a note, or of all that sound (None). Raises ValueError."""
        values = check_controls(controls)
        self._schedule(at, lambda synth: synth._each(number, lambda voice: voice.set(values)))

    def process(self, count: int, out: Array | None = None) -> Array:
        """The next `count` samples, float32 [outputs * channels, count], written to `out` where it is given.

        What fails ends the voices that it may concern, and is counted: it is not raised.
        """
        if count < 0:
            raise ValueError(f"count is {count}: choose 0 or more samples")
        if out is None:
            out = np.zeros((self.outputs * self.channels, count), dtype=np.float32)
        else:
            out[:, :count] = 0.0
        done = attempts = 0
        while done < count:
            try:
                length, attempts = self._segment(out[:, done:count]), 0
            except Exception as error:
                length, attempts = 0, attempts + 1
                self._bank.fail_all(error)
                if attempts > 1:  # their ends fail as well
                    self._bank.clear()
                if attempts > 2:  # and silence
                    length = count - done
            done += length
            self.time += length
        return out[:, :count]

    def _segment(self, out: Array) -> int:
        """Mix until something happens, `out` [2, n] is full at the latest: the samples mixed."""
        if self._events and self._events[0].time <= self.time:
            self._bank.sweep()  # what has ended keeps no voice from a note
        while self._events and self._events[0].time <= self.time:
            event = heapq.heappop(self._events)
            if not event.cancelled:
                self._order_now = event.order
                event.act(self)
        self._bank.fill()
        length: int = out.shape[1]
        if self._events:
            length = min(length, self._events[0].time - self.time)
        for voice in self._bank.voices:
            length = min(length, voice.horizon)
        for voice in self._bank.voices:
            voice.mix(out[:, :length])
        return length

    def skip(self, count: int) -> None:
        """Let time go on by `count` samples without playing them: voices go on afterwards from where they are."""
        self.time += count

    def succeed(self, other: Synth) -> None:
        """Take over the time of another synth and the events that wait in it; notes that sound there stay there."""
        self.time, self._order = other.time, other._order
        self._events, self._waiting = list(other._events), other._waiting
        other._events = [event for event in other._events if event.number is None]
        other._waiting = {}
        heapq.heapify(other._events)

    def warm_up(self) -> None:
        """Do what the first notes would have to wait for. Raises BundleError where the bundle cannot be played."""
        self._bank.warm_up()

    def _schedule(self, at: float | None, act: Callable[[Synth], Any], number: int | None = None) -> _Event:
        time = self.time if at is None else check_frame(at)
        event = _Event(time, next(self._order), act, number)
        heapq.heappush(self._events, event)
        return event

    def _start(self, note: Note, number: int) -> None:
        self._waiting.pop(number, None)
        held = [voice for voice in self._bank.voices if not voice.stolen]
        if len(held) >= self.voices:
            victim = min(held, key=lambda voice: (not voice.releasing, voice.age))
            if victim.grains:
                victim.steal(STEAL_SECONDS)
            else:
                self._drop(victim)
        if len(self._bank.voices) == self._bank.rows:
            self._drop(min((v for v in self._bank.voices if v.stolen), key=lambda voice: voice.pan.remaining))
        voice = self._bank.start(note)
        if voice:
            voice.number = number

    def _drop(self, voice: Voice) -> None:
        self.dropped += 1
        self._bank.remove(self._bank.voices.index(voice))

    def _end(self, number: int | None, release: float) -> None:
        for each in list(self._waiting) if number is None else [number]:
            event = self._waiting.get(each)
            if event and event.order < self._order_now:
                event.cancelled = True
                del self._waiting[each]
        self._each(number, lambda voice: voice.release(release))

    def _each(self, number: int | None, act: Callable[[Voice], None]) -> None:
        for voice in self._bank.voices:
            if number in (None, voice.number):
                act(voice)


@dataclass(order=True)
class _Event:
    time: int
    order: int
    act: Callable[[Synth], Any] = field(compare=False)
    number: int | None = field(compare=False)  # of the note that it starts
    cancelled: bool = field(compare=False, default=False)
