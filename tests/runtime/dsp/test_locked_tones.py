"""The locked excitation offline gives the phases and grains of the synthesis graph, hop by hop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.dsp.locked_tones import Array, Filling, Phases, fixed_point, in_turns

GRAINS, BINS = 60, 129


def drawn(seed: int, grains: int = GRAINS) -> tuple[Array, Array]:
    """Random peaks, and advances of a few turns in either direction."""
    rng = np.random.default_rng(seed)
    peak = rng.integers(0, BINS, (grains, BINS)).astype(np.float32)
    return peak, rng.uniform(-2, 3, (grains, BINS)).astype(np.float32)


def turns_apart(a: Array, b: Array) -> float:
    """The largest distance between phases, around the circle."""
    difference = np.asarray(a - b, np.float64)
    return float(np.abs(difference - difference.round()).max())


@pytest.mark.parametrize("part", [1, 7, 59])
def test_phases_followed_in_parts_and_all_at_once_are_equal(part: int) -> None:
    peak, advance = drawn(0)
    phases = Phases()
    parts = [phases.before(peak[at : at + part], advance[at : at + part]) for at in range(0, GRAINS, part)]
    np.testing.assert_array_equal(np.concatenate(parts), Phases().before(peak, advance))


def test_no_grains_move_no_phases() -> None:
    peak, advance = drawn(1)
    phases = Phases()
    assert phases.before(peak[:0], advance[:0]).shape == (0, BINS)
    phases.before(peak[:1], advance[:1])
    assert phases.before(peak[:0], advance[:0]).shape == (0, BINS)
    np.testing.assert_array_equal(phases.before(peak[1:], advance[1:]), Phases().before(peak, advance)[1:])


def test_phases_start_from_zeros_and_stay_within_a_turn() -> None:
    phases = Phases().before(*drawn(2))
    assert phases.shape == (GRAINS, BINS) and phases.dtype == np.float32
    assert not phases[0].any() and phases[1:].any(1).all()
    assert phases.min() >= 0 and phases.max() < 1


def test_a_tone_is_a_sine_at_the_first_sample_and_moves_on_by_its_advance() -> None:
    """In the middle of its first grain, two hops later, it is two advances past -1/4 turn, where a sine starts."""
    own = np.tile(np.arange(BINS, dtype=np.float32), (3, 1))
    advance = np.tile(np.linspace(0, 0.99, BINS, dtype=np.float32), (3, 1))
    phases = Phases().before(own, advance)
    assert turns_apart(phases[1], 2 * advance[0] - 0.25) < 1e-6
    assert turns_apart(phases[2], phases[1] + advance[1]) < 1e-6


def test_a_bin_takes_the_phase_of_its_peak() -> None:
    peak, advance = drawn(3, 3)
    peak[1] = 5
    phases = Phases().before(peak, advance)
    assert turns_apart(phases[2], phases[1, 5] + advance[1]) < 1e-6


def test_phases_are_those_of_the_graph_step_by_step(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle, "cpu")
    peak, advance = drawn(4)
    expected = Phases().before(peak, advance)
    phase = np.zeros((1, BINS), np.float32)
    still = {"magnitude": np.zeros((1, BINS), np.float32), "profile": np.zeros((1, 4), np.float32)}
    for grain in range(GRAINS):
        assert turns_apart(phase[0], expected[grain]) < 1e-5
        onset = np.full((1, 1), grain == 0, np.float32)
        moved = {"peak": peak[grain : grain + 1], "advance": advance[grain : grain + 1], "phase": phase, "onset": onset}
        _, phase = bundle.run("synthesis", **still, **moved, noise=np.zeros((1, 256), np.float32))


@pytest.mark.parametrize("kind", ["tiny_bundle", "tiny_noise"])
def test_a_graph_that_computes_something_else_runs_itself(kind: str, request: pytest.FixtureRequest) -> None:
    assert Bundle.open(request.getfixturevalue(kind), "cpu").filling is None


def test_fixed_point_numbers_keep_turns() -> None:
    advance = np.array([-0.5, -0.25, 0.0, 0.5, 0.75, 1.0, 1.25], np.float32)
    np.testing.assert_array_equal(in_turns(fixed_point(advance)), [0.5, 0.75, 0.0, 0.5, 0.75, 0.0, 0.25])


@pytest.mark.parametrize("first", [False, True])
def test_silence_is_filled_with_silence(first: bool) -> None:
    filling, noise = Filling(256, 4), np.random.default_rng(5).uniform(-1, 1, (3, 256)).astype(np.float32)
    still = np.zeros((3, BINS), np.float32)
    assert not filling.grains(still, still.astype(np.int32), noise, first).any()
    assert not filling.grains(still, still.astype(np.int32), np.zeros_like(noise), first).any()


def test_only_the_first_grain_of_a_sound_is_special() -> None:
    filling, rng = Filling(256, 4), np.random.default_rng(6)
    magnitude = rng.normal(0, 1, (3, BINS)).astype(np.float32)
    turns, noise = rng.integers(-(1 << 31), 1 << 31, (3, BINS), np.int32), rng.uniform(-1, 1, (3, 256))
    profile = rng.normal(0, 1, (3, 4)).astype(np.float32)
    both = [filling.grains(magnitude, turns, noise.astype(np.float32), first) for first in (False, True)]
    gains = [filling.gains(profile, first) for first in (False, True)]
    assert not np.allclose(both[0][0], both[1][0]) and not np.allclose(gains[0][:, 0], gains[1][:, 0])
    np.testing.assert_array_equal(both[0][1:], both[1][1:])
    np.testing.assert_array_equal(gains[0][:, 1:], gains[1][:, 1:])
    assert gains[1][0, 0, 0] == 0  # it rises from 0
