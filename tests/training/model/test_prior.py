"""The prior of embeddings: from normal numbers to those of a class and back, for classes, pitches and none of them."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from ngs.runtime.bundle.specs import Attribute
from ngs.training.model.prior import CLEAREST, STEPS, EmbeddingPrior

SIZE = 4
ROUNDING = 0.05  # what the midpoint rule of the flow may miss
# no attribute known; first class only; both attributes; the second only
CONDITIONS = torch.tensor([[0, 0, 0, 0, 0], [0, 1, 0, 0, 0], [1, 0, 0, 0, 1], [0, 0, 0, 1, 0.0]])


def sounds(number: int = 2000) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Means, variances, conditions and weights of embeddings, of two attributes of 3 and 2 classes with effects."""
    generator = torch.Generator().manual_seed(0)
    first = torch.nn.functional.one_hot(torch.arange(number) % 3, 3).float()
    second = torch.nn.functional.one_hot(torch.arange(number) % 2, 2).float()
    centers, effects = 5 * torch.randn(3, SIZE, generator=generator), 3 * torch.randn(2, SIZE, generator=generator)
    spread = torch.tensor([0.1, 1, 2, 5]) * torch.randn(number, SIZE, generator=generator)
    mean = spread + first @ centers + second @ effects
    return mean, torch.full_like(mean, 0.01), torch.cat((first, second), 1), torch.ones(number)


def made(fit: int = 0, learned: float = 0.0) -> EmbeddingPrior:
    """A prior that is fitted to a number of sounds, with a network that has learned something."""
    torch.manual_seed(0)
    prior = EmbeddingPrior(5, SIZE, 16)
    if fit:
        prior.fit(*sounds(fit))
    torch.nn.init.normal_(prior.output.weight, std=learned) if learned else None
    return prior


def normals(count: int) -> torch.Tensor:
    return torch.randn(count, SIZE, generator=torch.Generator().manual_seed(1))


@torch.no_grad()
def test_a_prior_is_standard_normal_before_anything_is_known() -> None:
    prior = made()
    torch.testing.assert_close(prior.from_normal(normals(4), CONDITIONS), normals(4), atol=ROUNDING, rtol=0)
    torch.testing.assert_close(prior.to_normal(normals(4), CONDITIONS), normals(4), atol=ROUNDING, rtol=0)


@pytest.mark.parametrize(("learned", "missed"), [(0.0, ROUNDING / 10), (0.1, ROUNDING / 2)])
@torch.no_grad()
def test_to_normal_undoes_from_normal_under_every_condition(learned: float, missed: float) -> None:
    prior = made(2000, learned)
    normal = normals(400)
    conditions = CONDITIONS.repeat(100, 1)
    embeddings = prior.from_normal(normal, conditions)
    errors = (prior.to_normal(embeddings, conditions) - normal).abs()
    assert errors.mean() < missed and errors.max() < 5 * ROUNDING
    if learned:
        assert (embeddings - made(2000).from_normal(normal, conditions)).abs().mean() > 0.05


