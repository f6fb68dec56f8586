"""`ngs evaluate`."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import click

from ngs.runtime.console import BUNDLE, Number

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
SOUND = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(short_help="Measure a bundle: reconstructions, samples, baselines.")
@click.argument("bundle", type=BUNDLE)
@click.argument("data", required=False, type=FOLDER)
@click.option("--run", type=FOLDER, help="Run of `ngs train` on DATA: measures what it set apart.")
@click.option("--train", "training", type=FOLDER, help="Folder of training sounds; all of DATA is measured.")
@click.option("--labels", type=SOUND, help="CSV with more conditions.  [default: DATA/labels.csv, the run's]")
@click.option("--samples", default=32, show_default=True, type=click.IntRange(0, 10000), help="Sounds a class, or 0.")
@click.option("--temperature", default=0.7, show_default=True, type=Number(0, 10), help="Of the samples.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Decides everything random.")
@click.option("--limit", type=click.IntRange(1), help="Files a class, for large libraries.")
@click.option("--pair", "pairs", nargs=2, multiple=True, type=SOUND, metavar="INPUT OUTPUT",
              help="Instead of DATA: OUTPUT is another system's reconstruction of INPUT. Repeatable.")  # fmt: skip
@click.option(
    "--rate", type=click.IntRange(1000, 384000), help="Of the comparison of pairs, in Hz.  [default: the bundle's]"
)
@click.option("--json", "as_json", is_flag=True, help="Print every figure as one JSON document.")
def evaluate(
    bundle: Path, data: Path | None, run: Path | None, training: Path | None, labels: Path | None, samples: int,
    temperature: float, seed: int, limit: int | None, pairs: tuple[tuple[Path, Path], ...], rate: int | None,
    as_json: bool,
) -> None:  # fmt: skip
    """Measure BUNDLE on the sounds in DATA, a folder with a folder for each class.

    The word drums as BUNDLE is the one that comes with ngs, unless something of that name lies here.

    Reconstructions, the use of the latents, samples of each class, and how crisp they are, beside simple baselines and
    real sounds. With neither --run nor --train the sounds of DATA are each other's reference: fair only for a bundle
    that was trained on others.

    \b
    Example:
      ngs hits sounds --count 4
      ngs evaluate drums sounds
      ngs render reconstruct sounds/Kick/Kick_000.wav -o theirs.wav
      ngs evaluate drums --pair sounds/Kick/Kick_000.wav theirs.wav
    """
    if (data is None) == (not pairs):
        raise click.UsageError("Name either a folder DATA or --pair INPUT OUTPUT")
    if pairs and (run or training or labels or limit):
        raise click.UsageError("--pair needs neither --run nor --train, --labels or --limit")
    if run and training:
        raise click.UsageError("--run has its training set with it: leave out --train")
    if rate and not pairs:
        raise click.UsageError("--rate goes with --pair; DATA is measured at the bundle's rate")
    from dataclasses import asdict

    from ngs.evaluation.quality import evaluate as measure
    from ngs.evaluation.quality.pairs import compare_pairs
    from ngs.evaluation.quality.quality_tables import report, report_pairs
    from ngs.runtime.bundle.bundle import Bundle

    opened = Bundle.open(bundle)
    if data is None:
        compared = compare_pairs(opened, pairs, rate, seed)
        document: Any = [asdict(pair) for pair in compared]
        lines = report_pairs(compared)
    else:
        options = measure.Options(run, training, labels, samples, temperature, seed, limit)
        evaluation = measure.evaluate(opened, data, options, show_progress)
        document, lines = asdict(evaluation), report(evaluation)
    click.echo(json.dumps(_plain(document), indent=2) if as_json else "\n".join(lines))


def show_progress(title: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{title}: {done} of {total}" + ("\n" if done == total else ""), err=True, nl=False)
    elif done == 0:
        click.echo(f"{title}: {total}", err=True)


def _plain(value: Any) -> Any:
    """JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
