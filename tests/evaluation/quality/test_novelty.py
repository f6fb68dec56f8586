"""Novelty of copies, of mixtures and of strangers, and its unit."""

from __future__ import annotations

import numpy as np
import pytest

from ngs.evaluation.quality.novelty import novelty
from ngs.evaluation.quality.profiles import Profile, profile
from ngs.runtime.arrays import Array

RATE = 8000


def sounds(count: int, seed: int = 0, prefix: str = "real") -> list[Array]:
    """Noises of different colours and decays."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(count):
        noise = np.convolve(random.standard_normal(4000), np.exp(-np.arange(60) / random.uniform(1, 20)))[:4000]
        made.append((noise * np.exp(-np.arange(4000) / random.uniform(200, 2000))).astype(np.float32))
    return made


def profiles(signals: list[Array], prefix: str) -> list[Profile]:
    return [profile(f"{prefix} {index}", signal, RATE) for index, signal in enumerate(signals)]


def test_a_copy_has_novelty_0_at_whatever_level_and_is_named() -> None:
    real = sounds(12)
    training = {"a": profiles(real, "real"), "b": profiles(sounds(12, 1), "other")}
    found = novelty(training, {"a": profiles([0.1 * real[3], sounds(1, 9)[0], real[7]], "sample")})["a"]
    assert found.least == pytest.approx(0, abs=0.02) and found.median == pytest.approx(found.least, abs=0.02)
    assert set(found.copies) == {("sample 0", "real 3"), ("sample 2", "real 7")}
    assert (found.sound, found.nearest) in found.copies


def test_a_copy_of_a_sound_of_another_class_is_a_copy() -> None:
    other = sounds(8, 1)
    training = {"a": profiles(sounds(8), "real"), "b": profiles(other, "other")}
    found = novelty(training, {"a": profiles(other[2:3], "sample")})["a"]
    assert found.least == 0 and found.copies == [("sample 0", "other 2")]


def test_more_sounds_of_the_same_kind_are_as_new_as_the_training_sounds_are_to_each_other() -> None:
    training = {"a": profiles(sounds(60), "real")}
    fresh = novelty(training, {"a": profiles(sounds(60, 5), "sample")})["a"]
    assert fresh.median == pytest.approx(1, abs=0.15) and not fresh.copies
    itself = novelty(training, training, same=True)["a"]
    assert itself.median == pytest.approx(1) and 0 < itself.least < 1
    sine = np.sin(np.arange(4000)).astype(np.float32)
    assert novelty(training, {"a": profiles([sine], "sample")})["a"].least > 2


def test_a_class_needs_two_different_training_sounds() -> None:
    real = sounds(3)
    training = {"one": profiles(real[:1], "real"), "same": profiles([real[1]] * 4, "real"), "two": profiles(real, "r")}
    assert set(novelty(training, training)) == {"two"}
    assert novelty(training, {"two": [], "unknown": profiles(real, "sample")}) == {}
