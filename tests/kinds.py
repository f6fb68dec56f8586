"""Sounds of kinds that are hard on a model: clean, few, short, faint, silent, low, many classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 22050
Signal = NDArray[np.float64]


def times(seconds: float) -> Signal:
    return np.arange(int(seconds * RATE)) / RATE


def sub_bass(n: int) -> Signal:
    """A sine whose pitch falls at the attack, as of an 808."""
    t = times(1.0)
    return np.sin(2 * np.pi * (40 * 2 ** (n / 12) * t + 0.6 * (1 - np.exp(-25 * t)))) * np.exp(-(1.5 + n % 4) * t)


def frequency_modulated(n: int) -> Signal:
    t, f = times(1.0), 80 * 2 ** (n / 12)
    modulation = (1 + n % 5) * np.exp(-4 * t) * np.sin(2 * np.pi * f * (1 + n % 3) * t)
    return np.sin(2 * np.pi * f * t + modulation) * np.exp(-(1.5 + n % 4) * t)


def saw(n: int) -> Signal:
    t, f = times(1.0), 110 * 2 ** (n / 12)
    return sum((np.sin(2 * np.pi * f * k * t) / k for k in range(1, int(0.45 * RATE / f))), np.zeros_like(t))


def click(n: int) -> Signal:
    """5 ms of decaying noise."""
    t = times(0.005)
    return np.random.default_rng(n).standard_normal(len(t)) * np.exp(-(300 + 40 * n) * t)


def with_silence(n: int) -> Signal:
    """Two short tones far apart."""
    tone = sub_bass(n + 12)[:4000]
    return np.concatenate((tone, np.zeros(2 * RATE), tone))


def low(n: int) -> Signal:
    t = times(1.0)
    return np.sin(2 * np.pi * (22 + n / 2) * t) * np.exp(-3 * t)


def at_any_level(n: int) -> Signal:
    return (1e-2, 0.1, 1.0, 100.0)[n % 4] * frequency_modulated(n)


def tiny(n: int) -> Signal:
    t = times(0.05)
    return np.sin(2 * np.pi * (100 + 7 * n) * t) * np.exp(-60 * t)


MAKERS: dict[str, tuple[Callable[[int], Signal], int, int]] = {  # sound, number of classes, sounds of each
    "808": (sub_bass, 1, 30),
    "FM": (frequency_modulated, 1, 30),
    "saws": (saw, 1, 30),
    "one file": (frequency_modulated, 1, 1),
    "13 notes": (saw, 1, 13),
    "clicks": (click, 1, 20),
    "silence": (with_silence, 1, 20),
    "low": (low, 1, 30),
    "levels": (at_any_level, 1, 30),
    "500 classes": (tiny, 500, 2),
}


def write_kind(kind: str, folder: Path) -> Path:
    """Write the sounds of a kind, a folder for each class, and return the folder."""
    make, classes, each = MAKERS[kind]
    for n in range(classes * each):
        signal = make(n)
        signal = signal if make is at_any_level else 0.8 * signal / np.abs(signal).max()
        path = folder / f"{n // each:03d}" / f"{n:04d}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, signal, RATE, subtype="FLOAT" if make is at_any_level else "PCM_16")
    return folder
