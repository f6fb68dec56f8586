"""What a synth and its engine have in common: commands for notes, each at its sample."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from collections.abc import Mapping

import numpy as np

from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.live.schedule import Act
from ngs.runtime.live.stream import Source
from ngs.runtime.synth.controls import check_controls, check_fade, check_outputs, check_sample_rate
from ngs.runtime.synth.notes import Note

MOST_VOICES = 1024  # a laptop core decodes some 16 in time


class NoteStream(Source):
    """Plays notes. `at` is a time in samples since the start, the nearest one if it is fractional; None is now.

    outputs: separate mixes; a note goes to the one of its `output`. channels: of each output, 2, or 1
    (pan then has no effect). A block is [outputs * channels, n], the channels of an output next to each other.
    """

    def __init__(self, sample_rate: float, voices: int, outputs: int, channels: int) -> None:
        if not isinstance(voices, int | np.integer) or not 1 <= voices <= MOST_VOICES:
            raise ValueError(f"voices is {voices!r}: choose a whole number, 1 to {MOST_VOICES}")
        check_outputs(outputs, channels)
        self.sample_rate = check_sample_rate(sample_rate)
        self.voices, self.outputs, self.channels = int(voices), outputs, channels
        self._numbers = itertools.count(1)

    @property
    def rows(self) -> int:
        return self.outputs * self.channels

    def _facts(self) -> list[str]:
        voices = f"up to {self.voices} voice{'s' * (self.voices > 1)}"
        return [self.bundle.path.name, f"{self.sample_rate} Hz", voices, *super()._facts()]

    @property
    @abstractmethod
    def bundle(self) -> Bundle:
        """The bundle that plays the next note."""

    def note_on(self, note: Note, at: float | None = None) -> int:
        """Play a note at `at`, or at once if that has passed. Returns its number. Raises ValueError, EngineBusy.

        Thread: any, of a `Synth` the one that plays. Waits: no. Memory: a command.
        """
        note.check(self.bundle, self.outputs)
        number = next(self._numbers)
        self._ask(at, lambda: self.begin(note, number), number)
        return number

    def note_off(self, number: int, release: float = 0.05, at: float | None = None) -> None:
        """Fade a note out in `release` seconds, or cancel it if it has not begun. It may have ended already.

        Thread: any, of a `Synth` the one that plays. Waits: no. Memory: a command.
        """
        check_fade("release", release)
        self._ask(at, lambda: self.end(number, release))

    def all_off(self, release: float = 0.05, at: float | None = None) -> None:
        """Fade every note out, and cancel those that were asked for and have not begun.

        Thread: any, of a `Synth` the one that plays. Waits: no. Memory: a command.
        """
        check_fade("release", release)
        self._ask(at, lambda: self.end(None, release))

    def set(self, number: int | None, at: float | None = None, **controls: float) -> None:
        """Turn controls (`CONTROLS`) of a note, or of all that sound (None). Raises ValueError, EngineBusy.

        Thread: any, of a `Synth` the one that plays. Waits: no. Memory: a command.
        """
        values = check_controls(controls)
        self._ask(at, lambda: self.turn(number, values))

    @abstractmethod
    def _ask(self, at: float | None, act: Act, number: int | None = None) -> None:
        """Have something done at a time; `number` is that of the note it starts."""

    # what happens at once: only the thread that plays calls these

    @abstractmethod
    def begin(self, note: Note, number: int) -> None:
        """Play a note under a number of the caller's. A note that cannot be played is counted as a failure.

        Thread: the one that plays. Waits: for graphs. Memory: a voice.
        """

    @abstractmethod
    def end(self, number: int | None, release: float) -> None:
        """Fade a note out in `release` seconds, or all (None); cancel what was asked for and has not begun.

        Thread: the one that plays. Waits: no. Memory: none.
        """

    @abstractmethod
    def turn(self, number: int | None, values: Mapping[str, float]) -> None:
        """Turn controls, which `check_controls` has passed, of a note or of all that sound (None).

        Thread: the one that plays. Waits: no. Memory: none.
        """
