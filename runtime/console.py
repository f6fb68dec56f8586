"""TODO."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import Any

import click

# modules of extras other than `train`: what they are for
EXTRAS = {
    **dict.fromkeys(("pyo", "pythonosc", "mido", "rtmidi"), ("Playing live needs", "live")),
    **dict.fromkeys(("jinja2", "matplotlib", "PIL", "contourpy"), ("Pictures and reports need", "report")),
    "umap": ("UMAP needs", "umap"),
}


def guarded(command: click.Command) -> None:
    """Run a command: a known error is one line on stderr and exit status 1, Ctrl-C is 130."""
    try:
        command.main(standalone_mode=False)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        extra, name = EXTRAS.get(missing, ("Training and export need", "train"))
        click.echo(f"Error: {error}. {extra} the extra: pip install 'ngs[{name}]'", err=True)
        sys.exit(1)
    except (ValueError, OSError) as error:
        if os.environ.get("NGS_DEBUG"):
            raise
        if isinstance(error, OSError) and error.filename and error.strerror:
            error = OSError(f"{error.filename} cannot be used: {error.strerror}")
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)


SHIPPED = "drums"


class BundlePath(click.Path):
    """Path of a bundle. One of that name comes first; else the word "drums" is the bundle that ngs ships.

    A folder of sounds called drums, as the README makes one, is no bundle.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(value)
        if str(value) != SHIPPED or path.is_file() or (path / "manifest.json").is_file():
            return path
        from ngs.runtime.bundle.bundle import shipped

        return shipped()


BUNDLE = BundlePath()


class Number(click.FloatRange):
    """A number of a range; "nan" is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number
