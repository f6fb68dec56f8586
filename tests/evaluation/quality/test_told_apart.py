"""A classifier tells noise from sines, sees no difference where there is none, and says what it goes by."""

from __future__ import annotations

import numpy as np
import pytest

from ngs.evaluation.quality.descriptors import describe, descriptor_words
from ngs.evaluation.quality.told_apart import halves, told_apart
from ngs.runtime.arrays import Array

RATE = 22050


def rows(center: float, count: int, seed: int = 0) -> Array:
    return (center + np.random.default_rng(seed).standard_normal((count, 228))).astype(np.float32)


def decaying(sounds: list[Array]) -> Array:
    return np.stack(
        [describe(sound * np.exp(-np.arange(len(sound)) / 4000).astype(np.float32), RATE) for sound in sounds]
    )


def noises(count: int, seed: int = 0) -> list[Array]:
    return [0.3 * np.random.default_rng([seed, at]).standard_normal(8000).astype(np.float32) for at in range(count)]


def test_noise_is_told_from_sines() -> None:
    pytest.importorskip("sklearn")
    sines = decaying([np.sin(np.arange(8000) * 0.05 * (1 + at / 9)).astype(np.float32) for at in range(12)])
    told = told_apart({"a": decaying(noises(12))}, {"a": sines}, RATE, 0)
    assert told and told.by_class == {"a": 1.0} and told.mean == 1.0
    assert told == told_apart({"a": decaying(noises(12))}, {"a": sines}, RATE, 0)


def test_sounds_of_one_kind_are_told_apart_by_chance_alone() -> None:
    pytest.importorskip("sklearn")
    real = {"a": rows(0, 60), "b": rows(5, 40, 1)}
    told = told_apart(real, {"a": rows(0, 60, 2), "b": rows(5, 40, 3)}, RATE, 0)
    assert told and told.mean == pytest.approx(0.5, abs=0.1)
    floor = told_apart(*halves(real, 0), RATE, 0)
    assert floor and floor.mean == pytest.approx(0.5, abs=0.15)


def test_copies_share_the_folds_of_what_they_are_made_of() -> None:
    pytest.importorskip("sklearn")
    real = {"a": rows(0, 40)}
    paired = told_apart(real, {"a": real["a"][-20:]}, RATE, 0, paired=True)
    assert paired and paired.mean == pytest.approx(0.5, abs=0.1)
    copies = told_apart(real, {"a": real["a"][-20:]}, RATE, 0)
    assert copies and copies.mean < 0.4  # each has its twin, with the other label, in training


def test_it_says_what_it_goes_by() -> None:
    pytest.importorskip("sklearn")
    dull = []
    for noise in noises(20, 1):
        dark = noise.copy()
        spectrum = np.fft.rfft(dark[:600])
        spectrum[len(spectrum) * 5 // 11 :] *= 0.1  # above 5 kHz
        dark[:600] = np.fft.irfft(spectrum, 600)
        dull.append(dark)
    told = told_apart({"a": decaying(noises(20))}, {"a": decaying(dull)}, RATE, 0)
    assert told and told.goes_by == "level above 5 kHz in the first 30 ms" and not told.more
    assert told.mean == 1 and 0.1 < told.share < 1
    back = told_apart({"a": decaying(dull)}, {"a": decaying(noises(20))}, RATE, 0)
    assert back and back.more


def test_few_sounds_say_nothing() -> None:
    pytest.importorskip("sklearn")
    assert told_apart({"a": rows(0, 3)}, {"a": rows(0, 9), "b": rows(0, 9)}, RATE, 0) is None


@pytest.mark.parametrize("rate", [8000, 22050, 44100])
def test_every_number_of_a_description_has_its_words(rate: int) -> None:
    words = descriptor_words(rate)
    assert len(words) == len(describe(np.ones(100, np.float32), rate))
    assert words[-4:] == ["attack", "decay", "length", "crest"] and "mean level below 300 Hz" == words[0]
    assert ("level above 5 kHz from 0.1 to 0.3 s" in words) == (rate > 10000)
