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
        rebuilt = {"a": rows(20, 20 if held_back is None else 5), "b": rows(20, 12 if held_back is None else 5)}
        result = agreement(real, held_back, {"sampled": sampled, "reconstructed": rebuilt}, seed=0)
        assert result.by_class["real"] == {"a": 1.0, "b": 1.0} and result.mean["real"] == 1.0
        assert result.by_class["sampled"] == {"a": 1.0, "b": 0.0} and result.ratio == 0.5
        assert result.by_class["reconstructed"] == {"a": 0.0, "b": 1.0} and result.mean["reconstructed"] == 0.5
        assert result.taken_for == {"b": "a"}
        assert result == agreement(real, held_back, {"sampled": sampled, "reconstructed": rebuilt}, seed=0)


def test_what_is_made_of_the_reference_is_named_by_forests_that_never_saw_its_original() -> None:
    pytest.importorskip("sklearn")
    alike = {"a": rows(0, 30), "b": rows(0, 30, 1)}  # nothing but the sounds themselves tells their class
    result = agreement(alike, None, {"reconstructed": alike, "sampled": alike}, 0)
    assert result.by_class["reconstructed"] == result.by_class["real"] and result.mean["real"] < 0.8
    assert result.mean["sampled"] == 1.0


def test_a_class_without_held_back_sounds_has_no_ceiling() -> None:
    pytest.importorskip("sklearn")
    real = {"a": rows(0, 20), "b": rows(20, 12), "c": rows(-20, 1)}
    sampled = {"a": rows(0, 4), "b": rows(0, 4), "c": rows(-20, 4)}
    assert agreement(real, {"a": rows(0, 5)}, {"sampled": sampled}, 0).ratio == 1.0
    assert set(agreement(real, None, {"sampled": sampled}, 0).by_class["real"]) == {"a", "b"}
