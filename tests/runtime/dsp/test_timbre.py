"""The laws of timbres and of the axes of the latent map."""

import numpy as np
import pytest

from ngs.runtime.dsp.timbre import explained, loudest_band, mel_filters, timbre, timbre_axes

RATE, BINS = 16000, 513


def spectra(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).lognormal(0, 1, (count, BINS)).astype(np.float32)


def test_level_and_signs_do_not_change_a_timbre() -> None:
    one = spectra(1)
    levels = np.concatenate((one, 0.5 * one, -one, one))
    levels[3, ::2] *= -1
    found = timbre(levels, RATE)
    assert found.shape == (4, 64)
    np.testing.assert_allclose(found, np.broadcast_to(found[0], found.shape), atol=0.02)
    assert np.abs(found - timbre(spectra(4, 1), RATE)).max() > 0.1


def test_silence_has_a_timbre_too() -> None:
    np.testing.assert_array_equal(timbre(np.zeros((3, BINS), np.float32), RATE), 0)


def test_bands_far_below_the_loudest_do_not_count() -> None:
    one = np.zeros((2, BINS), np.float32)
    one[:, 40] = 1
    one[1, 300] = 1e-5
    faint = timbre(one, RATE)
    np.testing.assert_allclose(faint[0], faint[1], atol=0.02)
    one[1, 300] = 0.5
    assert np.abs(np.diff(timbre(one, RATE), axis=0)).max() > 3


@pytest.mark.parametrize("brighter", [1, -1])
def test_the_first_axis_is_the_one_that_is_heard_however_little_it_varies(brighter: int) -> None:
    rng = np.random.default_rng(0)
    latents = rng.standard_normal((4000, 6)) * [2, 1.5, 0.8, 1, 0.7, 1.2]
    tilt = np.linspace(-1, 1, 64)
    heard = np.outer(latents[:, 2], 5 * brighter * tilt) + np.outer(latents[:, 4], np.cos(3 * tilt))
    axes = timbre_axes(latents, heard, 3)
    assert axes.shape == (3, 6) and axes.dtype == np.float32
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-5)
    np.testing.assert_allclose(axes[0], brighter * np.eye(6)[2], atol=0.05)  # towards the brighter
    np.testing.assert_allclose(np.abs(axes[1]), np.eye(6)[4], atol=0.05)


def test_explained_variance() -> None:
    rng = np.random.default_rng(0)
    places = rng.standard_normal((2000, 2))
    heard = np.stack((places @ [1.0, 2.0], rng.standard_normal(2000) * np.sqrt(5)), axis=1)
    assert explained(places, heard) == pytest.approx(0.5, abs=0.03)
    assert explained(places, places @ np.ones((2, 5))) == pytest.approx(1)
    assert explained(places, np.ones((2000, 4))) == 0


def test_mel_filters_cover_the_spectrum_once() -> None:
    filters = mel_filters(1024, RATE)
    inner = filters[:, 8:-40].sum(0)  # away from the ends, where half a triangle is missing
    np.testing.assert_allclose(inner, 1, atol=1e-5)


@pytest.mark.parametrize("count", [40, 64, 65, 90])
def test_a_few_grains_find_the_axes_as_well(count: int) -> None:
    """With as many grains as latents, a regression without a ridge would fit noise."""
    rng = np.random.default_rng(1)
    slopes = rng.standard_normal((64, 12)) * np.where(np.arange(64) < 2, 3.0, 0.15)[:, None]

    def drawn(number: int) -> tuple[np.ndarray, np.ndarray]:
        latents = rng.standard_normal((number, 64))
        return latents, latents @ slopes + 0.5 * rng.standard_normal((number, 12))

    others, heard = drawn(2000)
    assert explained(others @ timbre_axes(*drawn(count), 2).T, heard) > 0.5 * explained(others[:, :2], heard)


def test_latents_without_influence_do_not_decide_the_axes() -> None:
    """As after posterior collapse: most latents stay close to 0 whatever the sound."""
    rng = np.random.default_rng(2)
    latents = rng.standard_normal((2000, 96))
    latents[:, 10:] *= 0.01
    heard = latents[:, :10] @ rng.standard_normal((10, 64)) + rng.standard_normal((2000, 64))
    axes = timbre_axes(latents, heard, 2)
    assert np.linalg.norm(axes[:, :10], axis=1).min() > 0.95


def test_the_floor_is_that_of_all_grains_that_are_compared() -> None:
    grains = spectra(20)
    grains[:10] *= 1e-3
    whole, loudest = timbre(grains, RATE), loudest_band(grains, RATE)
    np.testing.assert_allclose(timbre(grains[:10], RATE, loudest), whole[:10])
    assert np.abs(timbre(grains[:10], RATE) - whole[:10]).max() > 0.1
