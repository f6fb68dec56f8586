"""HitPlayer plays the samples of `render.sample` at the very sample of a trigger, one block later."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ngs.pyo_instruments import HitPlayer
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.offline.render import sample
from ngs.runtime.pads.hits import tune

pyo = pytest.importorskip("pyo")

RATE, BLOCK = 48000, 128


def hit(bundle: Bundle, name: str, index: int, temperature: float = 1.0, pitch: float = 0.0, seed: int = 0) -> Array:
    """Sound number `index`, as a pad plays it at the server's sample rate."""
    sound = sample(bundle, bundle.condition(name), temperature, seed, index)
    return tune(sound, bundle.manifest.sample_rate, pitch, RATE)


def mixed(length: int, *hits: tuple[int, Array]) -> Array:
    """The sum of sounds, each from its frame on."""
    out = np.zeros(length, np.float32)
    for at, sound in hits:
        end = min(at + len(sound), length)
        out[at:end] += sound[: end - at]
    return out


@pytest.mark.parametrize("live", [False, True])
def test_a_trigger_sounds_at_its_sample_one_block_later(
    rooms: Any, bundle: Bundle, master: np.float32, live: bool
) -> None:
    with rooms(live=live) as room:
        metro = pyo.Metro(0.0701).play()
        click = pyo.Sig(metro).out(1)
        hits = HitPlayer(bundle, "Snare", trig=metro).out(0)
        heard = room.hear(150)
        frames = np.flatnonzero(heard[:, 1])
        assert len(frames) == 6 and len(set(frames % BLOCK)) > 3 and len(click) == 1
        wanted = mixed(len(heard), *((at + BLOCK, hit(bundle, "Snare", k)) for k, at in enumerate(frames)))
        np.testing.assert_array_equal(heard[:, 0], wanted * master)
        assert hits.statistics()["stale"] == 0 and hits.statistics()["triggers"] == 6


def test_each_stream_of_triggers_plays_its_class_with_its_value_as_gain(
    room: Any, bundle: Bundle, master: np.float32
) -> None:
    trig = pyo.Trig().stop()
    triggers = trig * [0.5, 0.25]
    hits = HitPlayer(bundle, ["Kick", "Hat"], trig=triggers, seed=3).out()
    assert len(hits) == 2
    room.hear(2)
    trig.play()
    heard = room.hear(60)
    for stream, (name, gain) in enumerate((("Kick", 0.5), ("Hat", 0.25))):
        wanted = mixed(60 * BLOCK, (BLOCK, np.float32(gain) * hit(bundle, name, stream, seed=3)))
        np.testing.assert_array_equal(heard[:, stream], wanted * master)


def test_python_plays_a_hit_at_an_exact_sample(room: Any, bundle: Bundle, master: np.float32) -> None:
    hits = HitPlayer(bundle, "Kick").out()
    hits.hit(offset=37)  # before the start
    first = room.hear(40)[:, 0]
    hits.hit(gain=0.5, offset=5)
    room.clock.send(hits.hit, at=40 * BLOCK + 333)
    heard = np.concatenate((first, room.hear(60)[:, 0]))
    sounds = [hit(bundle, "Kick", index) for index in range(3)]
    wanted = mixed(
        100 * BLOCK, (37, sounds[0]), (40 * BLOCK + 5, np.float32(0.5) * sounds[1]), (40 * BLOCK + 333, sounds[2])
    )
    np.testing.assert_array_equal(heard, wanted * master)


def test_settings_are_values_or_lists_for_the_next_hits(room: Any, bundle: Bundle, master: np.float32) -> None:
    hits = HitPlayer(bundle, ["Kick", "Snare"], temperature=[0.2, 1.5], pitch=3).out()
    hits.hit(0), hits.hit(1)
    heard = room.hear(60)
    for stream, (name, temperature) in enumerate((("Kick", 0.2), ("Snare", 1.5))):
        wanted = hit(bundle, name, stream, temperature, 3)
        np.testing.assert_array_equal(heard[: len(wanted), stream], wanted * master)
    hits.classes, hits.temperature, hits.pitch = "Hat", 0.5, [0, -5]
    hits.hit(0), hits.hit(1)
    heard = room.hear(80)
    for stream, pitch in enumerate((0, -5)):
        wanted = hit(bundle, "Hat", 2 + stream, 0.5, pitch)
        np.testing.assert_array_equal(heard[: len(wanted), stream], wanted * master)
    assert (hits.classes, hits.temperature, hits.pitch) == ("Hat", 0.5, [0, -5])


