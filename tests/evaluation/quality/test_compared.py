"""Loudness and crispness of made sounds beside real ones whose differences are known."""

from __future__ import annotations

import numpy as np
import pytest

from ngs.evaluation.quality.compared import compare
from ngs.evaluation.quality.profiles import Profile, joined, profile
from ngs.runtime.arrays import Array

RATE = 22050


def hits(seed: int, count: int = 24) -> list[Array]:
    """Decaying tones whose levels are normally distributed with 3 dB, one of them an outlier."""
    random = np.random.default_rng(seed)
    gains = 10 ** (random.normal(-12, 3, count) / 20)
    gains[0] *= 1e-3
    envelope = np.exp(-np.arange(RATE) / 3000)
    return [(gain * envelope * np.sin(0.3 * np.arange(RATE))).astype(np.float32) for gain in gains]


def profiles(signals: list[Array]) -> list[Profile]:
    return [profile(str(index), signal, RATE) for index, signal in enumerate(signals)]


def test_what_is_6_db_quieter_is_6_db_quieter_and_no_less_crisp() -> None:
    training, held_back = {"a": profiles(hits(0))}, {"a": profiles(hits(1, 3)), "b": profiles(hits(2, 2))}
    quiet = {name: [profile("", hit / 2, RATE) for hit in hits(1 if name == "a" else 2, len(sounds))]
             for name, sounds in held_back.items()}  # fmt: skip
    sampled = {"a": profiles([2 * hit for hit in hits(0)]), "c": profiles(hits(3, 1))}
    made = {"reconstructed": quiet, "through_embedding": held_back, "sampled": sampled}
    originals = {"reconstructed": held_back, "through_embedding": held_back}
    found = compare(joined(training, held_back), originals, made)
    loudness = found["loudness"]
    assert loudness.by_class["a"].difference["reconstructed"] == pytest.approx(-6.02, abs=1e-3)
    assert loudness.by_class["b"].difference["through_embedding"] == 0
    assert loudness.mean_of_classes.difference["reconstructed"] == pytest.approx(-6.02, abs=1e-3)
    real = joined(training, held_back)["a"]
    assert loudness.by_class["a"].median["real"] == np.median([one.loudness for one in real])
    assert set(loudness.by_class["c"].median) == {"sampled"} and loudness.by_class["c"].difference == {}
    assert found["decay_ms"].by_class["a"].ratio["reconstructed"] == pytest.approx(1, abs=1e-3)
    assert found["crest_db"].by_class["a"].difference["sampled"] == pytest.approx(0, abs=0.05)


def test_samples_are_compared_by_medians_and_the_spread_heeds_no_outlier() -> None:
    real, sampled = {"a": profiles(hits(0, 60))}, {"a": profiles([2 * hit for hit in hits(0, 60)][::-1])}
    found = compare(real, {}, {"sampled": sampled})["loudness"].by_class["a"]
    assert found.difference["sampled"] == pytest.approx(6.02, abs=1e-3)
    assert found.spread["real"] == pytest.approx(3, abs=0.6) == found.spread["sampled"]
