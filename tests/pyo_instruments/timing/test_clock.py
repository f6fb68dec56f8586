"""The clock: exact frames, order, floods, failures, prepared things, and wall-clock times."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from typing import Any

import numpy as np
import pytest

from ngs.pyo_instruments.timing import clock as clock_module, timed_queue
from ngs.pyo_instruments.timing.clock import LEAD_SECONDS, MESSAGES_AT_ONCE, Clock
from ngs.pyo_instruments.timing.timed_queue import MESSAGES, ClockBusy

pyo = pytest.importorskip("pyo")

RATE, BLOCK = 48000, 128


class Node:
    """Notes the frames of its blocks."""

    def __init__(self, name: str = "", done: list[Any] | None = None) -> None:
        self.name, self.done = name, [] if done is None else done
        self.frames: list[int] = []
        self.clock = Clock.current()
        self.closed = False
        self.clock.add(self)

    def before_block(self) -> None:
        self.frames.append(self.clock.frame)
        self.done.append(self.name)

    def statistics(self) -> dict[str, Any]:
        return {"blocks": len(self.frames)} if self.frames else {}

    def close(self) -> None:
        self.closed = True


def test_every_block_has_its_frame_and_the_first_is_after_the_fade_in(master: np.float32, room: Any) -> None:
    node, sig = Node(), pyo.Sig(1).out()
    room.server.start()
    blocks = 0
    while not node.frames:
        room.server.process()
        blocks += 1
    assert (blocks - 1) * BLOCK >= LEAD_SECONDS * RATE > (blocks - 2) * BLOCK
    assert (room.clock._output[:, 0] == master).all()  # as loud as it will be
    room.hear(5)
    assert node.frames == [BLOCK * number for number in range(6)]
    assert room.clock.frame == 6 * BLOCK
    del sig


def test_nodes_are_called_in_the_order_in_which_they_were_added(room: Any) -> None:
    done: list[str] = []
    nodes = [Node(name, done) for name in "abc"]
    room.hear(2)
    assert done == list("abcabc") and len(nodes) == 3


def test_taps_hear_every_block_once_after_it_was_played(room: Any) -> None:
    heard: list[Any] = []
    room.clock.taps.append(lambda block: heard.append(block.copy()))
    phasor = pyo.Phasor(100).out(0)
    played = room.hear(10)
    assert len(heard) == 9  # the last one is heard when the next begins
    room.clock.hear()
    np.testing.assert_array_equal(np.concatenate(heard), played)
    assert played[:, 0].std() > 0.1 and not played[:, 1].any()
    del phasor


def test_commands_are_carried_out_in_order_before_the_next_block(room: Any) -> None:
    room.hear(3)
    done: list[tuple[int, int]] = []
    for number in range(20):
        room.clock.send(lambda number=number: done.append((number, room.clock.now)))
    assert done == []
    room.hear(1)
    assert done == [(number, 3 * BLOCK) for number in range(20)]


def test_a_command_hits_its_frame_exactly_and_a_past_frame_means_at_once(room: Any) -> None:
    room.hear(2)
    done: list[tuple[int, int, int]] = []
    for at in (1000, 900, 256 + 127, 256, 12, 900):
        room.clock.send(lambda at=at: done.append((at, room.clock.now, room.clock.offset)), at)
    room.hear(8)
    frames = [(at, max(at, 256)) for at in (256, 12, 383, 900, 900, 1000)]
    assert done == [(at, frame, frame % BLOCK) for at, frame in frames]
    assert room.clock.offset == 0


@pytest.mark.parametrize("at", [None, 5 * BLOCK + 3])
def test_a_live_block_limits_what_it_carries_out(rooms: Any, at: int | None) -> None:
    with rooms(live=True) as room:
        room.hear(1)
        done: list[tuple[int, int]] = []
        weights = [1] * (MESSAGES_AT_ONCE + 5) + [MESSAGES_AT_ONCE, MESSAGES_AT_ONCE]
        for number, weight in enumerate(weights):
            room.clock.send(lambda number=number: done.append((number, room.clock.frame)), at, weight)
        if at is not None:
            room.hear(4)
        assert not done
        lengths = [(room.hear(1), len(done))[1] for _ in range(4)]
        few = MESSAGES_AT_ONCE
        assert lengths == [few, few + 6, few + 7, few + 7] and [number for number, _ in done] == list(range(few + 7))


def test_an_offline_block_carries_out_everything_that_is_due(room: Any) -> None:
    room.hear(1)
    done: list[int] = []
    for number in range(2 * MESSAGES_AT_ONCE):
        room.clock.send(lambda number=number: done.append(number), 2 * BLOCK)
    room.hear(2)
    assert done == list(range(2 * MESSAGES_AT_ONCE))


def test_a_failing_tap_is_counted_and_does_not_stop_the_clock(room: Any) -> None:
    def fail(block: Any) -> None:
        raise RuntimeError("no tap")

    room.clock.taps.append(fail)
    room.hear(3)
    told = room.clock.statistics()
    assert told.frames == 3 * BLOCK and told.failures == 2 and told.last_failure == "no tap"


def test_a_flood_is_refused_and_what_was_accepted_is_carried_out(room: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    room.hear(1)
    done: list[int] = []
    for _ in range(MESSAGES):
        room.clock.send(lambda: done.append(1))
    with pytest.raises(ClockBusy, match="4096 commands wait already"):
        room.clock.send(lambda: done.append(2))
    room.hear(1)
    assert done == MESSAGES * [1]
    monkeypatch.setattr(timed_queue, "EVENTS", 10)
    for _ in range(10):
        room.clock.send(lambda: None, at=1 << 40)
    room.hear(1)
    with pytest.raises(ClockBusy):
        room.clock.send(lambda: done.append(2), at=1 << 40)


def test_before_the_start_and_from_within_the_clock_commands_act_at_once(room: Any) -> None:
    done: list[str] = []
    room.clock.send(lambda: done.append("before the start"))
    assert done == ["before the start"]

    def outer() -> None:
        room.clock.send(lambda: done.append("inner"))
        done.append("outer")

    room.hear(1)
    room.clock.send(outer)
    room.hear(1)
    assert done[1:] == ["inner", "outer"]


def test_threads_may_send_concurrently_and_each_keeps_its_order(room: Any) -> None:
    room.hear(1)
    done: list[tuple[int, int]] = []

    def flood(name: int) -> None:
        for number in range(300):
            while True:
                try:
                    room.clock.send(lambda number=number: done.append((name, number)))
                    break
                except ClockBusy:
                    time.sleep(0.001)

    threads = [threading.Thread(target=flood, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        room.hear(1)
    room.hear(1200 // MESSAGES_AT_ONCE + 1)
    for name in range(4):
        assert [number for each, number in done if each == name] == list(range(300))


def test_failures_are_counted_and_the_rest_goes_on(room: Any) -> None:
    node = Node()
    room.hear(1)
    done: list[int] = []

    def fail() -> None:
        raise ValueError("no such thing")

    for act in (fail, lambda: done.append(1), fail):
        room.clock.send(act)
    room.hear(1)
    told = room.clock.statistics()
    assert (told.failures, told.last_failure, done) == (2, "no such thing", [1])
    node.before_block = fail  # type: ignore[method-assign]
    other = Node()
    room.hear(3)
    assert room.clock.statistics().failures == 5 and len(other.frames) == 3


def test_a_node_is_not_kept_alive(room: Any) -> None:
    node = Node()
    frames, gone = node.frames, weakref.ref(node)
    room.hear(2)
    del node
    assert gone() is None
    room.hear(2)
    assert len(frames) == 2 and room.clock.statistics().failures == 0
    other = Node()
    assert len(room.clock._nodes) == 1 and other.frames == []  # the dead are cleared away


def test_player_statistics_are_named_and_players_close_with_the_clock(room: Any) -> None:
    silent = Node()
    assert room.clock.players() == {}
    room.hear(2)
    assert room.clock.players() == {"Node 0": {"blocks": 2}}
    room.clock.close()
    assert silent.closed


@pytest.mark.parametrize("live", [False, True])
def test_prepared_things_are_used_at_the_same_frame_live_and_offline(rooms: Any, live: bool) -> None:
    with rooms(live=live) as room:
        used: list[tuple[str, int]] = []
        thread = threading.get_ident()
        room.clock.prepare(lambda: "at once", lambda made: used.append((made, room.clock.frame)))
        assert used == [("at once", 0)]
        room.hear(3)
        made_by: list[int] = []

        def make() -> str:
            made_by.append(threading.get_ident())
            return "later"

        room.clock.prepare(make, lambda made: used.append((made, room.clock.now)), seconds=0.01)
        room.hear(10)
        assert used[1:] == [("later", 3 * BLOCK + 480)]
        assert (made_by == [thread]) is not live
        assert room.clock.statistics().unprepared == 0


def test_something_prepared_too_late_is_used_when_ready_and_counted(rooms: Any) -> None:
    with rooms(live=True, settled=False) as room:
        room.hear(1)
        begin, used = threading.Event(), list[str]()
        room.clock.prepare(lambda: str(begin.wait()), used.append, seconds=0.005)
        room.hear(10)
        assert used == [] and room.clock.statistics().unprepared == 1
        begin.set()
        while not used:
            room.hear(1)
        assert used == ["True"] and room.clock.statistics().failures == 0


@pytest.mark.parametrize("live", [False, True])
def test_an_error_while_preparing_is_a_failure(rooms: Any, live: bool) -> None:
    with rooms(live=live) as room:
        room.hear(1)
        used: list[Any] = []
        room.clock.prepare(lambda: {}["nothing"], used.append, seconds=0.005)
        room.hear(5)
        assert used == [] and room.clock.statistics().failures == 1
        room.server.stop()
        with pytest.raises(KeyError):  # nothing is played: the caller hears of it
            room.clock.prepare(lambda: {}["nothing"], used.append)


def test_wall_clock_times_become_frames_one_block_later_despite_jitter(
    rooms: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with rooms(live=True) as room:
        assert room.clock.frame_at(0.0) is None  # before the first block
        clock = Wall(monkeypatch)
        rng = np.random.default_rng(0)
        for number in range(300):
            clock.now = 100 + (number + 0.5 * rng.random() ** 4) * BLOCK / RATE
            room.hear(1)
        for number in (300, 300.5, 307):
            frame = room.clock.frame_at(100 + number * BLOCK / RATE)
            assert (number + 1) * BLOCK - 1 <= frame <= (number + 1.25) * BLOCK
        monkeypatch.undo()
    with rooms() as room:
        room.hear(1)
        assert room.clock.frame_at(100.0) is None


def test_late_blocks_are_counted_live_only(rooms: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for live in (False, True):
        with rooms(live=live) as room:
            clock = Wall(monkeypatch)
            for blocks in (0, 1, 1.9, 2.1, 1, 50):
                clock.now += blocks * BLOCK / RATE
                room.hear(1)
            told = room.clock.statistics()
            assert (told.late_blocks, told.blocks, told.frames) == (2 * live, 6, 6 * BLOCK)
            assert told.budget_ms == pytest.approx(1e3 * BLOCK / RATE)
            monkeypatch.undo()


class Wall:
    """A wall clock that the test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(clock_module.time, "perf_counter", lambda: self.now)


def test_a_server_has_one_clock(room: Any) -> None:
    assert Clock.of(room.server) is Clock.current() is room.clock


def test_a_clock_does_not_outlive_its_server() -> None:
    """pyo has 256 servers at most."""
    gone = []
    for _ in range(300):
        server = pyo.Server(sr=RATE, nchnls=2, buffersize=BLOCK, duplex=0, audio="manual", verbosity=0).boot()
        gone.append(weakref.ref(Clock.of(server)))
        server.shutdown()
    assert not any(each() for each in gone[:-1])


def test_without_a_server_there_is_no_clock() -> None:
    gc.collect()
    with pytest.raises(RuntimeError, match="there is no pyo server yet: boot one first"):
        Clock.current()
