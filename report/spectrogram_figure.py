"""Waveforms and spectrograms of several sounds in one figure, on the same scales."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ngs.report.spectrogram import RANGE_DB, frequency_ticks, outline, spectrogram
from ngs.runtime.arrays import Array

MOST_COLUMNS = 4  # of sounds; the rest go into rows below
OUTLINE_POINTS = 800
SMALLEST_POWER = 1e-20


@dataclass(frozen=True)
class Sound:
    name: str
    samples: Array  # [n]
    sample_rate: int


@dataclass(frozen=True)
class _Scales:
    """What all sounds in a figure share."""

    seconds: float
    peak: float
    top_db: float
    highest_hz: float


def draw_spectrograms(sounds: Sequence[Sound], title: str | None = None) -> Figure:
    """Draw each sound's waveform above its spectrogram.

    Frequency is logarithmic up to the highest Nyquist frequency; level is in dB below the loudest point of all.
    """
    across = min(len(sounds), MOST_COLUMNS)
    down = -(-len(sounds) // across)
    highest_hz = max(sound.sample_rate for sound in sounds) / 2
    powers = [spectrogram(sound.samples, sound.sample_rate, highest_hz) for sound in sounds]
    scales = _Scales(
        seconds=max(len(sound.samples) / sound.sample_rate for sound in sounds),
        peak=max(float(np.abs(sound.samples).max()) for sound in sounds) + 1e-9,
        top_db=10 * float(np.log10(max(float(power.max()) for power in powers) + SMALLEST_POWER)),
        highest_hz=highest_hz,
    )
    with rc_context({"text.parse_math": False}):  # a $ in a file name is no formula
        figure = Figure(figsize=(1.2 + 3.6 * across, 0.4 + 3.6 * down), dpi=150, layout="constrained")
        axes = figure.subplots(
            2 * down, across, squeeze=False, sharex=True, sharey="row", height_ratios=[1, 3.5] * down
        )
        image = None
        for place in range(across * down):
            row, column = 2 * (place // across), place % across
            wave, axis = axes[row, column], axes[row + 1, column]
            if place >= len(sounds):
                wave.set_axis_off()
                axis.set_axis_off()
                continue
            _draw_waveform(wave, sounds[place], scales)
            image = _draw_spectrogram(axis, sounds[place], powers[place], scales)
            if column == 0:
                axis.set_ylabel("Hz")
        assert image is not None
        figure.colorbar(image, ax=axes[1::2].ravel().tolist(), label="dB", fraction=0.03, pad=0.02)
        if title:
            figure.suptitle(title)
    return figure


def _draw_waveform(axis: Any, sound: Sound, scales: _Scales) -> None:
    low, high = outline(sound.samples, OUTLINE_POINTS)
    times = np.linspace(0, len(sound.samples) / sound.sample_rate, len(low))
    axis.fill_between(times, low, high, color="#3b528b", linewidth=0.4)
    axis.set(title=sound.name, ylim=(-scales.peak * 1.05, scales.peak * 1.05), yticks=[])
    axis.title.set_fontsize(9)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(labelbottom=False)


def _draw_spectrogram(axis: Any, sound: Sound, power: NDArray[np.float64], scales: _Scales) -> Any:
    image = axis.imshow(
        10 * np.log10(power + SMALLEST_POWER) - scales.top_db, origin="lower", aspect="auto", cmap="magma",
        extent=(0, len(sound.samples) / sound.sample_rate, 0, 1), vmin=-RANGE_DB, vmax=0, interpolation="nearest",
    )  # fmt: skip
    axis.set(xlim=(0, scales.seconds), ylim=(0, 1), xlabel="seconds", facecolor="black")
    ticks = frequency_ticks(scales.highest_hz)
    axis.set_yticks([place for _, place in ticks], [label for label, _ in ticks])
    axis.tick_params(labelsize=8, labelbottom=True)
    return image
