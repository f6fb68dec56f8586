"""Held levels: drawn sounds are as loud as the corpus, free paths as the grains that they pass."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests import tiny

from ngs.runtime import Note, Synth, decode, decode_embeddings, play_path, sample
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.levels import (
    MOST_GAIN_DB,
    held_levels,
    held_loudness,
    long_path_levels,
    morph_levels,
    path_levels,
    predicted_levels,
    varied_levels,
)
from ngs.runtime.bundle.seeds import drawn_embedding, sample_embeddings
from ngs.runtime.bundle.specs import LOUDNESS_PERCENTILES, LoudnessRange
from ngs.runtime.dsp.loudness import grain_loudness
from ngs.runtime.dsp.paths import LoudnessMap
from ngs.runtime.offline.loop import render_loop
from ngs.runtime.offline.patterns import Track
from ngs.runtime.pads.pads import Pads
from ngs.runtime.synth.playhead import Playhead

RANGES = (
    LoudnessRange((-22, -21, -20, -19, -18), (-34, -32, -30, -29, -28)),
    LoudnessRange((-12, -11, -10, -9, -8), (-14, -12, -10, -9, -8)),
    LoudnessRange((-20, -18, -15, -12, -10), (-22, -21, -20, -19, -18)),
)


@pytest.fixture
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle)


@pytest.fixture
def raw(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle, held=False)


def held(predicted: Sequence[float], *classes: Sequence[float]) -> list[float]:
    return held_loudness(np.array(predicted), np.array(classes), RANGES).tolist()


def drawn(bundle: Bundle, count: int = 12) -> tuple[np.ndarray, np.ndarray]:
    conditions = np.stack([bundle.condition(name) for name in tiny.CLASSES] * (count // 3))
    return sample_embeddings(bundle, conditions, count, 0.7, 3), conditions


def test_a_typical_drawn_sound_is_as_loud_as_a_typical_real_one() -> None:
    assert held([-30, -10, -20], (1, 0), (0, 1), (0, 0)) == [-20, -10, -15]


def test_a_place_among_drawn_sounds_becomes_the_same_place_among_real_ones() -> None:
    assert held([-34, -32, -31, -29, -28.5], *[(1, 0)] * 5) == [-22, -21, -20.5, -19, -18.5]


def test_no_sound_is_held_outside_the_range_of_real_ones() -> None:
    assert held([-60, 0], *[(1, 0)] * 2) == [-22, -18]


def test_drawn_sounds_are_spread_as_real_ones_are() -> None:
    drawn = np.random.default_rng(0).normal(-40, 9, 4000)
    real = np.random.default_rng(1).gamma(2, 1.5, 300) - 22
    known = [tuple(np.percentile(each, LOUDNESS_PERCENTILES)) for each in (real, drawn)]
    found = held_loudness(drawn, np.ones((4000, 1)), [LoudnessRange(*known)] * 2)
    np.testing.assert_allclose(np.percentile(found, LOUDNESS_PERCENTILES), known[0], atol=0.05)


def test_between_classes_the_law_lies_in_between() -> None:
    assert held([-20, -22], *[(0.5, 0.5)] * 2) == [-15, -16]
    assert held([-100, 100], *[(0.5, 0.5)] * 2) == [-17, -13]
    assert held([-25], (0.5, 0)) == pytest.approx([-17.5])  # half of no class
    assert held([-100], (2, 2)) == [-17]  # weights beyond 1 are shares


def test_drawn_sounds_are_predicted_to_be_within_the_range_of_their_class(bundle: Bundle) -> None:
    embeddings, conditions = drawn(bundle)
    predicted, envelope = predicted_levels(bundle, embeddings, conditions)
    gains = 20 * np.log10(held_levels(bundle, embeddings, conditions)) - envelope
    np.testing.assert_allclose(gains, np.repeat(gains[:, :1], gains.shape[1], axis=1), atol=1e-4)
    loudness = predicted + gains[:, 0]
    ranges = [bundle.manifest.loudness[int(row.argmax())] for row in conditions]
    assert all(
        each.real[0] - 1e-4 <= value <= each.real[-1] + 1e-4 for each, value in zip(ranges, loudness, strict=True)
    )
    spreads = [(np.ptp(loudness[each::3]), np.ptp(predicted[each::3])) for each in range(3)]  # of each class
    assert all(0 < held <= own + 1e-6 for held, own in spreads) and any(held < own - 0.1 for held, own in spreads)


def test_the_level_follows_the_manifest(bundle: Bundle, raw: Bundle) -> None:
    embeddings, conditions = drawn(bundle)
    before = held_levels(bundle, embeddings, conditions)
    manifest = bundle.manifest
    louder = tuple(replace(each, real=tuple(value + 6 for value in each.real)) for each in manifest.loudness)
    bundle.manifest = replace(manifest, loudness=louder)
    np.testing.assert_allclose(held_levels(bundle, embeddings, conditions), before * 10 ** (6 / 20), rtol=1e-5)
    assert (held_levels(raw, embeddings, conditions) == 1).all()


def test_no_sound_is_turned_further_than_the_limit(bundle: Bundle) -> None:
    bundle.manifest = replace(
        bundle.manifest, loudness=(LoudnessRange((99, 99, 100, 101, 101), (-2, -1, 0, 1, 2)),) * 4
    )
    _, envelope = predicted_levels(bundle, *drawn(bundle))
    np.testing.assert_allclose(held_levels(bundle, *drawn(bundle)), 10 ** ((MOST_GAIN_DB + envelope) / 20), rtol=1e-5)


def test_raw_sounds_are_those_that_the_decoder_gives(bundle: Bundle, raw: Bundle) -> None:
    condition = raw.condition("Snare")
    embedding = drawn_embedding(raw, condition, 0.7, (5, 2))[None]
    (decoded,) = decode_embeddings(raw, embedding, condition[None], [(5, 2)])
    assert (sample(raw, condition, 0.7, 5, 2) == decoded).all()
    held_sound = sample(bundle, condition, 0.7, 5, 2)
    assert len(held_sound) != len(decoded) or np.abs(held_sound - decoded).max() > 1e-3
    level = held_levels(bundle, embedding, condition[None])
    (expected,) = decode_embeddings(raw, embedding, condition[None], [(5, 2)], level)
    assert (held_sound == expected).all()


def test_a_note_may_be_raw_and_a_given_embedding_is(bundle: Bundle, raw: Bundle) -> None:
    def played(opened: Bundle, note: Note) -> np.ndarray:
        synth, block = Synth(opened), np.zeros((2, 600), np.float32)
        synth.note_on(note)
        synth.process(block)
        return block

    expected = played(raw, Note("Kick", seed=4))
    embedding = drawn_embedding(raw, raw.condition("Kick"), Note().temperature, 4)
    assert (played(bundle, Note("Kick", seed=4, held=False)) == expected).all()
    assert (played(bundle, Note("Kick", seed=4, embedding=embedding)) == expected).all()
    assert not np.allclose(played(bundle, Note("Kick", seed=4)), expected)


def test_hits_of_pads_and_loops_are_held(bundle: Bundle, raw: Bundle) -> None:
    for opened in (bundle, raw):
        pads = Pads(opened, opened.manifest.sample_rate, 1, seed=3, threaded=False)
        block = np.zeros((1, 400), np.float32)
        pads.set(0, choices="Snare")
        pads.trigger(0)
        pads.process(block)
        hit = sample(opened, opened.condition("Snare"), 1.0, 3, 0)
        assert (block[0, : len(hit)] == hit[:400]).all()
    tracks = [Track("Kick", (1.0,) + 15 * (0.0,))]
    loops = [render_loop(opened, tracks, 120, 1, 1, 8000) for opened in (bundle, raw)]
    assert not np.allclose(*loops)


def test_a_path_has_the_loudness_of_the_grains_around(bundle: Bundle, raw: Bundle) -> None:
    path = 0.2 * np.random.default_rng(0).standard_normal((40, tiny.LATENT)).astype(np.float32)
    condition = bundle.condition("Hat")
    magnitude = bundle.run("decoder", latent=path, condition=np.repeat(condition[None], 40, axis=0))[0]
    wanted = LoudnessMap(bundle.latent_map).at(path) - grain_loudness(magnitude, bundle.manifest.sample_rate)
    levels = path_levels(bundle, path, condition)
    np.testing.assert_allclose(20 * np.log10(levels), np.clip(wanted, -24, 24), atol=1e-3)
    assert (path_levels(bundle, path.reshape(5, 8, -1), condition) == levels.reshape(5, 8)).all()
    assert (path_levels(raw, path, condition) == 1).all()
    ones = path_levels(raw, path, condition)
    assert (play_path(raw, path, condition, 1, ones) == play_path(raw, path, condition, 1)).all()


def test_the_loudness_of_the_corpus_is_mapped_once(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mapped = list[Any]()
    monkeypatch.setattr(
        "ngs.runtime.bundle.bundle.LoudnessMap", lambda latent_map: mapped.append(latent_map) or LoudnessMap(latent_map)
    )
    bundle = Bundle.open(tiny_bundle, "cpu")
    for name in ("Hat", "Kick"):
        path_levels(bundle, bundle.latent_map["points"], bundle.condition(name))
    assert len(mapped) == 1 and mapped[0] is bundle.latent_map


@pytest.mark.parametrize("onset", [True, False])
def test_a_path_with_levels_equals_the_rendered_one(bundle: Bundle, onset: bool) -> None:
    path, levels = bundle.latent_map["points"][:20], np.linspace(0.1, 2, 20).astype(np.float32)
    render = partial(decode, level=levels) if onset else partial(play_path, levels=levels)
    rendered = render(bundle, path, bundle.condition("Kick"), (0, 0))
    synth, block = Synth(bundle, channels=1), np.zeros((1, len(rendered)), np.float32)
    synth.note_on(Note("Kick", path=path, levels=levels, onset=onset))
    synth.process(block)
    np.testing.assert_allclose(block[0], rendered, atol=1e-5)


def test_levels_are_read_where_latents_are() -> None:
    path, levels = np.zeros((2, 3, 4), np.float32), np.array([[1, 2, 3], [5, 6, 7]], np.float32)
    controls = {"speed": 0.5, "freeze": 0.0, "morph": 0.5}
    playhead, found = Playhead(Note(path=path, levels=levels), 8, controls, 0.0), []
    for _ in range(3):
        found.append(playhead.read(np.empty(4, np.float32)))
        playhead.advance()
    assert found == [3.0, 3.5, 4.0]


def test_between_two_sounds_loudness_goes_evenly(bundle: Bundle, raw: Bundle) -> None:
    conditions = np.repeat(bundle.condition("Kick")[None], 5, axis=0)
    embeddings = sample_embeddings(bundle, conditions, 5, 1.0, 2)
    predicted, envelope = predicted_levels(bundle, embeddings, conditions)
    ends = held_levels(bundle, embeddings, conditions)[[0, -1]]
    both = morph_levels(bundle, embeddings, conditions, (True, True))
    np.testing.assert_allclose(both[[0, -1]], ends, rtol=1e-5)
    gains = 20 * np.log10(both) - envelope
    np.testing.assert_allclose(np.diff(predicted[:, None] + gains, 2, axis=0), 0, atol=1e-4)
    given = morph_levels(bundle, embeddings, conditions, (False, True))
    np.testing.assert_allclose(given[0], 1, rtol=1e-5)
    np.testing.assert_allclose(given[-1], ends[1], rtol=1e-5)
    shares = np.linspace(0, 1, 5)[:, None]  # of a drawn sound
    np.testing.assert_allclose(np.ptp(20 * np.log10(given) - shares * envelope, axis=1), 0, atol=1e-4)
    assert (morph_levels(raw, embeddings, conditions, (True, True)) == 1).all()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"levels": np.ones(3)}, "levels is .3,., this bundle needs a path"),
        ({"path": np.zeros((3, tiny.LATENT)), "levels": np.ones(4)}, r"levels is .4,., this bundle needs .3,"),
        ({"path": np.zeros((3, tiny.LATENT)), "levels": -np.ones(3)}, "levels holds values below 0"),
        ({"path": np.zeros((3, tiny.LATENT)), "levels": np.full(3, np.nan)}, "levels holds NaN"),
    ],
)
def test_wrong_levels_are_refused(bundle: Bundle, fields: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Note(**fields).check(bundle)  # type: ignore[arg-type]


def test_older_bundles_are_raw(tiny_older: Path) -> None:
    older = Bundle.open(tiny_older)
    assert not older.held and (held_levels(older, *drawn(older)) == 1).all()
    path, condition = older.latent_map["points"][:5], older.condition("Kick")
    assert (path_levels(older, path, condition) == 1).all()


def test_variations_go_from_the_loudness_of_their_sound_to_that_of_drawn_ones(bundle: Bundle, raw: Bundle) -> None:
    condition = np.stack([bundle.condition("Kick")] * 3)
    embeddings = sample_embeddings(bundle, condition, 3, 0.7, 1)
    predicted, _ = predicted_levels(bundle, embeddings, condition)
    held = held_levels(bundle, embeddings, condition)
    own = float(predicted.mean()) - 3
    factors = [varied_levels(bundle, embeddings, condition, own, amount) for amount in (0.0, 0.5, 1.0)]
    np.testing.assert_allclose(predicted[:, None] + 20 * np.log10(factors[0]), own, atol=1e-3)
    np.testing.assert_allclose(factors[2], held, rtol=1e-5)
    np.testing.assert_allclose(factors[1] ** 2, factors[0] * factors[2], rtol=1e-4)
    assert (varied_levels(raw, embeddings, condition, own, 0.0) == 1).all()


def test_levels_of_a_long_path_are_known_at_some_grains_and_even_between(bundle: Bundle) -> None:
    condition = bundle.condition("Kick")
    path = bundle.latent_map["points"][:21].copy()
    every, some = path_levels(bundle, path, condition), long_path_levels(bundle, path, condition, 8)
    known = [0, 8, 16, 20]
    np.testing.assert_allclose(some[known], every[known], rtol=1e-5)
    np.testing.assert_allclose(some[4] ** 2, some[0] * some[8], rtol=1e-5)
    np.testing.assert_allclose(long_path_levels(bundle, path, condition, 1), every, rtol=1e-5)
