"""Attack, decay and crest of sounds whose shape is known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ngs.evaluation.quality.descriptors import describe, normalised
from ngs.evaluation.quality.envelope import crispness, envelopes
from ngs.runtime.arrays import Array

RATE = 22050


def tone(levels: NDArray[np.float64], hz: float = 1000.0, rate: int = RATE) -> Array:
    return (levels * np.sin(2 * np.pi * hz * np.arange(len(levels)) / rate)).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 22050, 44100])
@pytest.mark.parametrize("rise_ms", [20.0, 50.0, 200.0])
def test_the_attack_of_a_ramp_is_80_percent_of_it(rise_ms: float, rate: int) -> None:
    levels = np.minimum(np.arange(rate) / (rise_ms * rate / 1000), 1.0)
    assert crispness(tone(levels, rate=rate), rate).attack_ms == pytest.approx(0.8 * rise_ms, rel=0.06)


@pytest.mark.parametrize("peak_ms", [60.0, 300.0, 900.0])
def test_the_attack_of_a_held_note_ends_at_its_plateau(peak_ms: float) -> None:
    times = np.arange(RATE) * 1000 / RATE
    plateau = 0.82 + 0.18 * np.clip(1 - np.abs(times - peak_ms) / 40, 0, 1)  # a ripple, wherever it peaks
    levels = np.minimum(times / 50, 1) * plateau * np.clip((1000 - times) / 50, 0, 1)
    shape = crispness(tone(levels), RATE)
    assert 35 <= shape.attack_ms <= 44  # of 50 ms
    assert shape.decay_ms == pytest.approx(1000 - 45, abs=25)


def test_the_attack_starts_after_an_earlier_bump() -> None:
    times = np.arange(RATE) * 1000 / RATE
    levels = 0.5 * np.exp(-(((times - 100) / 20) ** 2)) + np.clip((times - 500) / 50, 0, 1)
    assert crispness(tone(levels), RATE).attack_ms == pytest.approx(40, rel=0.06)


def test_a_slow_swell_is_a_slow_attack() -> None:
    levels = np.minimum(np.arange(2 * RATE) / RATE, 1.0) ** 2
    assert crispness(tone(levels), RATE).attack_ms == pytest.approx(1000 * (0.9**0.5 - 0.1**0.5), rel=0.06)


@pytest.mark.parametrize("lead", [0, 3000])
def test_a_click_is_as_short_as_the_window_allows(lead: int) -> None:
    click = np.zeros(8000, np.float32)
    click[lead] = 1.0
    assert crispness(click, RATE).attack_ms < 3.0


@pytest.mark.parametrize("hz", [60.0, 1000.0])
@pytest.mark.parametrize("time_constant", [0.05, 0.2])
def test_the_decay_of_an_exponential(time_constant: float, hz: float) -> None:
    levels = np.exp(-np.arange(2 * RATE) / RATE / time_constant)
    expected = 1000 * time_constant * np.log(10)
    assert crispness(tone(levels, hz), RATE).decay_ms == pytest.approx(expected, rel=0.08)


def test_a_sound_that_does_not_decay_lasts_to_its_end() -> None:
    assert crispness(tone(np.ones(RATE)), RATE).decay_ms == pytest.approx(1000, rel=0.05)


def test_a_sine_peaks_3_db_above_its_level_whatever_silence_follows() -> None:
    levels = np.concatenate((np.ones(RATE), np.zeros(RATE)))
    shape = crispness(tone(levels), RATE)
    assert shape.crest_db == pytest.approx(3.01, abs=0.1)
    assert shape.sounding_ms == pytest.approx(1000, abs=15)


def test_a_low_tone_has_a_steady_level() -> None:
    (envelope,) = envelopes(tone(np.ones(RATE), 50.0), RATE, 0.005)
    inner = envelope.levels[len(envelope.levels) // 4 : -len(envelope.levels) // 4]
    assert inner.mean() == pytest.approx(np.sqrt(0.5), rel=0.01) and np.ptp(inner) < 0.02


def test_silence_and_single_samples_have_a_shape() -> None:
    for signal in (np.zeros(100, np.float32), np.ones(1, np.float32)):
        assert np.isfinite(list(vars(crispness(signal, RATE)).values())).all()
        assert np.isfinite(describe(signal, RATE)).all()


def test_a_description_forgets_level_and_what_follows_after_the_first_seconds() -> None:
    sound = tone(np.exp(-np.arange(2 * RATE) / 4000))
    described = describe(sound, RATE)
    np.testing.assert_allclose(describe(0.1 * sound, RATE), described, atol=0.02)
    np.testing.assert_allclose(describe(sound[: round(1.5 * RATE)], RATE), described, atol=1e-6)
    assert np.abs(normalised(sound)).max() == pytest.approx(0.9)
