"""`ngs report`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ngs.cli import options
from ngs.cli.options import show_progress
from ngs.runtime.console.parameters import BUNDLE, FILE, FOLDER


@click.command()
@click.argument("bundle", type=BUNDLE)
@click.argument("data", type=FOLDER)
@click.option(
    "--output", "-o", required=True, type=click.Path(file_okay=False, path_type=Path), help="The folder to write."
)
@click.option("--run", type=FOLDER, help="The run of `ngs train` on DATA: adds its curves, shows sounds it held back.")
@click.option("--labels", type=FILE, help="CSV file with more attributes.  [default: the run's, or DATA/labels.csv]")
@click.option("--sound", "sounds", multiple=True, type=FILE, help="A sound file to resynthesise. Repeatable.")
@options.limit
@options.seed
@click.option(
    "--json", "as_json", is_flag=True, help="Print the path of the page and the number of sounds and bytes as JSON."
)
def report(
    bundle: Path, data: Path, output: Path, run: Path | None, labels: Path | None, sounds: tuple[Path, ...],
    limit: int | None, seed: int, as_json: bool,
) -> None:  # fmt: skip
    """Write a web page that shows and plays what BUNDLE makes of DATA, a folder of sounds with a folder for each class.

    On the page: the model card, the training curves (with --run), the tables of `ngs evaluate` and what they say of
    new sounds in words, a map of grains that you can play, reconstructions, samples of every class, free paths,
    resynthesis, morphs and loops. It opens in a
    browser from the disk, and works on any web server. A report that is already in the folder is replaced. BUNDLE is a
    .ngs folder or file; the word drums is the bundle that comes with ngs.

    \b
    Example:
      ngs hits sounds --count 4
      ngs report drums sounds -o report
    """
    from ngs.report.build import write_report
    from ngs.runtime.bundle.bundle import Bundle

    summary = write_report(Bundle.open(bundle), data, output, run, labels, sounds, limit, seed, show_progress)
    for remark in summary.remarks:
        click.echo(f"Remark: {remark}.", err=True)
    if as_json:
        click.echo(json.dumps({
            "page": str(summary.page), "sounds": summary.sounds, "bytes": summary.bytes,
            "explained_variance": summary.explained_variance, "remarks": list(summary.remarks),
        }))  # fmt: skip
        return
    size = summary.bytes / 1e6
    click.echo(f"Wrote {summary.page}: {summary.sounds} sounds, {size:.1f} MB. Open it in a browser.")
