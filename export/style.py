"""Style: how a grain of another sound is brought to the grains of the corpus. Not in the paper.

A grain asks for the grains of the corpus that are most like it: in timbre, in pitch and in how its energy moves. Their
latents, mixed by how near they are, take its place, and the mix is made as loud as the grain was. So another sound is
played by the sounds of the corpus, and follows its own loudness, time and, where the corpus has it, pitch. A condition
narrows the choice to the grains that have its classes.

What is compared comes from decoded magnitudes, so that the corpus and any other sound are heard alike. Pitch is the
autocorrelation of a grain, the inverse DFT of its magnitudes: it tells harmonic sounds apart within cents, whatever
their timbre.

Shapes: B grains, M of the corpus; Z latent size, C condition size, K bins, D numbers that are compared, A attributes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ngs.export.encoding import EncodedExcerpts, audible
from ngs.export.loudness import bin_weights
from ngs.runtime.bundle.pitches import pitch_attribute
from ngs.runtime.bundle.specs import Attribute
from ngs.runtime.dsp.timbre import MELS, mel_filters
from ngs.training.model.band_levels import SCALE, energies
from ngs.training.model.decoders import EVERY, GrainDecoder
from ngs.training.model.energy_profile import PROFILE_SCALE
from ngs.training.model.model import NeuralGranularModel, one_hot

MOST_GRAINS = 2048  # M
TIMBRE, MOTION = 0.125, 0.1  # what a neper of a band weighs, and a coefficient of the energy profile
PITCH, SOME_PITCH = 1.0, 0.3  # what an autocorrelation weighs where classes are pitches, and elsewhere
FAINT_BAND = 0.01  # of the loudest band of a grain; fainter bands count as equal
LOWEST_HZ, HIGHEST_HZ = 60.0, 1200.0  # pitches that are told apart
LAGS = 48  # principal components that are kept of the autocorrelation
ALIKE = 0.1  # distance that counts as none: nearer, rounding would decide
NEAR = 0.05  # distance at which a grain counts 1/e
TYPICAL = 8.0  # how much less grains among those of other classes count, where a class is asked for
NEIGHBOURS = 20  # that tell whether a grain is typical of its class
STRANGE = 1000.0  # what a class that is not the one asked for counts: such grains are mixed only if there are no others
FAINTEST = 1e-6  # energy of a grain that is no silence (the exporter takes 1e-8 for nothing)
LOUDEST = 100.0  # levels are raised by at most 40 dB


class Decoder(Protocol):
    """What is asked of a GrainDecoder, or of a module that computes the same."""

    def coefficients(self, latent: Tensor, condition: Tensor, rows: slice = EVERY) -> Tensor: ...


class Style(nn.Module):
    """The grains of the corpus, and how any grain is brought to them."""

    latents: Tensor
    center: Tensor
    keys: Tensor
    typical: Tensor
    columns: Tensor
    mel: Tensor
    lags: Tensor
    weights: Tensor
    band_weights: Tensor

    def __init__(self, model: NeuralGranularModel, excerpts: EncodedExcerpts, attributes: Sequence[Attribute]) -> None:
        super().__init__()
        rate, self.decoder = model.config.audio.sample_rate, model.decoder
        latents, labels = _grains(model, excerpts)
        mel = torch.from_numpy(mel_filters(self.decoder.grain_length, rate).copy())
        self.register_buffer("mel", mel[mel.any(1)].T.half().float())
        self.register_buffer("weights", bin_weights(model)[:, None])
        with torch.no_grad():
            coefficients = self.decoder.coefficients(latents, one_hot(labels, model.sizes))
            magnitude = self.decoder.magnitudes(coefficients)
            weight = SOME_PITCH if pitch_attribute(attributes) is None else PITCH
            lags = weight * _cosines(self.decoder, rate)
            known = self.decoder.bands.T @ self.weights  # bins of each band, as the ear weighs them
            self.register_buffer("band_weights", known / self.decoder.bands.sum(0)[:, None].clamp_min(1))
            self.register_buffer("lags", _principal(lags, _shares(magnitude)).half().float())
            keys = self._keys(coefficients, magnitude)
        center = keys.mean(0)
        self.register_buffer("latents", latents)
        self.register_buffer("center", center)
        self.register_buffer("keys", (keys - center).half().float())
        self.register_buffer("typical", TYPICAL * _typical(keys[:, : self.mel.shape[1]], labels[:, 0]))
        firsts = torch.tensor([0, *model.sizes[:-1]]).cumsum(0)
        # of a condition with a zero behind it, which is for classes that are not known
        self.register_buffer("columns", torch.where(labels >= 0, firsts + labels, sum(model.sizes)).T.contiguous())

    def forward(self, latent: Tensor, condition: Tensor, amount: Tensor, decoder: Decoder) -> tuple[Tensor, ...]:
        """Latents [B, Z] under conditions [B, C], moved by amounts [B, 1] from 0, as they are, to 1, the corpus.

        Returns the latents, and what makes them sound as loud as they were: levels [B, 1] and, if grains have energy
        profiles, what is added to these [B, S], so that energy moves within grains as it did.
        """
        coefficients = decoder.coefficients(latent, condition)
        magnitude = self.decoder.magnitudes(coefficients)
        mixed = self._mix(self._keys(coefficients, magnitude) - self.center, condition)
        moved = latent + amount * (mixed - latent)
        profile, levels = self.decoder.profile_rows, self.decoder.level_rows  # side by side
        rows = slice(profile.start, levels.stop) if self.decoder.levels else EVERY
        before, after = coefficients[:, rows], decoder.coefficients(moved, condition, rows)
        wanted, found = (self._energy(each) for each in (before, after))
        level = torch.sqrt(wanted / found.clamp_min(FAINTEST)).clamp_max(LOUDEST)  # silence stays silent
        if not self.decoder.points:
            return moved, level
        place = slice(0, self.decoder.points) if self.decoder.levels else profile
        return moved, level, (before - after)[:, place] / PROFILE_SCALE

    def _energy(self, broad: Tensor) -> Tensor:
        """The energies [B, 1], as the ear weighs them; 0 for silence.

        Of profiles and levels [B, S + Q], or if a decoder has no levels, of all coefficients [B, F].
        """
        if not self.decoder.levels:
            return self.decoder.magnitudes(broad).square() @ self.weights
        return energies(broad[:, self.decoder.points :] / SCALE) @ self.band_weights

    def _keys(self, coefficients: Tensor, magnitude: Tensor) -> Tensor:
        """What is compared [B, D] of grains with coefficients [B, F] and magnitudes [B, K]."""
        bands = torch.sqrt(magnitude.square() @ self.mel)
        logarithm = torch.log(bands + FAINT_BAND * bands.amax(1, keepdim=True) + FAINTEST)
        timbre = (TIMBRE * math.sqrt(MELS / bands.shape[1])) * (logarithm - logarithm.mean(1, keepdim=True))
        parts = [timbre, _shares(magnitude) @ self.lags]
        if self.decoder.points:
            parts.append(MOTION * coefficients[:, self.decoder.profile_rows])
        return torch.cat(parts, 1)

    def _mix(self, key: Tensor, condition: Tensor) -> Tensor:
        """The latents [B, Z] of the grains that are like keys [B, D], centred, under conditions [B, C]."""
        squares = key.square().sum(1, keepdim=True) - 2 * key @ self.keys.T + self.keys.square().sum(1)
        distance = torch.sqrt(torch.relu(squares) + ALIKE**2) / NEAR
        padded = nn.functional.pad(condition, (0, 1))
        own = [padded[:, columns] for columns in self.columns.unbind()]  # whether the class of a grain is asked for
        strange = condition.sum(1, keepdim=True) - torch.stack(own).sum(0)
        mixed: Tensor = torch.softmax(own[0] * self.typical - distance - STRANGE * strange, 1) @ self.latents
        return mixed


def _shares(magnitude: Tensor) -> Tensor:
    size = magnitude.abs()
    return size / size.sum(1, keepdim=True).clamp_min(FAINTEST)


@torch.no_grad()
def _grains(model: NeuralGranularModel, excerpts: EncodedExcerpts) -> tuple[Tensor, Tensor]:
    """Latents [M, Z] of grains that can be heard, and their labels [M, A].

    As many of each class, as far as it has them. First grains are left out: they are under another window.
    """
    hop = model.config.audio.hop_length
    heard = audible(excerpts.audio.unfold(1, hop, hop).abs().amax(-1))
    heard[:, 0] &= not heard[:, 1:].any()
    latents, labels = excerpts.paths[heard], excerpts.labels[torch.nonzero(heard)[:, 0]].long()
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(labels), generator=generator)
    own = labels[order, 0]
    rank = torch.empty_like(own)  # of a grain in its class
    for label in set(own.tolist()):
        mine = torch.nonzero(own == label)[:, 0]
        rank[mine] = torch.arange(len(mine))
    chosen = order[rank.argsort(stable=True)[:MOST_GRAINS]]
    return latents[chosen].half().float(), labels[chosen]


def _cosines(decoder: GrainDecoder, sample_rate: int) -> Tensor:
    """The map from magnitudes [K] to the autocorrelation at the lags of pitches, [K, lags]."""
    first, last = round(sample_rate / HIGHEST_HZ), min(round(sample_rate / LOWEST_HZ), decoder.grain_length // 2)
    lags = np.arange(min(first, last), last + 1)
    angles = 2 * np.pi / decoder.grain_length * np.outer(np.arange(decoder.bins), lags)
    return torch.from_numpy(np.cos(angles).astype(np.float32))


def _principal(lags: Tensor, shares: Tensor) -> Tensor:
    """`lags` [K, n], or their LAGS directions in which shares [M, K] differ most."""
    if lags.shape[1] <= LAGS:
        return lags
    heard = shares @ lags
    _, _, axes = torch.linalg.svd(heard - heard.mean(0), full_matrices=False)
    directions: Tensor = lags @ axes[:LAGS].T
    return directions


def _typical(timbres: Tensor, labels: Tensor) -> Tensor:
    """The logarithm [M] of the share of the neighbours of each grain that have its class."""
    count = min(NEIGHBOURS, len(labels) - 1)
    if count < 1:
        return torch.zeros(len(labels))
    neighbours = torch.cdist(timbres, timbres).topk(count + 1, largest=False).indices[:, 1:]
    return torch.log((labels[neighbours] == labels[:, None]).float().mean(1) + 1 / count)
