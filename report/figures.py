"""Writing matplotlib's figures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")


def check_format(output: Path) -> None:
    """Raise ValueError for a name that no picture can have."""
    if output.suffix.lower() not in FORMATS:
        raise ValueError(f"{output}: a picture ends in {', '.join(FORMATS)}")


def save_figure(figure: Figure, output: Path) -> None:
    """Write a figure beside its name, then rename it. Raises OSError."""
    beside = output.with_name(f".{output.name}.{os.getpid()}{output.suffix}")
    try:
        figure.savefig(beside, format=output.suffix[1:].lower())
        beside.replace(output)
    except OSError as error:
        raise OSError(f"{output} cannot be written: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)
