"""Level errors of sounds whose level is known, by time and by band."""

from __future__ import annotations

import numpy as np
import pytest

from ngs.evaluation.quality.levels import level_errors
from ngs.runtime.arrays import Array

RATES = (8000, 22050, 44100)


def hit(rate: int) -> Array:
    """Noise that decays by 40 dB in 0.4 s."""
    noise = np.random.default_rng(0).standard_normal(round(0.4 * rate))
    return (noise * np.geomspace(0.5, 0.005, len(noise))).astype(np.float32)


def filtered(signal: Array, rate: int, gain: float, low: float, high: float) -> Array:
    """The signal with a gain between two frequencies."""
    frequencies = np.fft.rfftfreq(len(signal), 1 / rate)
    spectrum = np.fft.rfft(signal) * np.where((frequencies >= low) & (frequencies < high), gain, 1.0)
    return np.fft.irfft(spectrum, len(signal)).astype(np.float32)


@pytest.mark.parametrize("rate", RATES)
def test_a_sound_6_db_quieter_is_6_db_quieter_everywhere(rate: int) -> None:
    target = hit(rate)
    errors = level_errors(target, target / 2, rate)
    times, bands = ("loud", "onset", "tail"), ("", "_low", "_middle", "_high")
    assert set(errors) == {time + band for time in times for band in bands}
    assert list(errors.values()) == pytest.approx([-6.02] * 12, abs=0.01)
    assert set(level_errors(target, target, rate).values()) == {0.0}


@pytest.mark.parametrize("rate", RATES)
def test_what_lacks_in_one_band_is_found_in_that_band(rate: int) -> None:
    target = hit(rate)
    errors = level_errors(target, filtered(target, rate, 0.1, 2000, rate), rate)
    assert errors["loud_high"] == pytest.approx(-20, abs=2.5) and errors["loud_middle"] == pytest.approx(0, abs=1)
    assert errors["loud_low"] == pytest.approx(0, abs=0.1) and -20 < errors["loud"] < -1


def test_what_lacks_at_one_time_is_found_at_that_time() -> None:
    target, rate = hit(22050), 22050
    quiet = target.copy()
    quiet[len(quiet) // 2 :] /= 4  # the target is 20 dB below its start there
    errors = level_errors(target, quiet, rate)
    assert errors["loud"] == pytest.approx(0, abs=1) and errors["onset"] == 0
    assert errors["tail"] == pytest.approx(-20 * np.log10(4), abs=2)
    soft = target.copy()
    soft[: round(0.03 * rate)] /= 10
    assert level_errors(target, soft, rate)["onset"] < -8 < -6 < level_errors(target, soft, rate)["loud"] < 0


def test_where_the_target_has_nothing_nothing_is_compared() -> None:
    rate = 22050
    low = np.sin(2 * np.pi * 100 * np.arange(rate) / rate).astype(np.float32) * np.hanning(rate).astype(np.float32)
    noise = 0.1 * np.random.default_rng(0).standard_normal(rate).astype(np.float32)
    assert not {name for name in level_errors(low, low + noise, rate) if name.endswith("_high")}
    assert level_errors(np.zeros(4000, np.float32), noise[:4000], rate) == {}
    silent = level_errors(low, 0 * low, rate)
    assert silent and -80.1 <= min(silent.values()) and max(silent.values()) < -20