@torch.no_grad()
def test_twice_the_steps_leave_less_than_a_quarter_of_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a rule of second order; one of first order leaves half."""
    prior, normal, errors = made(2000), normals(400), []
    for steps in (STEPS, 2 * STEPS):
        monkeypatch.setattr("ngs.training.model.prior.STEPS", steps)
        again = prior.to_normal(prior.from_normal(normal, CONDITIONS.repeat(100, 1)), CONDITIONS.repeat(100, 1))
        errors.append(float((again - normal).abs().mean()))
    assert errors[1] < errors[0] / 4


@torch.no_grad()
def test_a_fit_knows_the_mean_and_the_spread_of_every_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ngs.training.model.prior.GUIDANCE", 0.0)  # guided draws leave the mean of their class
    mean, _, condition, _ = sounds()
    prior = made(2000)
    for both in condition.unique(dim=0):
        own = mean[(condition == both).all(1)]
        drawn = prior.from_normal(normals(1000), both.expand(1000, -1))
        assert ((drawn.mean(0) - own.mean(0)).abs() < 0.25 * own.std(0) + 0.1).all()
        expected = (own.var(0) + 0.01).sqrt()
        torch.testing.assert_close(drawn.std(0), expected, rtol=0.15, atol=0)


@torch.no_grad()
def test_guidance_takes_draws_further_away_from_the_sounds_of_no_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    prior, normal = made(2000), normals(50)
    guided = [prior.from_normal(normal, each.expand(50, -1)) for each in CONDITIONS]
    monkeypatch.setattr("ngs.training.model.prior.GUIDANCE", 0.0)
    plain = [prior.from_normal(normal, each.expand(50, -1)) for each in CONDITIONS]
    torch.testing.assert_close(guided[0], plain[0])  # with no condition there is nothing to move away from
    for moved, draws in zip(guided[1:], plain[1:], strict=True):
        away = draws.mean(0) - plain[0].mean(0)
        assert (moved.mean(0) - plain[0].mean(0)) @ away > 1.05 * away @ away


@torch.no_grad()
def test_guidance_changes_nothing_where_a_condition_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The velocity of all sounds is that of a class, seen from another mean: there is nothing to move away from."""
    prior = made(2000)

    def velocity(place: torch.Tensor, time: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        moved = torch.tanh(place[0]) * (1 + time[0])
        apart = condition[0] @ prior.effect / prior.scale
        same = place[1] - time[1] * apart
        return torch.stack((moved, torch.tanh(same) * (1 + time[1]) + apart))

    monkeypatch.setattr(prior, "velocity", velocity)
    guided = prior.from_normal(normals(4), CONDITIONS)
    monkeypatch.setattr("ngs.training.model.prior.GUIDANCE", 0.0)
    torch.testing.assert_close(guided, prior.from_normal(normals(4), CONDITIONS), atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_the_variance_of_posteriors_is_a_part_of_the_spread() -> None:
    mean, variance, condition, weight = sounds()
    sure, unsure = made(), made()
    sure.fit(mean, 0 * variance, condition, weight)
    unsure.fit(mean, 3 + 0 * variance, condition, weight)
    torch.testing.assert_close(unsure.scale.square() - sure.scale.square(), torch.full((SIZE,), 3.0), atol=1e-2, rtol=0)


@torch.no_grad()
def test_sounds_count_by_their_weights() -> None:
    mean, variance, condition, _ = sounds(600)
    kept = torch.arange(600) < 300
    weighted, few = made(), made()
    weighted.fit(mean, variance, condition, 1e-6 + kept.float())
    few.fit(mean[kept], variance[kept], condition[kept], torch.ones(300))
    torch.testing.assert_close(weighted.center, few.center, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(weighted.scale[1:], few.scale[1:], atol=0, rtol=0.1)


@torch.no_grad()
def test_with_all_attributes_open_draws_lie_among_all_sounds() -> None:
    mean, *_ = sounds()
    drawn = made(2000).from_normal(normals(1000), torch.zeros(1000, 5))
    torch.testing.assert_close(drawn.mean(0), mean.mean(0), atol=0.3, rtol=0)


@pytest.mark.parametrize("number", [1, 2, 5])
@torch.no_grad()
def test_few_sounds_and_missing_classes_are_fitted_too(number: int) -> None:
    prior = made(number, learned=0.1)
    there = prior.from_normal(torch.ones(4, SIZE), CONDITIONS)
    assert torch.isfinite(there).all() and (prior.scale > 0).all()
    torch.testing.assert_close(prior.to_normal(there, CONDITIONS), torch.ones(4, SIZE), atol=5 * ROUNDING, rtol=0)


@torch.no_grad()
def test_a_dimension_in_which_nothing_varies_stays_invertible() -> None:
    prior, (mean, variance, condition, weight) = made(), sounds()
    mean[:, 0] = 2.0
    prior.fit(mean, 0 * variance, condition, weight)
    assert prior.scale[0] >= 0.5 * CLEAREST * prior.scale.mean()
    there = prior.from_normal(normals(4), CONDITIONS)
    torch.testing.assert_close(prior.to_normal(there, CONDITIONS), normals(4), atol=0.2, rtol=0)


NOTES = Attribute(
    "pitch", tuple(f"{name}{octave}" for octave in (3, 4) for name in "C C# D D# E F F# G G# A A# B".split())
)


def of_notes(missing: int | None = None) -> EmbeddingPrior:
    """Fitted to sounds of 24 pitches, one octave an instrument, whose first number rises with the pitch."""
    torch.manual_seed(0)
    prior = EmbeddingPrior(24, SIZE, 16)
    prior.know([NOTES])
    keys = torch.arange(24).repeat(40)
    keys = keys[keys != missing] if missing is not None else keys
    mean = 0.1 * torch.randn(len(keys), SIZE)
    mean[:, 0] += keys
    prior.fit(mean, 0.01 * torch.ones_like(mean), torch.nn.functional.one_hot(keys, 24).float(), torch.ones(len(keys)))
    torch.nn.init.normal_(prior.output.weight, std=0.1)
    return prior


@torch.no_grad()
def test_half_of_two_pitches_is_the_pitch_between_them() -> None:
    prior, one = of_notes(), torch.eye(24)
    normal = normals(1)
    for key in range(1, 23):
        low, between, high = (prior.from_normal(normal, one[[key + step]]) for step in (-1, 0, 1))
        mixed = prior.from_normal(normal, 0.5 * (one[[key - 1]] + one[[key + 1]]))
        assert (mixed - between).abs().max() < 0.25 * (high - low).abs().max()


@torch.no_grad()
def test_a_pitch_that_no_sound_has_lies_between_its_neighbours() -> None:
    prior, one = of_notes(missing=10), torch.eye(24)
    firsts = [prior.from_normal(normals(1), one[[key]])[0, 0].item() for key in (8, 9, 10, 11, 12)]
    assert all(low < high for low, high in pairwise(firsts))


@torch.no_grad()
def test_other_classes_are_not_taken_for_pitches() -> None:
    prior = EmbeddingPrior(3, SIZE, 16)
    prior.know([Attribute("class", ("Kick", "Snare", "Hat"))])
    torch.testing.assert_close(prior.facts, torch.eye(3))
    torch.testing.assert_close(prior.kinship, torch.eye(3))


def test_velocities_can_be_learned() -> None:
    """Two clusters, which no affine map makes of one: draws leave the middle empty."""
    torch.manual_seed(0)
    prior = EmbeddingPrior(1, 1, 32)
    sign = torch.where(torch.arange(512) % 2 == 0, 1.0, -1.0)[:, None]
    mean, one = 2 * sign + 0.1 * torch.randn(512, 1), torch.ones(512, 1)
    prior.fit(mean, 0.01 * one, one, one[:, 0])
    optimizer = torch.optim.Adam(prior.parameters(), 3e-3)
    for _ in range(300):
        end = prior.remainder(mean, one)
        start, time = torch.randn_like(end), torch.rand(512, 1)
        wrong = prior.velocity((1 - time) * start + time * end, time, one) - (end - start)
        optimizer.zero_grad()
        wrong.square().mean().backward()
        optimizer.step()
    with torch.no_grad():
        drawn = prior.from_normal(torch.randn(500, 1), torch.ones(500, 1))
    assert (drawn.abs() < 1).float().mean() < 0.15 and 0.35 < (drawn > 0).float().mean() < 0.65
