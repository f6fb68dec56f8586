"""An engine plays what a resynthesiser plays, `ahead` later. A late thread is heard as a fade, and time goes on."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests.runtime.laws import (
    an_impulse_arrives_at_the_latency,
    chunked_equals_whole_and_reset_equals_fresh,
    in_place_equals_apart,
    silence_stays_silent,
)
from tests.runtime.waiting import wait_for
from tests.tiny import HOP, LENGTH, write_tiny

from ngs.runtime import Bundle, BundleError, EngineBusy, ResynthesisEngine, Resynthesiser
from ngs.runtime.arrays import Array
from ngs.runtime.live.schedule import COMMANDS
from ngs.runtime.resynthesis.resynthesis_engine import BACKLOG_SECONDS

RATE, AHEAD = 11025, 300
SIZES = (1, 7, 64, 100, 300)


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle, "cpu")


def signal(samples: int, channels: int = 1) -> Array:
    return np.random.default_rng(0).uniform(-1, 1, (channels, samples)).astype(np.float32)


def tone(samples: int) -> Array:
    return (0.3 * np.sin(np.arange(samples)[None] * 0.05)).astype(np.float32)


def play(engine: ResynthesisEngine, given: Array, size: int) -> Array:
    """Play as a host does, but wait for what is late: a busy machine must not fail a test."""
    parts = []
    for at in range(0, given.shape[1], size):
        block = given[:, at : at + size]
        if engine.threaded:
            wait_for(lambda: engine._out.filled >= size)
        out = np.full(block.shape, np.nan, np.float32)
        engine.process(block, out)
        parts.append(out)
    return np.concatenate(parts, axis=1)


def later(samples: Array, ahead: int) -> Array:
    return np.pad(samples, ((0, 0), (ahead, 0)))[:, : samples.shape[1]]


def settled(engine: ResynthesisEngine) -> bool:
    """Whether all input was worked off."""
    return not engine._in.filled and engine._out.filled == engine.ahead


def schedule(engine: ResynthesisEngine) -> None:
    engine.set(at=1000, gain=0.3, mix=0.6)
    engine.set(at=1001, mix=0.7)
    engine.set(at=1933.4, scatter=0.5)
    engine.condition("Hat", at=2500)
    engine.set(at=3111, freeze=1)
    engine.set(at=3500, freeze=0, density=0.5)


def test_the_input_may_be_the_output_during_a_change(tiny: Bundle) -> None:
    def make() -> ResynthesisEngine:
        engine = ResynthesisEngine(tiny, "Kick", RATE, channels=2, ahead=AHEAD, threaded=False)
        engine.load(tiny, "Hat")
        return engine

    in_place_equals_apart(make, signal(3000, channels=2))


def test_reset_forgets_what_was_counted(tiny: Bundle) -> None:
    engine = ResynthesisEngine(tiny, "Kick", RATE, threaded=False)
    fresh = engine.statistics()
    engine._bank._now._failures, engine._bank._last_failure = 1, "why"
    engine._failures, engine._last_failure = 1, "why"
    engine.process(signal(2000), signal(2000))
    counted = engine.statistics()
    assert counted.failures == 2 and counted.worst_ms > 0 and counted.frames == 2000
    engine.reset()
    assert engine.statistics() == fresh


@pytest.mark.parametrize("rate", [8000, RATE])
@pytest.mark.parametrize("block", [7, 64, 300])
def test_it_plays_what_the_resynthesiser_plays_for_any_blocks(tiny: Bundle, block: int, rate: int) -> None:
    given = signal(3000, channels=2)
    streams = [Resynthesiser(tiny, {"class": "Kick"}, rate, seed=5 + channel) for channel in range(2)]
    parts = []
    for stream, samples in zip(streams, given, strict=True):
        parts.append([stream.render(samples[None, :1500])])
        stream.set(gain=0.5, scatter=0.3)
        stream.condition("Hat")
        parts[-1].append(stream.render(samples[None, 1500:]))
    expected = later(np.stack([np.concatenate(part, axis=1)[0] for part in parts]), AHEAD)
    assert np.abs(expected).max() > 0.05 and np.abs(expected[0] - expected[1]).max() > 0.01
    for threaded in (False, True):
        for size in SIZES[-3:] if threaded else (*SIZES, 3000):
            engine = ResynthesisEngine(tiny, {"class": "Kick"}, rate, 5, 2, block, AHEAD, threaded)
            assert engine.latency == streams[0].latency + AHEAD
            engine.set(at=1500, gain=0.5, scatter=0.3)
            engine.condition({"class": "Hat"}, at=1500)
            with engine:
                heard = play(engine, given, size)
                statistics = engine.statistics()
            np.testing.assert_array_equal(heard, expected)
            assert (statistics.frames, statistics.late, statistics.skipped, statistics.failures) == (3000, 0, 0, 0)
            assert engine.time == 3000


def test_changes_come_at_their_sample_for_any_blocks(tiny: Bundle) -> None:
    given, heard = signal(6000), []
    for threaded, block, size in (
        (False, 256, 6000),
        (False, 64, 1),
        (False, 100, 777),
        (True, 50, 100),
        (True, 256, 64),
    ):
        engine = ResynthesisEngine(tiny, sample_rate=RATE, block=block, ahead=AHEAD, threaded=threaded)
        schedule(engine)
        with engine:
            heard.append(play(engine, given, size))
    for other in heard[1:]:
        np.testing.assert_array_equal(other, heard[0])
    plain = later(Resynthesiser(tiny, sample_rate=RATE).render(given), AHEAD)
    differ = np.flatnonzero((heard[0] != plain)[0])
    assert differ[0] == 1000 + AHEAD  # the gain is the first change


def test_a_change_between_two_blocks_counts_from_the_second_on(tiny: Bundle) -> None:
    given = signal(3000)
    engines = [ResynthesisEngine(tiny, block=64, ahead=AHEAD, threaded=threaded) for threaded in (False, False, True)]
    heard = []
    for number, engine in enumerate(engines):
        with engine:
            first = play(engine, given[:, :2000], 100)
            assert engine.time == 2000
            engine.set(at=None if number == 0 else engine.time, gain=2)
            heard.append(np.concatenate((first, play(engine, given[:, 2000:], 100)), axis=1))
    np.testing.assert_array_equal(heard[1], heard[0])
    np.testing.assert_array_equal(heard[2], heard[0])


def test_the_dry_signal_arrives_exactly_at_the_latency(tiny: Bundle) -> None:
    for rate in (8000, 44100):
        for ahead in (0, 300):
            make = partial(ResynthesisEngine, tiny, sample_rate=rate, block=64, ahead=ahead, threaded=False)

            def dry(make: Callable[[], ResynthesisEngine] = make) -> ResynthesisEngine:
                engine = make()
                engine.set(mix=0)
                return engine

            an_impulse_arrives_at_the_latency(dry, 1234, 6000, 96)


def test_without_a_thread_chunked_equals_whole_and_reset_equals_fresh(tiny: Bundle) -> None:
    def ask(engine: ResynthesisEngine) -> None:
        engine.set(at=0, scatter=0.5, density=0.8)
        engine.condition("Hat", at=0)

    make = partial(ResynthesisEngine, tiny, None, RATE, 3, 2, 100, AHEAD, threaded=False)
    chunked_equals_whole_and_reset_equals_fresh(make, signal(6000, channels=2), ask)


def test_it_is_not_reset_while_its_thread_plays(tiny: Bundle) -> None:
    with ResynthesisEngine(tiny) as engine:
        with pytest.raises(RuntimeError, match="Stop the ResynthesisEngine before you reset it"):
            engine.reset()
    engine.reset()


@pytest.mark.parametrize("style", [0, 1])
def test_a_click_arrives_at_the_latency(style: float) -> None:
    """The resynthesis of a click is a noise burst as short as the grain's window allows."""
    engine = ResynthesisEngine(Bundle.open(provider="cpu"), "Snare", threaded=False)
    engine.set(at=0, style=style)
    click = np.zeros((1, 30000), np.float32)
    click[0, 10000:10200] = 0.5 * signal(200)[0]
    heard = play(engine, click, 512)
    power = np.convolve(heard[0].astype(float) ** 2, np.ones(200))[199:]
    assert abs(int(power.argmax()) - 10000 - engine.latency) < 1000 and np.abs(heard).max() > 0.01


