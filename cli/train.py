"""`ngs train`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import click

from ngs.runtime.console.parameters import FILE, FOLDER
from ngs.runtime.errors import printable

PLAIN_LINE_SECONDS = 15.0  # between two lines of progress, if there is no terminal


@click.command()
@click.argument("data", required=False, type=FOLDER)
@click.option(
    "--out",
    "-o",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the run, to write or resume.",
)
@click.option("--preset", help="fast (the default), fast-44k, paper-16k or paper-22k.")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="Change one value of the preset. Repeatable.",
)
@click.option("--minutes", metavar="M", help="Minutes for each stage: 5, or grain=5,embedding=3,prior=1.")
@click.option("--steps", metavar="N", help="Steps instead of minutes: 2000, or grain=2000,prior=500.")
@click.option(
    "--labels",
    type=FILE,
    help="CSV file with more attributes.  [default: DATA/labels.csv]",
)
@click.option(
    "--class-from",
    metavar="LEVEL",
    help="What names the class: top (the first folder below DATA), folder (that of each sound), a number of folders "
    "down, or name (the file name).  [default: chosen by the names of the folders, and shown]",
)
@click.option(
    "--pitch-from-names", is_flag=True, help="Read the attribute pitch from file names: A4, A#3, As3, Bb3, or 060."
)
@click.option(
    "--slice",
    "cut",
    metavar="onsets|SECONDS",
    help="Cut recordings into sounds first: at onsets, or every so many seconds.  [default: not at all]",
)
@click.option("--resume", is_flag=True, help="Continue the run in --out where it stopped.")
@click.option("--seed", type=int, help="The seed of all random choices.  [default: the preset's, 0]")
@click.option(
    "--devices", default="auto", show_default=True, help="How many devices, or which ones, in Lightning's notation."
)
@click.option("--nodes", default=1, show_default=True, type=click.IntRange(1), help="How many machines.")
@click.option("--accelerator", default="auto", show_default=True, help="cpu, gpu or auto.")
@click.option(
    "--precision", default="32-true", show_default=True, help="In Lightning's notation, such as 32-true or bf16-mixed."
)
@click.option(
    "--workers", default=1, show_default=True, type=click.IntRange(0), help="How many processes prepare batches."
)
@click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that keeps decoded sounds.  [default: ~/.cache/ngs]",
)
def train(
    data: Path | None, out: Path, preset: str | None, assignments: tuple[str, ...], minutes: str | None,
    steps: str | None, labels: Path | None, class_from: str | None, pitch_from_names: bool, cut: str | None,
    resume: bool, seed: int | None, devices: str, nodes: int, accelerator: str, precision: str, workers: int,
    cache: Path | None,
) -> None:  # fmt: skip
    """Train a model on DATA, a folder of sounds, or a folder with folders of sounds for each class.

    Packs may be given as they come, kit/type/file too: the classes that were found are listed before anything else.

    Training has stages: first the grains, then the embedding of their paths, then, if the preset asks for it, both
    together, and last the prior, which new sounds are drawn from. Stop with Ctrl-C at any time and continue later with
    --resume; nothing is lost. `tensorboard --logdir OUT/logs` shows curves, spectrograms and sounds.

    \b
    Example:
      ngs hits sounds --count 20
      ngs train sounds --out runs/mine --minutes 1
      ngs train --out runs/mine --resume
    """
    # threads that spin while they wait for one another take cores from other programs
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    from ngs.training.config import ConfigError, budget, load_preset, override
    from ngs.training.learning.machine import Machine
    from ngs.training.learning.session import train as run_training

    given = (preset, minutes, steps, assignments, class_from, pitch_from_names, cut)
    if resume and (any(given) or seed is not None):
        raise ConfigError(
            "--resume continues the run with its own settings: leave out --preset, --minutes, --steps, --set, --seed, "
            "--class-from, --pitch-from-names and --slice"
        )
    config = load_preset(preset or "fast")
    if minutes:
        config = budget(config, "minutes", minutes)
    if steps:
        config = budget(config, "steps", steps)
    config = override(config, [*assignments, *([f"seed={seed}"] if seed is not None else [])])

    first = os.environ.get("LOCAL_RANK", "0") == "0"  # Lightning runs this command once more for each other device

    def say(line: str) -> None:
        if first:
            click.echo(printable(line), err=True)  # names in remarks may hold anything

    said = time.monotonic()

    def progress(title: str, done: int, total: int) -> None:
        nonlocal said
        if first and sys.stderr.isatty() and total:
            end = "\n" if done == total else ""
            click.echo(f"\r{title}: {done} of {total}{end}", err=True, nl=False)
        elif time.monotonic() - said > PLAIN_LINE_SECONDS:
            said = time.monotonic()
            say(f"{title}: {done} of {total}")

    def check(*model_and_sounds: Any) -> object:
        from ngs.export.rehearsal import rehearse

        return rehearse(*model_and_sounds)

    machine = Machine(accelerator, devices, nodes, precision, workers)
    finished = run_training(
        data,
        labels,
        out,
        config,
        resume,
        machine,
        cache,
        say,
        progress,
        check,
        class_from,
        pitch_from_names,
        cut,
    )
    if not finished:
        say(f"Stopped; nothing is lost. Continue with: ngs train --out {out} --resume")
        sys.exit(130)
    if first:
        click.echo(printable(f"Trained: {out}. Next: ngs export {out} -o {out.name}.ngs"))
