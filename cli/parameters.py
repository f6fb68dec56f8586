"""Parameters that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

SHIPPED = "drums"


class BundlePath(click.Path):
    """Path of a bundle. What exists under a name comes first; else the word "drums" is the bundle that ngs ships."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(value)
        if str(value) != SHIPPED or path.exists():
            return path
        from ngs.runtime.bundle import shipped

        return shipped()


BUNDLE = BundlePath()