def test_a_late_thread_is_heard_as_a_fade_and_time_is_right_afterwards(tiny: Bundle) -> None:
    """The backlog is worked off: after the fade, the sound is as if nothing had been late."""
    given, stream = tone(9000), Resynthesiser(tiny, sample_rate=8000)
    stream.set(mix=0.5)
    engine = ResynthesisEngine(tiny, sample_rate=8000, block=64, ahead=AHEAD)
    engine.set(mix=0.5, at=0)
    with engine:
        first = play(engine, given[:, :3000], 100)
        wait_for(lambda: settled(engine))
    out = np.full((1, 1500), np.nan, np.float32)  # the thread does not run
    for start in range(0, 1500, AHEAD):
        engine.process(given[:, 3000 + start : 3000 + start + AHEAD], out[:, start : start + AHEAD])
    edge = 40  # samples: 5 ms
    assert np.abs(out[:, :AHEAD]).max() > 0.05 and not out[:, AHEAD + edge :].any()
    stalled = np.concatenate((first, out), axis=1)
    assert np.abs(np.diff(stalled[:, 2000:])).max() < 1.5 * np.abs(np.diff(stalled[:, 2000:3000])).max()
    assert engine.statistics().late > 0
    with engine:
        rest = play(engine, given[:, 4500:], 100)
        statistics = engine.statistics()
    whole = later(stream.render(given), AHEAD)
    heard = np.concatenate((stalled, rest), axis=1)
    np.testing.assert_array_equal(heard[:, : 3000 + AHEAD], whole[:, : 3000 + AHEAD])
    first_again = 4500 + int(np.flatnonzero(rest[0])[0])
    assert first_again < 4500 + AHEAD + 64
    np.testing.assert_array_equal(heard[:, first_again + edge + 1 :], whole[:, first_again + edge + 1 :])
    assert 1500 - AHEAD <= statistics.skipped <= 1500 and statistics.failures == 0


