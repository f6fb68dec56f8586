"""How loud a model's sounds are: what each class has in the corpus and as drawn, and how an embedding tells it.

The loudness of an embedding follows from the magnitudes on its path: their K-weighted energy, summed over the loudest
400 ms. Two things are fitted to sounds that are decoded and measured: what an energy is in dB, in each class, and how
much more of its own the first grain keeps, whose first half has no window. What is left is chance, that of the noise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ngs.export.encoding import EncodedExcerpts, draw_embeddings
from ngs.runtime.bundle.specs import LOUDNESS_PERCENTILES, LoudnessRange
from ngs.runtime.dsp.grains import OVERLAP
from ngs.runtime.dsp.loudness import WINDOW_SECONDS, k_weighting, loudness
from ngs.training.model.model import NeuralGranularModel

DECODED, DRAWN = 24, 192  # sounds of each class that are decoded, half of them real, and that are only drawn
QUIET = 0.01  # level at which sounds are measured: the limiter leaves it alone
FAINTEST = 1e-12  # energy
LEAST_STEP = 0.1  # dB, from one percentile of drawn sounds to the next: a law of loudness has no jumps
PATHS_AT_ONCE = 16
ONSETS = np.linspace(0.5, 4.0, 36)  # energies of the first grain that are tried


@dataclass(frozen=True)
class LoudnessFit:
    """What the energies of grains are worth."""

    onset: float  # factor of the first grain's energy
    offsets: Tensor  # [n + 1] in dB, of each class of the first attribute and of no class

    def loudness(self, energy: Tensor, window: int, condition: Tensor) -> Tensor:
        """The loudness [N, 1] in dB of sounds whose grains have energies [N, T]: that of the loudest window."""
        loudest = (energy @ loudness_windows(energy.shape[1], window, self.onset)).amax(1, keepdim=True)
        return 10 * torch.log10(loudest.clamp_min(FAINTEST)) + self.offset(condition)

    def offset(self, condition: Tensor) -> Tensor:
        """The offsets [N, 1] under conditions [N, C]."""
        own, no_class = self.offsets[:-1], self.offsets[-1:]
        return no_class + condition[:, : len(own)] @ (own - no_class)[:, None]


def window_grains(model: NeuralGranularModel) -> int:
    """How many grains lie within the 400 ms of a loudness."""
    audio = model.config.audio
    within = round(WINDOW_SECONDS * audio.sample_rate / audio.hop_length) - (OVERLAP - 1)
    return min(max(within, 1), audio.path_length)


def loudness_windows(length: int, window: int, onset: float) -> Tensor:
    """Which of T grains lie in each of W windows, as a matrix [T, W]; the first grain counts as `onset` tells."""
    ahead = torch.arange(length)[:, None] - torch.arange(length - window + 1)  # of a grain in a window
    windows = ((ahead >= 0) & (ahead < window)).float()
    windows[0] *= onset
    return windows


def bin_weights(model: NeuralGranularModel) -> Tensor:
    """What the squared magnitude of each bin [K] counts for the ear."""
    bins = np.arange(model.decoder.bins) * model.config.audio.sample_rate / model.config.audio.grain_length
    return torch.from_numpy(k_weighting(bins).astype(np.float32))


@torch.no_grad()
def predicted_loudness(model: NeuralGranularModel, fit: LoudnessFit, embedding: Tensor, condition: Tensor) -> Tensor:
    """The loudness [N, 1] in dB of embeddings [N, E], as `embedding_decoder` takes them, under conditions [N, C]."""
    length, energies = model.config.audio.path_length, []
    for part, given in zip(torch.split(embedding, PATHS_AT_ONCE), torch.split(condition, PATHS_AT_ONCE), strict=True):
        energies.append(grain_energies(model, model.embedding.decode(part, given, length), given))
    return fit.loudness(torch.cat(energies), window_grains(model), condition)


@torch.no_grad()
def fit_loudness(
    model: NeuralGranularModel, excerpts: EncodedExcerpts, say: Callable[[str], None] = lambda line: None
) -> LoudnessFit:
    """Fit to sounds of every class, half of them drawn and half real, which are decoded and measured."""
    torch.manual_seed(0)
    rows = torch.cat([some(group, DECODED) for group in _groups(model, excerpts)])
    condition, real = excerpts.condition[rows], excerpts.embedding_mean[rows]
    condition = torch.cat((condition[:-DECODED], torch.zeros_like(condition[-DECODED:])))
    drawn = draw_embeddings(model, condition)
    embedding = torch.where(torch.arange(len(rows))[:, None] % 2 == 0, drawn, real)
    energies, measured = [], []
    for part in torch.split(torch.arange(len(rows)), PATHS_AT_ONCE):
        path = model.embedding.decode(embedding[part], condition[part], model.config.audio.path_length)
        energies.append(grain_energies(model, path, condition[part]))
        sounds = model.decode(path, condition[part], QUIET) / QUIET
        measured += [loudness(sound, model.config.audio.sample_rate) for sound in sounds.numpy()]
    energy, found = torch.cat(energies), torch.tensor(measured, dtype=torch.float32)[:, None]
    window, fits = window_grains(model), []
    for onset in ONSETS:
        zeros = torch.zeros(model.sizes[0] + 1)
        wrong = (found - LoudnessFit(float(onset), zeros).loudness(energy, window, condition)).reshape(-1, DECODED)
        offsets = wrong.median(1).values  # the groups are the classes, and no class
        fits.append((float((wrong - offsets[:, None]).abs().mean()), LoudnessFit(float(onset), offsets)))
    error, best = min(fits, key=lambda each: each[0])
    say(f"Loudness of {len(rows)} sounds is predicted with a mean error of {error:.1f} dB")
    return best


@torch.no_grad()
def class_loudness(
    model: NeuralGranularModel, fit: LoudnessFit, excerpts: EncodedExcerpts
) -> tuple[LoudnessRange, ...]:  # fmt: skip
    """How loud each class of the first attribute is in the corpus, and as drawn; last, sounds without a class."""
    torch.manual_seed(0)
    real = np.array([loudness(signal, model.config.audio.sample_rate) for signal in excerpts.audio.numpy()])
    ranges = []
    for number, group in enumerate(_groups(model, excerpts)):
        condition = excerpts.condition[some(group, DRAWN)]
        if number == model.sizes[0]:
            condition = torch.zeros_like(condition)
        embedding = draw_embeddings(model, condition)
        drawn = predicted_loudness(model, fit, embedding, condition)[:, 0].numpy()
        ranges.append(LoudnessRange(_percentiles(real[group.numpy()]), _percentiles(drawn, LEAST_STEP)))
    return tuple(ranges)


def _percentiles(loudness: NDArray[np.floating], step: float = 0.0) -> tuple[float, ...]:
    """Percentiles of loudnesses [N] in dB, each at least `step` above the one before."""
    steps = step * np.arange(len(LOUDNESS_PERCENTILES))
    rising = np.maximum.accumulate(np.percentile(loudness, LOUDNESS_PERCENTILES) - steps) + steps
    return tuple(round(float(value), 2) for value in rising)


def grain_energies(model: NeuralGranularModel, path: Tensor, condition: Tensor) -> Tensor:
    """K-weighted energies [N, T] of the grains on paths [N, T, Z]."""
    return model.decoder.magnitudes(model.coefficients(path, condition)).square() @ bin_weights(model)


def _groups(model: NeuralGranularModel, excerpts: EncodedExcerpts) -> list[Tensor]:
    """The numbers of the excerpts of each class of the first attribute; last, and for a class without any, of all."""
    every = torch.arange(len(excerpts))
    groups = [every[excerpts.labels[:, 0] == label] for label in range(model.sizes[0])]
    return [group if len(group) else every for group in (*groups, every)]


def some(group: Tensor, count: int) -> Tensor:
    """`count` members of a group, evenly spread, more than once if there are fewer."""
    return group[torch.linspace(0, len(group) - 1, count).round().long()]
