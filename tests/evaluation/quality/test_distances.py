"""Distances are those of training, and obey a few laws."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ngs.evaluation.quality.distances import (
    SCALES,
    distances,
    envelope_error_db,
    fitted,
    level_difference_db,
    mean_measures,
)
from ngs.evaluation.quality.spectra import Spectra, power_stft
from ngs.runtime.arrays import Array
from ngs.runtime.dsp.timbre import mel_filters
from ngs.training.config import LossConfig
from ngs.training.learning import losses

RATE = 22050


def noise(seed: int, length: int = 5000) -> Array:
    decay = np.exp(-np.arange(length) / 1500)
    return (0.5 * decay * np.random.default_rng(seed).uniform(-1, 1, length)).astype(np.float32)


@pytest.mark.parametrize("length", [1, 700, 4096, 5001])
def test_distances_are_those_of_training(length: int) -> None:
    x, y = noise(0, length), noise(1, length) * np.float32(0.5)
    figures = distances(Spectra(x, RATE), Spectra(y, RATE))
    ours, theirs = torch.from_numpy(x)[None], torch.from_numpy(y)[None]
    for window in (1024, 2048):
        expected = losses.log_spectral_distance(ours, theirs, window).item()
        assert figures[f"lsd_{window}"] == pytest.approx(expected, abs=1e-4)
    expected = losses.multi_scale_distance(theirs, ours, LossConfig(windows=SCALES, log_frequency=0.0)).item()
    assert figures["multi_scale"] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("window", SCALES)
def test_the_spectrogram_is_that_of_torch(window: int) -> None:
    x = noise(2)
    hann = torch.hann_window(window)
    spectrum = torch.stft(
        torch.from_numpy(x), window, window // 4, window=hann, pad_mode="constant", return_complex=True
    )
    np.testing.assert_allclose(power_stft(x, window), spectrum.abs().square().T.numpy(), rtol=1e-4, atol=1e-4)


def test_the_same_sound_is_at_distance_0_and_order_does_not_matter() -> None:
    x, y = Spectra(noise(0), RATE), Spectra(noise(1), RATE)
    assert set(distances(x, Spectra(noise(0), RATE)).values()) == {0.0}
    there, back = distances(x, y), distances(y, x)
    for figure in ("lsd_1024", "lsd_2048", "multi_scale", "log_mel"):
        assert there[figure] > 0 and there[figure] == pytest.approx(back[figure])


@pytest.mark.parametrize("gain_db", [-12.0, -3.0, 6.0])
def test_a_gain_is_a_level_difference(gain_db: float) -> None:
    x = np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE).astype(np.float32)
    y = (x * 10 ** (gain_db / 20)).astype(np.float32)
    assert level_difference_db(x, y) == pytest.approx(gain_db, abs=1e-3)
    assert envelope_error_db(x, y, RATE) == pytest.approx(abs(gain_db), rel=0.05)


def test_silence_has_a_distance() -> None:
    x, silent = noise(0), np.zeros(5000, np.float32)
    figures = distances(Spectra(x, RATE), Spectra(silent, RATE))
    assert figures["level_db"] == -100 and np.isfinite(list(figures.values())).all()
    assert np.isfinite(list(distances(Spectra(silent, RATE), Spectra(silent, RATE)).values())).all()


def test_levels_60_db_below_the_loudest_do_not_count() -> None:
    x = np.concatenate((np.ones(4000), np.full(4000, 1e-5))).astype(np.float32)
    y = np.concatenate((np.ones(4000), np.zeros(4000))).astype(np.float32)
    assert envelope_error_db(x, y, 8000) == pytest.approx(0.0, abs=0.05)


def test_mel_bands_cover_every_bin_once() -> None:
    filters = mel_filters(1024, RATE)
    assert filters.shape == (64, 513) and filters.min() >= 0 and filters.max() <= 1
    first, last = filters[0].argmax(), filters[-1].argmax()
    np.testing.assert_allclose(filters[:, first + 1 : last].sum(0), 1.0, atol=1e-5)
    tone = power_stft(np.sin(2 * np.pi * 1000 * np.arange(8192) / RATE).astype(np.float32), 1024)[10]
    highest_mel = 2595 * np.log10(1 + RATE / 2 / 700)
    expected = 2595 * np.log10(1 + 1000 / 700) / highest_mel * 65 - 1
    assert abs(int((filters @ tone).argmax()) - expected) <= 0.6


def test_fitting_and_means() -> None:
    assert fitted(np.ones(3, np.float32), 5).tolist() == [1, 1, 1, 0, 0]
    assert fitted(np.ones(3, np.float32), 2).tolist() == [1, 1]
    assert mean_measures([{"a": 1.0}, {"a": 3.0}]) == {"a": 2.0} and mean_measures([]) == {}