def test_a_thread_that_is_too_late_starts_again_at_the_right_time(tiny: Bundle) -> None:
    engine = ResynthesisEngine(tiny, sample_rate=8000, block=64, ahead=AHEAD)
    engine.set(mix=0, at=0)
    given, long = tone(20000), 6000 + int(BACKLOG_SECONDS * 8000)
    with engine:
        first = play(engine, given[:, :3000], 100)
        wait_for(lambda: settled(engine))
    out = np.full((1, long), np.nan, np.float32)
    for start in range(0, long, AHEAD):
        piece = slice(start, start + AHEAD)
        engine.process(given[:, 3000 : 3000 + long][:, piece], out[:, piece])
    with engine:
        wait_for(lambda: settled(engine))
        rest = play(engine, given[:, 3000 + long :], 100)
    heard = np.concatenate((first, out, rest), axis=1)
    expected = later(given, engine.latency)
    start, edge = 3000 + long + engine.latency, 40
    assert not heard[:, 3000 + AHEAD + edge : start].any()
    np.testing.assert_array_equal(heard[:, start + edge :], expected[:, start + edge :])
    assert np.abs(np.diff(heard)).max() < 2 * np.abs(np.diff(given)).max()
    assert engine.statistics().late > 0


@pytest.mark.parametrize(("most", "block"), [(None, 256), (100, 256), (2000, 64)])
def test_a_block_as_long_as_promised_is_never_late(tiny: Bundle, most: int | None, block: int) -> None:
    engine = ResynthesisEngine(tiny, sample_rate=RATE, block=block, max_block=most)
    count = engine.max_block
    assert count == (most or 1024)
    assert engine.ahead == count + round(0.016 * RATE)
    assert engine.latency == engine.ahead + Resynthesiser(tiny, sample_rate=RATE).latency
    with engine:
        play(engine, signal(10 * count), count)
        assert engine.statistics().late == 0


