"""`ngs map`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ngs.cli import options
from ngs.cli.options import show_progress
from ngs.runtime.console.parameters import BUNDLE, FILE, FOLDER, NEW_FILE, in_folder

if TYPE_CHECKING:
    from ngs.report.map_grains import Grains
    from ngs.runtime.bundle.bundle import Bundle

MOST_SOUNDS = 1000  # of DATA


@click.command(name="map")
@click.argument("bundle", type=BUNDLE)
@click.argument("data", required=False, type=FOLDER)
@click.option(
    "--output",
    "-o",
    type=NEW_FILE,
    help="The picture: .png, .svg or .pdf, or a folder, for map.png in it.",
)
@click.option("--labels", type=FILE, help="CSV file with the classes of DATA.  [default: DATA/labels.csv]")
@click.option("--run", type=FOLDER, help="The run of `ngs train` on DATA: takes its classes, and the slices it made.")
@options.limit
@click.option(
    "--points",
    default=2000,
    show_default=True,
    type=click.IntRange(10, 20000),
    help="How many grains to draw, at most.",
)
@click.option("--projection", default="timbre", show_default=True, type=click.Choice(["timbre", "umap"]),
              help="Axes along which timbre changes, or UMAP (needs: pip install '.[umap]').")  # fmt: skip
@options.seed
@click.option("--title", help="A line above the picture.  [default: the bundle's name]")
@click.option("--json", "as_json", is_flag=True, help="Print the points, the paths and the explained variance as JSON.")
def latent_map(
    bundle: Path, data: Path | None, output: Path | None, labels: Path | None, run: Path | None, limit: int | None,
    points: int, projection: str, seed: int, title: str | None, as_json: bool,
) -> None:  # fmt: skip
    """Draw the grains of BUNDLE as a map: a point for each, coloured by class, with a free path of every kind.

    The grains are those of the sounds in DATA, a folder with a folder for each class. Without DATA they are the sample
    of its corpus that the bundle carries. The axes are the two directions in which timbre changes most; a place on the
    map is one that `ngs play path-player` can play. BUNDLE is a .ngs folder or file; the word drums is the bundle that
    comes with ngs.

    \b
    Example:
      ngs map drums -o map.png
      ngs hits sounds --count 4
      ngs map drums sounds -o sounds.png
    """
    if output is None and not as_json:
        raise click.UsageError("Name a picture with -o map.png, or add --json")
    if data is None and (labels or run or limit):
        raise click.UsageError("--labels, --run and --limit go with DATA")
    from ngs.report import latent_map as maps
    from ngs.report.figure_files import check_format, save_figure
    from ngs.report.map_figure import draw_map
    from ngs.report.map_grains import corpus_grains
    from ngs.runtime.bundle.bundle import Bundle

    if output is not None:
        output = in_folder(output, "map.png")
        check_format(output)
    opened = Bundle.open(bundle)
    grains, remarks = corpus_grains(opened), list[str]()
    if data is not None:
        grains, remarks = _sounds_in(opened, data, labels, run, limit, seed)
    drawn = maps.latent_map(opened, grains.drawn(points, seed), projection, seed)
    for remark in remarks:
        click.echo(f"Remark: {remark}.", err=True)
    if output is not None:
        figure = draw_map(drawn, opened.manifest.attributes[0], title or opened.manifest.name)
        if not save_figure(figure, output):
            click.echo("Remark: the font of the picture lacks some letters of the names.", err=True)
    if as_json:
        click.echo(json.dumps(maps.document(opened, drawn, seed)))
        return
    share = f"; two axes explain {drawn.explained[2]:.0%} of the variance of timbre" if drawn.explained else ""
    click.echo(f"Drew {output}: {len(drawn.places)} grains{share}.")


def _sounds_in(
    bundle: Bundle, data: Path, labels: Path | None, run: Path | None, limit: int | None, seed: int
) -> tuple[Grains, list[str]]:  # fmt: skip
    """The grains of the sounds in a folder, and remarks about what is left out."""
    from ngs.evaluation.quality.selection import read, select
    from ngs.report.map_grains import chosen, sound_grains

    selection = select(bundle, data, run, None, labels, limit, seed, show_progress)
    remarks, found = list(selection.remarks), [*selection.test, *(selection.training or [])]
    entries = chosen(found, MOST_SOUNDS, seed)
    sounds = read(entries, bundle.manifest.sample_rate, "Reading sounds", remarks, show_progress)
    if len(entries) < len(found):
        remarks.append(f"{len(entries)} of {len(found)} sounds are on the map, equally many of each class")
    return sound_grains(bundle, ((entry, signal) for _, entry, signal in sounds)), remarks
