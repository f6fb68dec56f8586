"""`ngs cache`."""

from __future__ import annotations

import time
from pathlib import Path

import click

DAY = 24 * 3600.0
cache_option = click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that keeps decoded sounds.  [default: ~/.cache/ngs]",
)


@click.group()
def cache() -> None:
    """List or remove the decoded sounds that `ngs train` keeps.

    They may be removed at any time, except while they are trained on: the next start decodes sounds again.

    \b
    Example:
      ngs cache list
      ngs cache clear --older-than 30
    """


@cache.command("list")
@cache_option
def list_caches(cache: Path | None) -> None:
    """List the caches, the last used first.

    \b
    Example:
      ngs cache list
    """
    from ngs.corpus.cache import default_root
    from ngs.corpus.caches import caches
    from ngs.corpus.words import counted

    root = cache or default_root()
    found = caches(root)
    for each in found:
        days = int((time.time() - each.last_used) / DAY)
        used = "today" if days < 1 else f"{counted(days, 'day')} ago"
        holds = f"{counted(each.sounds, 'sound')}, {each.seconds / 60:.1f} minutes" if each.sounds else "damaged"
        source = f", of {each.data}" if each.data else ""
        click.echo(f"{each.path.name}: {_size(each.size)}, {holds}, used {used}{source}")
    total = sum(each.size for each in found)
    click.echo(f"{counted(len(found), 'cache')} in {root}, {_size(total)}")


@cache.command("clear")
@cache_option
@click.option("--older-than", default=0, metavar="DAYS", type=click.IntRange(0),
              help="Keep those that were used in the last DAYS days.")  # fmt: skip
def clear_caches(cache: Path | None, older_than: int) -> None:
    """Remove the caches. Other files in their folder are left alone.

    \b
    Example:
      ngs cache clear --older-than 30
    """
    from ngs.corpus.cache import default_root
    from ngs.corpus.caches import clear
    from ngs.corpus.words import counted

    root = cache or default_root()
    removed, freed = clear(root, older_than * DAY)
    click.echo(f"Removed {counted(removed, 'cache')} in {root}, {_size(freed)}")


def _size(number: int) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"