def test_a_block_above_the_promise_is_refused_and_takes_no_time(tiny: Bundle) -> None:
    engine, given = ResynthesisEngine(tiny, max_block=128), signal(129)
    with engine:
        with pytest.raises(
            ValueError, match="asks for 129 samples at once, .* made for 128: make it with max_block=129"
        ):
            engine.process(given, given)
        assert engine.time == 0
    assert ResynthesisEngine(tiny, max_block=128, threaded=False).render(given).shape == (1, 129)
    assert ResynthesisEngine(tiny, ahead=300).max_block == 300
    assert repr(ResynthesisEngine(tiny, max_block=np.int64(128))) == repr(ResynthesisEngine(tiny, max_block=128))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="ahead is 300: choose 301"):
        ResynthesisEngine(tiny, ahead=300, max_block=301)


def test_bad_samples_are_silence(tiny: Bundle) -> None:
    given = signal(3000)
    broken, cleaned = given.copy(), given.copy()
    broken[0, 1000:1009] = (np.nan, np.inf, -np.inf) * 3
    cleaned[0, 1000:1009] = 0.0
    heard = [play(ResynthesisEngine(tiny, ahead=0, threaded=False), each, 100) for each in (broken, cleaned)]
    np.testing.assert_array_equal(*heard)


def test_silence_stays_silent_and_the_shipped_bundle_is_heard() -> None:
    bundle = Bundle.open(provider="cpu")
    engine = ResynthesisEngine(bundle, {"class": "Snare"}, ahead=0, threaded=False)
    silence_stays_silent(lambda: engine, 20000)
    assert np.abs(play(engine, 0.1 * signal(20000), 512)).max() > 0.01


def test_stopping_restores_the_interpreter_and_starting_again_goes_on(tiny: Bundle) -> None:
    given, interval = signal(4000), sys.getswitchinterval()
    engine = ResynthesisEngine(tiny, block=64, ahead=AHEAD)
    with engine:
        engine.start()
        assert sys.getswitchinterval() < interval
        first = play(engine, given[:, :2000], 100)
        wait_for(lambda: settled(engine))
    engine.stop()
    assert sys.getswitchinterval() == interval
    assert not [thread for thread in threading.enumerate() if thread.name == "ngs engine"]
    with engine:
        rest = play(engine, given[:, 2000:], 100)
        statistics = engine.statistics()
    expected = later(Resynthesiser(tiny, sample_rate=48000).render(given), AHEAD)
    np.testing.assert_array_equal(np.concatenate((first, rest), axis=1), expected)
    assert statistics.late == 0 and statistics.cpu > 0
    assert 0 < statistics.median_ms <= statistics.p99_ms <= statistics.worst_ms
    assert set(statistics.to_dict()) >= {"late", "cpu", "skipped", "realtime"}


def test_a_block_may_be_processed_in_place(tiny: Bundle) -> None:
    given = signal(2000)
    expected = play(ResynthesisEngine(tiny, block=64, ahead=AHEAD, threaded=False), given, 2000)
    engine, both = ResynthesisEngine(tiny, block=64, ahead=AHEAD, threaded=False), given.copy()
    engine.process(both, both)
    np.testing.assert_array_equal(both, expected)


