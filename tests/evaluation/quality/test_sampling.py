"""Agreement of a classifier and Frechet distances on rows that are easy, or alike."""

from __future__ import annotations

import numpy as np
import pytest

from ngs.evaluation.quality.latents import LatentStatistics
from ngs.evaluation.quality.sampling import agreement, frechet_by_class, frechet_distance, sample_class
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle


def rows(center: float, count: int, seed: int = 0) -> Array:
    return (center + np.random.default_rng(seed).standard_normal((count, 12))).astype(np.float32)


def test_separable_classes_reach_the_ceiling() -> None:
    pytest.importorskip("sklearn")
    real = {"a": rows(0, 20), "b": rows(20, 12, 1)}
    sampled = {"a": rows(0, 8, 2), "b": rows(0, 8, 3), "c": rows(0, 8)}
    for held_back in (None, {"a": rows(0, 5, 4), "b": rows(20, 5, 5)}):
        result = agreement(real, held_back, sampled, seed=0)
        assert result.real == {"a": 1.0, "b": 1.0} and result.real_mean == 1.0
        assert result.sampled == {"a": 1.0, "b": 0.0} and result.ratio == 0.5
        assert result.taken_for == {"b": "a"}
        assert result == agreement(real, held_back, sampled, seed=0)


def test_a_class_without_held_back_sounds_has_no_ceiling() -> None:
    pytest.importorskip("sklearn")
    real = {"a": rows(0, 20), "b": rows(20, 12), "c": rows(-20, 1)}
    sampled = {"a": rows(0, 4), "b": rows(0, 4), "c": rows(-20, 4)}
    assert agreement(real, {"a": rows(0, 5)}, sampled, 0).ratio == 1.0
    assert set(agreement(real, None, sampled, 0).real) == {"a", "b"}


def test_the_distance_of_a_set_to_itself_is_0_and_grows_with_a_shift() -> None:
    points = np.random.default_rng(0).standard_normal((50, 4))
    assert frechet_distance(points, points) == pytest.approx(0.0, abs=1e-6)
    shifted = [frechet_distance(points, points + shift) for shift in (0.5, 1.0, 2.0)]
    assert shifted == pytest.approx([4 * shift**2 for shift in (0.5, 1.0, 2.0)], rel=1e-6)


def test_the_distance_of_normals_is_the_closed_form() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((40000, 3)), 2 * rng.standard_normal((40000, 3))
    assert frechet_distance(a, b) == pytest.approx(3.0, rel=0.03)
    few = frechet_distance(a[:3, :1], b[:3, :1])
    assert np.isfinite(few) and few >= 0


def test_samples_of_the_real_distribution_are_at_the_floor() -> None:
    ratios = []
    for seed in range(0, 40, 4):
        real = {"a": rows(0, 60, seed), "b": rows(5, 60, seed + 1), "c": rows(0, 3)}
        sampled = {"a": rows(0, 40, seed + 2), "b": rows(12, 40, seed + 3), "c": rows(0, 40)}
        results = frechet_by_class(real, sampled, seed)
        assert set(results) == {"a", "b"} and results["a"].sounds == 30
        assert results["b"].distance > 2 * results["b"].floor
        ratios.append(results["a"].distance / results["a"].floor)
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.25)


def test_samples_are_those_that_render_draws(tiny_bundle: object) -> None:
    bundle = Bundle.open(str(tiny_bundle), provider="cpu")
    condition = bundle.condition({"class": "Kick"})
    three, two = (sample_class(bundle, condition, count, 0.7, seed=1) for count in (3, 2))
    for ours, theirs in zip(three, two, strict=False):
        np.testing.assert_array_equal(ours, theirs)


def test_divergence_and_active_dimensions() -> None:
    statistics = LatentStatistics(2)
    assert statistics.result().count == 0
    mean = np.array([[1.0, 0.5], [-1.0, 0.5]], np.float32)
    statistics.add(mean[:1], np.zeros((1, 2), np.float32))
    statistics.add(mean[1:], np.zeros((1, 2), np.float32))
    result = statistics.result()
    assert result.kl_nats == pytest.approx(0.5 * (1 + 0.25)) and (result.active, result.size, result.count) == (1, 2, 2)
