"""Long sounds are learned by what they hold: stretches begin at onsets, and silence is in none of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ngs.corpus import onsets as detection
from ngs.corpus.cache import Corpus, build_cache
from ngs.corpus.onsets import activity, hop_of, onsets
from ngs.corpus.sounds import find_sounds
from ngs.corpus.stretches import ACTIVITY, LONGEST, divided, long_sound

RATE = 22050
WINDOW = 4096


def clicks(times: list[float], seconds: float) -> np.ndarray:
    """Decaying noises at those times, float32."""
    rng, signal = np.random.default_rng(0), np.zeros(int(seconds * RATE), np.float32)
    for time in times:
        place = int(time * RATE)
        length = min(len(signal) - place, RATE // 4)
        signal[place : place + length] += rng.normal(0, 0.1, length) * np.exp(-np.arange(length) / 1000)
    return signal


def recording(*parts: np.ndarray) -> np.ndarray:
    return np.concatenate(parts).astype(np.float32)


def sixteen_bits(signal: np.ndarray) -> np.ndarray:
    return np.rint(signal / np.abs(signal).max() * 32767).astype(np.int16)


def test_onsets_are_found_within_a_few_milliseconds() -> None:
    times = [0.5, 1.0, 1.2, 2.75, 2.9]
    samples = sixteen_bits(clicks(times, 4))
    found = onsets(activity(samples, RATE), samples, RATE) / RATE
    assert len(found) == len(times) and np.abs(found - times).max() < 0.005


def test_noise_and_tones_that_go_on_have_no_onsets_but_the_first() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 4 * RATE)
    tone = np.sin(np.arange(4 * RATE) * 0.1)
    for steady in (noise, tone):
        samples = sixteen_bits(np.concatenate((np.zeros(RATE), steady)))
        found = onsets(activity(samples, RATE), samples, RATE) / RATE
        assert len(found) == 1 and abs(found[0] - 1) < 0.005


def test_activity_is_the_same_whatever_is_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = sixteen_bits(clicks([0.1, 0.9, 1.5], 2.03))
    whole = activity(samples, RATE)
    assert len(whole.flux) == -(-len(samples) // hop_of(RATE)) == len(whole.level)
    monkeypatch.setattr(detection, "FRAMES_AT_ONCE", 7)
    parts = activity(samples, RATE)
    np.testing.assert_allclose(parts.flux, whole.flux, atol=1e-6)
    np.testing.assert_array_equal(parts.level, whole.level)


@pytest.fixture
def corpus(write_sound, data: Path, root: Path) -> Corpus:
    """A short sound, and one of 16 s: texture, silence with three events, and more texture."""
    texture = np.random.default_rng(1).normal(0, 0.1, 4 * RATE)
    events = clicks([1.0, 4.0, 6.5], 8)
    write_sound("long/a.wav", recording(texture, events, texture))
    write_sound("short/b.wav", clicks([0.0], 0.25))
    return build_cache(find_sounds(data), RATE, root)


def test_stretches_hold_all_that_is_heard_and_no_silence(corpus: Corpus) -> None:
    assert corpus.lengths[1] < long_sound(WINDOW, RATE) < corpus.lengths[0]
    parts, chosen = divided(corpus, np.arange(2), WINDOW)
    np.testing.assert_array_equal(chosen, np.arange(len(parts.names)))
    assert parts.divided and not corpus.divided
    assert parts.names == ("long/a.wav",) * (len(chosen) - 1) + ("short/b.wav",)
    assert parts.labels[:, 0].tolist() == [0] * (len(chosen) - 1) + [1]
    assert parts.lengths[-1] == corpus.lengths[1] and parts.starts[-1] == corpus.starts[1]
    starts, lengths = parts.starts[:-1], parts.lengths[:-1]
    assert lengths.max() <= LONGEST * WINDOW and (np.diff(starts) >= lengths[:-1] - 0.03 * RATE).all()
    times = (starts - corpus.starts[0]) / RATE
    events = [time for time in times if 4.5 < time < 11.5]
    assert np.abs(np.array(events) - [5.0, 8.0, 10.5]).max() < 0.025
    assert sum(time < 4 for time in times) == pytest.approx(sum(time > 11.9 for time in times), abs=2)
    heard = np.zeros(int(corpus.lengths[0]), bool)
    for start, length in zip(starts - corpus.starts[0], lengths, strict=True):
        heard[start : start + length] = True
    loud = np.abs(corpus.read(0, 0, len(heard))) > 0.005
    assert not (loud & ~heard).any()
    assert heard.mean() < 0.6


def test_sounds_that_are_not_long_stay_as_they_are(corpus: Corpus) -> None:
    for sounds, window in ((np.array([1]), WINDOW), (np.arange(2), 2 * RATE)):
        same, chosen = divided(corpus, sounds, window)
        assert same is corpus and chosen is sounds


def test_what_was_found_is_remembered_and_may_be_lost(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    told = list[tuple[int, int]]()
    first, _ = divided(corpus, np.arange(2), WINDOW, lambda done, total: told.append((done, total)))
    again, _ = divided(corpus, np.arange(2), WINDOW, lambda done, total: told.append((done, total)))
    assert told == [(1, 1)]
    (corpus.audio_file.parent / ACTIVITY).write_bytes(b"PK\x03\x04 half a file")
    anew, _ = divided(corpus, np.arange(2), WINDOW, lambda done, total: told.append((done, total)))
    assert len(told) == 2
    for other in (again, anew):
        np.testing.assert_array_equal(other.starts, first.starts)
        np.testing.assert_array_equal(other.lengths, first.lengths)