def test_a_hit_that_is_not_fresh_repeats_until_it_is_resampled(room: Any, bundle: Bundle) -> None:
    hits = HitPlayer(bundle, "Snare", fresh=0).out()

    def next_one() -> Array:
        hits.hit()
        return np.asarray(room.hear(60)[:, 0])

    first, second = next_one(), next_one()
    np.testing.assert_array_equal(first, second)
    hits.resample()
    third = next_one()
    assert not np.array_equal(third, first)
    np.testing.assert_array_equal(next_one(), third)
    hits.fresh = 1
    assert not np.array_equal(next_one(), third)


def test_a_decay_shortens_the_next_hits(room: Any, bundle: Bundle) -> None:
    hits = HitPlayer(bundle, "Snare", fresh=0).out()
    hits.hit()
    whole = room.hear(60)[:, 0]
    hits.decay = 0.03
    hits.hit()
    short = room.hear(60)[:, 0]
    shape = 10 ** (-3 * np.arange(2 * 1440) / 1440)
    np.testing.assert_allclose(short[:2880], whole[:2880] * shape, atol=1e-6)
    assert not short[2880:].any() and whole[2880:].any()
    hits.decay = 0
    hits.hit()
    np.testing.assert_array_equal(room.hear(60)[:, 0], whole)


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda hits: hits.setPitch(30), "pitch is 30.0: choose -24 to 24"),
        (lambda hits: hits.setTemperature([0, -1]), "temperature is -1.0: choose 0 to 10"),
        (lambda hits: hits.setDecay(-1), "decay is -1.0: choose 0 to 60 seconds"),
        (lambda hits: hits.setClasses("Clap"), "Clap"),
        (lambda hits: hits.set(0, source="tape"), "There is no source 'tape'; known: note, path"),
        (lambda hits: hits.set(2, pitch=0), "pad is 2: choose a whole number, 0 to 1"),
        (lambda hits: hits.hit(2), "pad is 2: choose a whole number, 0 to 1"),
        (lambda hits: hits.hit(0, offset=-1), "offset is -1"),
        (lambda hits: hits.resample(-1), "pad is -1"),
    ],
)
def test_wrong_values_are_refused_at_once(room: Any, bundle: Bundle, ask: Any, told: str) -> None:
    hits = HitPlayer(bundle, ["Kick", "Snare"])
    before = (hits.pitch, hits.temperature, hits.decay, hits.classes)
    room.hear(1)
    with pytest.raises(ValueError, match=told):
        ask(hits)
    room.hear(1)
    assert room.clock.statistics().failures == 0
    assert (hits.pitch, hits.temperature, hits.decay, hits.classes) == before


def test_triggers_can_be_replaced_or_added_later(room: Any, bundle: Bundle) -> None:
    hits = HitPlayer(bundle, "Kick").out()
    assert not room.hear(10).any()
    slow, fast = pyo.Metro(0.05).play(), pyo.Metro(0.01).play()
    hits.trig = slow
    room.hear(200)
    few = hits.statistics()["triggers"]
    hits.setTrig(fast)
    room.hear(200)
    assert 9 <= few <= 12 and hits.statistics()["triggers"] - few > 40 and hits.trig is fast


def test_hits_of_the_drums_are_clean(room: Any, drums: Bundle) -> None:
    hits = HitPlayer(drums, list(drums.manifest.attributes[0].classes))
    out = hits.mix(1).out()
    for stream, name in enumerate(drums.manifest.attributes[0].classes):
        hits.hit(stream)
        sound = room.hear_seconds(3)[:, 0]
        # held hits reach the limiter; at another rate, what is just below full scale overshoots it
        assert 0.02 < np.abs(sound).max() < 1.2 and not sound[-BLOCK:].any(), name
    assert len(out) == 1
