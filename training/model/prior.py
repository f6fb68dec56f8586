"""The prior of embeddings: what N(0, 1) stands for in each class.

Shapes: B sounds, C condition size, E embedding size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

RIDGE = 0.005  # share of the mean variance; without it, directions in which no sound varies magnify rounding errors


class EmbeddingPrior(nn.Module):
    """An affine map, for each class, between N(0, 1) and the embeddings that sounds of that class really have.

    In the paper, the prior is N(0, 1). A VAE trained for minutes on hundreds of sounds leaves most of that prior empty,
    so ngs adds this map and fits it after training. Its mean is that of the class of the first attribute, plus a linear
    effect of the other attributes. Its covariance lies between that of the class and that of all sounds. Row 0 stands
    for an open class.
    """

    mean: Tensor
    effect: Tensor
    factor: Tensor
    inverse: Tensor

    def __init__(self, first_classes: int, condition_size: int, size: int) -> None:
        super().__init__()
        self.first_classes = first_classes
        self.register_buffer("mean", torch.zeros(first_classes + 1, size))
        self.register_buffer("effect", torch.zeros(condition_size - first_classes, size))
        self.register_buffer("factor", torch.eye(size).repeat(first_classes + 1, 1, 1))
        self.register_buffer("inverse", torch.eye(size).repeat(first_classes + 1, 1, 1))

    def _rows(self, condition: Tensor) -> Tensor:
        first = condition[:, : self.first_classes]
        return torch.cat((1 - first.sum(1, keepdim=True), first), 1)

    def _matrix(self, matrices: Tensor, condition: Tensor) -> Tensor:
        size = matrices.shape[1]
        return (self._rows(condition) @ matrices.reshape(-1, size * size)).reshape(-1, size, size)

    def _mean(self, condition: Tensor) -> Tensor:
        mean = self._rows(condition) @ self.mean
        if len(self.effect):
            mean = mean + condition[:, self.first_classes :] @ self.effect
        return mean

    def from_normal(self, normal: Tensor, condition: Tensor) -> Tensor:
        """Draws from N(0, 1) [B, E] -> embeddings [B, E] under conditions [B, C]."""
        moved = (self._matrix(self.factor, condition) @ normal[:, :, None])[:, :, 0]
        return self._mean(condition) + moved

    def to_normal(self, mean: Tensor, log_variance: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance [B, E] of embeddings -> those of what `from_normal` takes, covariances left out."""
        inverse = self._matrix(self.inverse, condition)
        centered = (inverse @ (mean - self._mean(condition))[:, :, None])[:, :, 0]
        variance = (inverse.square() @ log_variance.exp()[:, :, None])[:, :, 0]
        return centered, torch.log(variance + 1e-9)

    @torch.no_grad()
    def fit(self, embeddings: Tensor, condition: Tensor, steadiness: float = 1.0) -> None:
        """Fit to the embedding means [N, E] of sounds under conditions [N, C].

        A class of `steadiness` sounds gets a covariance halfway between its own and that of all sounds.
        """
        rows = self._rows(condition)[:, 1:]
        overall = embeddings.mean(0)
        counts = rows.sum(0)
        means = (rows.T @ embeddings + overall) / (counts + 1)[:, None]
        center = torch.where(rows.sum(1, keepdim=True) > 0, rows @ means, overall)
        others = condition[:, self.first_classes :]
        if others.shape[1]:
            ridge = others.T @ others + 2.0 * torch.eye(others.shape[1])
            self.effect.copy_(torch.linalg.solve(ridge, others.T @ (embeddings - center)))
            center = center + others @ self.effect
        residual = embeddings - center
        common = _covariance(residual)
        self.mean.copy_(torch.cat((overall[None], means)))
        for row in range(self.first_classes + 1):
            if row == 0:
                covariance = _covariance(embeddings - overall)
            else:
                own = residual[rows[:, row - 1] > 0]
                weight = len(own) / (len(own) + steadiness)
                covariance = weight * _covariance(own) + (1 - weight) * common
            covariance = covariance + RIDGE * covariance.diagonal().mean() * torch.eye(len(covariance))
            self.factor[row] = torch.linalg.cholesky(covariance)
            self.inverse[row] = torch.linalg.inv(self.factor[row])


def _covariance(residual: Tensor) -> Tensor:
    return residual.T @ residual / max(len(residual), 1) + 1e-6 * torch.eye(residual.shape[1])
