"""Steps in time: when each one begins, to the frame, while tempo and swing change."""

from __future__ import annotations

from collections.abc import Iterator

STEPS_A_BEAT = 4
CLOCKS_A_BEAT = 24  # of MIDI
CLOCKS_A_STEP = CLOCKS_A_BEAT // STEPS_A_BEAT
TEMPOS = (20.0, 400.0)  # bpm
FOLLOWING = 0.1  # share of the way to an outside clock's place that is gone at each of its ticks


class Transport:
    """Counts steps of a sixteenth from where it was started, without drift.

    tempo in bpm; swing in [0, 0.5]: by what share of a step every second one comes late, a third of it for triplets. A
    new tempo goes on from the place between two steps that was reached.
    """

    def __init__(self, sample_rate: int, tempo: float = 120.0) -> None:
        self._sample_rate = sample_rate
        self._tempo = tempo
        self.swing = 0.0
        self.running = False
        self._frame, self._place = 0, 0.0  # of which all others are counted
        self._next = 0  # step
        self._ticks: list[int] = []  # frames of the last clocks of MIDI
        self._clocks = -1

    @property
    def tempo(self) -> float:
        """Beats a minute."""
        return self._tempo

    def set_tempo(self, tempo: float, frame: int) -> None:
        """Another tempo, from a frame on."""
        self._go_on_from(frame, self.place(frame), tempo)

    def start(self, frame: int) -> None:
        """Begin with step 0 at a frame."""
        self.running, self._next, self._clocks = True, 0, -1
        self._ticks.clear()
        self._go_on_from(frame, 0.0, self._tempo)

    def go_on(self, frame: int) -> None:
        """Begin with the step that comes next."""
        self.running = True
        self._go_on_from(frame, float(self._next), self._tempo)

    def stop(self) -> None:
        """No more steps."""
        self.running = False

    def place(self, frame: int) -> float:
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
        self._ticks = [*self._ticks[-CLOCKS_A_BEAT:], frame]
        self._clocks += 1
        if not self.running or len(self._ticks) < 2:
            return
        between = (self._ticks[-1] - self._ticks[0]) / (len(self._ticks) - 1)
        if between <= 0:
            return
        tempo = 60 * self._sample_rate / (between * CLOCKS_A_BEAT)
        place = self.place(frame)
        wanted = self._clocks / CLOCKS_A_STEP
        place += FOLLOWING * (wanted - place) if abs(wanted - place) < 1 else wanted - place
        self._go_on_from(frame, place, min(max(tempo, TEMPOS[0]), TEMPOS[1]))

    @property
    def _step_frames(self) -> float:
        return self._sample_rate * 60 / self._tempo / STEPS_A_BEAT

    def _time(self, step: int) -> int:
        late = self.swing if step % 2 else 0.0
        return self._frame + round((step + late - self._place) * self._step_frames)

    def _go_on_from(self, frame: int, place: float, tempo: float) -> None:
        self._frame, self._place, self._tempo = frame, place, tempo
