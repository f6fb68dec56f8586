"""`ngs spectrogram`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LOWEST_HZ = 30.0
LOWEST_RATE_HZ = 1000
ROWS = 320  # of the logarithmic frequency axis
RANGE_DB = 80.0
WINDOW_SECONDS = 0.046
MOST_FRAMES = 2000
MOST_COLUMNS = 4  # of pictures; more go below
TICKS_HZ = (50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000)
FORMATS = (".png", ".svg", ".pdf")


@dataclass(frozen=True)
class _Picture:
    name: str
    seconds: float
    outline: NDArray[np.float32]  # [2, columns]: lowest and highest sample of each column
    power: NDArray[np.float64]  # [ROWS, frames], rows evenly in octaves from LOWEST_HZ to highest_hz
    highest_hz: float


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
    if output.suffix.lower() not in FORMATS:
        raise ValueError(f"{output}: a picture ends in {', '.join(FORMATS)}")
    sounds = [_read(file) for file in files]
    highest_hz = max(rate for _, rate in sounds) / 2
    pictures = [_analyse(file.name, *sound, highest_hz) for file, sound in zip(files, sounds, strict=True)]
    _draw(pictures, output, title)
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


def _analyse(name: str, samples: NDArray[np.float32], rate: int, highest_hz: float) -> _Picture:
    import numpy as np

    window_length = int(2 ** round(np.log2(WINDOW_SECONDS * rate)))
    hop = max(window_length // 8, -(-len(samples) // MOST_FRAMES))
    window = np.hanning(window_length + 1)[:-1]
    padded = np.pad(samples, window_length // 2)
    starts = range(0, len(samples), hop)
    bins = np.stack([np.fft.rfft(padded[start : start + window_length] * window) for start in starts], 1)
    power = np.abs(bins * (2 / window.sum())) ** 2
    # A row shows the loudest bin in its band; below, where rows are finer than bins, what lies between two bins.
    edges = LOWEST_HZ * (highest_hz / LOWEST_HZ) ** (np.arange(ROWS + 1) / ROWS) * window_length / rate
    rows = np.zeros((ROWS, len(starts)))
    for row, (low, high) in enumerate(zip(edges[:-1], edges[1:], strict=True)):
        inside = power[int(np.ceil(low)) : int(np.ceil(high))]
        if low >= window_length / 2:
            break
        if len(inside) > 1:
            rows[row] = inside.max(0)
        else:
            below = min(int((low + high) / 2), window_length // 2 - 1)
            share = min((low + high) / 2 - below, 1.0)
            rows[row] = power[below] * (1 - share) + power[below + 1] * share
    columns = np.array_split(samples, min(len(samples), 800))
    outline = np.array([[part.min() for part in columns], [part.max() for part in columns]], np.float32)
    return _Picture(name, len(samples) / rate, outline, rows, highest_hz)


def _draw(pictures: list[_Picture], output: Path, title: str | None) -> None:
    import numpy as np
    from matplotlib.figure import Figure

    across = min(len(pictures), MOST_COLUMNS)
    down = -(-len(pictures) // across)
    figure = Figure(figsize=(1.2 + 3.6 * across, 0.4 + 3.6 * down), dpi=150, layout="constrained")
    axes = figure.subplots(2 * down, across, squeeze=False, sharex=True, sharey="row", height_ratios=[1, 3.5] * down)
    top_db = 10 * np.log10(max(float(picture.power.max()) for picture in pictures) + 1e-20)
    peak = max(float(np.abs(picture.outline).max()) for picture in pictures) + 1e-9
    seconds = max(picture.seconds for picture in pictures)
    low, high = np.log2(LOWEST_HZ), np.log2(pictures[0].highest_hz)
    ticks = [hz for hz in TICKS_HZ if hz < pictures[0].highest_hz]
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
            extent=(0, picture.seconds, low, high), vmin=-RANGE_DB, vmax=0, interpolation="nearest",
        )  # fmt: skip
        axis.set(xlim=(0, seconds), ylim=(low, high), xlabel="seconds", facecolor="black")
        axis.set_yticks([np.log2(hz) for hz in ticks], [f"{hz // 1000}k" if hz >= 1000 else str(hz) for hz in ticks])
        axis.tick_params(labelsize=8, labelbottom=True)
        if column == 0:
            axis.set_ylabel("Hz")
    assert image is not None
    figure.colorbar(image, ax=axes[1::2].ravel().tolist(), label="dB", fraction=0.03, pad=0.02)
    if title:
        figure.suptitle(title)
    beside = output.with_name(f".{output.name}.{os.getpid()}{output.suffix}")
    try:
        figure.savefig(beside, format=output.suffix[1:].lower())
        beside.replace(output)
    except OSError as error:
        raise OSError(f"{output} cannot be written: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)
