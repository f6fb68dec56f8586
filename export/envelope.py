"""The envelopes of the corpus, and what a drawn sound lacks to have such a one. Not in the paper.

Paths of drawn embeddings swell and sag where real notes have a plateau. So the loudness of their grains over time is
brought to that of the real sounds of their class that are like it: these are mixed, the nearer, the more they count.
Timbre, and how loud the whole sound is, stay as they were.

Shapes: B sounds of T grains, M sounds of the corpus in n classes; C condition size.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ngs.export.encoding import EncodedExcerpts
from ngs.export.loudness import FAINTEST, PATHS_AT_ONCE, grain_energies, some
from ngs.runtime.bundle.levels import MOST_GAIN_DB
from ngs.training.model.model import NeuralGranularModel

OF_A_CLASS, MOST_LIKENESSES = 128, 1 << 20  # sounds of a class, and classes times sounds, at most
DB = 10 / math.log(10)  # of a neper of energy
RANGE_DB = 60.0  # below the loudest grain of a sound; softer grains count as silence
NEAR_DB = 1.5  # root mean square difference of envelopes, over all grains, at which one counts 0.6
STRANGE = -1e5  # likeness of sounds of other classes; they are mixed only if a class has none


class Envelopes(nn.Module):
    """The envelopes of real sounds, and how those of drawn ones are brought to them."""

    known: Tensor  # [M, T] in dB, 0 at the loudest grain
    strange: Tensor  # [n + 1, M], 0 for the sounds of each class of the first attribute, and of no class

    @torch.no_grad()
    def __init__(self, model: NeuralGranularModel, excerpts: EncodedExcerpts) -> None:
        super().__init__()
        classes, labels = model.sizes[0], excerpts.labels[:, 0]
        rows = _rows(labels, classes)
        parts = (torch.split(each[rows], PATHS_AT_ONCE) for each in (excerpts.paths, excerpts.condition))
        energy = torch.cat([grain_energies(model, *part) for part in zip(*parts, strict=True)])
        own = labels[rows] == torch.arange(classes)[:, None]
        self.register_buffer("known", _decibels(energy).half().float())
        self.register_buffer("strange", STRANGE * nn.functional.pad(~own, (0, 0, 0, 1)).float())

    def forward(self, energy: Tensor, condition: Tensor, windows: Tensor) -> Tensor:
        """The gains [B, T] in dB that sounds whose grains have K-weighted energies [B, T] lack, at most 48 dB.

        windows: `loudness_windows` [T, W]. The energy of the loudest one stays what it was. Between classes, the
        envelopes that each would give are mixed.
        """
        own = _decibels(energy)
        squares = own.square().sum(1, keepdim=True) - 2 * own @ self.known.T + self.known.square().sum(1)
        likeness = squares / (-2 * NEAR_DB**2 * self.known.shape[1])
        found = torch.softmax(likeness[:, None] + self.strange, 2) @ self.known  # of each class, and of none
        weights = torch.relu(condition[:, : len(self.strange) - 1])
        total = weights.sum(1, keepdim=True)
        weights = torch.cat((weights / total.clamp_min(1.0), torch.relu(1 - total)), 1)
        gains = (weights[:, None] @ found)[:, 0] - own
        gains = torch.where(own > -RANGE_DB, gains, gains.clamp_max(0.0))  # silence is not raised
        gains = gains.clamp(-MOST_GAIN_DB, MOST_GAIN_DB)
        louder = energy * torch.exp(gains / DB)
        before, after = ((each @ windows).amax(1, keepdim=True).clamp_min(FAINTEST) for each in (energy, louder))
        result: Tensor = gains - DB * torch.log(after / before)
        return result


def _decibels(energy: Tensor) -> Tensor:
    """Energies [B, T] in dB, 0 at the loudest of a row."""
    levels = torch.log(energy.clamp_min(FAINTEST)) * DB
    result: Tensor = (levels - levels.amax(1, keepdim=True)).clamp_min(-RANGE_DB)
    return result


def _rows(labels: Tensor, classes: int) -> Tensor:
    """The numbers of the excerpts that are kept: as many of each class, evenly spread."""
    groups = [torch.nonzero(labels == label)[:, 0] for label in torch.unique(labels)]
    most = max(min(OF_A_CLASS, MOST_LIKENESSES // (classes + 1) // len(groups)), 1)
    return torch.cat([group if len(group) <= most else some(group, most) for group in groups])
