"""The prior of a bundle: there and back, what varies a sound, what lies between two."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ngs.runtime import decode_embeddings, embed, sample, vary
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.levels import varied_levels
from ngs.runtime.bundle.prior import (
    embeddings_between,
    from_normals,
    interpolate,
    to_normals,
    varied_embeddings,
)
from ngs.runtime.bundle.seeds import drawn_embedding, drawn_normals
from ngs.runtime.dsp.loudness import loudness


@pytest.fixture(params=["format 3", "format 4"])
def bundle(request: pytest.FixtureRequest, tiny_bundle: Path, tiny_older: Path) -> Bundle:
    return Bundle.open(tiny_bundle if request.param == "format 4" else tiny_older, "cpu")


def any_embeddings(bundle: Bundle, count: int) -> Array:
    """Some that the prior does not reach exactly."""
    rng = np.random.default_rng(4)
    return rng.standard_normal((count, bundle.manifest.embedding_size)).astype(np.float32)


def noise(bundle: Bundle, samples: int = 3000) -> Array:
    return np.random.default_rng(1).uniform(-0.5, 0.5, samples).astype(np.float32)


def test_the_prior_is_that_of_the_graphs(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle, "cpu")
    normals, conditions = any_embeddings(bundle, 3), np.eye(3, dtype=np.float32)
    embeddings = from_normals(bundle, normals, conditions)
    np.testing.assert_array_equal(embeddings, bundle.run("prior", normal=normals, condition=conditions)[0])
    inverse = bundle.run("prior_inverse", embedding=embeddings, condition=conditions)[0]
    np.testing.assert_array_equal(to_normals(bundle, embeddings, conditions), inverse)
    assert np.abs(inverse - normals).max() < 0.3 * np.abs(normals - embeddings).max()


def test_format_3_has_normal_embeddings(tiny_older: Path) -> None:
    bundle = Bundle.open(tiny_older, "cpu")
    assert not {"prior", "prior_inverse"} & bundle.manifest.graphs.keys()
    normals, conditions = any_embeddings(bundle, 3), np.zeros((3, bundle.manifest.condition_size), np.float32)
    np.testing.assert_array_equal(from_normals(bundle, normals, conditions), normals)
    np.testing.assert_array_equal(to_normals(bundle, normals, conditions), normals)


def test_no_variation_is_the_embedding_itself_and_a_whole_one_a_draw(bundle: Bundle) -> None:
    condition, embedding = bundle.condition("Kick"), any_embeddings(bundle, 1)[0]
    normals = drawn_normals(bundle, 0.7, [(3, 0), (3, 1)])
    for same in varied_embeddings(bundle, embedding, condition, 0.0, normals):
        np.testing.assert_array_equal(same, embedding)
    for index, new in enumerate(varied_embeddings(bundle, embedding, condition, 1.0, normals)):
        np.testing.assert_allclose(new, drawn_embedding(bundle, condition, 0.7, (3, index)), atol=1e-5)


def test_the_more_variation_the_further_away(bundle: Bundle) -> None:
    condition, embedding = bundle.condition("Kick"), any_embeddings(bundle, 1)[0]
    normals = drawn_normals(bundle, 1.0, [(5, index) for index in range(40)])
    far = [
        np.linalg.norm(varied_embeddings(bundle, embedding, condition, amount, normals) - embedding, axis=1).mean()
        for amount in (0.1, 0.3, 0.6, 1.0)
    ]
    assert far == sorted(far) and 0 < 3 * far[0] < far[-1]


def test_varied_normals_keep_their_spread(bundle: Bundle) -> None:
    """Of many sounds that the prior draws, each varied."""
    condition = bundle.condition("Kick")
    count = 300
    conditions = np.tile(condition, (count, 1))
    drawn = from_normals(bundle, drawn_normals(bundle, 1.0, [(1, n) for n in range(count)]), conditions)
    others = drawn_normals(bundle, 1.0, [(2, n) for n in range(count)])
    varied = np.concatenate([
        varied_embeddings(bundle, embedding, condition, 0.5, normals[None])
        for embedding, normals in zip(drawn, others, strict=True)
    ])  # fmt: skip
    np.testing.assert_allclose(varied.std(0) / drawn.std(0), 1, atol=0.15)


@pytest.mark.parametrize("amount", [-0.1, 1.1, np.nan])
def test_an_amount_beyond_is_refused(bundle: Bundle, amount: float) -> None:
    normals = any_embeddings(bundle, 1)
    with pytest.raises(ValueError, match="amount is .*: choose 0"):
        varied_embeddings(bundle, normals[0], bundle.condition("Kick"), amount, normals)


def test_a_varied_sound_goes_from_the_embedded_to_a_new_one(bundle: Bundle) -> None:
    condition, signal = bundle.condition("Kick"), noise(bundle)
    own = embed(bundle, signal, condition)[None]
    levels = varied_levels(bundle, own, condition[None], loudness(signal, bundle.manifest.sample_rate), 0.0)
    (unvaried,) = decode_embeddings(bundle, own, condition[None], [(3, 2)], levels)
    np.testing.assert_array_equal(vary(bundle, signal, condition, 0.0, 0.7, 3, 2), unvaried)
    new, drawn = vary(bundle, signal, condition, 1.0, 0.7, 3, 2), sample(bundle, condition, 0.7, 3, 2)
    length = min(len(new), len(drawn))
    np.testing.assert_allclose(new[:length], drawn[:length], atol=2e-3)
    some = vary(bundle, signal, condition, 0.5, 0.7, 3, 2)
    np.testing.assert_array_equal(some, vary(bundle, signal, condition, 0.5, 0.7, 3, 2))
    other = vary(bundle, signal, condition, 0.5, 0.7, 3, 1)
    assert len(some) != len(other) or np.abs(some - other).max() > 1e-3


@pytest.mark.parametrize("steps", [2, 7])
def test_between_two_sounds_the_ends_are_exact(bundle: Bundle, steps: int) -> None:
    start, end = any_embeddings(bundle, 2)
    share = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    conditions = (1 - share) * bundle.condition("Kick") + share * bundle.condition("Snare")
    found = embeddings_between(bundle, start, end, conditions)
    assert found.shape == (steps, len(start)) and found.dtype == np.float32
    np.testing.assert_array_equal(found[[0, -1]], [start, end])
    if steps > 2:
        outer = np.linalg.norm(np.diff(found, axis=0), axis=1)
        assert outer.max() < 3 * outer.min()  # the ends are no jumps


@pytest.mark.parametrize("end", [[0, 2, 0], [1, 0, 0], [-1, 0, 0], [0, 0, 0]])
def test_interpolation_has_both_ends(end: list[float]) -> None:
    start, stop = np.array([1, 0, 0], np.float32), np.array(end, np.float32)
    path = interpolate(start, stop, 5)
    assert path.shape == (5, 3) and np.isfinite(path).all()
    np.testing.assert_allclose(path[[0, -1]], [start, stop], atol=1e-6)
