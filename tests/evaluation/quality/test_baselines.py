"""Nearest grains and mean sounds."""

from __future__ import annotations

import numpy as np
import pytest

from ngs.evaluation.quality.baselines import GrainLibrary, MeanSounds
from ngs.evaluation.quality.distances import distances
from ngs.evaluation.quality.spectra import Spectra
from ngs.runtime.arrays import Array

RATE, LENGTH = 8000, 256


def hit(seed: int, hz: float = 300.0, length: int = 3000) -> Array:
    rng, time = np.random.default_rng(seed), np.arange(length) / RATE
    return (np.exp(-time * 8) * (0.5 * np.sin(2 * np.pi * hz * time) + 0.2 * rng.uniform(-1, 1, length))).astype(
        np.float32
    )


def library(*sounds: Array, most: int = 20000) -> GrainLibrary:
    made = GrainLibrary(LENGTH, RATE, seed=0, most=most)
    for owner, sound in enumerate(sounds):
        made.add(sound, owner)
    return made


def test_a_sound_of_the_library_is_rebuilt() -> None:
    sounds = hit(0), hit(1, 900.0), hit(2, 2000.0)
    rebuilt = library(*sounds).rebuild(sounds[1])
    assert rebuilt is not None
    np.testing.assert_allclose(rebuilt, sounds[1], atol=1e-4)


def test_its_level_does_not_matter() -> None:
    sounds = hit(0), hit(1, 900.0)
    rebuilt = library(*sounds).rebuild(0.1 * sounds[0])
    assert rebuilt is not None
    np.testing.assert_allclose(rebuilt, 0.1 * sounds[0], atol=1e-4)


def test_a_sound_is_rebuilt_from_similar_others() -> None:
    sounds = hit(0), hit(1, 3000.0), hit(2, 300.0)
    made = library(*sounds)
    rebuilt, own = made.rebuild(sounds[0], owner=0), made.rebuild(sounds[0])
    assert rebuilt is not None and own is not None and rebuilt.shape == sounds[0].shape
    target = Spectra(sounds[0], RATE)
    far = library(sounds[1]).rebuild(sounds[0])
    assert far is not None
    order = [distances(target, Spectra(sound, RATE))["lsd_1024"] for sound in (own, rebuilt, far)]
    assert order[0] < order[1] < order[2]


def test_an_empty_library_rebuilds_nothing() -> None:
    assert library().rebuild(hit(0)) is None
    assert library(hit(0)).rebuild(hit(0), owner=0) is None
    assert library(np.zeros(1000, np.float32)).rebuild(hit(0)) is None


def test_silence_stays_silent() -> None:
    rebuilt = library(hit(0)).rebuild(np.zeros(1000, np.float32))
    assert rebuilt is not None and not rebuilt.any()


def test_a_large_library_keeps_a_seeded_choice() -> None:
    sounds = [hit(seed, 200.0 + 50 * seed) for seed in range(12)]
    first, again = (library(*sounds, most=40).rebuild(sounds[3]) for _ in range(2))
    assert first is not None and again is not None
    np.testing.assert_array_equal(first, again)


def test_the_mean_of_one_sound_is_that_sound() -> None:
    means = MeanSounds()
    means.add("a", Spectra(hit(0), RATE))
    figures = means.distances("a", Spectra(hit(0), RATE), own=False)
    assert figures is not None and max(figures.values()) == pytest.approx(0.0, abs=1e-5)
    assert means.distances("a", Spectra(hit(0), RATE), own=True) is None
    assert means.distances("b", Spectra(hit(0), RATE), own=False) is None


def test_a_sound_is_left_out_of_the_mean_it_is_compared_with() -> None:
    short, long = Spectra(hit(0, length=1500), RATE), Spectra(hit(1, length=4000), RATE)
    means, without = MeanSounds(), MeanSounds()
    for sound in (short, long):
        means.add("a", sound)
    without.add("a", long)
    ours, expected = means.distances("a", short, own=True), without.distances("a", short, own=False)
    assert ours is not None and expected is not None and ours == pytest.approx(expected, abs=1e-4)
