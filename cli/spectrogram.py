"""`ngs spectrogram`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LOWEST_RATE_HZ = 1000
MOST_COLUMNS = 4  # of pictures; more go below
OUTLINE = 800  # columns of a waveform


@dataclass(frozen=True)
class _Picture:
    name: str
    seconds: float
    outline: NDArray[np.float32]  # [2, columns]
    power: NDArray[np.float64]  # [rows, frames]


@click.command(short_help="Draw spectrograms of sounds side by side.")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--output",
    "-o",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The picture: .png, .svg or .pdf.",
)
@click.option("--title", help="A line above all.")
def spectrogram(files: tuple[Path, ...], output: Path, title: str | None) -> None:
    """Draw the waveform and the spectrogram of each of FILES, all on the same scales.

    Frequency is logarithmic, level is in dB below the loudest point of all files.

    \b
    Example:
      ngs render sample --class Kick -o kick.wav
      ngs render reconstruct kick.wav -o again.wav
      ngs spectrogram kick.wav again.wav -o pair.png
    """  # fmt: skip
    from ngs.report.figure_files import check_format
    from ngs.report.spectrogram import outline, spectrogram as analyse

    check_format(output)
    sounds = [_read(file) for file in files]
    highest_hz = max(rate for _, rate in sounds) / 2
    pictures = [
        _Picture(file.name, len(samples) / rate, outline(samples, OUTLINE), analyse(samples, rate, highest_hz))
        for file, (samples, rate) in zip(files, sounds, strict=True)
    ]
    from matplotlib import rc_context

    with rc_context({"text.parse_math": False}):  # names of files are text as it is
        _draw(pictures, highest_hz, output, title)
    click.echo(f"Drew {output}.")


def _read(file: Path) -> tuple[NDArray[np.float32], int]:
    import numpy as np
    import soundfile

    try:
        channels, rate = soundfile.read(file, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise ValueError(f"{file} cannot be read as sound: {error.error_string.strip()}") from error
    if len(channels) == 0 or not np.isfinite(channels).all():
        raise ValueError(f"{file} holds " + ("no samples" if len(channels) == 0 else "NaN or infinite samples"))
    if rate < LOWEST_RATE_HZ:
        raise ValueError(f"{file} has a sample rate of {rate} Hz")
    return channels.mean(1, dtype=np.float32), rate


def _draw(pictures: list[_Picture], highest_hz: float, output: Path, title: str | None) -> None:
    import numpy as np
    from matplotlib.figure import Figure

    from ngs.report.figure_files import save_figure
    from ngs.report.spectrogram import RANGE_DB, frequency_ticks

    across = min(len(pictures), MOST_COLUMNS)
    down = -(-len(pictures) // across)
    figure = Figure(figsize=(1.2 + 3.6 * across, 0.4 + 3.6 * down), dpi=150, layout="constrained")
    axes = figure.subplots(2 * down, across, squeeze=False, sharex=True, sharey="row", height_ratios=[1, 3.5] * down)
    top_db = 10 * np.log10(max(float(picture.power.max()) for picture in pictures) + 1e-20)
    peak = max(float(np.abs(picture.outline).max()) for picture in pictures) + 1e-9
    seconds = max(picture.seconds for picture in pictures)
    ticks = frequency_ticks(highest_hz)
    image = None
    for place in range(across * down):
        row, column = 2 * (place // across), place % across
        wave, axis = axes[row, column], axes[row + 1, column]
        if place >= len(pictures):
            wave.set_axis_off()
            axis.set_axis_off()
            continue
        picture = pictures[place]
        times = np.linspace(0, picture.seconds, picture.outline.shape[1])
        wave.fill_between(times, picture.outline[0], picture.outline[1], color="#3b528b", linewidth=0.4)
        wave.set(title=picture.name, ylim=(-peak * 1.05, peak * 1.05), yticks=[])
        wave.title.set_fontsize(9)
        wave.spines[["top", "right", "left"]].set_visible(False)
        wave.tick_params(labelbottom=False)
        image = axis.imshow(
            10 * np.log10(picture.power + 1e-20) - top_db, origin="lower", aspect="auto", cmap="magma",
            extent=(0, picture.seconds, 0, 1), vmin=-RANGE_DB, vmax=0, interpolation="nearest",
        )  # fmt: skip
        axis.set(xlim=(0, seconds), ylim=(0, 1), xlabel="seconds", facecolor="black")
        axis.set_yticks([place for _, place in ticks], [label for label, _ in ticks])
        axis.tick_params(labelsize=8, labelbottom=True)
        if column == 0:
            axis.set_ylabel("Hz")
    assert image is not None
    figure.colorbar(image, ax=axes[1::2].ravel().tolist(), label="dB", fraction=0.03, pad=0.02)
    if title:
        figure.suptitle(title)
    save_figure(figure, output)
