"""An engine plays what its synth would, ahead of the host. A late thread is heard as a fade; nothing stops it."""

from __future__ import annotations

import gc
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.runtime.laws import (
    a_block_of_another_kind_is_refused,
    a_sound_arrives_at_the_latency,
    chunked_equals_whole_and_reset_equals_fresh,
    silence_stays_silent,
)
from tests.runtime.waiting import wait_for
from tests.tiny import LATENT, write_tiny

from ngs.runtime import Bundle, Engine, EngineBusy, Note, Synth
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.live.ring import Ring
from ngs.runtime.live.schedule import COMMANDS

TONE = np.repeat(np.random.default_rng(3).normal(size=(1, LATENT)).astype(np.float32), 400, axis=0)


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle, "cpu")


def read(engine: Engine, frames: int, block: int = 50) -> Array:
    """Read as a host does, but only what is ready: a busy machine must not fail a test."""
    parts = []
    for _ in range(frames // block):
        wait_for(lambda: engine._ring.filled >= block)
        out = np.full((engine.outputs * engine.channels, block), np.nan, np.float32)
        engine.process(out)
        parts.append(out)
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize(("block", "reads"), [(128, 50), (100, 128), (1, 7)])
def test_it_plays_what_the_synth_renders(tiny: Bundle, block: int, reads: int) -> None:
    synth, engine = Synth(tiny, 11025, voices=3), Engine(tiny, 11025, voices=3, block=block, ahead=512)

    def notes(player: Synth | Engine) -> None:
        for index in range(12):
            number = player.note_on(Note({"class": "Kick"}, seed=index), at=700 + 211 * index)
            player.set(number, at=800 + 211 * index, gain=0.5, pan=-0.5)
            player.note_off(number, 0.02, at=1500 + 211 * index)
        player.all_off(0.01, at=4000)

    notes(synth)
    notes(engine)
    with engine:
        heard = read(engine, 5000 // reads * reads, reads)
        statistics = engine.statistics()
    np.testing.assert_array_equal(heard, synth.render(heard.shape[1]))
    assert np.abs(heard).max() > 0.05
    assert (statistics.late, statistics.late_events, statistics.skipped, statistics.failures) == (0, 0, 0, 0)
    assert statistics.frames == heard.shape[1] and statistics.hops > 0 and statistics.blocks >= 5000 // block
    assert 0 < statistics.median_ms <= statistics.p99_ms <= statistics.worst_ms
    assert set(statistics.to_dict()) >= {"late", "cpu", "voices", "realtime"}


def turned_notes(player: Synth | Engine) -> None:
    """Notes of all kinds, with controls turned at odd frames, some for all notes."""
    table, rng = np.random.default_rng(5).normal(size=(3, 40, LATENT)).astype(np.float32), np.random.default_rng(6)
    for index in range(24):
        at = 700 + 173 * index
        kinds = (Note(path=table, mode="loop"), Note("Kick", hold=True), Note(path=table[0], mode="back-and-forth"))
        number = player.note_on(replace(kinds[index % 3], seed=index, output=index % 2), at)
        for step in range(1, 6):
            turned = {"speed": rng.uniform(-2, 2), "position": rng.uniform(), "morph": rng.uniform(), "gain": 0.3}
            turned |= {"scatter": rng.uniform(), "density": rng.uniform(0.3, 1), "freeze": float(step % 2)}
            if index % 4 == 0:
                turned["pitch"] = rng.uniform(-12, 12)
            player.set(None if step == 5 else number, at=at + 97 * step, **turned)
        player.note_off(number, 0.02, at=at + 800)


@pytest.mark.parametrize("rate", [8000, 11025])
def test_it_plays_the_same_with_and_without_a_thread(tiny: Bundle, rate: int) -> None:
    """For any size of blocks and reads: controls turn at their frame, not at the start of a block."""

    def engine(block: int, ahead: int, threaded: bool) -> Engine:
        made = Engine(tiny, rate, 5, block, ahead, outputs=2, threaded=threaded)
        turned_notes(made)
        return made

    synth = Synth(tiny, rate, 5, outputs=2)
    turned_notes(synth)
    expected = synth.render(6000)
    for block, ahead, reads in ((128, 512, 50), (100, 350, 250), (7, 64, 30)):
        with engine(block, ahead, threaded=True) as live:
            heard = read(live, 6000, reads)
            statistics = live.statistics()
        np.testing.assert_array_equal(heard, expected)
        assert (statistics.late, statistics.late_events, statistics.failures) == (0, 0, 0)
        for size in (reads, 1000, 6000, 3):  # more than `ahead` among them
            offline = engine(block, ahead, threaded=False)
            out = np.full((4, 6000), np.nan, np.float32)
            for start in range(0, 6000, size):
                offline.process(out[:, start : start + size])
            np.testing.assert_array_equal(out, expected)
            assert offline.time == 6000 and offline.statistics().late == 0
    assert np.abs(expected).max() > 0.05 and synth.failures == (0, "")


def test_without_a_thread_it_obeys_the_laws_of_streams(tiny: Bundle) -> None:
    def make() -> Engine:
        return Engine(tiny, 8000, 5, block=100, ahead=300, outputs=2, threaded=False)

    def strike(engine: Engine) -> None:
        engine.note_on(Note(path=TONE), at=engine.time + engine.latency)

    chunked_equals_whole_and_reset_equals_fresh(make, 6000, turned_notes)
    a_sound_arrives_at_the_latency(make, strike, 1001, 2000)
    silence_stays_silent(make, 2000)


def test_it_is_not_reset_while_its_thread_plays(tiny: Bundle) -> None:
    with Engine(tiny, 8000) as engine:
        with pytest.raises(RuntimeError, match="Stop the Engine before you reset it"):
            engine.reset()
    engine.reset()


def test_without_a_thread_nothing_is_late_and_the_latency_is_the_same(tiny: Bundle) -> None:
    with Engine(tiny, 8000, block=64, ahead=256, threaded=False) as engine:
        assert not [thread for thread in threading.enumerate() if thread.name == "ngs engine"]
        silence, out = np.zeros((2, 1000), np.float32), np.zeros((2, 2000), np.float32)
        engine.process(silence)
        for index in range(300):  # more than a thread takes in at once
            engine.note_on(Note(path=TONE, seed=index, controls={"gain": 0.1}), at=engine.time + 256)
        engine.process(out[:, :900])
        engine.note_on(Note(path=TONE))
        engine.all_off(0.002, at=engine.time)  # late: as soon as possible
        engine.note_on(Note(path=TONE, controls={"pan": -1}))
        engine.process(out[:, 900:])
        statistics = engine.statistics()
    assert not silence.any() and not out[:, :256].any() and out[:, 256:260].any()
    ended = int(np.flatnonzero(out[1])[-1])
    assert 900 + 256 - 64 <= ended - 16 <= 900 + 256 + 1  # released for 16 frames
    assert np.abs(out[0, 1200:]).max() > 0.01
    assert (statistics.late, statistics.skipped, statistics.late_events) == (0, 0, 1)


def test_reset_forgets_what_was_counted(tiny: Bundle) -> None:
    engine = Engine(tiny, 8000, threaded=False)
    fresh = engine.statistics()
    for _ in range(2):
        engine.note_on(Note(path=TONE, mode="loop"))
        engine.render(2000)
        engine.load(tiny, fade=0.01)
        engine._failures, engine._last_failure = 1, "why"
    counted = engine.statistics()
    assert counted.failures == 1 and counted.hops > engine._synth.hops > 0 and counted.worst_ms > 0
    engine.reset()
    assert engine.statistics() == fresh


def test_bundles_loaded_before_the_start_leave_only_the_last(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    warm_up, warmed = Synth.warm_up, []
    monkeypatch.setattr(Synth, "warm_up", lambda synth: (warmed.append(synth), warm_up(synth)))
    engine = Engine(tiny, 8000)
    for _ in range(5):
        engine.load(tiny)
    assert len(engine._loaded) == 1
    with engine:
        engine.note_on(Note(path=TONE))
        assert np.abs(read(engine, 3000)).max() > 0.01
    assert warmed[-1] is engine._synth and warmed[-2] is warmed[-1] and not engine._leaving


def test_a_change_never_counts_a_synth_twice(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(tiny, 8000, threaded=False)
    engine.note_on(Note(path=TONE, mode="loop"))
    engine.render(2000)
    seen, end = [], Synth.end

    def watched(synth: Synth, *arguments: Any) -> None:
        seen.append(engine.statistics().voices)
        end(synth, *arguments)

    engine.load(tiny)
    monkeypatch.setattr(Synth, "end", watched)
    engine.render(100)
    assert seen == [0] and engine.statistics().voices == 1


def test_another_bundle_without_a_thread(tiny: Bundle, tmp_path: Path) -> None:
    other = write_tiny(tmp_path / "other.ngs", zipped=True, sample_rate=11025)
    engine, out = Engine(tiny, 8000, threaded=False, channels=1, ahead=768), np.zeros((1, 8000), np.float32)
    engine.note_on(Note(path=TONE, mode="loop"), at=0)
    engine.note_on(Note("Hat"), at=6000)
    engine.process(out[:, :2000])
    engine.load(other, fade=0.1, provider="cpu")
    engine.process(out[:, 2000:])
    assert np.abs(out[0, 1900:2000]).max() > 0.01 and not out[0, 4000:6000].any()
    assert np.abs(out[0, 6000:]).max() > 0.01 and engine.statistics().failures == 0 and engine.bundle.path == other


def test_a_note_without_a_time_is_heard_after_the_latency(tiny: Bundle) -> None:
    with Engine(tiny, 8000, block=64) as engine:
        assert not read(engine, 1000).any()
        wait_for(lambda: engine._ring.filled + engine.block > engine.latency)
        engine.note_on(Note(path=TONE))
        heard = read(engine, 2000)
    start = int(np.flatnonzero(np.abs(heard[0]) > 1e-6)[0])
    assert engine.latency - engine.block < start <= engine.latency + engine.block + 1


@pytest.mark.parametrize(("most", "block", "voices"), [(None, 256, 16), (2048, 256, 16), (100, 7, 1), (1, 64, 3)])
def test_a_read_as_long_as_promised_is_never_late(tiny: Bundle, most: int | None, block: int, voices: int) -> None:
    """However the sizes meet. With defaults, a host may read 1024 frames."""
    engine = Engine(tiny, 48000, voices, block, max_block=most)
    count = engine.max_block
    assert count == (most or 1024)
    assert engine.latency == count + max(2 * block, round(48000 * (0.008 + 0.0005 * voices)))
    least = Engine(tiny, 48000, voices, block, max(count, block) + block, max_block=most)
    for each in (engine, least):
        out = np.zeros((2, count), np.float32)
        with each:
            for size in (*(count for _ in range(20)), *range(1, min(count, 20)), *(count for _ in range(20))):
                wait_for(lambda each=each: each._ring.filled + each.block > each.latency)  # type: ignore[misc]
                each.process(out[:, :size])
            assert each.statistics().late == 0


def test_a_read_above_the_promise_is_refused_and_takes_no_time(tiny: Bundle) -> None:
    engine, out = Engine(tiny, 8000, max_block=128), np.zeros((2, 129), np.float32)
    with engine:
        with pytest.raises(
            ValueError, match="asks for 129 samples at once, .* made for 128: make it with max_block=129"
        ):
            engine.process(out)
        assert engine.time == 0
        engine.process(out[:, :128])
    offline = Engine(tiny, 8000, max_block=128, threaded=False)
    offline.process(out)
    assert offline.time == 129


def test_numpy_integers_are_whole_numbers(tiny: Bundle) -> None:
    voices, most = np.int64(4), np.int16(32767)
    for numbers in ({"max_block": most}, {"ahead": np.int64(1 << 16)}, {"max_block": most, "ahead": np.int64(1 << 16)}):
        plain = {name: int(number) for name, number in numbers.items()}
        engine = Engine(tiny, 8000, voices, **numbers)  # type: ignore[arg-type]
        assert repr(engine) == repr(Engine(tiny, 8000, 4, **plain))  # type: ignore[arg-type]
        assert engine.render(100).shape == (2, 100)


def test_what_ahead_allows_is_promised(tiny: Bundle) -> None:
    assert Engine(tiny, 8000, block=64, ahead=500).max_block == 500 - 64
    for wrong, message in (
        ({"ahead": 1279, "max_block": 1024}, "ahead is 1279: choose 1280 to"),
        ({"max_block": 0}, "max_block is 0: choose a whole number, 1 to"),
        ({"max_block": 1e3}, "max_block is 1000.0"),
    ):
        with pytest.raises(ValueError, match=message):
            Engine(tiny, 8000, **wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("threaded", [True, False])
def test_blocks_of_another_kind_are_refused(tiny: Bundle, threaded: bool) -> None:
    for outputs, channels in ((1, 1), (2, 2)):
        a_block_of_another_kind_is_refused(Engine(tiny, 8000, outputs=outputs, channels=channels, threaded=threaded))
        a_block_of_another_kind_is_refused(Synth(tiny, 8000, outputs=outputs, channels=channels))


def test_what_comes_too_late_is_played_at_once_and_counted(tiny: Bundle) -> None:
    with Engine(tiny, 8000) as engine:
        read(engine, 2000)
        engine.note_on(Note(path=TONE), at=100)
        assert np.abs(read(engine, 2000)).max() > 0.01
        assert engine.statistics().late_events == 1


def test_another_bundle_fades_in_without_a_break(tiny: Bundle, tmp_path: Path) -> None:
    other = write_tiny(tmp_path / "other.ngs", zipped=True, sample_rate=11025)
    plain = Synth(tiny)
    plain.note_on(Note(path=TONE, mode="loop"), at=0)
    expected = plain.render(20000)
    engine = Engine(tiny, 8000, voices=4)
    engine.note_on(Note(path=TONE, mode="loop"), at=0)
    engine.note_on(Note({"class": "Hat"}, hold=True), at=14000)  # the new bundle plays it
    with engine:
        before = read(engine, 4000)
        engine.load(other, fade=0.2, provider="cpu")
        assert engine.bundle.path == other  # from now on, its notes are valid
        engine.note_on(Note({"class": "Kick"}), at=14500)
        after = read(engine, 9000)
        wait_for(lambda: engine.bundle.path == other and not engine._leaving)
        later = read(engine, 4000)
        statistics = engine.statistics()
    np.testing.assert_array_equal(before, expected[:, :4000])
    heard = np.concatenate((before, after), axis=1)
    same = int(np.flatnonzero((heard != expected[:, :13000]).any(axis=0))[0])  # where it began to fade
    assert 4000 <= same < 9000 and not heard[:, same + 1700 :].any()
    fading = heard[:, same : same + 1600] / np.where(np.abs(expected) > 1e-3, expected, np.nan)[:, same : same + 1600]
    ramp = np.nanmedian(fading.reshape(2, 16, 100), axis=(0, 2))
    np.testing.assert_allclose(ramp, 1 - (np.arange(16) + 0.5) / 16, atol=0.02)
    assert np.abs(later).max() > 0.01 and statistics.late == 0 and statistics.failures == 0


def test_bad_arguments_are_refused_by_the_call(tiny: Bundle, tmp_path: Path) -> None:
    with Engine(tiny, 8000) as engine:
        for wrong, message in (
            (lambda: engine.note_on(Note({"class": "Cow"})), "no class 'Cow'"),
            (lambda: engine.set(1, volume=2.0), "no control 'volume'"),
            (lambda: engine.note_off(1, release=99), "release is 99"),
            (lambda: engine.all_off(release=-1), "release is -1"),
            (lambda: engine.load(tmp_path / "none.ngs"), "does not exist"),
            (lambda: engine.load(tiny, fade=-1), "fade is -1"),
            (lambda: engine.load(None), "the bundle is None: give a path or a Bundle"),  # type: ignore[arg-type]
            (lambda: engine.note_on(Note(output=1)), "output is 1: choose 0"),
            (
                lambda: engine.process(np.zeros((1, 64), np.float32)),
                r"float32 \[2, n\], this one is float32 \(1, 64\)",
            ),
            (lambda: engine.note_on(Note(), at=float("nan")), "at is nan: a time in frames"),
            (lambda: engine.set(1, at="soon", gain=1.0), "at is 'soon'"),  # type: ignore[arg-type]
        ):
            with pytest.raises(ValueError, match=message):
                wrong()
        engine.note_on(Note(path=TONE))
        assert np.abs(read(engine, 3000)).max() > 0.01
    for wrong, message in (
        (lambda: Engine(tiny, 8000, block=0), "block is 0"),
        (lambda: Engine(tiny, 8000, block=128, ahead=200), "ahead is 200: choose 256"),
        (lambda: Engine(tiny, 8000, voices=0), "voices is 0: choose a whole number, 1 to 1024"),
        (lambda: Engine(tiny, 8000, voices=1025), "voices is 1025"),
        (lambda: Engine(tiny, 8000, voices=1.5), "voices is 1.5"),  # type: ignore[arg-type]
        (lambda: Engine(tiny, 8000, outputs=300), "outputs is 300: choose 1 to 256"),
        (lambda: Engine(tiny, 8000, channels=0), "channels is 0: choose 1 or 2"),
    ):
        with pytest.raises(ValueError, match=message):
            wrong()


def test_a_closed_bundle_is_refused_by_the_call(tiny: Bundle) -> None:
    bundle = Bundle.open(tiny.path, "cpu")
    engine, other = Engine(bundle, 8000), Engine(bundle, 8000)
    with engine:
        bundle.close()
        for use in (
            lambda: engine.note_on(Note()),
            lambda: engine.load(bundle),
            lambda: Engine(bundle, 8000),
            other.start,
        ):
            with pytest.raises(BundleError, match="is closed"):
                use()
        assert engine.statistics().failures == 0 and not other.running
        engine.load(tiny)
        engine.note_on(Note(path=TONE))
        assert np.abs(read(engine, 3000)).max() > 0.01


def test_what_repr_says(tiny: Bundle) -> None:
    engine = Engine(tiny, 8000, voices=1, max_block=64)
    facts = "tiny.ngs, 8000 Hz, up to 1 voice, 2 rows, latency 576, max_block 64"
    assert repr(engine) == f"<Engine: {facts}, not running>"
    with engine:
        assert repr(engine) == f"<Engine: {facts}, running>"
    synth = Synth(tiny, 8000, voices=2, channels=1)
    assert repr(synth) == "<Synth: tiny.ngs, 8000 Hz, up to 2 voices, 1 row, latency 0>"
    notes = [Note("Kick", seed=3, hold=True), Note(path=TONE, controls={"gain": 0.5})]
    told = [
        "Note(choices='Kick', seed=3, hold=True)",
        f"Note(path=<float32 (400, {LATENT})>, controls={{'gain': 0.5}})",
    ]
    assert [repr(note) for note in notes] == told and repr(Note()) == "Note()"
    for note in notes:
        synth.note_on(note)
    synth.render(10)
    assert [repr(voice) for voice in synth._batch.voices] == [
        f"<Voice {number}: {each}, 1 grain, sounding>" for number, each in enumerate(told, 1)
    ]
    synth.note_off(1)
    synth.render(10)
    assert repr(synth._batch.voices[0]).endswith(", releasing>")


def test_more_commands_than_fit_are_refused(tiny: Bundle) -> None:
    engine = Engine(tiny, 8000)
    for _ in range(COMMANDS):
        engine.set(1, gain=1.0)
    with pytest.raises(EngineBusy, match="commands wait already"):
        engine.note_on(Note())
    with engine:
        wait_for(lambda: not engine._schedule.sent)
        engine.note_on(Note(path=TONE))
        assert np.abs(read(engine, 3000)).max() > 0.01


def test_more_events_than_can_wait_are_refused(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ngs.runtime.live.schedule.EVENTS", 100)
    with Engine(tiny, 8000) as engine:
        for _ in range(100):
            engine.set(1, at=10**9, gain=1.0)
        wait_for(lambda: not engine._schedule.sent)
        with pytest.raises(EngineBusy, match="100 events wait for their time"):
            engine.note_on(Note())


def test_a_bundle_that_cannot_be_played_is_not_loaded(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    with Engine(tiny, 8000) as engine:

        def refused(*arguments: object) -> None:
            raise RuntimeError("no kernel")

        monkeypatch.setattr("ngs.runtime.bundle.graph_stream.InPlace.__call__", refused)
        with pytest.raises(BundleError, match="cannot be run .no kernel"):
            engine.load(Bundle.open(tiny.path, "cpu"))
        monkeypatch.undo()
        engine.note_on(Note(path=TONE))
        assert engine.bundle is tiny and np.abs(read(engine, 3000)).max() > 0.01


def test_an_error_ends_voices_without_a_click_and_the_thread_goes_on(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Engine(tiny, 8000) as engine:
        engine.note_on(Note(path=TONE, mode="loop"))
        before = read(engine, 3000)
        fill, times = engine._synth._batch.fill, [3]

        def failing() -> None:
            if times[0] > 0:
                times[0] -= 1
                raise MemoryError("no more of it")
            fill()

        monkeypatch.setattr(engine._synth._batch, "fill", failing)
        after = read(engine, 3000)
        statistics = engine.statistics()
        engine.note_on(Note(path=TONE))
        again = read(engine, 3000)
    assert statistics.failures > 0 and "no more of it" in statistics.last_failure and statistics.late == 0
    assert not after[:, -500:].any() and np.abs(again).max() > 0.01
    whole = np.concatenate((before, after), axis=1)
    assert np.abs(np.diff(whole)).max() < 1.5 * np.abs(np.diff(before)).max()


def test_a_late_engine_keeps_the_times_of_notes(tiny: Bundle) -> None:
    engine = Engine(tiny, 8000, block=64, ahead=256)
    engine.note_on(Note(path=TONE, mode="loop"), at=0)
    engine.note_on(Note(path=TONE, seed=5), at=4000)
    reference = Synth(tiny, 8000)
    reference.note_on(Note(path=TONE, seed=5), at=0)
    engine.start()
    engine.stop()  # nobody renders now
    out = np.zeros((2, 1000), np.float32)
    for start in range(0, 1000, 125):
        engine.process(out[:, start : start + 125])
    heard = np.abs(out[0])
    assert heard[:256].max() > 0.01 and not out[:, 256 + 80 :].any()  # 40 frames fade
    assert np.abs(np.diff(out)).max() < 2 * np.abs(np.diff(out[:, :256])).max()
    assert engine.statistics().late == 6  # the first two were ready
    with engine:
        rest = read(engine, 6000)
        statistics = engine.statistics()
    assert statistics.skipped > 0 and statistics.late == 6
    # the second note is at its time, beside the rest of the first
    loud = [float(np.abs(rest[:, 3000 - 1000 + shift : 3400 - 1000 + shift]).max()) for shift in (0, 1000)]
    assert loud[1] > 0.01


def test_stopping_restores_the_interpreter_and_starting_again_goes_on(tiny: Bundle) -> None:
    interval, frozen = sys.getswitchinterval(), gc.get_freeze_count()
    engine, second = Engine(tiny, 8000), Engine(tiny, 8000)
    engine.note_on(Note(path=TONE, mode="loop"), at=0)
    with engine:
        with second:
            assert sys.getswitchinterval() < interval
        assert sys.getswitchinterval() < interval
        first = read(engine, 1000)
    assert sys.getswitchinterval() == interval and gc.get_freeze_count() == frozen
    assert not [thread for thread in threading.enumerate() if thread.name == "ngs engine"]
    engine.stop()
    with engine:
        more = read(engine, 1000)
    expected = Synth(tiny)
    expected.note_on(Note(path=TONE, mode="loop"), at=0)
    np.testing.assert_array_equal(np.concatenate((first, more), axis=1), expected.render(2000))


def test_a_failing_bundle_fails_its_notes_only(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    with Engine(tiny, 8000) as engine:
        batch = engine._synth._batch
        step = batch._decoder.step

        def refused(start: int, stop: int) -> None:
            raise BundleError("the graph cannot be run")

        monkeypatch.setattr(batch._decoder, "step", refused)
        engine.note_on(Note())
        assert not read(engine, 2000).any()
        assert engine.statistics().last_failure == "the graph cannot be run"
        monkeypatch.setattr(batch._decoder, "step", step)
        engine.note_on(Note(path=TONE))
        assert np.abs(read(engine, 2000)).max() > 0.01


def test_a_ring_keeps_the_order_across_its_end() -> None:
    ring, rng = Ring(64, 2, 8), np.random.default_rng(0)
    given = rng.normal(size=(2, 3000)).astype(np.float32)
    heard = []
    at = 0
    while at < 3000:
        count = min(int(rng.integers(1, 40)), 3000 - at)
        ring.write(given[:, at : at + count])
        out = np.empty((2, count), np.float32)
        ring.take(out)
        heard.append(out)
        at += count
    np.testing.assert_array_equal(np.concatenate(heard, axis=1), given)
    assert ring.late == 0 and ring.filled == 0


@pytest.mark.parametrize("ready", [0, 5, 64])
def test_a_late_ring_fades_and_comes_back(ready: int) -> None:
    """No step is much larger than those of the tone."""
    tone = np.sin(np.arange(600) * 0.2).astype(np.float32)[None]
    ring, parts = Ring(512, 1, 64), []

    def take(count: int) -> None:
        out = np.empty((1, count), np.float32)
        ring.take(out)
        parts.append(out)

    ring.write(tone[:, :200])
    take(100)
    take(100)
    ring.write(tone[:, 200 : 200 + ready])
    take(100)
    take(50)
    assert ring.late == 2 and ring.skip() == 150 - ready and ring.filled == 0
    ring.write(tone[:, 350:])
    take(250)
    heard = np.concatenate(parts, axis=1)[0]
    assert np.abs(np.diff(heard)).max() < 0.3  # of the tone: 0.2
    np.testing.assert_array_equal(heard[: 200 + ready], tone[0, : 200 + ready])
    assert not heard[200 + ready + 64 : 350].any()
    np.testing.assert_array_equal(heard[350 + 64 :], tone[0, 350 + 64 :])
    assert ring.late == 2


def test_a_ring_of_a_wrong_size_is_refused() -> None:
    for capacity, fade in ((100, 8), (64, 64)):
        with pytest.raises(ValueError, match="power of two"):
            Ring(capacity, 2, fade)
