"""A polyphonic synth on a bundle: notes with sample-accurate times in, stereo out, in blocks of any size."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.bank import VoiceBank
from ngs.runtime.bundle import Bundle
from ngs.runtime.notes import Note, check_controls, check_release
from ngs.runtime.voice import Voice

Array = NDArray[np.float32]
STEAL_SECONDS = 0.005  # in which a stolen voice fades


class Synth:
    """Up to `voices` notes of a bundle at once, at any sample rate.

    What is played depends on the notes, their seeds and their times, never on the size of the blocks asked for.
    A synth is used by one thread; `ngs.runtime.Engine` plays one live.
    """

    latency = 0

    def __init__(self, bundle: Bundle, sample_rate: int | None = None, voices: int = 16) -> None:
        if voices < 1:
            raise ValueError(f"voices is {voices}: choose 1 or more")
        self.bundle, self.sample_rate, self.voices = bundle, sample_rate or bundle.manifest.sample_rate, voices
        if not 1000 <= self.sample_rate <= 384000:
            raise ValueError(f"sample_rate is {sample_rate} Hz: choose 1000 to 384000")
        self._bank = VoiceBank(bundle, 2 * voices, self.sample_rate, channels=2)  # stolen voices still fade
        self._numbers = itertools.count(1)
        self.reset()

    def reset(self) -> None:
        """Silence at time 0, no events to come: as it was made."""
        self._bank.clear()
        self._events: list[_Event] = []
        self._order = itertools.count()
        self.time = 0  # samples played
        self.dropped = 0  # notes that found no row

    @property
    def sounding(self) -> int:
        """Voices that sound, released ones among them."""
        return sum(not voice.ended for voice in self._bank.voices)

    @property
    def hops(self) -> int:
        return self._bank.hops

    @property
    def failures(self) -> tuple[int, str]:
        """Voices that failed so far, and why the last one did."""
        return self._bank.failures, self._bank.last_failure

    def note_on(self, note: Note, at: int | None = None, number: int | None = None) -> int:
        """Start a note at sample `at` (now, where that is past or not given): its number. Raises ValueError."""
        note.check(self.bundle)
        number = next(self._numbers) if number is None else number
        self._schedule(at, lambda synth: synth._start(note, number), starts=number)
        return number

    def note_off(self, number: int, release: float = 0.05, at: int | None = None) -> None:
        """Fade a note in `release` seconds, or cancel it where it has not begun; one that has ended is no error."""
        check_release(release)
        self._schedule(at, lambda synth: synth._end(number, release))

    def all_off(self, release: float = 0.05, at: int | None = None) -> None:
        """Fade every note, and cancel those that have not begun."""
        check_release(release)
        self._schedule(at, lambda synth: synth._end(None, release))

    def set(self, number: int, at: int | None = None, **controls: float) -> None:
        """Turn controls of a note (`notes.CONTROLS`). Raises ValueError."""
        values = check_controls(controls)
        self._schedule(at, lambda synth: synth._each(number, lambda voice: voice.set(values)))

    def process(self, count: int, out: Array | None = None) -> Array:
        """The next `count` samples, float32 [2, count], written to `out` where it is given."""
        if out is None:
            out = np.zeros((2, count), dtype=np.float32)
        else:
            out[:, :count] = 0.0
        done = 0
        while done < count:
            self._bank.sweep()
            while self._events and self._events[0].time <= self.time:
                heapq.heappop(self._events).act(self)
            self._bank.fill()
            length = count - done
            if self._events:
                length = min(length, self._events[0].time - self.time)
            for voice in self._bank.voices:
                length = min(length, voice.horizon)
            for voice in self._bank.voices:
                voice.mix(out[:, done : done + length])
            done += length
            self.time += length
        return out[:, :count]

    def skip(self, count: int) -> None:
        """Let time go on by `count` samples without playing them: voices go on afterwards from where they are."""
        self.time += count

    def succeed(self, other: Synth) -> None:
        """Take over the time of another synth and the events that wait in it; notes that sound there stay there."""
        self.time, self._order = other.time, other._order
        self._events = list(other._events)
        other._events = [event for event in other._events if not event.starts]
        heapq.heapify(other._events)

    def fail(self, time: int) -> None:
        """After an error: end all voices without a click, and be at sample `time`."""
        self._bank.fail_all()
        self.time = time

    def warm_up(self) -> None:
        """Do what the first notes would have to wait for."""
        self._bank.warm_up()

    def _schedule(self, at: int | None, act: Callable[[Synth], Any], starts: int = 0) -> None:
        heapq.heappush(self._events, _Event(self.time if at is None else at, next(self._order), act, starts))

    def _start(self, note: Note, number: int) -> None:
        held = [voice for voice in self._bank.voices if not voice.stolen]
        if len(held) >= self.voices:
            min(held, key=lambda voice: (not voice.releasing, voice.number)).steal(STEAL_SECONDS)
        if len(self._bank.voices) == self._bank.rows:
            self.dropped += 1
            return
        voice = self._bank.start(note)
        if voice:
            voice.number = number

    def _end(self, number: int | None, release: float) -> None:
        self._each(number, lambda voice: voice.release(release))
        self._events = [event for event in self._events if not event.starts or number not in (None, event.starts)]
        heapq.heapify(self._events)

    def _each(self, number: int | None, act: Callable[[Voice], None]) -> None:
        for voice in self._bank.voices:
            if number in (None, voice.number):
                act(voice)


@dataclass(frozen=True, order=True)
class _Event:
    time: int
    order: int
    act: Callable[[Synth], Any] = field(compare=False)
    starts: int = field(compare=False)  # number of the note, or 0


class GrainStream:
    """One note, mono, in blocks of any size; zeros after its end."""

    latency = 0

    def __init__(self, bundle: Bundle, note: Note, sample_rate: int | None = None) -> None:
        note.check(bundle)
        self._note, self._bank = note, VoiceBank(bundle, 1, sample_rate or bundle.manifest.sample_rate, channels=1)
        self.reset()

    def reset(self) -> None:
        """Start again, at the first grain."""
        self._bank.clear()
        self._bank.start(self._note)

    @property
    def ended(self) -> bool:
        return not self._bank.voices

    def process(self, count: int) -> Array:
        """The next samples, float32 [count]."""
        out = np.zeros((1, count), dtype=np.float32)
        done = 0
        while done < count:
            self._bank.fill()
            if self.ended:
                break
            voice = self._bank.voices[0]
            length = min(count - done, voice.horizon)
            voice.mix(out[:, done : done + length])
            done += length
        mono: Array = out[0]
        return mono
