"""Pads play reproducible hits at exact samples. The thread that makes them changes no bit and delays nothing."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.runtime.laws import (
    BLOCKS,
    a_sound_arrives_at_the_latency,
    chunked_equals_whole_and_reset_equals_fresh,
    silence_stays_silent,
)
from tests.runtime.waiting import wait_for
from tests.tiny import write_tiny

from ngs.runtime import Bundle, Pads
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.dsp.audio_files import resample
from ngs.runtime.offline.render import sample
from ngs.runtime.pads import hits
from ngs.runtime.pads.hits import Recipe, make_hit, make_sound, tune

Act = Callable[[Pads, int], None]  # with the offset into the next block
RATE, TOTAL = 11025, 9000


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle, "cpu")


def settle(pads: Pads) -> None:
    """Until every hit that should be ready is."""
    if pads._maker._thread:
        wait_for(lambda: all(store.missing(pads.ready) is None for store in pads._stores))


def heard(pads: Pads, count: int) -> Array:
    out = np.full((pads.count, count), np.nan, np.float32)
    pads.process(out)
    return out


def played(pads: Pads, score: list[tuple[int, Act]], total: int, block: int) -> Array:
    """What pads play in blocks, when each act comes at its sample."""
    parts, at, waiting = [], 0, list(score)
    while at < total:
        count = min(block, total - at)
        while waiting and waiting[0][0] < at + count:
            when, act = waiting.pop(0)
            settle(pads)
            act(pads, when - at)
        parts.append(heard(pads, count))
        at += count
    return np.concatenate(parts, axis=1)


def tuned_sample(bundle: Bundle, choice: str, index: int, seed: int = 0, temperature: float = 1.0) -> Array:
    sound = sample(bundle, bundle.condition(choice), temperature, seed, index)
    return resample(sound, bundle.manifest.sample_rate, RATE)


def score() -> list[tuple[int, Act]]:
    """Everything that a sequencer does, and more hits than may sound at once."""
    acts: list[tuple[int, Act]] = []
    for step in range(20):
        acts.append((100 + 211 * step, lambda pads, offset, pad=step % 3: pads.trigger(pad, offset, 0.5 + pad)))
        acts.append((130 + 211 * step, lambda pads, offset: pads.trigger(1, offset, decay=0.05)))
        acts.append((130 + 211 * step, lambda pads, offset: pads.trigger(1, offset, 0.7)))
    acts += [
        (1500, lambda pads, offset: pads.set(1, choices="Hat", temperature=1.0)),
        (2500, lambda pads, offset: pads.set(0, pitch=-5.0, source="path")),
        (2600, lambda pads, offset: pads.choke(1, 0.02, offset)),
        (2610, lambda pads, offset: pads.choke(None, 0.005, offset)),
        (2650, lambda pads, offset: pads.choke(1, 1.0, offset)),
        (3000, lambda pads, offset: pads.set(2, fresh=False)),
        (3500, lambda pads, offset: pads.set(2, pitch=7)),
        (3900, lambda pads, offset: pads.resample(2)),
        (8950, lambda pads, offset: pads.trigger(0, offset)),
    ]
    return sorted(acts, key=lambda act: act[0])


@pytest.fixture(scope="module")
def whole(tiny: Bundle) -> Array:
    return played(Pads(tiny, RATE, 3, seed=5, overlap=2, threaded=False), score(), TOTAL, TOTAL)


@pytest.mark.parametrize("threaded", [False, True])
@pytest.mark.parametrize("block", BLOCKS)
def test_blocks_and_threads_change_no_bit(tiny: Bundle, whole: Array, block: int, threaded: bool) -> None:
    pads = Pads(tiny, RATE, 3, seed=5, overlap=2, threaded=threaded)
    with pads:
        out = played(pads, score(), TOTAL, block)
        statistics = pads.statistics()
    np.testing.assert_array_equal(out, whole)
    assert all(np.abs(row).max() > 0.05 for row in whole)
    assert statistics.triggers == 61 and statistics.made >= 40
    assert (statistics.stale, statistics.dropped, statistics.failures, statistics.last_failure) == (0, 0, 0, "")


def test_without_a_thread_they_obey_the_laws_of_streams(tiny: Bundle) -> None:
    def make() -> Pads:
        return Pads(tiny, RATE, 3, seed=5, overlap=2, threaded=False)

    def ask(pads: Pads) -> None:
        pads.set(1, choices="Hat", pitch=3)
        for number in range(12):
            pads.trigger(number % 3, 50 + 151 * number, decay=None if number % 2 else 0.1)
        pads.choke(2, 0.01, 1200)

    chunked_equals_whole_and_reset_equals_fresh(make, 5000, ask)
    a_sound_arrives_at_the_latency(make, lambda pads: pads.trigger(1), 500, 2000)
    silence_stays_silent(make, 1000)


def test_reset_pads_begin_with_their_first_hits_again(tiny: Bundle) -> None:
    with Pads(tiny, RATE, 2) as pads:
        heard_before = [played(pads, [(0, lambda pads, offset: pads.trigger(1))], 1000, 100) for _ in range(2)]
        pads.reset()
        assert not heard(pads, 100).any()
        settle(pads)
        pads.reset()
        heard_again = [played(pads, [(0, lambda pads, offset: pads.trigger(1))], 1000, 100) for _ in range(2)]
    np.testing.assert_array_equal(heard_again, heard_before)
    assert np.abs(heard_before).max() > 0.01


@pytest.mark.parametrize("threaded", [False, True])
def test_hits_equal_rendered_sounds_at_their_samples(tiny: Bundle, threaded: bool) -> None:
    with Pads(tiny, RATE, 2, seed=9, overlap=64, threaded=threaded) as pads:
        assert pads.last(1) is None
        expected = np.zeros((2, 20000), np.float32)
        for number in range(6):
            for pad, choice in enumerate(("Kick", "Snare")):
                settle(pads)
                pads.trigger(pad, 7 + 3000 * number + pad, gain=2.0)
                hit = tuned_sample(tiny, choice, 2 * number + pad, seed=9)
                expected[pad, 7 + 3000 * number + pad :][: len(hit)] += 2 * hit
                last = pads.last(pad)
                assert last is not None and last[1] == number and not last[0].flags.writeable
                np.testing.assert_array_equal(last[0], hit)
        np.testing.assert_array_equal(heard(pads, 20000), expected)
        assert not heard(pads, 100).any()
        assert pads.statistics().stale == 0


def test_a_hit_is_kept_until_it_is_resampled(tiny: Bundle) -> None:
    pads, numbers = Pads(tiny, RATE, 1, threaded=False), []

    def trigger() -> None:
        pads.trigger(0)
        last = pads.last(0)
        assert last is not None
        numbers.append(last[1])

    for act in (lambda: pads.set(0, fresh=False), lambda: pads.resample(0), lambda: pads.set(0, fresh=True)):
        trigger()
        trigger()
        act()
    trigger()
    pads.resample(0)  # a fresh one is new anyway
    trigger()
    pads.set(0, fresh=False, choices="Hat")  # the same draw of another class
    trigger()
    assert numbers == [0, 1, 1, 1, 2, 2, 3, 4, 4]
    np.testing.assert_array_equal(pads.last(0)[0], tuned_sample(tiny, "Hat", 4))  # type: ignore[index]


def test_a_change_of_pitch_decodes_nothing(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    with Pads(tiny, RATE, 1) as pads:
        settle(pads)

        def decoded(*arguments: object) -> Array:
            raise AssertionError("decoded")

        monkeypatch.setattr(hits, "make_sound", decoded)
        pads.set(0, pitch=7.5)
        settle(pads)
        monkeypatch.undo()
        pads.trigger(0)
        last, statistics = pads.last(0), pads.statistics()
    plain = sample(tiny, tiny.condition("Kick"), 1.0, 0, 0)
    np.testing.assert_array_equal(last[0], tune(plain, 8000, 7.5, RATE))  # type: ignore[index]
    assert abs(len(last[0]) - len(plain) * RATE / 8000 / 2 ** (7.5 / 12)) <= 1  # type: ignore[index]
    assert statistics.failures == 0 and statistics.stale == 0


def test_paths_are_drawn_by_number(tiny: Bundle) -> None:
    condition = tuple(tiny.condition("Hat").tolist())
    recipe = Recipe(tiny, condition, "path", 0.7, 0.0)
    sounds = [make_sound(recipe, 3, index) for index in range(4)]
    hop, half = tiny.manifest.hop_length, tiny.manifest.path_length // 2
    for sound, other in pairwise(sounds):
        assert not np.array_equal(sound[:64], other[:64]) and np.abs(sound).max() > 0.01
        assert hop <= len(sound) <= (half + 3) * hop and sound[-1] == 0
    np.testing.assert_array_equal(sounds[2], make_sound(recipe, 3, 2))
    first = make_hit(recipe, 1, 3, 2, 16000)
    np.testing.assert_array_equal(first.sound, sounds[2])
    assert make_hit(recipe, 1, 3, 2, 16000, first).sound is first.sound
    other = Recipe(tiny, condition, "note", 0.7, 0.0)
    assert make_hit(other, 1, 3, 2, 16000, first).sound is not first.sound  # another sound is decoded


def test_one_hit_too_many_fades_the_oldest(tiny: Bundle) -> None:
    steal = round(0.005 * RATE)

    def play(overlap: int, count: int) -> Array:
        pads = Pads(tiny, RATE, 1, overlap=overlap, threaded=False)
        for number in range(count):
            pads.trigger(0, 150 * number)
        return heard(pads, 3000)[0]

    expected = np.zeros(3000, np.float32)
    for number in range(3):
        hit = tuned_sample(tiny, "Kick", number)
        assert len(hit) > 500
        if number == 0:  # the third hit needs its place
            hit = hit[: 300 + steal].copy()
            hit[300:] *= (1 - np.arange(steal) / steal).astype(np.float32)
        expected[150 * number :][: len(hit)] += hit
    np.testing.assert_allclose(play(2, 3), expected, atol=1e-6)
    pads = Pads(tiny, RATE, 1, overlap=2, threaded=False)
    for _ in range(5):  # at the same sample: those without a place are never heard
        pads.trigger(0)
    alone = np.zeros(3000, np.float32)
    for number in (3, 4):
        hit = tuned_sample(tiny, "Kick", number)
        alone[: len(hit)] += hit
    np.testing.assert_array_equal(heard(pads, 3000)[0], alone)


def test_decays_chokes_and_silence(tiny: Bundle) -> None:
    pads = Pads(tiny, RATE, 2, threaded=False)
    assert not heard(pads, 300).any()
    pads.trigger(0, 10, decay=0.05)
    hit = tuned_sample(tiny, "Kick", 0)
    length = round(0.1 * RATE)  # to -120 dB
    out = heard(pads, 3000)
    curve = 10 ** (-3 * np.arange(len(hit)) / (0.05 * RATE))
    np.testing.assert_allclose(out[0, 10 : 10 + len(hit)], hit * curve, atol=2e-6)
    assert not out[0, 10 + min(length, len(hit)) :].any() and not out[0, :10].any() and not out[1].any()
    for pad in (0, 1):
        pads.trigger(pad)
        pads.trigger(pad, 400)  # asked for, so it is choked too
    pads.choke(0, 0.01, 200)
    pads.trigger(0, 2000)
    out, fade = heard(pads, 2000), round(0.01 * RATE)
    hit = tuned_sample(tiny, "Kick", 2)
    np.testing.assert_array_equal(out[0, :200], hit[:200])
    np.testing.assert_allclose(
        out[0, 200 : 200 + fade], hit[200 : 200 + fade] * (1 - np.arange(fade) / fade), atol=1e-6
    )
    assert not out[0, 200 + fade :].any() and out[1, 400:].any()
    assert heard(pads, 2000)[0].any()
    pads.choke(seconds=0)
    heard(pads, 1)
    assert not heard(pads, 500).any()


def test_the_last_setting_counts_and_a_late_hit_is_replaced_by_an_earlier_one(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    pads = Pads(tiny, RATE, 1, ready=2)
    go, make, calls = threading.Event(), hits.make_sound, []

    def slow(recipe: Recipe, seed: int, index: int) -> Array:
        calls.append(recipe.temperature)
        if threading.current_thread() is pads._maker._thread:
            assert go.wait(10)
        return make(recipe, seed, index)

    monkeypatch.setattr(hits, "make_sound", slow)
    with pads:
        pads.trigger(0)  # the one that start made
        for step in range(1000):
            pads.set(0, temperature=step / 1000)
        pads.trigger(0)
        pads.trigger(0)
        assert pads.statistics().stale == 2 and pads.last(0)[1] == 0  # type: ignore[index]
        go.set()
        settle(pads)
        pads.trigger(0)
        last, statistics = pads.last(0), pads.statistics()
        assert last is not None and last[1] == 1  # no number was lost
        np.testing.assert_array_equal(last[0], tuned_sample(tiny, "Kick", 1, temperature=0.999))
        assert statistics.stale == 2 and statistics.failures == 0
        assert len(calls) <= 8  # of a thousand
        assert np.abs(heard(pads, 2000)).max() > 0.01


def test_failures_are_counted_and_the_worker_goes_on(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    make = hits.make_sound

    def failing(recipe: Recipe, seed: int, index: int) -> Array:
        if recipe.source == "path":
            raise MemoryError("no more of it")
        return make(recipe, seed, index)

    monkeypatch.setattr(hits, "make_sound", failing)
    with Pads(tiny, RATE, 2) as pads:
        settle(pads)
        pads.trigger(0)
        pads.set(0, source="path")
        wait_for(lambda: pads.statistics().failures > 0)
        pads.trigger(0)
        assert pads.statistics().stale == 1 and np.abs(heard(pads, 500)[0]).max() > 0.01
        pads.trigger(1)
        wait_for(lambda: pads.statistics().waiting[1] == 4)  # others have theirs
        assert pads.statistics().last_failure == "no more of it" and pads.statistics().waiting[0] == 0
        pads.set(0, source="note")
        settle(pads)
        pads.trigger(0)
        assert pads.last(0)[1] == 1  # type: ignore[index]
    alone = Pads(tiny, RATE, 1, threaded=False)
    alone.set(0, source="path")
    alone.trigger(0)
    assert not heard(alone, 500).any()
    assert (alone.statistics().stale, alone.statistics().failures) == (1, 1)
    monkeypatch.undo()
    alone.trigger(0)
    assert alone.last(0)[1] == 0 and heard(alone, 500).any()  # type: ignore[index]


def test_a_bundle_that_cannot_be_played_is_not_started(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: object, **inputs: object) -> None:
        raise BundleError("the graph cannot be run")

    interval, other = sys.getswitchinterval(), Bundle.open(tiny.path, "cpu")
    monkeypatch.setattr(other, "run", refused)
    with pytest.raises(BundleError, match="cannot be run"):
        Pads(other, RATE, 1).start()
    pads = Pads(tiny, RATE, 1, threaded=False)
    with pytest.raises(BundleError, match="cannot be run"):
        pads.load(other)
    pads.trigger(0)
    assert pads.bundle is tiny and heard(pads, 500).any()
    assert sys.getswitchinterval() == interval


def test_pads_with_the_fewest_hits_are_served_first_and_in_turn(tiny: Bundle) -> None:
    pads = Pads(tiny, RATE, 3, ready=2)
    served = []
    while job := pads._maker.most_urgent():
        served.append(job)
        pads._maker.serve(*job)
    assert served == [(pad, number) for number in range(2) for pad in range(3)]
    pads.trigger(1)
    pads.trigger(1)
    pads.trigger(2)
    pads.set(0, fresh=False, temperature=0.9)
    served.clear()
    while job := pads._maker.most_urgent():
        served.append(job)
        pads._maker.serve(*job)
    assert served == [(0, 0), (1, 2), (2, 2), (1, 3)]
    assert [sorted(store.hits) for store in pads._stores] == [
        [0],
        [1, 2, 3],
        [0, 1, 2],
    ]  # the last one, and those ahead


def test_memory_is_bounded(tiny: Bundle) -> None:
    pads = Pads(tiny, RATE, 1, threaded=False)
    for _ in range(300):
        pads.trigger(0, 1 << 20)
    assert pads.statistics().dropped == 300 - 256 and len(pads._stores[0].hits) <= 2
    pads.choke()
    assert not heard(pads, 10).any()
    pads.trigger(0)
    assert pads.last(0)[1] == 256  # type: ignore[index]
    assert pads.statistics().dropped == 300 - 256


@pytest.mark.parametrize("threaded", [False, True])
def test_another_bundle_continues_the_numbers(tiny: Bundle, tmp_path: Path, threaded: bool) -> None:
    other = Bundle.open(write_tiny(tmp_path / "other.ngs", excitation="noise", sample_rate=16000), "cpu")
    object.__setattr__(other.manifest.attributes[0], "classes", ("Cow", "Snare", "Bell"))
    with Pads(tiny, RATE, 3, threaded=threaded) as pads:
        settle(pads)
        for pad in range(3):
            pads.trigger(pad)
        settle(pads)
        pads.load(other)
        assert pads.bundle is other
        for pad, choice in enumerate(("Cow", "Snare", "Bell")):
            pads.trigger(pad)  # made ready by load
            last = pads.last(pad)
            assert last is not None and last[1] == 1
            np.testing.assert_array_equal(last[0], tuned_sample(other, choice, 3 + pad))
        pads.set(0, choices="bell")
        with pytest.raises(ValueError, match="no class 'Hat'"):
            pads.set(0, choices="Hat")
        pads.load(tiny.path, "cpu")
        settle(pads)
        heard(pads, 100)
        settle(pads)
        pads.trigger(2)
        np.testing.assert_array_equal(pads.last(2)[0], tuned_sample(tiny, "Hat", 8))  # type: ignore[index]
        assert pads.statistics().stale == 0 and pads.statistics().failures == 0


def test_stopping_restores_the_interpreter_and_starting_again_goes_on(tiny: Bundle) -> None:
    interval = sys.getswitchinterval()
    pads = Pads(tiny, RATE, 1)
    pads.trigger(0)  # nothing is ready
    assert not heard(pads, 100).any() and pads.last(0) is None and pads.statistics().stale == 1
    for number in range(2):
        with pads:
            pads.start()  # once is enough
            assert sys.getswitchinterval() < interval
            settle(pads)
            pads.trigger(0)
            assert pads.last(0)[1] == number  # type: ignore[index]
        assert sys.getswitchinterval() == interval
        assert not [thread for thread in threading.enumerate() if thread.name == "ngs pads"]
    pads.stop()


def test_bad_arguments_are_refused_in_one_line(tiny: Bundle) -> None:
    pads = Pads(tiny, RATE, 2, threaded=False)
    for what, message in (
        ({"choices": "Cow"}, "no class 'Cow'"),
        ({"choices": {"colour": "red"}}, "no attribute 'colour'"),
        ({"choices": 3}, "choices are 3"),
        ({"choices": {"class": 3}}, "choices are {'class': 3}"),
        ({"source": "tape"}, "no source 'tape'; known: note, path"),
        ({"temperature": -1}, "temperature is -1: choose 0 to 10"),
        ({"pitch": 25}, "pitch is 25: choose -24 to 24"),
        ({"pitch": "high"}, "pitch is 'high'"),
        ({"fresh": 1}, "fresh is 1: choose True or False"),
        ({"volume": 1}, "no setting 'volume'; known: choices"),
    ):
        with pytest.raises(ValueError, match=message):
            pads.check(**what)
        with pytest.raises(ValueError, match=message):
            pads.set(0, **{"temperature": 0.1, **what})
    pads.check(pad=1, choices="hat", source="path", temperature=0, pitch=-24, fresh=False, gain=0, decay=None)
    assert pads._stores[0].wanted.recipe.temperature == 1.0  # what was refused changed nothing
    for wrong, message in (
        (lambda: pads.set(2, pitch=1), "pad is 2: choose a whole number, 0 to 1"),
        (lambda: pads.set(0, gain=1), "no setting 'gain'"),
        (lambda: pads.load(None), "the bundle is None: give a path or a Bundle"),  # type: ignore[arg-type]
        (lambda: pads.resample(-1), "pad is -1"),
        (lambda: pads.last(0.5), "pad is 0.5"),  # type: ignore[arg-type]
        (lambda: pads.trigger(7), "pad is 7"),
        (lambda: pads.trigger(0, -1), "offset is -1"),
        (lambda: pads.trigger(0, gain=float("nan")), "gain is nan: choose 0 to 4"),
        (lambda: pads.trigger(0, decay=0), "decay is 0: choose 0.001 to 60"),
        (lambda: pads.choke(3), "pad is 3"),
        (lambda: pads.choke(0, -1), "seconds is -1"),
        (lambda: pads.process(np.zeros((3, 5), np.float32)), "float32 .2, n., this one is float32 .3, 5."),
        (lambda: pads.process(np.zeros((2, 5))), "this one is float64"),  # type: ignore[arg-type]
        (lambda: Pads(tiny, RATE, 0), "count is 0: choose 1 to 128"),
        (lambda: Pads(tiny, RATE, 1, ready=0), "ready is 0"),
        (lambda: Pads(tiny, RATE, 1, overlap=65), "overlap is 65"),
        (lambda: Pads(tiny, RATE, 1, seed=-1), "seed is -1"),
        (lambda: Pads(tiny, 10, 1), "sample_rate is 10"),
    ):
        with pytest.raises(ValueError, match=message):
            wrong()
    pads.process(np.zeros((2, 0), np.float32))
    assert pads.statistics().triggers == 0 and pads.statistics().to_dict()["waiting"] == (0, 0)


def test_what_repr_says(tiny: Bundle) -> None:
    assert repr(Pads(tiny, RATE, 3, seed=5)) == f"<Pads: tiny.ngs, {RATE} Hz, seed 5, 3 rows, latency 0>"


def stored_pads(bundle: Bundle) -> tuple[Pads, Any]:
    """Pads that have played, and their state as a file has it."""
    pads = Pads(bundle, RATE, 3, seed=5, threaded=False)
    pads.set(0, choices="Hat", pitch=3, temperature=0.5)
    pads.set(1, source="path")
    for pad in (0, 0, 1, 2):
        pads.trigger(pad)
    pads.set(2, fresh=False)
    pads.resample(1)
    return pads, json.loads(json.dumps(pads.state(), allow_nan=False))


def next_hits(pads: Pads) -> list[Array]:
    pads.process(np.zeros((3, 100), np.float32))
    for pad in (0, 1, 2, 2):
        pads.trigger(pad)
    return [last[0] for last in map(pads.last, range(3)) if last]


def test_what_was_stored_plays_on(tiny: Bundle, tiny_noise: Path) -> None:
    """The next hits of pads that are restored are those that the stored ones play next."""
    pads, state = stored_pads(tiny)
    expected = next_hits(pads)
    for bundle in (tiny, Bundle.open(tiny_noise, "cpu")):
        other = Pads(bundle, RATE, 3, seed=1, threaded=False)
        other.trigger(0)
        other.restore(state)
        assert other.state() == state and other.bundle.sha256 == tiny.sha256 and other.seed == 5
        for ours, theirs in zip(next_hits(other), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    live = Pads(tiny, RATE, 3)
    live.restore(state)
    with live:
        with pytest.raises(RuntimeError, match="Stop the Pads before you restore them"):
            live.restore(state)
        settle(live)
        for ours, theirs in zip(next_hits(live), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        assert live.statistics().stale == 0


def test_a_state_that_does_not_fit_changes_nothing(tiny: Bundle) -> None:
    pads, state = stored_pads(tiny)
    first, *rest = state["pads"]
    for wrong, message in (
        ({**state, "ngs": "Engine"}, "a state of 'Engine', not of Pads"),
        ({**state, "pads": rest}, "the state has 2 pads, and there are 3: make them with count=2"),
        ({**state, "pads": [{}, *rest]}, "state: pad 0: choices: expected an object, found nothing"),
        ({**state, "pads": [None, *rest]}, "state: pad 0: choices"),
        ({**state, "pads": [{**first, "pitch": 99}, *rest]}, "pitch is 99.0: choose -24 to 24"),
        ({**state, "pads": [{**first, "choices": {"class": "Cow"}}, *rest]}, "no class 'Cow'"),
        ({**state, "pads": [{**first, "held": 7}, *rest]}, "state: pad 0: next is 2, and held 7"),
        ({**state, "pads": [{**first, "next": -1}, *rest]}, "state: pad 0: next is -1"),
        ({**state, "seed": -1}, "seed is -1"),
    ):
        with pytest.raises(ValueError, match=message):
            pads.restore(wrong)
    assert pads.state() == state
