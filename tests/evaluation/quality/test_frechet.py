"""Frechet distances with a known value, and of sets that are alike."""

from __future__ import annotations

import numpy as np
import pytest

from ngs.evaluation.quality.frechet import frechet_by_class, frechet_distance
from ngs.runtime.arrays import Array


def rows(center: float, count: int, seed: int = 0) -> Array:
    return (center + np.random.default_rng(seed).standard_normal((count, 12))).astype(np.float32)


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
        assert results["a"].ratio == results["a"].distance / results["a"].floor
        ratios.append(results["a"].ratio)
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.25)


def test_a_band_that_is_silent_in_real_sounds_does_not_decide() -> None:
    real, sampled = rows(0, 60), rows(0, 40, 1)
    real[:, 0], sampled[:, 0] = 1e-7 * real[:, 0], 0.05 * sampled[:, 0]
    assert frechet_by_class({"a": real}, {"a": sampled}, 0)["a"].distance < 2
