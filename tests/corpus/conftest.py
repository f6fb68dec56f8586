"""Sounds on disk for the tests of what reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

RATE = 22050
WriteSound = Callable[..., Path]


def tone(seed: int = 0, seconds: float = 0.3, rate: int = RATE) -> NDArray[np.float32]:
    """A decaying tone whose frequency and length come from the seed, peak 0.5."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * rate * rng.uniform(0.9, 1.1))) / rate
    signal = np.cos(2 * np.pi * rng.uniform(100, 2000) * t) * np.exp(-4 * t)
    return (0.5 * signal / np.abs(signal).max()).astype(np.float32)


@pytest.fixture
def write_sound(tmp_path: Path) -> WriteSound:
    """Writes samples to `data/NAME` and returns the path; a different tone for every name when none are given."""

    def write(
        name: str, samples: NDArray[np.float32] | None = None, rate: int = RATE, subtype: str | None = None
    ) -> Path:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        samples = tone(sum(name.encode())) if samples is None else samples
        soundfile.write(path, samples, rate, subtype=subtype)
        return path

    return write


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache"
