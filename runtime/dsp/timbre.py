"""The timbre of a grain: its spectrum in mel bands, without its level. The axes of the latent map come from it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.arrays import Array

MELS = 64
FAINTEST = 1e-3  # of the loudest band; nobody hears differences that are 60 dB below it
RIDGE = 0.1  # of the mean variance of the latents: damps directions that hardly vary


def timbre(
    magnitudes: NDArray[np.floating[Any]], sample_rate: int, loudest: float | None = None
) -> NDArray[np.float64]:
    """Timbres [N, B], in nepers, of grains with magnitudes [N, bins] from 0 Hz to Nyquist, whose signs are ignored.

    The logarithm of each of 64 mel bands (fewer if grains are short), minus its mean over the bands, so that a grain
    has the same timbre at every level. `loudest` is the `loudest_band` of all grains that are compared; by default of
    these.
    """
    bands = _bands(magnitudes, sample_rate)
    highest = float(bands.max(initial=0.0)) if loudest is None else loudest
    logarithm = np.log(bands + FAINTEST * max(highest, 1e-12))
    centred: NDArray[np.float64] = logarithm - logarithm.mean(axis=1, keepdims=True)
    return centred


def loudest_band(magnitudes: NDArray[np.floating[Any]], sample_rate: int) -> float:
    """The level of the loudest mel band of grains, magnitudes as for `timbre`."""
    return float(_bands(magnitudes, sample_rate).max(initial=0.0))


def timbre_axes(latents: NDArray[np.floating[Any]], timbres: NDArray[np.float64], count: int) -> Array:
    """The `count` directions of latents [N, Z] along which timbres [N, B] change most: float32 [count, Z], unit length.

    They are the principal axes of the linear map from latents to timbres: at right angles in the latent space and, to
    first order, in what is heard. Ridge regression finds the map, so that neither a few grains nor latents without
    influence decide it. Every axis points to the brighter side. The variance of the latents themselves would say
    little: after whitening it is the same in all directions, audible or not.
    """
    centred = latents - latents.mean(axis=0, dtype=np.float64)
    covariance = centred.T @ centred
    ridge = (RIDGE * covariance.trace() / len(covariance) + 1e-12) * np.eye(len(covariance))
    slopes = np.linalg.solve(covariance + ridge, centred.T @ (timbres - timbres.mean(axis=0)))
    _, vectors = np.linalg.eigh(slopes @ slopes.T)
    axes = vectors[:, ::-1][:, :count].T
    rising = np.linspace(-1, 1, timbres.shape[1])
    signs = np.where(axes @ slopes @ rising < 0, -1.0, 1.0)
    found: Array = (signs[:, None] * axes).astype(np.float32)
    return found


def explained(places: NDArray[np.floating[Any]], timbres: NDArray[np.float64]) -> float:
    """The share, from 0 to 1, of the variance of timbres [N, B] that a linear function of places [N, K] explains."""
    centred = timbres - timbres.mean(axis=0)
    total = float(np.square(centred).sum())
    if total == 0.0:
        return 0.0
    known = places - places.mean(axis=0, dtype=np.float64)
    left = centred - known @ np.linalg.lstsq(known, centred, rcond=None)[0]
    return 1.0 - float(np.square(left).sum()) / total


def _bands(magnitudes: NDArray[np.floating[Any]], sample_rate: int) -> NDArray[np.float64]:
    filters = mel_filters(2 * (magnitudes.shape[1] - 1), sample_rate).astype(np.float64)
    filters = filters[filters.any(axis=1)]  # with short grains, low bands fall between two bins
    bands: NDArray[np.float64] = np.sqrt(np.square(magnitudes, dtype=np.float64) @ filters.T)
    return bands


@cache
def mel_filters(window_length: int, sample_rate: int, bands: int = MELS) -> Array:
    """Triangular filters of height 1, evenly spaced in mel (HTK) from 0 Hz to Nyquist: float32 [bands, bins]."""
    highest_mel = 2595 * np.log10(1 + sample_rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, highest_mel, bands + 2) / 2595) - 1)
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    frequency = np.linspace(0, sample_rate / 2, window_length // 2 + 1)
    rising, falling = (frequency - low) / (centre - low), (high - frequency) / (high - centre)
    filters: Array = np.maximum(np.minimum(rising, falling), 0).astype(np.float32)
    filters.setflags(write=False)
    return filters
