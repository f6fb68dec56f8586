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
SURE = 12  # ticks known, after which one may tell that others were lost
LOST_PERIODS = 1.7  # after which it tells so, where the one before was not late
LATE_PERIODS = 0.3  # that jitter does not make
SLOW_PERIODS = 1.4  # after which the next one tells that none was lost: the tempo has fallen


class Transport:
    """Counts steps of a sixteenth from where it was started, without drift.

    tempo in bpm; swing in [0, 0.5]: by what share of a step every second one comes late, a third of it for triplets. A
    new tempo goes on from the place between two steps that was reached.

    An outside clock of 24 ticks a beat decides the tempo as long as it ticks, and the place: begun `at_clock`, step 0
    is at the first tick; otherwise, and where it comes back after a gap, steps are moved to the ticks that are nearest.
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
        self.stop()
        self.go_to(0, frame)
        self.go_on(frame, at_clock)

    def go_on(self, frame: int, at_clock: bool = False) -> None:
        """Begin with the step that comes next."""
        self.running, self._waiting = not at_clock, at_clock
        if not at_clock:
            self._clocks = None
        elif self._clocks is None:
            self.go_to(self._next, frame)
        self._go_on_from(frame, float(self._next), self._tempo)

    def stop(self) -> None:
        """No more steps."""
        self.running = self._waiting = False

    def go_to(self, step: int, frame: int) -> None:
        """Let a step be the next: at once while it runs, or at the next tick; else when it starts or goes on."""
        clocks = step * CLOCKS_A_STEP - 1  # of the tick before it
        if self.running:
            place = float(step)
            if self._clocks is not None:
                since = self.place(frame) * CLOCKS_A_STEP - self._clocks  # above 1 where no ticks come any more
                place = (clocks + min(max(since, 0.0), 1.0)) / CLOCKS_A_STEP
                self._clocks = clocks
            self._go_on_from(frame, place, self._tempo)
        else:
            self._clocks = clocks
        self._next = step

    def place(self, frame: float) -> float:
        """Steps since the start, at a frame."""
        return self._place + (frame - self._frame) / self._step_frames

    def steps(self, frame: int, count: int) -> Iterator[tuple[int, int]]:
        """The steps that begin in `count` frames from `frame` on: number since the start, frame within the block.

        One whose time has passed, since tempo or place changed, begins at once; of several, only the last.
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
        """A tick of an outside clock, 24 a beat: follow its tempo and its place."""
        due, period, passed = self._outside.tick(frame)
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


class Ticks:
    """Where ticks would be that were exact: their time and period, of ticks that come early and late.

    An alpha-beta filter with the gains of least squares over the ticks so far, MEMORY of them at most: it knows the
    period after two ticks and averages more and more of them. Where several in turn are off to the same side the tempo
    has changed, and it forgets half of what it knew.

    One that comes late by whole periods stands for those before it, which were lost: should they come after all they
    are not counted again, and should the next one be as late, the tempo has changed and none was lost.
    """

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._known = 0  # ticks, of which what is known is the mean
        self._due = self._period = self._drift = 0.0  # frames
        self._frame = 0  # of the last tick as it came
        self._late = 0.0  # periods, of the last tick
        self._lost = 0  # ticks just before the last

    def tick(self, frame: int) -> tuple[float, float, int | None]:
        """One that came at a frame: when it was due, frames from one to the next, and ticks since the one before.

        The period is 0 and the ticks since are None where it is the first, or the first after a gap.
        """
        interval, self._frame = frame - self._frame, frame
        if interval > GAP_SECONDS * self._sample_rate:
            self._known = 0
        if self._known == 0:
            self._known, self._due, self._late, self._lost = 1, float(frame), 0.0, 0
            return self._due, 0.0, None
        passed, lost, self._lost = 1, self._lost, 0
        if self._known >= SURE and self._period > 0:
            periods = (frame - self._due) / self._period
            if lost and periods < 0.5:
                self._lost = lost - 1
                return self._due, self._period, 0
            since = interval / self._period
            if lost and since > SLOW_PERIODS:
                self._known, passed = 1, 1 - lost
            elif min(periods, since) > LOST_PERIODS and abs(self._late) < LATE_PERIODS:
                passed = round(periods)
                self._lost = passed - 1
            self._late = periods - passed
        if self._known == 1:
            self._due, self._period, self._drift = float(frame), float(interval), 0.0
        else:
            self._follow(frame, passed)
        self._known = min(self._known + 1, MEMORY)
        return self._due, max(self._period, 0.0), passed

    def _follow(self, frame: int, passed: int) -> None:
        due = self._due + passed * self._period
        late, known = frame - due, self._known
        self._drift += (late - self._drift) / DRIFT_CLOCKS
        if abs(self._drift) > DRIFT_SECONDS * self._sample_rate:
            known = min(known, max(known // 2, LEAST_MEMORY))
        self._due = due + late * 2 * (2 * known + 1) / ((known + 1) * (known + 2))
        self._period += late * 6 / ((known + 1) * (known + 2))
        self._known = known
