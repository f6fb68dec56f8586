"""The embedding of paths: its encoder hears all of a path, its decoder goes on for as long as asked."""

from __future__ import annotations

import pytest
import torch

from ngs.training.config import EmbeddingConfig
from ngs.training.model.embedding import EmbeddingVAE

SIZE = 4
# no attribute known; first class only; both attributes; the second only
CONDITIONS = torch.tensor([[0, 0, 0, 0, 0], [0, 1, 0, 0, 0], [1, 0, 0, 0, 1], [0, 0, 0, 1, 0.0]])


def vae(grains_per_step: int, linear: bool = False) -> EmbeddingVAE:
    """Untrained; with a linear map whatever recurs starts at zero."""
    torch.manual_seed(0)
    embedding = EmbeddingVAE(6, (3, 2), 16, EmbeddingConfig(SIZE, 8, grains_per_step, linear=linear))
    embedding.path_mean.copy_(torch.randn(6))
    embedding.path_scale.copy_(torch.rand(6) + 0.5)
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
    mean, _ = embedding.encode(path, nothing)
    torch.testing.assert_close(torch.cov(mean.T, correction=0), torch.eye(SIZE), atol=1e-2, rtol=0)
    torch.testing.assert_close(embedding.decode(mean, nothing, 16), path, atol=1e-3, rtol=1e-3)


@torch.no_grad()
def test_directions_that_no_path_takes_are_left_alone() -> None:
    """Copies of few sounds: more numbers in an embedding than there are directions."""
    torch.manual_seed(0)
    embedding = EmbeddingVAE(6, (3, 2), 16, EmbeddingConfig(32, 8, 4, linear=True)).eval()
    path = torch.randn(5, 16, 6).repeat(4, 1, 1)
    embedding.start_from_pca(path, torch.ones(20))
    mean, _ = embedding.encode(path + 1e-5 * torch.randn(path.shape), torch.zeros(20, 5))
    assert mean.abs().max() < 5
    torch.testing.assert_close(embedding.decode(mean, torch.zeros(20, 5), 16), path, atol=1e-2, rtol=0)


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("grains_per_step", [1, 4])
@torch.no_grad()
def test_an_embedding_hears_all_of_a_path(grains_per_step: int, linear: bool) -> None:
    embedding = vae(grains_per_step, linear)
    path = torch.randn(4, 16, 6)
    mean, log_variance = embedding.encode(path, CONDITIONS)
    assert mean.shape == log_variance.shape == (4, SIZE)
    for grain in (0, 7, 15):
        changed = path.clone()
        changed[:, grain] += 1
        assert ((embedding.encode(changed, CONDITIONS)[0] - mean).abs().amax(1) > 1e-6).all()
    if not linear:  # what recurs hears the condition
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
