"""Pictures of drawn sounds beside real ones: spectrograms, and levels over time.

Needs the sounds and bundles of docs/sound.md, which are not part of the project:
python docs/figures/drawn.py DRUMS.ngs DRUMS ORCHESTRA.ngs ORCHESTRA docs/images
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from style import BLUE, GREY, VERMILION, figure, save

from ngs.evaluation.quality.envelope import envelopes
from ngs.report.spectrogram import spectrogram
from ngs.runtime import Bundle
from ngs.runtime.arrays import Array
from ngs.runtime.dsp.audio_files import read_audio
from ngs.runtime.offline.render import sample

SECONDS, COUNT, LEVELS = 1.5, 10, 6
WINDOW_SECONDS = 0.005
RANGE_DB = 70.0


def real(folder: Path, name: str, count: int, sample_rate: int) -> list[Array]:
    """Sounds of a class, evenly spread over its files, cut to the length of drawn ones."""
    files = sorted(file for file in (folder / name).iterdir() if file.is_file())
    chosen = [files[round(place)] for place in np.linspace(0, len(files) - 1, count)]
    return [read_audio(file, sample_rate)[: round(SECONDS * sample_rate)] for file in chosen]


def drawn(bundle: Bundle, name: str, count: int) -> list[Array]:
    """The first sounds that `ngs render sample --class NAME` draws."""
    return [sample(bundle, bundle.condition(name), 1.0, 0, index) for index in range(count)]


def spectrograms(rows: list[tuple[str, list[Array], int]]) -> Figure:
    """A row of spectrograms for each list of sounds."""
    picture = figure(0.72 * len(rows))
    axes = picture.subplots(len(rows), COUNT)
    for line, (title, sounds, sample_rate) in zip(axes, rows, strict=True):
        for axis, sound in zip(line, sounds, strict=True):
            whole = np.pad(sound, (0, max(round(SECONDS * sample_rate) - len(sound), 0)))
            power = spectrogram(whole, sample_rate, sample_rate / 2, rows=96, most_frames=150)
            levels = 10 * np.log10(power + 1e-9)
            axis.imshow(levels, aspect="auto", origin="lower", cmap="magma", vmin=levels.max() - RANGE_DB)
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        line[0].set_ylabel(title, rotation=0, ha="right", va="center", fontsize=8)
    return picture


def levels(rows: list[tuple[str, list[Array], int, str]]) -> Figure:
    """The level over time of each sound, a row for each list."""
    picture = figure(0.8 * len(rows))
    axes = picture.subplots(len(rows), LEVELS, sharex=True, sharey=True)
    for line, (title, sounds, sample_rate, colour) in zip(axes, rows, strict=True):
        for axis, sound in zip(line, sounds, strict=True):
            (found,) = envelopes(sound, sample_rate, WINDOW_SECONDS)
            seconds = np.arange(len(found.levels)) * found.step_seconds
            decibels = 20 * np.log10(np.maximum(found.levels / found.levels.max(), 1e-4))
            axis.plot(seconds, decibels, color=colour, linewidth=0.7)
            axis.set(xlim=(0, SECONDS), ylim=(-60, 3), xticks=[0, 1], yticks=[-40, 0])
            axis.tick_params(labelsize=7)
        line[0].set_ylabel(title, rotation=0, ha="right", va="center", fontsize=8)
    return picture


def main() -> None:
    drums, notes = Bundle.open(sys.argv[1], "cpu"), Bundle.open(sys.argv[3], "cpu")
    raw, folders, images = (
        Bundle.open(sys.argv[3], "cpu", held=False),
        (Path(sys.argv[2]), Path(sys.argv[4])),
        Path(sys.argv[5]),
    )
    rows = []
    for bundle, folder, name in (
        (drums, folders[0], "Kick"),
        (drums, folders[0], "Snare"),
        (notes, folders[1], "flute"),
    ):
        rate = bundle.manifest.sample_rate
        rows += [(f"{name}\nreal", real(folder, name, COUNT, rate), rate), ("drawn", drawn(bundle, name, COUNT), rate)]
    save(spectrograms(rows), images / "drawn.png")
    lines = []
    for name in ("clarinet", "french-horn"):
        rate = notes.manifest.sample_rate
        lines += [
            (f"{name}\nreal", real(folders[1], name, LEVELS, rate), rate, GREY),
            ("raw", drawn(raw, name, LEVELS), rate, VERMILION), ("drawn", drawn(notes, name, LEVELS), rate, BLUE),
        ]  # fmt: skip
    save(levels(lines), images / "envelopes.png")


if __name__ == "__main__":
    main()
