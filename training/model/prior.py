"""The prior of embeddings: a flow that takes N(0, 1) to the embeddings that sounds under a condition really have.

In the paper, the prior is N(0, 1). A VAE trained for minutes on hundreds of sounds leaves most of that empty. So ngs
adds a conditional flow (flow matching: Lipman et al., 2023, arXiv 2210.02747; straight paths: Liu et al., 2022, arXiv
2209.03003), learned once the levels below are. An embedding is an affine function of its condition, and a remainder
that the flow draws. A draw follows the flow's velocity from t = 0 to t = 1, in a few unrolled midpoint steps, and so is
a plain graph; followed backwards, it tells which draw an embedding would come from.

A flow that has seen few sounds of a class lets draws stray into others. So it moves further away from where it would go
under no condition (classifier-free guidance: Ho and Salimans, 2022, arXiv 2207.12598).

Shapes: B sounds, C condition size, E embedding size, H hidden size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ngs.runtime.bundle.pitches import pitches_of
from ngs.runtime.bundle.specs import Attribute

STEPS = 4  # of the midpoint rule; twice as many draw nothing that is named right more often
GUIDANCE = 0.5  # how much further a draw moves from that of no condition, as a share of what the condition changes
WAVES = 8  # sines and cosines that tell the network the time
BLOCKS = 3
CLEAREST = 1e-3  # of the mean spread: the least that a dimension of the remainder is taken to have
RIDGE = 5.0  # sounds of the mean sound that each class is counted with when the affine part is fitted
KINSHIP = 1.0  # semitones: how far apart pitches share what is known of them, when the affine part is fitted


class EmbeddingPrior(nn.Module):
    """Draws from N(0, 1) to embeddings and back, under any condition, with some or all attributes open.

    `facts` turns a condition into what the flow is told: classes as they are, but pitches, recognised by their names,
    as points on a circle of twelve semitones and a height. So pitches that no sound has are near those that sounds
    have, and a mixture of two is a pitch between them.
    """

    facts: Tensor
    kinship: Tensor
    center: Tensor
    effect: Tensor
    scale: Tensor

    def __init__(self, condition_size: int, embedding_size: int, hidden_size: int) -> None:
        super().__init__()
        self.register_buffer("facts", torch.eye(condition_size))
        self.register_buffer("kinship", torch.eye(condition_size))
        self.register_buffer("center", torch.zeros(embedding_size))
        self.register_buffer("effect", torch.zeros(condition_size, embedding_size))
        self.register_buffer("scale", torch.ones(embedding_size))
        self.input = nn.Linear(embedding_size + condition_size + 2 * WAVES, hidden_size)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(hidden_size), nn.Linear(hidden_size, hidden_size), nn.SiLU(),
                nn.Linear(hidden_size, hidden_size),
            )
            for _ in range(BLOCKS)
        )  # fmt: skip
        self.output = nn.Linear(hidden_size, embedding_size)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    @torch.no_grad()
    def know(self, attributes: Sequence[Attribute]) -> None:
        """Learn which classes of the attributes are pitches."""
        start = 0
        for attribute in attributes:
            stop = start + len(attribute.classes)
            pitches = pitches_of(attribute)
            if pitches is not None and len(pitches) > 3:
                heights = torch.tensor(pitches)
                angles = heights * (2 * math.pi / 12)
                self.facts[start:stop, start:stop] = 0.0
                rows = torch.stack((angles.sin(), angles.cos(), (heights - 60) / 12, torch.ones(len(heights))), 1)
                self.facts[start:stop, start : start + 4] = rows
                near = torch.exp(-0.5 * ((heights[:, None] - heights) / KINSHIP).square())
                self.kinship[start:stop, start:stop] = near / near.sum(1, keepdim=True)
            start = stop

    @torch.no_grad()
    def fit(self, mean: Tensor, variance: Tensor, condition: Tensor, weight: Tensor) -> None:
        """Fit the affine part to embeddings [N, E] of sounds under conditions [N, C], each with a weight [N].

        The mean of an embedding is fitted by ridge regression; what the variances [N, E] of the posteriors and the
        distances from that mean spread over is the scale.
        """
        share = (weight / weight.sum())[:, None]
        known = condition @ self.kinship
        self.center.copy_((share * mean).sum(0))
        square = len(mean) * known.T @ (share * known) + RIDGE * torch.eye(known.shape[1], device=known.device)
        effect = torch.linalg.solve(square, len(mean) * known.T @ (share * (mean - self.center)))
        self.effect.copy_(self.kinship @ effect)
        remainder = mean - self.center - condition @ self.effect
        scale = (share * (remainder.square() + variance)).sum(0).sqrt()
        self.scale.copy_(scale.clamp_min(CLEAREST * float(scale.mean()) + 1e-6))

    def remainder(self, embedding: Tensor, condition: Tensor) -> Tensor:
        """Embeddings [B, E] without what their conditions [B, C] tell, in units of its spread: [B, E]."""
        return (embedding - self._mean(condition)) / self.scale

    def velocity(self, place: Tensor, time: Tensor, condition: Tensor) -> Tensor:
        """Where a remainder at `place` [..., E] on its way moves at `time`, [..., 1] from 0 to 1: [..., E].

        For a remainder of N(0, 1) the best velocity is known, and linear; the network adds what it really takes.
        """
        spread = time.square() + (1 - time).square()
        wave = math.pi * time * torch.exp(0.5 * torch.arange(WAVES, device=time.device))
        told = torch.cat((place / spread.sqrt(), condition @ self.facts, wave.sin(), wave.cos()), -1)
        hidden = self.input(told)
        for block in self.blocks:
            hidden = hidden + block(hidden)
        moved: Tensor = (2 * time - 1) / spread * place + self.output(hidden) / spread.sqrt()
        return moved

    def from_normal(self, normal: Tensor, condition: Tensor) -> Tensor:
        """Draws from N(0, 1) [B, E] -> embeddings [B, E] under conditions [B, C]."""
        return self._follow(normal, condition, 1) * self.scale + self._mean(condition)

    def to_normal(self, embedding: Tensor, condition: Tensor) -> Tensor:
        """Embeddings [B, E] under conditions [B, C] -> the draws [B, E] that `from_normal` takes (nearly) to them."""
        return self._follow(self.remainder(embedding, condition), condition, -1)

    def _follow(self, place: Tensor, condition: Tensor, direction: int) -> Tensor:
        """The flow from `place` [B, E] at one end of time to the other: forwards (1) or backwards (-1)."""
        half = 0.5 * direction / STEPS
        start = 0.0 if direction > 0 else 1.0
        conditions = torch.stack((condition, torch.zeros_like(condition)))
        apart = condition @ self.effect / self.scale
        for step in range(STEPS):
            time = torch.full_like(place[:, :1], start + 2 * half * step)
            middle = place + half * self._guided(place, time, conditions, apart)
            place = place + 2 * half * self._guided(middle, time + half, conditions, apart)
        return place

    def _guided(self, place: Tensor, time: Tensor, conditions: Tensor, apart: Tensor) -> Tensor:
        """The velocity [B, E] under a condition, moved away from that under none; `conditions` [2, B, C] are both.

        `apart` [B, E]: how far the mean of the one lies from that of the other, in units of the remainder.
        """
        own, other = self.velocity(torch.stack((place, place + time * apart)), time.expand(2, -1, -1), conditions)
        moved: Tensor = own + GUIDANCE * (own - (other - apart))
        return moved

    def _mean(self, condition: Tensor) -> Tensor:
        return self.center + condition @ self.effect
