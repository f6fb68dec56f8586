"""How much information the latents of both levels hold: nats, and dimensions in use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ngs.evaluation.quality.distances import fitted
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.dsp.grains import analysis_grains
from ngs.runtime.offline.render import encode, posterior

AUDIBLE_SHARE = 10 ** (-60 / 20)  # of a sound's peak; windowed grains whose peak is below it are left out
ACTIVE_VARIANCE = 0.01  # of a dimension's mean; a dimension that varies more is in use


@dataclass(frozen=True)
class LatentUse:
    kl_nats: float  # KL(q || N(0, 1)), summed over dimensions, mean over grains or sounds
    active: int  # dimensions whose mean varies by more than ACTIVE_VARIANCE
    size: int  # dimensions
    count: int  # grains or sounds that were measured


class LatentStatistics:
    """Running statistics of Gaussians N(mean, exp(log_variance)), which hold no latents.

    Embeddings of bundles of format 3 lie behind the map that fits their prior to each class. It mixes dimensions and
    scales them to variance 1, so all of them count as active, and their KL is not the rate of the VAE that was trained.
    """

    def __init__(self, size: int) -> None:
        self.count, self.kl = 0, 0.0
        self.sums, self.squares = np.zeros(size), np.zeros(size)

    def add(self, mean: Array, log_variance: Array) -> None:
        """Add means and log variances [N, size]."""
        mean, log_variance = mean.astype(np.float64), log_variance.astype(np.float64)
        self.kl += 0.5 * float(np.sum(mean**2 + np.exp(log_variance) - 1 - log_variance))
        self.sums += mean.sum(0)
        self.squares += (mean**2).sum(0)
        self.count += len(mean)

    def result(self) -> LatentUse:
        """The statistics of everything that was added."""
        count = max(self.count, 1)
        variances = np.maximum(self.squares / count - (self.sums / count) ** 2, 0)
        active = int((variances > ACTIVE_VARIANCE).sum())
        return LatentUse(self.kl / count, active, len(self.sums), self.count)


def grain_posterior(bundle: Bundle, signal: Array) -> tuple[Array, Array]:
    """Mean and log variance [G, Z] of the audible grains of a signal [n] at the bundle's rate."""
    grains = analysis_grains(signal, bundle.manifest.grain_length)
    loudest = float(np.abs(signal).max(initial=0.0))
    audible = np.flatnonzero(np.abs(grains).max(1, initial=0.0) > AUDIBLE_SHARE * loudest)
    return posterior(bundle, grains[audible], audible == 0)


def embedding_posterior(bundle: Bundle, signal: Array, condition: Array) -> tuple[Array, Array]:
    """Mean and log variance [1, E] of a signal [n] under a condition [C], cut or padded to the path length."""
    path = encode(bundle, fitted(signal, bundle.manifest.path_length * bundle.manifest.hop_length))
    mean, log_variance = bundle.run("embedding_encoder", path=path[None], condition=condition[None])
    return mean, log_variance
