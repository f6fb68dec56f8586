"""A classifier of real sounds, on rows that are easy to tell apart."""

from __future__ import annotations

import numpy as np
import pytest

from ngs.evaluation.quality.class_agreement import agreement
from ngs.runtime.arrays import Array


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
