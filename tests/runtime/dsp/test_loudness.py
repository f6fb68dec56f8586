"""The laws of ITU-R BS.1770 for mono sounds, and those that short sounds need."""

import numpy as np
import pytest

from ngs.runtime.dsp.loudness import SILENT, k_weighting, loudness

RATES = (8000, 16000, 22050, 44100, 48000, 96000)


def sine(seconds: float, rate: int, hertz: float = 997.0) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate).astype(np.float32)


@pytest.mark.parametrize("rate", RATES)
def test_a_sine_of_997_hz_at_full_scale_has_minus_3_01(rate: int) -> None:
    assert loudness(sine(1, rate), rate) == pytest.approx(-3.01, abs=0.005)


def test_the_weighting_is_that_of_the_coefficients_for_48_khz() -> None:
    """Those that BS.1770-4 prints, and its constant of -0.691 dB."""
    frequencies = np.geomspace(20, 20000, 500)
    delay = np.exp(-2j * np.pi * frequencies / 48000)
    numerator = np.polyval([1.19839281085285, -2.69169618940638, 1.53512485958697], delay) * (1 - delay) ** 2
    denominator = np.polyval([0.73248077421585, -1.69065929318241, 1], delay)
    denominator *= np.polyval([0.99007225036621, -1.99004745483398, 1], delay)
    printed = 20 * np.log10(np.abs(numerator / denominator)) - 0.691
    np.testing.assert_allclose(10 * np.log10(k_weighting(frequencies)), printed, atol=0.02)
    assert k_weighting(np.zeros((2, 3))).shape == (2, 3) and not k_weighting(np.zeros(1)).any()


@pytest.mark.parametrize("gain", [0.5, 0.01, 3.0])
def test_gain_is_added_in_db(gain: float) -> None:
    noise = np.random.default_rng(0).standard_normal(9000).astype(np.float32)
    assert loudness(gain * noise, 22050) == pytest.approx(loudness(noise, 22050) + 20 * np.log10(gain), abs=1e-4)


def test_silence_is_as_quiet_as_anything_can_be() -> None:
    assert loudness(np.zeros(5000), 44100) == loudness(np.zeros(0), 44100) == SILENT
    assert loudness(1e-9 * sine(1, 44100), 44100) == SILENT


def test_a_sound_is_as_loud_at_every_rate_and_wherever_silence_surrounds_it() -> None:
    hits = [sine(0.05, rate, 200) + 0.3 * sine(0.05, rate, 3000) for rate in RATES]
    levels = [loudness(hit, rate) for hit, rate in zip(hits, RATES, strict=True)]
    np.testing.assert_allclose(levels, levels[0], atol=0.05)
    assert loudness(np.pad(hits[3], (30000, 70001)), 44100) == pytest.approx(levels[3], abs=0.01)


def test_a_short_sound_counts_by_its_energy_and_a_long_one_by_its_loudest_400_ms() -> None:
    rate = 44100
    assert loudness(sine(0.1, rate), rate) == pytest.approx(-3.01 - 10 * np.log10(4), abs=0.02)
    assert loudness(np.concatenate((0.1 * sine(3, rate), sine(0.4, rate))), rate) == pytest.approx(-3.01, abs=0.05)
    clicks = np.zeros(rate)
    clicks[[0, 2000, 30000]] = 1  # two within 400 ms, one apart
    one = np.zeros(rate)
    one[-1] = 1
    assert loudness(clicks, rate) == pytest.approx(loudness(one, rate) + 10 * np.log10(2), abs=0.05)


def test_lows_and_highs_are_weighted_as_the_ear_does() -> None:
    low, high = (loudness(sine(1, 48000, hertz), 48000) + 3.01 for hertz in (30.0, 8000.0))
    assert low == pytest.approx(10 * np.log10(float(k_weighting(np.array(30.0)))), abs=0.1) and low < -8
    assert high == pytest.approx(10 * np.log10(float(k_weighting(np.array(8000.0)))), abs=0.1) and high > 3
