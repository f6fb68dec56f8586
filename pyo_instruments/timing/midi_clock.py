"""Following a MIDI clock: the exact times and the period behind ticks that arrive early and late."""

from __future__ import annotations

MEMORY = 96  # ticks that are averaged: four beats
LEAST_MEMORY = 6  # ticks that are averaged while the tempo changes
DRIFT_CLOCKS = 8  # ticks over which lateness is averaged, to tell a new tempo from jitter
DRIFT_SECONDS = 0.0015  # mean lateness from which the tempo has changed
GAP_SECONDS = 0.5  # without a tick, after which nothing is known any more
SURE = 12  # ticks known, from which lost ones are recognised
LOST_PERIODS = 1.7  # without a tick, after which ticks were lost, unless the one before was late as well
LATE_PERIODS = 0.3  # more than jitter
SLOW_PERIODS = 1.4  # to the next tick, from which none was lost: the tempo has fallen


class MidiClock:
    """Estimates when ticks would be if they were exact, and the period between them.

    An alpha-beta filter with the gains of least squares over the last ticks, `MEMORY` at most: it knows the period
    after two ticks and averages over more and more. Several ticks in a row that are off in the same direction mean a
    new tempo: it then forgets half of what it knows.

    A tick that comes whole periods late stands for those before it, which were lost. If they arrive after all, they are
    not counted again. If the next one is as late, the tempo has fallen and none was lost.
    """

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._known = 0  # ticks that the estimate rests on
        self._due = self._period = self._drift = 0.0  # frames
        self._frame = 0  # at which the last tick arrived
        self._late = 0.0  # periods, of the last tick
        self._lost = 0  # ticks just before the last

    def tick(self, frame: int) -> tuple[float, float, int | None]:
        """A tick arrives at a frame. Returns when it was due, the period in frames, and the ticks since the last one.

        For the first tick, also after a gap, the period is 0 and the ticks since the last one are None.
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
