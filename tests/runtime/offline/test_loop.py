"""Drum loops: exact times, a fresh hit at every step, and the same loop for the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.offline.loop import render_loop, step_sample
from ngs.runtime.offline.patterns import STEPS, Track, parse_pattern

ONE = parse_pattern("Kick X...............", "one")
TWO = parse_pattern("Kick X.......X.......", "two")


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle, "cpu")


def test_step_times_are_rounded_not_accumulated() -> None:
    assert [step_sample(step, 120, 44100) for step in (0, 1, 2, 16)] == [0, 5512, 11025, 88200]
    assert step_sample(16 * 256, 97, 44100) == round(16 * 256 * 60 / 97 / 4 * 44100)


@pytest.mark.parametrize("rate", [8000, 22050])
def test_a_loop_is_exactly_as_long_as_its_bars(bundle: Bundle, rate: int) -> None:
    mix = render_loop(bundle, TWO, 130, 3, 0, rate)
    assert mix.shape == (round(3 * 4 * 60 / 130 * rate),) and mix.dtype == np.float32
    assert 0 < np.abs(mix).max() < 1 and mix[-1] == 0


def test_hits_are_at_their_steps_and_all_different(bundle: Bundle) -> None:
    mix = render_loop(bundle, TWO, 120, 1, 0, 8000)
    half = step_sample(8, 120, 8000)
    length = (8 + 3) * 64
    assert mix[:4].any() and not mix[length:half].any() and mix[half : half + 4].any()
    assert not np.allclose(mix[:length], mix[half : half + length])


def test_a_hit_depends_only_on_its_place(bundle: Bundle) -> None:
    half = step_sample(8, 120, 8000)
    np.testing.assert_array_equal(
        render_loop(bundle, ONE, 120, 1, 4, 8000)[:half], render_loop(bundle, TWO, 120, 1, 4, 8000)[:half]
    )


def test_the_seed_decides(bundle: Bundle) -> None:
    first = render_loop(bundle, TWO, 120, 2, 1, 8000)
    np.testing.assert_array_equal(first, render_loop(bundle, TWO, 120, 2, 1, 8000))
    assert not np.allclose(first, render_loop(bundle, TWO, 120, 2, 2, 8000))


def test_many_tracks_stay_below_one(bundle: Bundle) -> None:
    loud = parse_pattern("\n".join("Kick XXXXXXXXXXXXXXXX" for _ in range(12)), "loud")
    assert np.abs(render_loop(bundle, loud, 300, 1, 0, 8000, temperature=10)).max() <= 0.9500001


def test_a_hit_does_not_depend_on_the_rest_of_the_pattern(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle, provider="cpu")
    kick = Track("Kick", (1.0,) + (0.0,) * (STEPS - 1))
    snare = Track("Snare", (0.0,) * 8 + (1.0,) + (0.0,) * 7)
    alone, both = (render_loop(bundle, tracks, 120.0, 1, 3, 8000) for tracks in ([kick], [snare, kick]))
    half = step_sample(8, 120.0, 8000)
    assert np.abs(alone[:half]).max() > 0
    np.testing.assert_allclose(
        alone[:half] / np.abs(alone[:half]).max(), both[:half] / np.abs(both[:half]).max(), atol=1e-6
    )
