"""The law of random draws: what is drawn for one purpose, sound or grain depends on no other. The page compares it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ngs.runtime.chance import Draws, Purpose, Seed, check_seed, generator, philox

MOST = 2**64 - 1


def test_every_purpose_and_number_draws_others() -> None:
    seeds: list[Seed] = [0, 1, MOST, (0, 1), (1, 1), (0, 0, 1), (0, 1, 1), (0, 0, 0, 1), (0, 0, 1, 1), (0, MOST)]
    drawn = [tuple(philox(purpose, seed).random_raw(8).tolist()) for purpose in Purpose for seed in seeds]
    words = [word for each in drawn for word in each]
    assert len(set(words)) == len(words) == 8 * len(Purpose) * len(seeds)


def test_numbers_left_out_are_zero() -> None:
    for seed in (5, (5,), (5, 0), (5, 0, 0), (5, 0, 0, 0), (np.int64(5), np.uint8(0))):
        assert philox(Purpose.CLASS, seed).random_raw() == philox(Purpose.CLASS, 5).random_raw()


def test_purposes_keep_their_numbers() -> None:
    """They are part of the bundle format."""
    assert len(set(Purpose)) == len(Purpose.__members__)
    assert [purpose.name for purpose in Purpose if purpose < 32] == [
        "NOISE", "EMBEDDING", "CLASS", "OPEN_ATTRIBUTES", "SCATTER", "DENSITY", "PATH", "PATH_KIND",
    ]  # fmt: skip
    assert {purpose for purpose in Purpose if purpose < 32} == set(range(8))


@pytest.mark.parametrize("most", [1, 3, 5, 2000, 2**31])
def test_whole_numbers_stay_below_and_are_all_drawn(most: int) -> None:
    found = Draws(Purpose.CLASS, most).below(most, 20000)
    assert found.min() >= 0 and found.max() < most
    shares = np.bincount(found * min(most, 5) // most) / len(found)
    np.testing.assert_allclose(shares, 1 / min(most, 5), atol=0.015)


@pytest.mark.parametrize("most", [*range(1, 300), 2**31 - 1, 2**53 - 1])
def test_the_largest_uniform_number_is_still_below(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Draws, "uniform", lambda self, count: np.full(count, 1 - 2.0**-53))
    assert Draws(Purpose.CLASS, 0).below(most, 1)[0] == most - 1


def test_normal_numbers_are_normal() -> None:
    found = np.sort(Draws(Purpose.EMBEDDING, 1).normal(40001))
    assert found.dtype == np.float32 and found.shape == (40001,)
    for sigma, share in ((-2, 0.02275), (-1, 0.15866), (0, 0.5), (1, 0.84134), (2, 0.97725)):
        assert abs(np.searchsorted(found, sigma) / len(found) - share) < 0.01
    pairs = Draws(Purpose.EMBEDDING, 1).normal(40000).reshape(-1, 2)
    assert abs(np.corrcoef(pairs.T)[0, 1]) < 0.02


def test_no_uniform_number_gives_an_infinite_normal_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for uniform in (0.0, 1 - 2.0**-53):
        monkeypatch.setattr(Draws, "uniform", lambda self, count, value=uniform: np.full(count, value))
        assert np.isfinite(Draws(Purpose.EMBEDDING, 0).normal(2)).all()


def test_more_draws_begin_with_fewer() -> None:
    np.testing.assert_array_equal(Draws(Purpose.PATH, 3).normal(5), Draws(Purpose.PATH, 3).normal(64)[:5])
    parts, whole, noise = np.empty(28, np.float32), np.empty(28, np.float32), Draws(Purpose.NOISE, 3)
    noise.noise(parts[:4])
    noise.noise(parts[4:])
    Draws(Purpose.NOISE, 3).noise(whole)
    np.testing.assert_array_equal(parts, whole)
    assert whole.min() >= -1 and whole.max() < 1


def test_permutations_are_seeded() -> None:
    orders = [generator(Purpose.SELECTION, seed).permutation(50).tolist() for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2] and sorted(orders[2]) == list(range(50))


@pytest.mark.parametrize(
    "seed, line",
    [
        (-1, "seed is -1"),
        (2**64, "seed is 18446744073709551616"),
        (0.5, "seed is 0.5"),
        ((0, -1), "index is -1"),
        ((0, 0, 2**64), "track is 18446744073709551616"),
        ((0, 0, 0, "x"), "grain is 'x'"),
    ],
)
def test_numbers_that_are_no_words_are_refused(seed: Any, line: str) -> None:
    for use in (check_seed, lambda seed: Draws(Purpose.NOISE, seed)):
        with pytest.raises(ValueError) as caught:
            use(seed)
        assert str(caught.value) == f"{line}: choose a whole number from 0 to 2 ** 64 - 1"
