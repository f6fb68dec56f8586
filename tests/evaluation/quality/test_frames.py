"""The timbre of frames, which real frames are nearest, and the class that a frame is heard as."""

from __future__ import annotations

import numpy as np
import pytest

from ngs.evaluation.quality.frames import (
    BLOCK,
    FrameEar,
    FrameLibrary,
    crossed_shares,
    frame_timbres,
    mean_change,
)
from ngs.runtime.arrays import Array

RATE, WINDOW = 8000, 256


def rows(center: float, count: int, seed: int = 0) -> Array:
    return (center + np.random.default_rng(seed).standard_normal((count, 6))).astype(np.float32)


def library(**classes: tuple[float, int]) -> FrameLibrary:
    """For each class two sounds of frames around a center."""
    found = FrameLibrary(0)
    for number, (name, (center, count)) in enumerate(classes.items()):
        for half in range(2):
            found.add(rows(center, count // 2, 2 * number + half), name, 2 * number + half)
    return found


def test_timbre_has_no_level_and_counts_in_decibels() -> None:
    noise = 0.2 * np.random.default_rng(0).standard_normal(4000).astype(np.float32)
    plain, heard = frame_timbres(noise, RATE, WINDOW)
    assert heard.all() and plain.shape == (1 + 4 * 4000 // WINDOW, plain.shape[1]) and plain.dtype == np.float32
    np.testing.assert_allclose(frame_timbres(noise / 10, RATE, WINDOW)[0], plain, atol=1e-3)
    spectrum = np.fft.rfft(noise)
    spectrum[len(spectrum) // 2 :] *= 0.1
    darker = np.fft.irfft(spectrum, len(noise)).astype(np.float32)
    change = frame_timbres(darker, RATE, WINDOW)[0] - plain
    dark = np.sqrt(plain.shape[1]) * change[5:-5].mean(0)
    assert dark[0] - dark[-1] == pytest.approx(20, abs=1.5)


def test_only_what_is_within_40_db_of_the_loudest_frame_is_heard() -> None:
    levels = np.repeat([1.0, 0.03, 0.003, 0.0], 2000)
    sound = (levels * np.random.default_rng(0).standard_normal(8000)).astype(np.float32)
    heard = frame_timbres(sound, RATE, WINDOW)[1].reshape(-1)
    assert heard[:60].all() and not heard[66:].any()
    assert not frame_timbres(np.zeros(2000, np.float32), RATE, WINDOW)[1].any()


def test_a_steady_tone_changes_less_than_noise_and_silence_not_at_all() -> None:
    time = np.arange(4000) / RATE
    tone, noise = np.sin(2 * np.pi * 500 * time), np.random.default_rng(0).standard_normal(4000)
    steady, restless = (mean_change(*frame_timbres(sound.astype(np.float32), RATE, WINDOW)) for sound in (tone, noise))
    assert steady is not None and restless is not None and steady < restless / 3
    assert mean_change(*frame_timbres(np.zeros(4000, np.float32), RATE, WINDOW)) is None


def test_the_nearest_frame_is_that_of_an_exhaustive_search() -> None:
    known, asked = library(a=(0, 40), b=(2, 60)), rows(1, BLOCK + 7, 9)
    between = np.linalg.norm(asked[:, None] - known.rows, axis=2)
    np.testing.assert_allclose(known.distances(asked), between.min(1), atol=1e-4)
    np.testing.assert_allclose(known.distances(known.rows), 0, atol=0.01)
    others = np.where(known.owners == 1, np.inf, between).min(1)
    np.testing.assert_allclose(known.distances(asked, np.full(len(asked), 1)), others, atol=1e-4)


def test_without_another_sound_the_nearest_frame_is_infinitely_far() -> None:
    alone = FrameLibrary(0)
    assert np.isinf(alone.distances(rows(0, 3))).all()
    alone.add(rows(0, 3), "a", 7)
    assert np.isinf(alone.distances(alone.rows, alone.owners)).all()


def test_a_library_has_as_many_frames_of_each_class_as_far_as_it_can() -> None:
    found = FrameLibrary(0, most=300)
    for sound in range(40):
        found.add(rows(0, 50, sound), "often", sound)
        found.add(rows(0, 20, sound), "seldom", 100 + sound)
    found.add(rows(0, 10), "once", 200)
    counts = dict(zip(*np.unique(found.names.astype(str), return_counts=True), strict=True))
    assert counts == {"often": 145, "seldom": 145, "once": 10} and len(found) == 300
    assert len(set(found.owners[found.names == "often"])) > 30  # of all sounds
    assert found.rows.shape == (300, 6)


def test_classes_are_heard() -> None:
    pytest.importorskip("sklearn")
    known = library(a=(0, 200), b=(3, 40))
    ear = FrameEar(known, 0)
    assert ear.classes == {"a", "b"}
    assert ear.share(rows(0, 50, 9), "a") > 0.9 and ear.share(rows(3, 50, 9), "a") < 0.1
    held_back = library(b=(3, 60), a=(3, 60), c=(0, 9))
    shares = ear.own_shares(held_back)
    assert shares["b"] > 0.9 and shares["a"] < 0.1 and set(shares) == {"a", "b"}


def test_sounds_are_heard_by_those_that_were_trained_on_others() -> None:
    pytest.importorskip("sklearn")
    shares = crossed_shares(library(a=(0, 200), b=(3, 200)), 0)
    assert min(shares.values()) > 0.9 and set(shares) == {"a", "b"}
    odd = FrameLibrary(0)  # every sound has its own place, which says nothing of its class
    for sound in range(12):
        odd.add(rows(20 * sound, 30, sound), "ab"[sound % 2], sound)
    odd.add(rows(-50, 30), "single", 99)
    shares = crossed_shares(odd, 0)
    assert set(shares) == {"a", "b"} and max(shares.values()) < 0.9
    single = FrameLibrary(0)
    single.add(rows(0, 9), "a", 0)
    assert crossed_shares(single, 0) == {}
