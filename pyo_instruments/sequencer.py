"""Steps in time: when each one begins, to the frame, while tempo and swing change, alone or after an outside clock."""

from __future__ import annotations

from collections.abc import Iterator

STEPS_A_BEAT = 4
CLOCKS_A_BEAT = 24  # of MIDI
CLOCKS_A_STEP = CLOCKS_A_BEAT // STEPS_A_BEAT
TEMPOS = (20.0, 400.0)  # bpm
MEMORY = 96  # clocks of which one counts: four beats
LEAST_MEMORY = 6  # where the tempo changes
DRIFT_CLOCKS = 8  # whose lateness together tells a change of tempo from jitter
DRIFT_SECONDS = 0.0015  # of their mean
GAP_SECONDS = 0.5  # without a clock, after which nothing is known


class Transport:
    """Counts steps of a sixteenth from where it was started, without drift.

    tempo in bpm; swing in [0, 0.5]: by what share of a step every second one comes late, a third of it for triplets. A
    new tempo goes on from the place between two steps that was reached.

    An outside clock of 24 ticks a beat decides the tempo as long as it ticks, and the place: begun `at_clock`, step 0
    is at the first tick; otherwise steps are moved to the ticks that are nearest.
    """

    def __init__(self, sample_rate: int, tempo: float = 120.0) -> None:
        self._sample_rate = sample_rate
        self._tempo = tempo
        self.swing = 0.0
        self.running = False
        self._frame, self._place = 0.0, 0.0  # of which all others are counted
        self._next = 0  # step
        self._outside = Ticks(sample_rate)
        self._clocks: int | None = None  # since step 0; None before there is an outside clock
        self._waiting = False  # for a clock

    @property
    def tempo(self) -> float:
        """Beats a minute."""
        return self._tempo

    def set_tempo(self, tempo: float, frame: int) -> None:
        """Another tempo, from a frame on."""
        self._go_on_from(frame, self.place(frame), tempo)

    def start(self, frame: int, at_clock: bool = False) -> None:
        """Begin with step 0 at a frame, or at the tick of an outside clock that comes next."""
        self.go_to(0)
        self.go_on(frame, at_clock)

    def go_on(self, frame: int, at_clock: bool = False) -> None:
        """Begin with the step that comes next."""
        self.running, self._waiting = not at_clock, at_clock
        if not at_clock:
            self._clocks = None
        elif self._clocks is None:
            self.go_to(self._next)
        self._go_on_from(frame, float(self._next), self._tempo)

    def stop(self) -> None:
        """No more steps."""
        self.running = self._waiting = False

    def go_to(self, step: int) -> None:
        """Let a step be the next, for what starts or goes on."""
        self._next, self._clocks = step, step * CLOCKS_A_STEP - 1

    def place(self, frame: float) -> float:
        """Steps since the start, at a frame."""
        return self._place + (frame - self._frame) / self._step_frames

    def steps(self, frame: int, count: int) -> Iterator[tuple[int, int]]:
        """The steps that begin in `count` frames from `frame` on: number since the start, frame within the block.

        One whose time has passed, since the tempo changed, begins at once.
        """
        while self.running:
            due = self._time(self._next) - frame
            if due >= count:
                return
            self._next += 1
            yield self._next - 1, max(due, 0)

    def clock(self, frame: int) -> None:
        """A tick of an outside clock, 24 a beat: follow its tempo and its place."""
        due, period = self._outside.tick(frame)
        if period:
            tempo = 60 * self._sample_rate / (period * CLOCKS_A_BEAT)
            self.set_tempo(min(max(tempo, TEMPOS[0]), TEMPOS[1]), frame)
        if self._waiting:
            self.running, self._waiting = True, False
        if not self.running:
            return
        if self._clocks is None:
            self._clocks = round(self.place(due) * CLOCKS_A_STEP)
        else:
            self._clocks += 1
        self._go_on_from(due, self._clocks / CLOCKS_A_STEP, self._tempo)

    @property
    def _step_frames(self) -> float:
        return self._sample_rate * 60 / self._tempo / STEPS_A_BEAT

    def _time(self, step: int) -> int:
        late = self.swing if step % 2 else 0.0
        return round(self._frame + (step + late - self._place) * self._step_frames)

    def _go_on_from(self, frame: float, place: float, tempo: float) -> None:
        self._frame, self._place, self._tempo = frame, place, tempo


class Ticks:
    """Where ticks would be that were exact: their time and period, of ticks that come early and late.

    An alpha-beta filter with the gains of least squares over the ticks so far, MEMORY of them at most: it knows the
    period after two ticks and averages more and more of them. Where several in turn are off to the same side the tempo
    has changed, and it forgets half of what it knew.
    """

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._known = 0  # ticks, of which what is known is the mean
        self._due = self._period = self._drift = 0.0  # frames
        self._frame = 0  # of the last tick as it came

    def tick(self, frame: int) -> tuple[float, float]:
        """One that came at a frame: when it was due, and the frames from one to the next, 0 while it is the first."""
        if frame - self._frame > GAP_SECONDS * self._sample_rate:
            self._known = 0
        self._frame = frame
        known = self._known
        if known == 0:
            self._due, self._period, self._drift = float(frame), 0.0, 0.0
        elif known == 1:
            self._due, self._period = float(frame), frame - self._due
        else:
            late = frame - (self._due + self._period)
            self._drift += (late - self._drift) / DRIFT_CLOCKS
            if abs(self._drift) > DRIFT_SECONDS * self._sample_rate:
                known = min(known, max(known // 2, LEAST_MEMORY))
            self._due += self._period + late * 2 * (2 * known + 1) / ((known + 1) * (known + 2))
            self._period += late * 6 / ((known + 1) * (known + 2))
        self._known = min(known + 1, MEMORY)
        return self._due, max(self._period, 0.0)
