"""The embedding of paths: its prior is an invertible map, its decoder goes on for as long as asked."""

from __future__ import annotations

import pytest
import torch

from ngs.training.config import EmbeddingConfig
from ngs.training.model.embedding import EmbeddingVAE
from ngs.training.model.prior import EmbeddingPrior

SIZE = 4
# no attribute known; first class only; both attributes; the second only
CONDITIONS = torch.tensor([[0, 0, 0, 0, 0], [0, 1, 0, 0, 0], [1, 0, 0, 0, 1], [0, 0, 0, 1, 0.0]])


def sounds(number: int = 2000) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings of two attributes of 3 and 2 classes, with correlated dimensions and an effect of each class."""
    generator = torch.Generator().manual_seed(0)
    first = torch.nn.functional.one_hot(torch.arange(number) % 3, 3).float()
    second = torch.nn.functional.one_hot(torch.arange(number) % 2, 2).float()
    mixing = torch.randn(SIZE, SIZE, generator=generator)
    centers, effects = 5 * torch.randn(3, SIZE, generator=generator), 3 * torch.randn(2, SIZE, generator=generator)
    spread = torch.randn(number, SIZE, generator=generator) @ mixing.T
    return spread + first @ centers + second @ effects, torch.cat((first, second), 1)


def fitted() -> EmbeddingPrior:
    prior = EmbeddingPrior(3, 5, SIZE)
    prior.fit(*sounds())
    return prior


def test_a_prior_is_standard_normal_before_it_is_fitted() -> None:
    prior = EmbeddingPrior(3, 5, SIZE)
    normal = torch.randn(4, SIZE, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(prior.from_normal(normal, CONDITIONS), normal)
    mean, log_variance = prior.to_normal(normal, 0.1 * normal, CONDITIONS)
    torch.testing.assert_close(mean, normal)
    torch.testing.assert_close(log_variance, 0.1 * normal)


def test_to_normal_undoes_from_normal_under_every_condition() -> None:
    prior = fitted()
    normal = torch.randn(4, SIZE, generator=torch.Generator().manual_seed(1))
    back, _ = prior.to_normal(prior.from_normal(normal, CONDITIONS), torch.zeros(4, SIZE), CONDITIONS)
    torch.testing.assert_close(back, normal, atol=1e-4, rtol=1e-4)


def test_fitted_sounds_of_every_class_are_standard_normal() -> None:
    embeddings, condition = sounds()
    normal, _ = fitted().to_normal(embeddings, torch.zeros_like(embeddings), condition)
    for place in range(3):
        own = normal[condition[:, place] > 0]
        assert own.mean(0).abs().max() < 0.15
        assert (torch.cov(own.T) - torch.eye(SIZE)).abs().max() < 0.2


def test_an_open_class_covers_all_sounds() -> None:
    embeddings, condition = sounds()
    normal, _ = fitted().to_normal(embeddings, torch.zeros_like(embeddings), torch.zeros_like(condition))
    assert normal.mean(0).abs().max() < 1e-3
    assert (torch.cov(normal.T) - torch.eye(SIZE)).abs().max() < 0.05


def test_variances_are_those_of_the_mapped_normal() -> None:
    prior, condition = fitted(), CONDITIONS[2:3]
    generator = torch.Generator().manual_seed(2)
    mean, log_variance = torch.randn(2, 1, SIZE, generator=generator)
    drawn = mean + torch.exp(0.5 * log_variance) * torch.randn(20000, SIZE, generator=generator)
    mapped, _ = prior.to_normal(drawn, torch.zeros_like(drawn), condition.expand(20000, -1))
    expected_mean, expected = prior.to_normal(mean, log_variance, condition)
    torch.testing.assert_close(mapped.var(0), expected.exp()[0], rtol=0.06, atol=0)
    torch.testing.assert_close(mapped.mean(0), expected_mean[0], atol=0.05, rtol=0)


@pytest.mark.parametrize("number", [1, 2, 5])
def test_few_sounds_and_missing_classes_are_fitted_too(number: int) -> None:
    embeddings, condition = sounds(number)
    prior = EmbeddingPrior(3, 5, SIZE)
    prior.fit(embeddings, condition)
    there = prior.from_normal(torch.ones(4, SIZE), CONDITIONS)
    assert torch.isfinite(there).all()
    back, _ = prior.to_normal(there, torch.zeros(4, SIZE), CONDITIONS)
    torch.testing.assert_close(back, torch.ones(4, SIZE), atol=1e-2, rtol=1e-2)


def vae(grains_per_step: int, linear: bool = False) -> EmbeddingVAE:
    """Untrained; with a linear map whatever recurs starts at zero."""
    torch.manual_seed(0)
    embedding = EmbeddingVAE(6, (3, 2), 16, EmbeddingConfig(SIZE, 8, grains_per_step, linear=linear))
    embedding.path_mean.copy_(torch.randn(6))
    embedding.path_scale.copy_(torch.rand(6) + 0.5)
    embedding.prior.fit(*sounds())
    if linear:
        embedding.start_from_pca(torch.randn(20, 16, 6), torch.ones(20))
    return embedding.eval()


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("grains_per_step", [1, 4])
@torch.no_grad()
def test_a_longer_path_begins_with_the_shorter_one(grains_per_step: int, linear: bool) -> None:
    embedding = vae(grains_per_step, linear)
    normal = torch.randn(4, SIZE)
    short = embedding.decode(normal, CONDITIONS, 8)
    long = embedding.decode(normal, CONDITIONS, 64)
    assert short.shape == (4, 8, 6) and long.shape == (4, 64, 6)
    torch.testing.assert_close(long[:, :8], short)
    assert (long[:, 1:] - long[:, :-1]).abs().max() > 1e-3


@torch.no_grad()
def test_a_pca_of_whole_paths_knows_them_from_the_start() -> None:
    torch.manual_seed(0)
    embedding = EmbeddingVAE(6, (3, 2), 16, EmbeddingConfig(SIZE, 8, 4, linear=True)).eval()
    common, nothing = torch.randn(SIZE, 16, 6), torch.zeros(60, 5)
    path = torch.einsum("ns,stz->ntz", torch.randn(60, SIZE), common) + torch.randn(16, 6)
    assert embedding.start_from_pca(path, torch.ones(60)) == pytest.approx(1, abs=1e-3)
    mean, _ = embedding.posterior(path, nothing)
    torch.testing.assert_close(torch.cov(mean.T, correction=0), torch.eye(SIZE), atol=1e-2, rtol=0)
    torch.testing.assert_close(embedding.path(mean, nothing, 16), path, atol=1e-3, rtol=1e-3)


@torch.no_grad()
def test_directions_that_no_path_takes_are_left_alone() -> None:
    """Copies of few sounds: more numbers in an embedding than there are directions."""
    torch.manual_seed(0)
    embedding = EmbeddingVAE(6, (3, 2), 16, EmbeddingConfig(32, 8, 4, linear=True)).eval()
    path = torch.randn(5, 16, 6).repeat(4, 1, 1)
    embedding.start_from_pca(path, torch.ones(20))
    mean, _ = embedding.posterior(path + 1e-5 * torch.randn(path.shape), torch.zeros(20, 5))
    assert mean.abs().max() < 5
    torch.testing.assert_close(embedding.path(mean, torch.zeros(20, 5), 16), path, atol=1e-2, rtol=0)


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("grains_per_step", [1, 4])
@torch.no_grad()
def test_a_path_is_encoded_to_a_normal_that_hears_all_of_it(grains_per_step: int, linear: bool) -> None:
    embedding = vae(grains_per_step, linear)
    path = torch.randn(4, 16, 6)
    mean, log_variance = embedding.encode(path, CONDITIONS)
    assert mean.shape == log_variance.shape == (4, SIZE)
    for grain in (0, 7, 15):
        changed = path.clone()
        changed[:, grain] += 1
        assert ((embedding.encode(changed, CONDITIONS)[0] - mean).abs().amax(1) > 1e-6).all()
    assert not torch.allclose(embedding.encode(path, CONDITIONS.roll(1, 0))[0], mean)


def test_path_error_is_what_is_heard_when_it_is_heard() -> None:
    embedding = vae(4)
    embedding.path_map.copy_(torch.diag(torch.arange(6.0)))
    embedding.time_weight.copy_(torch.arange(16.0))
    path = torch.zeros(2, 16, 6)
    moved = path.clone()
    moved[:, 3] = 2.0
    assert embedding.path_error(path, path) == 0
    assert embedding.path_error(moved, path).item() == pytest.approx(3 * 4 * 55 / 16)
