"""`ngs evaluate`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import click

from ngs.cli import options
from ngs.cli.options import show_progress
from ngs.runtime.console.parameters import BUNDLE, FILE, FOLDER


@click.command()
@click.argument("bundle", type=BUNDLE)
@click.argument("data", required=False, type=FOLDER)
@click.option("--run", type=FOLDER, help="The run of `ngs train` on DATA: measures the sounds it held back.")
@click.option(
    "--train", "training", type=FOLDER, help="A folder of training sounds to compare with; measures all of DATA."
)
@click.option("--labels", type=FILE, help="CSV file with more attributes.  [default: the run's, or DATA/labels.csv]")
@click.option(
    "--samples",
    default=32,
    show_default=True,
    type=click.IntRange(0, 10000),
    help="How many sounds to sample of each class; 0 for none.",
)
@options.temperature
@options.seed
@options.limit
@click.option(
    "--transfer",
    "transfers",
    multiple=True,
    type=FILE,
    help="A sound to play by grains of the corpus. Repeatable.  [default: speech, a clarinet, noise bursts]",
)
@click.option("--pair", "pairs", nargs=2, multiple=True, type=FILE, metavar="INPUT OUTPUT",
              help="Instead of DATA: OUTPUT is another system's reconstruction of INPUT. Repeatable.")  # fmt: skip
@click.option(
    "--rate",
    type=click.IntRange(1000, 384000),
    help="Sample rate at which pairs are compared, in Hz.  [default: the bundle's]",
)
@options.as_json
def evaluate(
    bundle: Path, data: Path | None, run: Path | None, training: Path | None, labels: Path | None, samples: int,
    temperature: float, seed: int, limit: int | None, transfers: tuple[Path, ...],
    pairs: tuple[tuple[Path, Path], ...], rate: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Measure how good BUNDLE sounds on DATA, a folder of sounds with a folder for each class.

    Measures how close reconstructions are and how much the latents hold, beside simple baselines; and of sampled
    sounds, beside real ones, whether they are taken for their class, how loud and how crisp they are, what tells them
    from real ones, and whether they are new. Other sounds are played by the grains of the corpus: measures how much
    they come to sound like it, and what they keep. Name the sounds that the bundle was trained on with --run or
    --train. Without either, each sound in DATA is compared with all the others, which is fair only for a bundle that
    was trained on none of them.

    BUNDLE is a .ngs folder or file; the word drums is the bundle that comes with ngs, unless there is a bundle of that
    name here.

    \b
    Example:
      ngs hits sounds --count 4
      ngs evaluate drums sounds
      ngs render reconstruct sounds/Kick/Kick_000.wav -o theirs.wav
      ngs evaluate drums --pair sounds/Kick/Kick_000.wav theirs.wav
    """
    if (data is None) == (not pairs):
        raise click.UsageError("Name either a folder DATA or --pair INPUT OUTPUT")
    if pairs and (run or training or labels or limit or transfers):
        raise click.UsageError("--pair needs neither --run nor --train, --labels, --limit or --transfer")
    if run and training:
        raise click.UsageError("--run already says which sounds it trained on: leave out --train")
    if rate and not pairs:
        raise click.UsageError("--rate goes with --pair; DATA is measured at the bundle's sample rate")
    from dataclasses import asdict

    from ngs.evaluation.quality import evaluate as measure
    from ngs.evaluation.quality.pairs import compare_pairs
    from ngs.evaluation.quality.quality_tables import evaluation_lines, pair_lines
    from ngs.runtime.bundle.bundle import Bundle

    opened = Bundle.open(bundle)
    if data is None:
        compared = compare_pairs(opened, pairs, rate, seed)
        document: Any = [asdict(pair) for pair in compared]
        lines = pair_lines(compared)
    else:
        options = measure.Options(run, training, labels, samples, temperature, seed, limit, transfers)
        evaluation = measure.evaluate(opened, data, options, show_progress)
        document, lines = asdict(evaluation), evaluation_lines(evaluation)
    click.echo(json.dumps(_plain(document), indent=2) if as_json else "\n".join(lines))


def _plain(value: Any) -> Any:
    """A document with None for NaN and infinities, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
