"""Steps in time: the frame at which each step begins, while tempo and swing change or a MIDI clock leads."""

from __future__ import annotations

from collections.abc import Iterator

from ngs.pyo_instruments.timing.midi_clock import MidiClock

STEPS_A_BEAT = 4
CLOCKS_A_BEAT = 24  # of MIDI
CLOCKS_A_STEP = CLOCKS_A_BEAT // STEPS_A_BEAT
TEMPOS = (20.0, 400.0)  # bpm


class Transport:
    """Counts sixteenth steps from its start, without drift.

    tempo: in bpm; a new one continues from the place between two steps that was reached. swing: how late every second
    step comes, as a share of a step in [0, 0.5]; 1/3 makes triplets.

    While a MIDI clock ticks, 24 times a beat, it decides tempo and place. Started `at_clock`, step 0 is at the next
    tick; otherwise, and after a gap in the clock, steps move to the nearest ticks.
    """

    def __init__(self, sample_rate: int, tempo: float = 120.0) -> None:
        self._sample_rate = sample_rate
        self._tempo = tempo
        self.swing = 0.0
        self.running = False
        self._frame, self._place = 0.0, 0.0  # a frame and its place in steps: the others are counted from there
        self._next = 0  # the next step
        self._midi_clock = MidiClock(sample_rate)
        self._clocks: int | None = None  # ticks since step 0; None without a MIDI clock
        self._waiting = False  # for a tick to start at

    @property
    def tempo(self) -> float:
        """Beats per minute."""
        return self._tempo

    def set_tempo(self, tempo: float, frame: int) -> None:
        """Change the tempo from a frame on."""
        self._go_on_from(frame, self.place(frame), tempo)

    def start(self, frame: int, at_clock: bool = False) -> None:
        """Start with step 0 at a frame, or at the next tick of a MIDI clock."""
        self.stop()
        self.go_to(0, frame)
        self.go_on(frame, at_clock)

    def go_on(self, frame: int, at_clock: bool = False) -> None:
        """Continue with the next step."""
        self.running, self._waiting = not at_clock, at_clock
        if not at_clock:
            self._clocks = None
        elif self._clocks is None:
            self.go_to(self._next, frame)
        self._go_on_from(frame, float(self._next), self._tempo)

    def stop(self) -> None:
        """Stop."""
        self.running = self._waiting = False

    def go_to(self, step: int, frame: int) -> None:
        """Make a step the next: at once if running, at the next tick with a MIDI clock, else when it is started."""
        clocks = step * CLOCKS_A_STEP - 1  # the tick before it
        if self.running:
            place = float(step)
            if self._clocks is not None:
                since = self.place(frame) * CLOCKS_A_STEP - self._clocks  # above 1 if the ticks have ended
                place = (clocks + min(max(since, 0.0), 1.0)) / CLOCKS_A_STEP
                self._clocks = clocks
            self._go_on_from(frame, place, self._tempo)
        else:
            self._clocks = clocks
        self._next = step

    def place(self, frame: float) -> float:
        """Steps since the start, with a fraction, at a frame."""
        return self._place + (frame - self._frame) / self._step_frames

    def steps(self, frame: int, count: int) -> Iterator[tuple[int, int]]:
        """The steps that begin in `count` frames from `frame` on: number since the start, and frame within the block.

        If the times of steps have passed, because tempo or place changed, only the last of them begins, at once.
        """
        while self.running and self._time(self._next + 1) <= frame:
            self._next += 1
        while self.running:
            due = self._time(self._next) - frame
            if due >= count:
                return
            self._next += 1
            yield self._next - 1, max(due, 0)

    def clock(self, frame: int) -> None:
        """Follow a tick of a MIDI clock, in tempo and place."""
        due, period, passed = self._midi_clock.tick(frame)
        if period:
            tempo = 60 * self._sample_rate / (period * CLOCKS_A_BEAT)
            self.set_tempo(min(max(tempo, TEMPOS[0]), TEMPOS[1]), frame)
        if self._waiting:
            self.running, self._waiting, passed = True, False, 1
        if not self.running:
            return
        if self._clocks is None or passed is None:
            self._clocks = round(self.place(due) * CLOCKS_A_STEP)
        else:
            self._clocks += passed
        self._go_on_from(due, self._clocks / CLOCKS_A_STEP, self._tempo)

    @property
    def _step_frames(self) -> float:
        return self._sample_rate * 60 / self._tempo / STEPS_A_BEAT

    def _time(self, step: int) -> int:
        late = self.swing if step % 2 else 0.0
        return round(self._frame + (step + late - self._place) * self._step_frames)

    def _go_on_from(self, frame: float, place: float, tempo: float) -> None:
        self._frame, self._place, self._tempo = frame, place, tempo
