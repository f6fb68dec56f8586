"""`ngs bench`."""

from __future__ import annotations

import json
import os

import click

from ngs.cli import options
from ngs.runtime.console.parameters import BUNDLE

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")  # that numpy reads


@click.command()
@click.argument("bundle", required=False)
@options.provider
@click.option("--quick", is_flag=True, help="Measure less often: takes 10 seconds instead of most of a minute.")
@options.as_json
def bench(bundle: str | None, provider: str, quick: bool, as_json: bool) -> None:
    """Measure how fast BUNDLE plays on this machine, with one thread.

    Measures decoding offline, a hop and a whole synth with 1 to 32 voices, the time from a note's start to its first
    samples, start-up, and memory. Where torch is installed, the decoder that was published with the paper is measured
    beside it.

    BUNDLE is a .ngs folder or file. Leave it out to measure the drums that come with ngs.

    \b
    Example:
      ngs bench --quick
    """
    os.environ.update(dict.fromkeys(THREADS, "1"))  # before numpy is imported, perhaps by looking for the bundle
    from dataclasses import asdict

    from ngs.evaluation.speed.speed import measure
    from ngs.evaluation.speed.speed_tables import speed_lines

    path = BUNDLE.convert(bundle, None, None) if bundle else None
    speed = measure(path, provider, quick, lambda title: click.echo(f"{title} ...", err=True))
    click.echo(json.dumps(asdict(speed), indent=2) if as_json else "\n".join(speed_lines(speed)))
