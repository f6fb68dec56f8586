"""Writing matplotlib's figures."""

from __future__ import annotations

import contextlib
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")


def check_format(output: Path) -> None:
    """Raise ValueError for a name that no picture can have."""
    if output.suffix.lower() not in FORMATS:
        raise ValueError(f"{output}: a picture ends in {', '.join(FORMATS)}")


def save_figure(figure: Figure, output: Path) -> bool:
    """Write a figure beside its name, then rename it; whether its font had all letters. Raises OSError."""
    beside = output.with_name(f".{output.name}.{os.getpid()}{output.suffix}")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            figure.savefig(beside, format=output.suffix[1:].lower())
        beside.replace(output)
        return not any("Glyph" in str(warning.message) for warning in caught)
    except OSError as error:
        raise OSError(f"{output} cannot be written: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):  # where nothing could be written nothing is there
            beside.unlink(missing_ok=True)
