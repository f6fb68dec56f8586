"""`ngs export`."""

from __future__ import annotations

from pathlib import Path

import click

from ngs.runtime.console.parameters import InputPath, in_folder


@click.command()
@click.argument("run", type=InputPath(exists=False))
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    help="The bundle to write, or a folder to write it to.  [default: the name of RUN, with .ngs]",
)
@click.option("--zip", "zipped", is_flag=True, help="Write one file instead of a folder.")
@click.option("--name", help="What the bundle calls itself.  [default: the name of the output]")
@click.option("--card", "entries", multiple=True, metavar="KEY=TEXT", help="An entry of the model card. Repeatable.")
def export(run: Path, output: Path | None, zipped: bool, name: str | None, entries: tuple[str, ...]) -> None:
    """Turn RUN, the folder of a training run, into a bundle that plays without torch.

    Every graph is run in onnxruntime and compared with torch before the bundle appears under its name. `ngs info` shows
    the model card; an entry given with --card replaces the run's own entry of that name.

    \b
    Example:
      ngs hits sounds --count 20
      ngs train sounds --out runs/mine --minutes 1
      ngs export runs/mine -o mine.ngs --card data="procedural hits"
    """
    card = _card(entries)
    from ngs.export.run_to_bundle import export_run

    default = f"{run.resolve().name}.ngs"
    output = output or Path(default)
    if output.suffix != ".ngs" and not (output / "manifest.json").is_file():  # that of a bundle, to be replaced
        output = in_folder(output, default)
    name = name or output.name.removesuffix(".ngs")
    errors = export_run(run, output, name, zipped, lambda line: click.echo(line, err=True), card)
    for graph, error in errors.items():
        click.echo(f"{graph}: largest difference from torch {error:.1e}", err=True)
    click.echo(f"Exported: {output}. Next: ngs render {output} sample -o sample.wav")


def _card(entries: tuple[str, ...]) -> dict[str, str]:
    card: dict[str, str] = {}
    for entry in entries:
        key, equals, text = entry.partition("=")
        if not (equals and key.isascii() and key.isidentifier() and text):
            raise click.UsageError(f"--card {entry!r}: write KEY=TEXT, with only letters, digits and _ in KEY")
        if key in card:
            raise click.UsageError(f"--card {key} is given twice")
        card[key] = text
    return card
