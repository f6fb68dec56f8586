"""Rumble is left out, attacks and low notes stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ngs.corpus import high_pass
from ngs.corpus.cache import build_cache
from ngs.corpus.high_pass import high_passed
from ngs.corpus.reading import decode
from ngs.corpus.sounds import find_sounds

RATE = 22050


def filtered(samples: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.concatenate([*high_passed(samples.astype(np.float32), RATE)])


@pytest.mark.parametrize(("hertz", "low", "high"), [(5, -200, -60), (14, -200, -60), (20, -6.5, -5.5), (30, -0.1, 0.1)])
def test_what_is_lost_at_a_frequency(hertz: float, low: float, high: float) -> None:
    sine = np.sin(2 * np.pi * hertz * np.arange(3 * RATE) / RATE)
    middle = slice(RATE, 2 * RATE)
    gain = 10 * np.log10(np.mean(filtered(sine)[middle] ** 2) / np.mean(sine[middle] ** 2))
    assert low < gain < high


def test_blocks_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).standard_normal(40000)
    whole = filtered(noise)
    monkeypatch.setattr(high_pass, "BLOCK", 9001)
    np.testing.assert_allclose(filtered(noise), whole, atol=1e-5)


@pytest.mark.parametrize("samples", [1, 2, 110, 5000])
def test_a_sound_shorter_than_the_filter(samples: int) -> None:
    """5 ms lose next to nothing: there is no rumble in so little time."""
    click = np.random.default_rng(samples).standard_normal(samples)
    found = filtered(click)
    assert found.shape == (samples,) and np.isfinite(found).all()
    if samples <= 110:
        np.testing.assert_allclose(found, click, atol=0.05)


def kick(rumble: float = 0.0) -> NDArray[np.float64]:
    """Silence for 0.5 s, then a kick that falls to 40 Hz, and rumble at 9 Hz throughout."""
    t = np.arange(RATE) / RATE
    hit = 0.8 * np.sin(2 * np.pi * (40 * t + 0.6 * (1 - np.exp(-25 * t)))) * np.exp(-6 * t)
    at = np.concatenate((np.zeros(RATE // 2), hit))
    return at + rumble * np.sin(2 * np.pi * 9 * np.arange(len(at)) / RATE)


def test_the_attack_of_a_kick_stays_where_it_is(write_sound, tmp_path: Path) -> None:
    found = decode(write_sound("kick.wav", kick(), subtype="FLOAT"), RATE, tmp_path).samples
    whole = kick()[RATE // 2 - round(0.001 * RATE) :]
    assert np.abs(found[: round(0.0005 * RATE)]).max() < 0.01  # nothing rings ahead of it
    early = round(0.004 * RATE)
    np.testing.assert_allclose(found[:early], whole[:early], atol=0.02)
    spectra = [np.abs(np.fft.rfft(signal[: RATE // 2], 8 * RATE)) for signal in (found, whole)]
    heard = slice(8 * 30, 8 * 200)
    assert np.abs(20 * np.log10(spectra[0][heard] / spectra[1][heard])).mean() < 0.5


def test_rumble_is_not_in_what_is_learned(write_sound, data: Path, root: Path) -> None:
    write_sound("a.wav", kick(rumble=0.5), subtype="FLOAT")
    corpus = build_cache(find_sounds(data), RATE, root)
    heard = corpus.read(0, 0, int(corpus.lengths[0]))
    assert np.abs(heard).max() == pytest.approx(0.9, rel=1e-4)  # of the kick, not of the rumble
    power = np.abs(np.fft.rfft(heard * np.hanning(len(heard)), 4 * RATE)) ** 2
    assert power[: 4 * 14].sum() < 1e-3 * power[4 * 30 :].sum()


def test_rumble_alone_is_no_sound(write_sound, data: Path, root: Path) -> None:
    write_sound("kick.wav", kick(), subtype="FLOAT")
    write_sound("rumble.wav", 0.5 * np.sin(2 * np.pi * 9 * np.arange(2 * RATE) / RATE), subtype="FLOAT")
    assert build_cache(find_sounds(data), RATE, root).skipped == (("rumble.wav", "holds nothing above 20 Hz"),)
