"""Matplotlib figures as files."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from ngs.runtime.atomic import replaced

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")


def check_format(output: Path) -> None:
    """Raise ValueError for a file name that is not that of a picture."""
    if output.suffix.lower() not in FORMATS:
        raise ValueError(f"{output}: a picture ends in {', '.join(FORMATS)}")


def save_figure(figure: Figure, output: Path) -> bool:
    """Write a figure; returns whether its font had all the letters. Raises OSError, and leaves no half a file."""
    try:
        with replaced(output) as beside, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            figure.savefig(beside, format=output.suffix[1:].lower())
    except OSError as error:
        raise OSError(f"{output} cannot be written: {error.strerror or error}") from error
    return not any("Glyph" in str(warning.message) for warning in caught)
