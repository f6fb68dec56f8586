"""`ngs report`."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ngs.cli.evaluate import FOLDER, SOUND, show_progress
from ngs.runtime.console import BUNDLE


@click.command(short_help="Write a page of sound examples of a bundle.")
@click.argument("bundle", type=BUNDLE)
@click.argument("data", type=FOLDER)
@click.option("--output", "-o", required=True, type=click.Path(file_okay=False, path_type=Path), help="The folder.")
@click.option("--run", type=FOLDER, help="Run of `ngs train` on DATA: shows what it set apart, and its curves.")
@click.option("--labels", type=SOUND, help="CSV with more conditions.  [default: DATA/labels.csv, the run's]")
@click.option("--sound", "sounds", multiple=True, type=SOUND, help="A sound to resynthesise. Repeatable.")
@click.option("--limit", type=click.IntRange(1), help="Files a class, for large libraries.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Decides everything random.")
@click.option("--json", "as_json", is_flag=True, help="Print where the page is, its sounds and size as JSON.")
def report(
    bundle: Path, data: Path, output: Path, run: Path | None, labels: Path | None, sounds: tuple[Path, ...],
    limit: int | None, seed: int, as_json: bool,
) -> None:  # fmt: skip
    """Write a page to look at and listen to: what BUNDLE makes of the sounds in DATA, a folder with one for each class.

    Model card, training curves (with --run), the tables of `ngs evaluate`, the latent map whose grains sound,
    reconstructions, samples of every class, free paths, resynthesis, morphs, loops. The page opens in a browser from
    the disk and can be put on any web server as it is; a report that is in the folder already is replaced. The word
    drums as BUNDLE is the one that comes with ngs.

    \b
    Example:
      ngs hits sounds --count 4
      ngs report drums sounds -o report
    """
    from ngs.report.build import write_report
    from ngs.runtime.bundle.bundle import Bundle

    summary = write_report(Bundle.open(bundle), data, output, run, labels, sounds, limit, seed, show_progress)
    for remark in summary.remarks:
        click.echo(f"Note: {remark}.", err=True)
    if as_json:
        click.echo(json.dumps({
            "page": str(summary.page), "sounds": summary.sounds, "bytes": summary.bytes,
            "explained_variance": summary.explained_variance, "remarks": list(summary.remarks),
        }))  # fmt: skip
        return
    size = summary.bytes / 1e6
    click.echo(f"Wrote {summary.page}: {summary.sounds} sounds, {size:.1f} MB. Open it in a browser.")
