"""The transport: exact frames, no drift, tempo changes without jumps, and steps that follow a jittering clock."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ngs.pyo_instruments.sequenced import Sequenced
from ngs.pyo_instruments.timing.transport import CLOCKS_A_BEAT, CLOCKS_A_STEP, Transport

pyo = pytest.importorskip("pyo")

RATE, BLOCK = 48000, 128
JITTER = 0.002  # seconds to either side


def played(transport: Transport, start: int, end: int, block: int = BLOCK) -> list[tuple[int, int]]:
    """The steps in the blocks from `start` to `end`, each with its frame."""
    found = []
    for frame in range(start, end, block):
        count = min(block, end - frame)
        found += [(number, frame + offset) for number, offset in transport.steps(frame, count)]
    return found


def started(tempo: float = 120.0, frame: int = 0) -> Transport:
    transport = Transport(RATE, tempo)
    transport.start(frame)
    return transport


def tick_times(tempos: Sequence[float], first: float = 0.25) -> list[float]:
    """The seconds at which ticks are due, given the tempo at each tick."""
    times = [first]
    for tempo in tempos[:-1]:
        times.append(times[-1] + 60 / tempo / CLOCKS_A_BEAT)
    return times


def followed(times: Sequence[float], jitter: float, seed: int, transport: Transport) -> list[tuple[int, int]]:
    """The steps, with their frames, of a transport that follows ticks up to `jitter` early or late."""
    rng = random.Random(seed)
    ticks = sorted(round((each + rng.uniform(-jitter, jitter)) * RATE) for each in times)
    found = []
    for frame in range(0, round(times[-1] * RATE), BLOCK):
        while ticks and ticks[0] < frame + BLOCK:
            transport.clock(ticks.pop(0))
        found += [(number, frame + offset) for number, offset in transport.steps(frame, BLOCK)]
    return found


def errors_ms(tempos: Sequence[float], jitter: float = JITTER, seed: int = 0) -> dict[int, float]:
    """How late each step is, after its tick, of a transport started at the first tick."""
    times = tick_times(tempos)
    transport = Transport(RATE)
    transport.start(0, at_clock=True)
    steps = followed(times, jitter, seed, transport)
    return {
        number: 1e3 * (frame / RATE - times[number * CLOCKS_A_STEP])
        for number, frame in steps
        if number * CLOCKS_A_STEP < len(times)
    }


def test_steps_are_exact() -> None:
    assert played(started(frame=100), 0, RATE) == [(step, 100 + 6000 * step) for step in range(8)]


def test_there_are_no_steps_before_start_and_after_stop() -> None:
    transport = Transport(RATE)
    assert not played(transport, 0, RATE)
    transport.start(RATE)
    transport.stop()
    assert not played(transport, RATE, 2 * RATE)


def test_steps_do_not_drift_in_ten_hours() -> None:
    transport = started(tempo=121.0)
    hours, step_frames = 10 * 3600 * RATE, RATE * 60 / 121 / 4
    steps = played(transport, 0, hours, block=1 << 16)
    assert [number for number, _ in steps] == list(range(len(steps)))
    assert len(steps) == 10 * 60 * 121 * 4
    assert all(abs(frame - number * step_frames) <= 0.5 for number, frame in steps)


@pytest.mark.parametrize("block", [1, 17, 64, 509, 4096])
def test_steps_are_the_same_in_blocks_of_any_size(block: int) -> None:
    transport, other = started(tempo=133.7), started(tempo=133.7)
    transport.swing = other.swing = 0.31
    assert played(transport, 0, 4 * RATE, block) == played(other, 0, 4 * RATE)


def test_swing_delays_every_second_step() -> None:
    transport = started()
    transport.swing = 1 / 3
    assert [frame for _, frame in played(transport, 0, 24000)] == [0, 8000, 12000, 20000]


def test_a_new_tempo_continues_from_the_place_reached() -> None:
    transport = started()
    assert played(transport, 0, 9000)[-1] == (1, 6000)
    before = transport.place(9000)
    transport.set_tempo(60.0, 9000)
    assert transport.place(9000) == pytest.approx(before, abs=1e-12) == 1.5
    assert played(transport, 9000, 28000) == [(2, 15000), (3, 27000)]


def test_a_step_whose_time_has_passed_begins_at_once() -> None:
    transport = started()
    transport.swing = 0.5
    assert played(transport, 0, 8000) == [(0, 0)]
    transport.swing = 0.0
    assert next(transport.steps(8000, BLOCK)) == (1, 0)


def test_it_continues_with_the_next_step() -> None:
    transport = started()
    played(transport, 0, 13000)
    transport.stop()
    transport.go_on(50000)
    assert played(transport, 49920, 60000) == [(3, 50000), (4, 56000)]


def test_an_exact_clock_is_followed_to_the_frame() -> None:
    errors = errors_ms([125.0] * 480, jitter=0)
    assert list(errors) == list(range(80))
    assert max(map(abs, errors.values())) < 0.03


@pytest.mark.parametrize("tempo", [40.0, 120.0, 174.0, 300.0])
def test_clock_jitter_is_smoothed_after_two_beats(tempo: float) -> None:
    for seed in range(5):
        errors = errors_ms([tempo] * 960, seed=seed)
        assert list(errors) == list(range(160))  # none is lost or doubled
        assert max(map(abs, errors.values())) <= 1e3 * 1.5 * JITTER
        assert max(abs(error) for number, error in errors.items() if number >= 8) <= 1.0


def test_the_tempo_is_known_after_two_beats() -> None:
    transport = Transport(RATE, 60.0)
    followed(tick_times([140.0] * 2 * CLOCKS_A_BEAT), JITTER, 0, transport)
    assert transport.tempo == pytest.approx(140, rel=0.01)


@pytest.mark.parametrize("after", [90.0, 117.0, 123.0, 160.0])
def test_it_follows_a_new_tempo_within_two_beats(after: float) -> None:
    for seed in range(5):
        errors = errors_ms([120.0] * 480 + [after] * 960, seed=seed)
        assert list(errors) == list(range(240))
        assert max(abs(error) for number, error in errors.items() if number >= 80 + 8) <= 2.0
        assert max(abs(error) for number, error in errors.items() if number >= 80 + 32) <= 1.0


def test_it_follows_a_tempo_that_rises_slowly() -> None:
    rising = [120.0] * 240 + [120 + tick * 20 / 768 for tick in range(768)]
    assert max(map(abs, errors_ms(rising).values())) <= 3.0


def test_it_starts_at_the_tick_after_start() -> None:
    times = tick_times([120.0] * 192)
    transport = Transport(RATE)
    for each in times[:96]:
        transport.clock(round(each * RATE))
    frame = round(times[95] * RATE) + 100
    transport.start(frame, at_clock=True)
    assert not list(transport.steps(frame, 800))
    transport.clock(round(times[96] * RATE))
    assert next(transport.steps(frame, 1000)) == (0, round(times[96] * RATE) - frame)


def test_it_continues_from_the_last_tick_before_stop() -> None:
    transport = Transport(RATE)
    transport.start(0, at_clock=True)
    for tick in range(9):  # step 1 was at tick 6
        transport.clock(1000 * tick)
    assert [number for number, _ in transport.steps(0, 9000)] == [0, 1]
    transport.stop()
    for tick in range(9, 30):
        transport.clock(1000 * tick)
    transport.go_on(29500, at_clock=True)
    for tick in range(30, 40):
        transport.clock(1000 * tick)
    assert list(transport.steps(29500, 8000)) == [(2, 3500)]  # tick 30 is the 9th of the music, 33 the 12th


def test_it_goes_to_a_song_position() -> None:
    transport = Transport(RATE)
    transport.go_to(16, 0)
    transport.go_on(0, at_clock=True)
    for tick in range(4):
        transport.clock(500 + 1000 * tick)
    assert list(transport.steps(0, 7000)) == [(16, 500), (17, 6500)]


def test_a_running_transport_moves_to_the_nearest_tick() -> None:
    transport = started()
    times = tick_times([120.0] * 96, first=0.253)  # 3 ms behind tick 12
    steps = followed(times, 0, 0, transport)
    assert (4, 24000) not in steps
    assert dict(steps)[4] == pytest.approx(24000 + 0.003 * RATE, abs=1)


def test_two_ticks_at_one_frame_do_no_harm() -> None:
    transport = Transport(RATE)
    transport.start(0, at_clock=True)
    for _ in range(30):
        transport.clock(0)
    assert 20 <= transport.tempo <= 400
    assert [number for number, _ in transport.steps(0, BLOCK)] == [4]  # of those that were missed


def test_after_a_gap_the_clock_is_learnt_again() -> None:
    transport = Transport(RATE)
    for tick in range(96):
        transport.clock(1000 * tick)
    for tick in range(3):
        transport.clock(200000 + 1600 * tick)
    assert transport.tempo == pytest.approx(75)


@pytest.mark.parametrize("step", [0, 3, 427, 16383])
def test_a_running_transport_goes_to_a_step_at_once(step: int) -> None:
    transport = started()
    assert played(transport, 0, 9000)[-1] == (1, 6000)
    transport.go_to(step, 9100)
    assert played(transport, 9000, 24000) == [(step, 9100), (step + 1, 15100), (step + 2, 21100)]


@pytest.mark.parametrize("step", [0, 427])
@pytest.mark.parametrize("before", [1, 500, 999])
def test_a_transport_that_follows_a_clock_goes_to_a_step_at_the_next_tick(step: int, before: int) -> None:
    transport = Transport(RATE)
    transport.start(0, at_clock=True)
    for tick in range(9):
        transport.clock(1000 * tick)
    assert [number for number, _ in transport.steps(0, 8000)] == [0, 1]
    transport.go_to(step, 9000 - before)
    assert list(transport.steps(8000, 900)) == []
    for tick in range(9, 16):
        transport.clock(1000 * tick)
    assert list(transport.steps(8900, 6200)) == [(step, 100), (step + 1, 6100)]


def test_a_transport_without_its_clock_goes_to_a_step_at_once_and_finds_the_clock_again() -> None:
    transport = Transport(RATE)
    transport.start(0, at_clock=True)
    for tick in range(24):
        transport.clock(1000 * tick)
    played(transport, 0, 100000)
    transport.go_to(5, 100000)
    assert played(transport, 100000, 110000) == [(5, 100000), (6, 106000)]
    transport.clock(110100)  # nearest to the 40th, at 110000
    assert played(transport, 110000, 112500) == [(7, 112100)]


def test_only_the_last_of_several_missed_steps_is_played() -> None:
    transport = started()
    assert list(transport.steps(0, BLOCK)) == [(0, 0)]
    assert list(transport.steps(60000 + 1, BLOCK)) == [(10, 0)]
    assert played(transport, 60001, 70000) == [(11, 66000)]


def errors_of_lossy_ms(lost: Sequence[int], seed: int, tempos: Sequence[float]) -> dict[int, float]:
    """How late each step is, after its tick, if some ticks are lost."""
    times = tick_times(tempos)
    transport = Transport(RATE)
    transport.start(0, at_clock=True)
    steps = followed([each for number, each in enumerate(times) if number not in lost], JITTER, seed, transport)
    return {number: 1e3 * (frame / RATE - times[number * CLOCKS_A_STEP]) for number, frame in steps}


@pytest.mark.parametrize("tempo", [60.0, 120.0, 174.0])
@pytest.mark.parametrize(
    "lost", [[203], [203, 209, 250], range(203, 207), range(203, 211)], ids=["one", "three", "four in turn", "eight"]
)
def test_lost_ticks_are_counted(tempo: float, lost: Sequence[int]) -> None:
    for seed in range(5):
        errors = errors_of_lossy_ms(lost, seed, [tempo] * 482)
        assert list(errors) == list(range(81))
        assert max(abs(error) for number, error in errors.items() if number >= 8) <= 2.0


def test_a_clock_dropout_leaves_no_hole() -> None:
    for seed in range(5):
        errors = errors_of_lossy_ms(range(203, 683), seed, [120.0] * 962)
        assert list(errors) == list(range(161))
        assert max(abs(error) for number, error in errors.items() if number >= 8) <= 2 * 1e3 * JITTER


@pytest.mark.parametrize("late", [0.0, 0.008, 0.019])
def test_ticks_that_arrive_after_all_are_not_counted_twice(late: float) -> None:
    times = tick_times([120.0] * 482)
    ticks = times[:203] + [times[207] + late + 1e-4 * number for number in range(5)] + times[208:]
    transport = Transport(RATE)
    transport.start(0, at_clock=True)
    steps = followed(ticks, 0, 0, transport)
    assert [number for number, _ in steps] == list(range(81))
    assert max(abs(frame / RATE - times[number * CLOCKS_A_STEP]) for number, frame in steps) <= 0.0005


@pytest.mark.parametrize("after", [40.0, 60.0, 70.0, 75.0, 80.0, 84.0, 240.0])
def test_a_sudden_change_of_tempo_is_not_a_lost_tick(after: float) -> None:
    for seed in range(5):
        errors = errors_ms([120.0] * 485 + [after] * 480, JITTER, seed)
        assert list(errors) == list(range(161))
        assert max(abs(error) for number, error in errors.items() if number >= 80 + 8) <= 2.0


def test_steps_are_at_most_two_ticks_early_when_the_tempo_halves() -> None:
    for change in range(480, 486):
        errors = errors_ms([120.0] * change + [60.0] * 480)
        assert min(errors.values()) >= -1e3 * (2 * 60 / 60 / CLOCKS_A_BEAT + JITTER)


class Steps(Sequenced):
    """Records the steps that it plays."""

    def __init__(self, bundle: Any) -> None:
        super().__init__(bundle)
        self.played: list[tuple[int, int]] = []
        self.sounds(pyo.Sig(0))

    def play_step(self, number: int, offset: int) -> None:
        self.played.append((number, self.clock.frame + offset))


def test_playing_continues_from_a_new_position(room: Any, tiny_bundle: Path) -> None:
    steps = Steps(tiny_bundle)
    room.hear(10)
    steps.do("/clock/position", 427, at=9000)
    steps.do("/clock/position", 2, at=20000)
    room.hear(240)
    assert steps.played == [
        (0, 0), (1, 6000), (427, 9000), (428, 15000), (2, 20000), (3, 26000)
    ]  # fmt: skip


def test_a_change_of_the_clocks_tempo_is_reported(room: Any, tiny_bundle: Path) -> None:
    steps = Steps(tiny_bundle)
    told: list[Any] = []
    steps.listeners.append(lambda frame, address, values: told.append(values[0]) if address == "/tempo" else None)
    room.start()
    for tick in range(48):
        steps.do("/clock/tick", at=960 * tick)  # 125 bpm
    room.hear(400)
    assert told == [125.0] and steps.tempo == 125.0
    for tick in range(96):
        steps.do("/clock/tick", at=52000 + 750 * tick)  # 160 bpm
    room.hear(600)
    assert told[-1] == steps.tempo == pytest.approx(160, abs=0.1)
    assert len(told) < 60 and all(round(tempo, 1) == tempo for tempo in told)
