"""Parameters that several commands share."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

SHIPPED = "drums"


class BundlePath(click.Path):
    """Path of a bundle. One of that name comes first; else the word "drums" is the bundle that ngs ships.

    A folder of sounds called drums, as the README makes one, is no bundle.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = Path(value)
        if str(value) != SHIPPED or path.is_file() or (path / "manifest.json").is_file():
            return path
        from ngs.runtime.bundle import shipped

        return shipped()


BUNDLE = BundlePath()


class Number(click.FloatRange):
    """A number of a range; "nan" is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number
