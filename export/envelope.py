"""The envelopes of the corpus, and what a drawn sound lacks to have such a one. Not in the paper.

Paths of drawn embeddings swell and sag where real notes have a plateau. So the loudness of their grains over time is
brought to that of the real sounds of their class that are like it: these are mixed, the nearer, the more they count.
Timbre, and how loud the whole sound is, stay as they were.

Shapes: B sounds of T grains, M sounds of the corpus; C condition size.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ngs.export.encoding import EncodedExcerpts
from ngs.export.loudness import FAINTEST, PATHS_AT_ONCE, grain_energies, some
from ngs.runtime.bundle.levels import MOST_GAIN_DB
from ngs.training.model.model import NeuralGranularModel

OF_A_CLASS, MOST_SOUNDS = 128, 4096  # M at most
DB = 10 / math.log(10)  # of a neper of energy
RANGE_DB = 60.0  # below the loudest grain of a sound; softer grains count as silence
NEAR_DB = 1.5  # root mean square difference of envelopes, over all grains, at which one counts 0.6
STRANGE = 1000.0  # what a class that is not the one asked for counts: its sounds are mixed only if there are no others


class Envelopes(nn.Module):
    """The envelopes of real sounds, and how those of drawn ones are brought to them."""

    known: Tensor  # [M, T] in dB, 0 at the loudest grain
    member: Tensor  # [C, M], of each class of the first attribute; 0 for the others
    first: Tensor  # [C, 1], 1 for the classes of the first attribute

    @torch.no_grad()
    def __init__(self, model: NeuralGranularModel, excerpts: EncodedExcerpts) -> None:
        super().__init__()
        rows = _rows(excerpts.labels[:, 0])
        parts = (torch.split(each[rows], PATHS_AT_ONCE) for each in (excerpts.paths, excerpts.condition))
        energy = torch.cat([grain_energies(model, *part) for part in zip(*parts, strict=True)])
        classes = (torch.arange(excerpts.condition.shape[1]) < model.sizes[0]).float()[:, None]
        self.register_buffer("known", _decibels(energy).half().float())
        self.register_buffer("member", excerpts.condition[rows].T * classes)
        self.register_buffer("first", classes)

    def forward(self, energy: Tensor, condition: Tensor, windows: Tensor) -> Tensor:
        """The gains [B, T] in dB that sounds whose grains have K-weighted energies [B, T] lack, at most 24 dB.

        windows: `loudness_windows` [T, W]. The energy of the loudest one stays what it was.
        """
        own = _decibels(energy)
        squares = own.square().sum(1, keepdim=True) - 2 * own @ self.known.T + self.known.square().sum(1)
        strange = condition @ self.first - condition @ self.member
        likeness = squares / (-2 * NEAR_DB**2 * self.known.shape[1]) - STRANGE * strange
        gains = torch.softmax(likeness, 1) @ self.known - own
        gains = torch.where(own > -RANGE_DB, gains, gains.clamp_max(0.0))  # silence is not raised
        gains = gains.clamp(-MOST_GAIN_DB, MOST_GAIN_DB)
        louder = energy * torch.exp(gains / DB)
        before, after = ((each @ windows).amax(1, keepdim=True).clamp_min(FAINTEST) for each in (energy, louder))
        change = torch.log(after / before) * DB
        result: Tensor = (gains - change).clamp(-MOST_GAIN_DB, MOST_GAIN_DB)
        return result


def _decibels(energy: Tensor) -> Tensor:
    """Energies [B, T] in dB, 0 at the loudest of a row."""
    levels = torch.log(energy.clamp_min(FAINTEST)) * DB
    result: Tensor = (levels - levels.amax(1, keepdim=True)).clamp_min(-RANGE_DB)
    return result


def _rows(labels: Tensor) -> Tensor:
    """The numbers of the excerpts that are kept: as many of each class, evenly spread."""
    groups = [torch.nonzero(labels == label)[:, 0] for label in torch.unique(labels)]
    most = max(min(OF_A_CLASS, MOST_SOUNDS // len(groups)), 1)
    return torch.cat([group if len(group) <= most else some(group, most) for group in groups])[:MOST_SOUNDS]
