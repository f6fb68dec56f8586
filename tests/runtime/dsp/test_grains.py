"""The laws of slicing and overlap-add."""

import numpy as np
import pytest

from ngs.runtime.dsp.grains import (
    NoiseGrains,
    analysis_grains,
    grain_count,
    hann,
    noise_grains,
    noise_stream,
    onset_window,
    overlap_add,
    slice_grains,
)

LENGTH, HOP = 64, 16


@pytest.mark.parametrize("samples", [1, 100, HOP, LENGTH, 3 * LENGTH + 7])
def test_overlap_add_of_slices_is_the_signal_from_sample_0(samples: int) -> None:
    signal = np.random.default_rng(0).uniform(-1, 1, samples).astype(np.float32)
    grains = slice_grains(signal, LENGTH)
    assert grains.shape == (grain_count(samples, LENGTH), LENGTH)
    result = overlap_add(grains)
    assert result.dtype == np.float32
    assert len(result) == len(grains) * HOP
    np.testing.assert_allclose(result[:samples], signal, atol=1e-6)
    np.testing.assert_allclose(result[samples:], 0, atol=1e-6)


@pytest.mark.parametrize("grains", [1, 2, 3, 4, 5, 40])
def test_ones_stay_ones_and_the_tail_fades(grains: int) -> None:
    ones = np.ones((grains, LENGTH), np.float32)
    np.testing.assert_allclose(overlap_add(ones), 1, atol=1e-6)
    whole = overlap_add(ones, tail=True)
    assert len(whole) == (grains + 3) * HOP
    np.testing.assert_allclose(whole[: grains * HOP], 1, atol=1e-6)
    tail = whole[grains * HOP :]
    assert np.all(np.diff(tail) <= 1e-6)
    assert 0 <= tail[-1] < 0.01


def test_no_grains_are_no_samples() -> None:
    assert overlap_add(slice_grains(np.zeros(0, np.float32), LENGTH)).shape == (0,)


def test_windows() -> None:
    assert np.sum([np.roll(hann(LENGTH), shift * HOP) for shift in range(4)], 0) == pytest.approx(2)
    assert np.all(onset_window(LENGTH)[: LENGTH // 2] == 1)
    assert np.all(onset_window(LENGTH)[LENGTH // 2 :] == hann(LENGTH)[LENGTH // 2 :])


def test_a_stationary_sound_looks_alike_in_every_analysis_grain() -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, 400 * LENGTH).astype(np.float32)
    onsets = [np.sum(analysis_grains(part, LENGTH)[0] ** 2) for part in noise.reshape(400, LENGTH)]
    later = np.sum(analysis_grains(noise, LENGTH)[1:-4] ** 2, 1)
    assert np.mean(onsets) == pytest.approx(np.mean(later), rel=0.05)


def test_noise_is_one_stream_that_a_longer_one_extends() -> None:
    short, long = noise_grains(7, 3, LENGTH), noise_grains(7, 50, LENGTH)
    np.testing.assert_array_equal(short, long[:3])
    np.testing.assert_array_equal(long[0, HOP:], long[1, :-HOP])
    np.testing.assert_array_equal(noise_stream(7, 33), noise_stream(7, 500)[:33])
    assert not np.array_equal(noise_grains(8, 3, LENGTH), short)
    assert long.dtype == np.float32 and np.abs(long).max() <= 1 and abs(long.mean()) < 0.05


@pytest.mark.parametrize("sizes", [[1, 49], [50], [7] * 7 + [1], [2, 1, 1, 46]])
def test_noise_that_comes_in_parts_is_the_same(sizes: list[int]) -> None:
    noise = NoiseGrains(7, LENGTH)
    parts = np.concatenate([noise.following(size) for size in sizes])
    np.testing.assert_array_equal(parts, noise_grains(7, 50, LENGTH))
