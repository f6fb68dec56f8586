"""Options that several commands have, and how they show progress."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from ngs.runtime.console.parameters import Number
from ngs.runtime.temperature import MOST_TEMPERATURE, TEMPERATURE

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

provider: Decorator = click.option(
    "--provider", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"]),
    help="Where to compute; auto uses a GPU if there is one.",
)  # fmt: skip
seed: Decorator = click.option(
    "--seed", default=0, show_default=True, type=click.IntRange(0), help="The seed of all random choices."
)
levels: Decorator = click.option(
    "--levels", default="held", show_default=True, type=click.Choice(["held", "raw"]),
    help="held: drawn sounds and free paths are as loud as the corpus; raw: as loud as they are decoded.",
)  # fmt: skip
temperature: Decorator = click.option(
    "--temperature", default=TEMPERATURE, show_default=True, type=Number(0, MOST_TEMPERATURE),
    help="Of drawn sounds: 0 is the most typical one, 1 as varied as the corpus; more is stranger.",
)  # fmt: skip
limit: Decorator = click.option("--limit", type=click.IntRange(1), help="Use at most this many files of each class.")
as_json: Decorator = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


def show_progress(title: str, done: int, total: int) -> None:
    """A counter on stderr that overwrites itself on a terminal; a single line elsewhere."""
    if sys.stderr.isatty():
        click.echo(f"\r{title}: {done} of {total}" + ("\n" if done == total else ""), err=True, nl=False)
    elif done == 0:
        click.echo(f"{title}: {total}", err=True)
