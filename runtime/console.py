"""What every command line of ngs shares: errors as one line, and the types of bundles and numbers."""

from __future__ import annotations

import math
import os
import sys
from pathlib import Path
from typing import Any

import click

from ngs.runtime.errors import one_line

# top-level modules of the extras: what needs them, and the extra
EXTRAS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(
        ("torch", "lightning", "onnx", "onnxscript", "tensorboard", "rich"), ("Training and export need", "train")
    ),
    **dict.fromkeys(("pyo", "pythonosc", "mido", "rtmidi"), ("Playing live needs", "live")),
    **dict.fromkeys(("jinja2", "matplotlib", "PIL", "contourpy"), ("Pictures and reports need", "report")),
    "umap": ("UMAP needs", "umap"),
}


def guarded(command: click.Command) -> None:
    """Run a command. An error that is expected is one line on stderr and exit status 1; Ctrl-C is exit status 130.

    With NGS_DEBUG=1 in the environment such an error is raised, for its traceback. Errors of the command line are
    shown as click shows them.
    """
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
    except (ImportError, ValueError, OSError) as error:
        if os.environ.get("NGS_DEBUG"):
            raise
        click.echo(f"Error: {one_line(_said(error))}", err=True)
        sys.exit(1)


def _said(error: Exception) -> str:
    """What to print of an error: the file it is about, or what to install."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename} cannot be used: {error.strerror}"
    missing = (error.name or "").partition(".")[0] if isinstance(error, ImportError) else ""
    if missing in EXTRAS:
        what_needs, extra = EXTRAS[missing]
        return f"{error}. {what_needs} the extra: pip install '.[{extra}]' in the folder of ngs"
    return str(error)


SHIPPED = "drums"


class BundlePath(click.Path):
    """The path of a bundle; the word "drums" is the bundle that comes with ngs, unless there is one of that name.

    A folder called drums that holds sounds, as the README makes one, is not a bundle.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(value)
        if str(value) != SHIPPED or path.is_file() or (path / "manifest.json").is_file():
            return path
        from ngs.runtime.bundle.bundle import shipped

        return shipped()


BUNDLE = BundlePath()


class Number(click.FloatRange):
    """A number within a range; unlike click's own type, it refuses NaN."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number