def test_a_bundle_that_fails_is_counted_and_fades(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = ResynthesisEngine(tiny, sample_rate=8000, block=64, ahead=AHEAD)
    stream = engine._bank._now.streams[0]
    step = stream._decoder.step

    def refused(start: int, stop: int) -> None:
        raise BundleError("the graph cannot be run")

    with engine:
        before = play(engine, tone(3000), 100)
        monkeypatch.setattr(stream._decoder, "step", refused)
        failing = play(engine, tone(3000), 100)
        statistics = engine.statistics()
        monkeypatch.setattr(stream._decoder, "step", step)
        again = play(engine, tone(3000), 100)
    assert statistics.failures > 0 and statistics.last_failure == "the graph cannot be run" and statistics.late == 0
    assert not failing[:, -1000:].any() and np.abs(again[:, -1000:]).max() > 0.01
    whole = np.concatenate((before, failing), axis=1)
    assert np.abs(np.diff(whole)).max() < 1.5 * np.abs(np.diff(before)).max()


def test_any_other_error_is_counted_and_time_stays_right(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = ResynthesisEngine(tiny, sample_rate=8000, channels=2, block=64, ahead=AHEAD)
    engine.set(mix=0, at=0)
    given, stream = signal(6000, channels=2), engine._bank._now.streams[0]
    process, times = stream.process, [3]

    def failing(given: Array, out: Array) -> None:
        if times[0]:
            times[0] -= 1
            raise MemoryError("no more of it")
        process(given, out)

    with engine:
        play(engine, given[:, :2000], 100)
        wait_for(lambda: settled(engine))
        monkeypatch.setattr(stream, "process", failing)
        heard = play(engine, given[:, 2000:], 100)
        statistics = engine.statistics()
    assert statistics.failures == 3 and statistics.last_failure == "no more of it" and statistics.late == 0
    expected = later(given, engine.latency)[:, 2000:]
    np.testing.assert_array_equal(heard[1], expected[1])
    np.testing.assert_array_equal(heard[:, 1500:], expected[:, 1500:])


def test_the_sound_fades_to_another_bundle_and_the_latency_stays(tiny: Bundle, tmp_path: Path) -> None:
    given, fade = signal(8000), 800
    other = write_tiny(tmp_path / "other.ngs", sample_rate=16000)
    old, new = (Resynthesiser(bundle, sample_rate=16000, seed=1) for bundle in (tiny, Bundle.open(other, "cpu")))
    assert new.latency < old.latency
    new = Resynthesiser(new.bundle, "Hat", 16000, seed=1, at_least=old.latency)
    from_new = np.pad(new.render(given[:, 3000:]), ((0, 0), (3000, 0)))
    expected = later(np.concatenate((old.render(given), from_new)), AHEAD)
    for threaded, size in ((False, 100), (False, 250), (True, 100)):
        engine = ResynthesisEngine(tiny, None, 16000, 1, block=50, ahead=AHEAD, threaded=threaded)
        with engine:
            before, latency = play(engine, given[:, :3000], size), engine.latency
            if threaded:
                wait_for(partial(settled, engine))
            engine.load(other, "Hat", fade=fade / 16000, provider="cpu")
            engine.condition("Hat")  # a class of the new bundle
            assert engine.bundle.path == other and engine.latency == latency
            heard = np.concatenate((before, play(engine, given[:, 3000:], size)), axis=1)
            assert engine.statistics().failures == 0 and not engine._bank._coming and engine._bank.retired
        share = np.clip((np.arange(8000) + 1 - 3000 - latency) / fade, 0, 1).astype(np.float32)
        np.testing.assert_array_equal(heard, expected[:1] * (1 - share) + expected[1:] * share)


def test_a_bundle_with_longer_grains_raises_the_latency(tiny: Bundle, tmp_path: Path) -> None:
    other = write_tiny(tmp_path / "other.ngs", sample_rate=4000)
    engine = ResynthesisEngine(tiny, sample_rate=8000, block=50, ahead=AHEAD, threaded=False)
    engine.set(mix=0)
    given, latency = tone(8000), engine.latency
    before = play(engine, given[:, :3000], 100)
    engine.load(other, provider="cpu")
    assert engine.latency > latency + LENGTH - HOP
    heard = np.concatenate((before, play(engine, given[:, 3000:], 100)), axis=1)
    np.testing.assert_array_equal(heard[:, :3000], later(given, latency)[:, :3000])
    done = 3000 + engine.latency + 800
    np.testing.assert_array_equal(heard[:, done:], later(given, engine.latency)[:, done:])
    assert np.abs(np.diff(heard[:, 1000:])).max() < 2 * np.abs(np.diff(given)).max()
    longer = engine.latency
    engine.load(tiny)
    assert engine.latency == longer


def test_of_several_bundles_that_wait_the_last_one_plays(tiny: Bundle) -> None:
    engine = ResynthesisEngine(tiny, "Kick", 8000, block=50, ahead=0, threaded=False)
    play(engine, signal(1000), 100)
    for name in ("Snare", "Kick", "Hat"):
        engine.load(tiny, name, fade=0.01)
    engine.set(gain=0.5)
    heard = play(engine, signal(6000), 100)
    assert len(engine._bank.retired) == 3 and not engine._bank._coming
    plain = Resynthesiser(tiny, "Hat", 8000)
    plain.set(gain=0.5)
    started = engine.latency + 80  # of the one before it, and its fade
    expected = plain.render(signal(6000)[:, -(-started // 50) * 50 :])
    np.testing.assert_array_equal(heard[0, -1000:], expected[0, -1000:])


def test_bad_arguments_are_refused_by_the_call(tiny: Bundle, tmp_path: Path) -> None:
    engine = ResynthesisEngine(tiny, ahead=AHEAD, threaded=False)
    block = np.zeros((1, 10), np.float32)
    for wrong, message in (
        (lambda: engine.set(pan=0), "no control 'pan'; known: mix, style, gain"),
        (lambda: engine.set(mix=2), "mix is 2: choose 0 to 1"),
        (lambda: engine.set(at=float("nan"), mix=1), "at is nan: a time in frames"),
        (lambda: engine.condition({"class": "Cow"}), "no class 'Cow'"),
        (lambda: engine.load(tmp_path / "none.ngs"), "does not exist"),
        (lambda: engine.load(tiny, "Cow"), "no class 'Cow'"),
        (lambda: engine.load(None), "the bundle is None: give a path or a Bundle"),  # type: ignore[arg-type]
        (lambda: engine.load(tiny, fade=-1), "fade is -1: choose 0 to 60"),
        (lambda: engine.process(block[0], block[0]), r"a block is float32 \[1, n\], this one is float32 \(10,\)"),
        (lambda: engine.process(block, block[:, :5]), r"\(1, 10\) and \(1, 5\)"),
        (lambda: ResynthesisEngine(tiny, block=0), "block is 0"),
        (lambda: ResynthesisEngine(tiny, block=256, ahead=255), "ahead is 255: choose 256"),
        (lambda: ResynthesisEngine(tiny, channels=0), "channels is 0: choose 1 to 64"),
        (lambda: ResynthesisEngine(tiny, sample_rate=10), "sample_rate is 10 Hz"),
    ):
        with pytest.raises(ValueError, match=message):
            wrong()
    assert not engine._schedule.sent


def test_more_commands_than_fit_are_refused(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = ResynthesisEngine(tiny, block=64, ahead=AHEAD, threaded=False)
    for _ in range(COMMANDS):
        engine.set(gain=0.5)
    with pytest.raises(EngineBusy, match="commands wait already"):
        engine.set(gain=1)
    play(engine, signal(100), 100)
    monkeypatch.setattr("ngs.runtime.live.schedule.EVENTS", 10)
    for _ in range(10):
        engine.set(gain=0.5, at=10**9)
    play(engine, signal(100), 100)
    with pytest.raises(EngineBusy, match="10 events wait for their time"):
        engine.set(gain=1)


def test_what_repr_says(tiny: Bundle) -> None:
    engine = ResynthesisEngine(tiny, "Kick", 8000, channels=2, max_block=64)
    assert repr(engine) == "<ResynthesisEngine: tiny.ngs, 8000 Hz, 2 rows, latency 447, max_block 64, not running>"
    assert repr(Resynthesiser(tiny)) == "<Resynthesiser: tiny.ngs, 8000 Hz, 1 row, latency 255>"


def test_what_was_stored_sounds_again(tiny: Bundle, tiny_noise: Path) -> None:
    """All that decides the sound is stored, even what was only just asked for."""
    given = signal(6000, channels=2)
    one = ResynthesisEngine(tiny, "Kick", RATE, 5, 2, ahead=AHEAD, threaded=False)
    one.load(tiny, "Snare")
    one.set(gain=0.5, scatter=0.3, style=0.25)
    one.condition("hat")
    state = json.loads(json.dumps(one.state(), allow_nan=False))
    assert (state["choices"], state["seed"], state["controls"]["style"]) == ({"class": "hat"}, 5, 0.25)
    expected = ResynthesisEngine(tiny, "Hat", RATE, 5, 2, ahead=AHEAD, threaded=False)
    expected.set(gain=0.5, scatter=0.3, style=0.25)
    for bundle in (tiny, Bundle.open(tiny_noise, "cpu")):
        other = ResynthesisEngine(bundle, "Snare", RATE, 1, 2, ahead=AHEAD, threaded=False)
        other.set(mix=0.2, density=0.4)
        play(other, given, 500)
        other.restore(state, fade=0)
        assert other.state() == state and other.bundle.sha256 == tiny.sha256
        expected.reset()
        np.testing.assert_array_equal(
            play(other, given, 500)[:, other.latency + 100 :], play(expected, given, 500)[:, other.latency + 100 :]
        )


def test_after_a_reset_the_state_tells_what_plays(tiny: Bundle, tiny_noise: Path) -> None:
    """Changes that have a time to come are gone."""
    engine = ResynthesisEngine(tiny, "Kick", RATE, ahead=AHEAD, threaded=False)
    engine.load(tiny_noise, "Snare", provider="cpu")
    engine.set(gain=0.5)
    engine.set(at=5000, gain=0.25, mix=0.5)
    engine.condition("Hat", at=5000)
    engine.reset()
    state = engine.state()
    assert (engine.bundle.path, state["choices"]) == (tiny_noise, {"class": "Snare"})
    assert (state["controls"]["gain"], state["controls"]["mix"]) == (0.5, 1)
    expected = ResynthesisEngine(engine.bundle, "Snare", RATE, ahead=AHEAD, threaded=False)
    expected.set(gain=0.5)
    expected.reset()
    given, late = signal(6000), max(engine.latency, expected.latency)
    heard = play(engine, given, 500), play(expected, given, 500)
    np.testing.assert_array_equal(*(each[:, late:] for each in heard))


def test_a_state_that_does_not_fit_changes_nothing(tiny: Bundle, tiny_noise: Path) -> None:
    engine = ResynthesisEngine(tiny, "Kick", RATE, channels=2, threaded=False)
    state = engine.state()
    for wrong, message in (
        ({**state, "ngs": "Engine"}, "a state of 'Engine', not of ResynthesisEngine"),
        ({**state, "seed": 1.5}, "state: seed: expected a whole number, found 1.5"),
        ({**state, "seed": 2**64 - 1}, "seed is 18446744073709551616"),  # of the second channel
        ({**state, "controls": {"pan": 0}}, "no control 'pan'"),
        ({**state, "controls": None}, "state: controls: expected an object"),
        ({**state, "choices": {"class": "Cow"}}, "no class 'Cow'"),
        ({**state, "choices": {"class": 3}}, "choices are"),
        ({**state, "bundle": None}, "state: bundle: expected an object, found None"),
    ):
        with pytest.raises(ValueError, match=message):
            engine.restore(wrong)
    assert not engine._schedule.sent and engine.state() == state
    engine.restore({**state, "controls": {"mix": 0.5}}, tiny_noise)
    assert engine.bundle.path == tiny_noise and engine.state()["controls"] == {**state["controls"], "mix": 0.5}
