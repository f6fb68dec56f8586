"""`ngs hits`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--count", default=40, show_default=True, type=click.IntRange(1, 100_000), help="How many hits of each class."
)
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Another seed makes other hits.")
@click.option("--sample-rate", default=44100, show_default=True, type=click.IntRange(8000, 192_000), help="In Hz.")
def hits(out: Path, count: int, seed: int, sample_rate: int) -> None:
    """Synthesise drum hits and write them to the folder OUT, as 16-bit WAV files.

    There are eight classes: Kick, Snare, Clap, Hat, Tom, Cowbell, Crash and Ride. The same options make the same files.
    Hits that were made here before are replaced; a folder of anything else is left alone.

    \b
    Example:
      ngs hits sounds --count 20
    """
    from ngs.corpus.drum_synthesis import RECIPES, write_hits

    number = write_hits(out, count, seed, sample_rate)
    click.echo(f"Made {number} hits in {out}: {count} each of {', '.join(RECIPES)}.")
