"""`ngs export`."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Turn a trained run into an ONNX bundle.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Bundle to write.  [default: RUN's name + .ngs]")
@click.option("--zip", "zipped", is_flag=True, help="One file instead of a folder.")
@click.option("--name", help="Name of the model in the bundle.  [default: the output's name]")
def export(run: Path, output: Path | None, zipped: bool, name: str | None) -> None:
    """Write RUN's model as a bundle that plays without torch.

    Every graph is run in onnxruntime and compared with torch before the bundle appears under its name.

    \b
    Example:
      ngs export runs/drums -o drums.ngs
    """
    from ngs.export.bundle import export_run

    output = output or Path(f"{run.name}.ngs")
    errors = export_run(
        run, output, name or output.name.removesuffix(".ngs"), zipped, lambda line: click.echo(line, err=True)
    )
    for graph, error in errors.items():
        click.echo(f"{graph}: largest difference from torch {error:.1e}", err=True)
    click.echo(f"Exported: {output}. Next: ngs render {output} sample -o sample.wav")
