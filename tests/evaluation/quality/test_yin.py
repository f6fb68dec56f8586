"""The pitch of tones is found, and none in noise, silence and clicks."""

from __future__ import annotations

import numpy as np
import pytest

from ngs.evaluation.quality.yin import pitches
from ngs.runtime.arrays import Array


def tone(hz: float, rate: int, falling: float, seconds: float = 0.5) -> Array:
    """All partials below the Nyquist frequency, the n-th with the amplitude n ** -falling."""
    numbers = np.arange(1, int(rate / 2 / hz) + 1)[:, None]
    partials = np.sin(2 * np.pi * hz * numbers * np.arange(round(seconds * rate)) / rate + numbers)
    sound = (numbers**-falling * partials).sum(0)
    return (0.5 * sound / np.abs(sound).max()).astype(np.float32)


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100])
@pytest.mark.parametrize("falling", [0.3, 1.0, 9.0])
@pytest.mark.parametrize("hz", [55.0, 98.0, 146.83, 261.63, 440.0, 698.46, 1046.5])
def test_a_tone_is_within_5_cents(hz: float, falling: float, rate: int) -> None:
    found, heard = pitches(tone(hz, rate, falling), rate)
    assert heard.all() and (found > 0).all()
    assert np.abs(1200 * np.log2(found / hz)).max() < 5


def test_a_tone_without_its_fundamental_keeps_its_pitch() -> None:
    time = np.arange(11025) / 22050
    sound = sum(np.sin(2 * np.pi * 200 * n * time) for n in (2, 3, 4)).astype(np.float32)
    assert np.abs(1200 * np.log2(pitches(sound, 22050)[0] / 200)).max() < 5


def test_a_glide_is_followed_at_every_level() -> None:
    time = np.arange(22050) / 22050
    hz = 200 * 2**time
    sound = (np.geomspace(1, 0.03, len(time)) * np.sin(2 * np.pi * np.cumsum(hz) / 22050)).astype(np.float32)
    found, heard = pitches(sound, 22050)
    assert heard.all() and (np.diff(found) > 0).all()
    np.testing.assert_array_equal(pitches(sound / 8, 22050)[0], found)
    assert 200 < found[0] < 210 and 370 < found[-1] < 400


@pytest.mark.parametrize("samples", [22050, 300, 0])
def test_noise_and_silence_and_what_is_too_short_have_no_pitch(samples: int) -> None:
    noise = np.random.default_rng(0).standard_normal(samples).astype(np.float32)
    found, heard = pitches(noise, 22050)
    assert np.mean(found[heard] > 0) < 0.02 if samples > 1000 else len(found) == 0
    found, heard = pitches(0 * noise, 22050)
    assert not found.any() and not heard.any()


def test_only_what_is_heard_is_asked() -> None:
    loud, soft = tone(220, 22050, 1.0), tone(330, 22050, 1.0)
    found, heard = pitches(np.concatenate((loud, 1e-3 * soft)), 22050)
    assert (found[:40] > 0).all() and not heard[-40:].any() and not found[-40:].any()
