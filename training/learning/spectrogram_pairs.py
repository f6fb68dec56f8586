"""Spectrogram figures for TensorBoard."""

from __future__ import annotations

from matplotlib.figure import Figure
from torch import Tensor

from ngs.training.learning.losses import power_stft


def spectrogram_pairs(inputs: Tensor, outputs: Tensor, sample_rate: int) -> Figure:
    """The spectrograms of inputs [B, n] above those of their reconstructions [B, n], power in dB."""
    figure = Figure(figsize=(3 * len(inputs), 5), layout="constrained")
    axes = figure.subplots(2, len(inputs), squeeze=False, sharex=True, sharey=True)
    for row, (name, signals) in enumerate((("input", inputs), ("reconstruction", outputs))):
        for column, signal in enumerate(signals):
            decibels = 10 * (power_stft(signal[None], 1024)[0].T + 1e-3).log10()
            extent = (0, len(signal) / sample_rate, 0, sample_rate / 2000)
            axes[row, column].imshow(
                decibels.cpu().numpy(), origin="lower", aspect="auto", extent=extent, vmin=-30, vmax=50, cmap="magma"
            )
            axes[row, column].set_title(name, fontsize=8)
    axes[0, 0].set_ylabel("kHz")
    axes[1, 0].set_ylabel("kHz")
    return figure
