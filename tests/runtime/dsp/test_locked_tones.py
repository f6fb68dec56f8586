"""The locked excitation offline gives the phases and grains of the synthesis graph, hop by hop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.dsp.locked_tones import Array, Filling, Phases, fixed_point, in_turns

GRAINS, BINS = 60, 129
FIRST = np.random.default_rng(7).uniform(0, 1, BINS).astype(np.float32)  # phases of a first grain


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
    phases = Phases(FIRST)
    parts = [phases.before(peak[at : at + part], advance[at : at + part]) for at in range(0, GRAINS, part)]
    np.testing.assert_array_equal(np.concatenate(parts), Phases(FIRST).before(peak, advance))


def test_no_grains_move_no_phases() -> None:
    peak, advance = drawn(1)
    phases = Phases(FIRST)
    assert phases.before(peak[:0], advance[:0]).shape == (0, BINS)
    phases.before(peak[:1], advance[:1])
    assert phases.before(peak[:0], advance[:0]).shape == (0, BINS)
    np.testing.assert_array_equal(phases.before(peak[1:], advance[1:]), Phases(FIRST).before(peak, advance)[1:])


def test_phases_go_on_from_the_first_and_stay_within_a_turn() -> None:
    phases = Phases(FIRST).before(*drawn(2))
    assert phases.shape == (GRAINS, BINS) and phases.dtype == np.float32
    assert turns_apart(phases[0], FIRST) < 1e-6 and phases.min() >= 0 and phases.max() < 1


def test_a_bin_takes_the_phase_of_its_peak_and_moves_on_by_its_advance() -> None:
    peak, advance = drawn(3, 3)
    peak[1] = 5
    phases = Phases(FIRST).before(peak, advance)
    assert turns_apart(phases[1], FIRST[peak[0].astype(int)] + advance[0]) < 1e-6
    assert turns_apart(phases[2], phases[1, 5] + advance[1]) < 1e-6


def test_phases_are_those_of_the_graph_step_by_step(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle, "cpu")
    peak, advance = drawn(4)
    expected = Phases(FIRST).before(peak, advance)
    phase = FIRST[None]
    still = {"magnitude": np.zeros((1, BINS), np.float32), "profile": np.zeros((1, 4), np.float32)}
    for grain in range(GRAINS):
        assert turns_apart(phase[0], expected[grain]) < 1e-5
        moved = {"peak": peak[grain : grain + 1], "advance": advance[grain : grain + 1], "phase": phase}
        _, phase = bundle.run("synthesis", **still, **moved, noise=np.zeros((1, 256), np.float32))


@pytest.mark.parametrize("kind", ["tiny_bundle", "tiny_noise", "tiny_older"])
def test_a_graph_that_computes_something_else_runs_itself(kind: str, request: pytest.FixtureRequest) -> None:
    assert Bundle.open(request.getfixturevalue(kind), "cpu").filling is None


def test_fixed_point_numbers_keep_turns() -> None:
    advance = np.array([-0.5, -0.25, 0.0, 0.5, 0.75, 1.0, 1.25], np.float32)
    np.testing.assert_array_equal(in_turns(fixed_point(advance)), [0.5, 0.75, 0.0, 0.5, 0.75, 0.0, 0.25])


def test_silence_is_filled_with_silence() -> None:
    filling, noise = Filling(256, 4), np.random.default_rng(5).uniform(-1, 1, (3, 256)).astype(np.float32)
    still = np.zeros((3, BINS), np.float32)
    assert not filling.grains(still, still.astype(np.int32), noise).any()
    assert not filling.grains(still, still.astype(np.int32), np.zeros_like(noise)).any()
