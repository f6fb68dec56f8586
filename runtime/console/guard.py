"""Runs a command line: every expected error is one line."""

from __future__ import annotations

import io
import os
import sys

import click

from ngs.runtime.errors import one_line, printable

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
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr: names of files may hold any bytes
    try:
        command.main(standalone_mode=False)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.message = "\n".join(map(printable, error.message.splitlines()))  # type: ignore[misc]
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
