"""What a seed decides: embeddings, and the classes that are left open."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
from tests.tiny import tiny_manifest

from ngs.runtime.arrays import Array
from ngs.runtime.bundle import seeds
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.manifest import Attribute
from ngs.runtime.bundle.seeds import completed, sampled_condition
from ngs.runtime.chance import Draws, Purpose


def test_sampled_embeddings_do_not_depend_on_the_count(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle, "cpu")
    condition = bundle.condition("Hat")
    few, many = (seeds.sample_embeddings(bundle, condition, count, 1.0, 3) for count in (2, 9))
    np.testing.assert_allclose(few, many[:2], atol=1e-6)
    assert not np.allclose(many[0], many[1])
    alone = seeds.drawn_embedding(bundle, condition, 1.0, (3, 8))
    np.testing.assert_allclose(alone, many[8], atol=1e-6)
    conditions = np.tile(condition, (9, 1))
    np.testing.assert_array_equal(seeds.sample_embeddings(bundle, conditions, 9, 1.0, 3), many)


def test_draws_pass_the_prior(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle, "cpu")
    normals = Draws(Purpose.EMBEDDING, (3, 1)).normal(bundle.manifest.embedding_size)
    for name in ("Kick", "Hat"):
        condition = bundle.condition(name)
        wanted = bundle.run("prior", normal=np.float32(0.7) * normals[None], condition=condition[None])[0][0]
        np.testing.assert_array_equal(seeds.drawn_embedding(bundle, condition, 0.7, (3, 1)), wanted)
        typical = bundle.run("prior", normal=0 * normals[None], condition=condition[None])[0][0]
        np.testing.assert_array_equal(seeds.drawn_embedding(bundle, condition, 0.0, (3, 1)), typical)


def test_a_bundle_without_a_prior_draws_normals(tiny_older: Path) -> None:
    bundle = Bundle.open(tiny_older, "cpu")
    normals = Draws(Purpose.EMBEDDING, (3, 1)).normal(bundle.manifest.embedding_size)
    drawn = seeds.drawn_embedding(bundle, bundle.condition("Kick"), 0.7, (3, 1))
    np.testing.assert_array_equal(drawn, np.float32(0.7) * normals)


def two_attributes() -> Bundle:
    """All that `completed` needs of a bundle of notes: a flute's C and D, an oboe's E, and an oboe of unknown pitch."""
    attributes = (Attribute("class", ("flute", "oboe")), Attribute("pitch", ("C", "D", "E")))
    labels = np.array([[0, 0], [0, 1], [1, 2], [1, -1]], dtype=np.int32)
    manifest = replace(tiny_manifest(), attributes=attributes)
    stub = SimpleNamespace(manifest=manifest, latent_map={"embedding_labels": labels})
    return cast(Bundle, stub)


def one_hots(*places: int) -> Array:
    condition = np.zeros(5, dtype=np.float32)
    condition[list(places)] = 1.0
    return condition


def test_open_attributes_come_from_a_sound_that_agrees() -> None:
    drawn = {tuple(np.flatnonzero(completed(two_attributes(), one_hots(0), (5, index)))) for index in range(40)}
    assert drawn == {(0, 2), (0, 3)}
    drawn = {tuple(np.flatnonzero(completed(two_attributes(), one_hots(1), (5, index)))) for index in range(40)}
    assert drawn == {(1, 4), (1,)}  # unknown stays open
    assert np.flatnonzero(completed(two_attributes(), one_hots(4), 5)).tolist() == [1, 4]


def test_chosen_attributes_are_kept() -> None:
    for places in ((0, 2), (0, 4), (1, 3)):  # the last two without a sound that agrees
        np.testing.assert_array_equal(completed(two_attributes(), one_hots(*places), 5), one_hots(*places))
    condition = one_hots(0)
    completed(two_attributes(), condition, 5)
    np.testing.assert_array_equal(condition, one_hots(0))


def test_a_seed_decides_what_is_drawn() -> None:
    bundle = two_attributes()
    for index in range(10):
        first, again = (completed(bundle, one_hots(), (7, index)) for _ in range(2))
        np.testing.assert_array_equal(first, again)
    assert len({completed(bundle, one_hots(), (7, index)).tobytes() for index in range(30)}) == 4


def test_a_sample_without_any_class_is_given_one() -> None:
    bundle = two_attributes()
    conditions = {tuple(np.flatnonzero(sampled_condition(bundle, one_hots(), (7, index)))) for index in range(40)}
    assert conditions == {(0, 2), (0, 3), (1, 4), (1,)}
    np.testing.assert_array_equal(sampled_condition(bundle, one_hots(0, 3), 7), one_hots(0, 3))
    condition = one_hots()
    sampled_condition(bundle, condition, 7)
    assert not condition.any()
