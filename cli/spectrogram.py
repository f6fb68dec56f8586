"""`ngs spectrogram`."""

from __future__ import annotations

from pathlib import Path

import click

from ngs.runtime.console.parameters import FILE, NEW_FILE, in_folder
from ngs.runtime.errors import printable

LOWEST_RATE_HZ = 1000


@click.command()
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option(
    "--output", "-o", required=True, type=NEW_FILE,
    help="The picture: .png, .svg or .pdf, or a folder, for spectrogram.png in it.",
)  # fmt: skip
@click.option("--title", help="A line above the picture.")
def spectrogram(files: tuple[Path, ...], output: Path, title: str | None) -> None:
    """Draw the waveform and the spectrogram of each of FILES side by side, all on the same scales.

    Frequency is logarithmic; level is in dB below the loudest point of all files.

    \b
    Example:
      ngs render sample --class Kick -o kick.wav
      ngs render reconstruct kick.wav -o again.wav
      ngs spectrogram kick.wav again.wav -o pair.png
    """
    from ngs.report.figure_files import check_format, save_figure
    from ngs.report.spectrogram_figure import Sound, draw_spectrograms
    from ngs.runtime.dsp.audio_files import read_mono

    output = in_folder(output, "spectrogram.png")
    check_format(output)
    sounds = [Sound(printable(file.name), *read_mono(file)) for file in files]
    for file, sound in zip(files, sounds, strict=True):
        if sound.sample_rate < LOWEST_RATE_HZ:
            raise ValueError(f"{file} has a sample rate of {sound.sample_rate} Hz: {LOWEST_RATE_HZ} Hz is the lowest")
    save_figure(draw_spectrograms(sounds, title), output)
    click.echo(f"Drew {output}.")
