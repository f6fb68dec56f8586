"""`ngs bench`."""

from __future__ import annotations

import json
import os

import click

from ngs.runtime.console import BUNDLE

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")  # of numpy's


@click.command(short_help="Measure how fast a bundle plays on this machine.")
@click.argument("bundle", required=False)
@click.option("--provider", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]))
@click.option("--quick", is_flag=True, help="Less often: some 10 seconds in place of most of a minute.")
@click.option("--json", "as_json", is_flag=True, help="Print every figure as one JSON document.")
def bench(bundle: str | None, provider: str, quick: bool, as_json: bool) -> None:
    """Measure how fast BUNDLE, a .ngs folder or file, plays on this machine with one thread.

    Decoding offline, a hop and a synth of 1 to 32 voices, a note's start to its first samples, start-up, memory. Where
    torch is installed, the decoder published with the paper is measured beside it. Without BUNDLE: the drums that come
    with ngs.

    \b
    Example:
      ngs bench --quick
    """
    os.environ.update(dict.fromkeys(THREADS, "1"))  # before numpy is imported, which finding the bundle may do
    from dataclasses import asdict

    from ngs.evaluation.speed.speed import measure
    from ngs.evaluation.speed.speed_tables import report

    path = BUNDLE.convert(bundle, None, None) if bundle else None
    speed = measure(path, provider, quick, lambda title: click.echo(f"{title} ...", err=True))
    click.echo(json.dumps(asdict(speed), indent=2) if as_json else "\n".join(report(speed)))
