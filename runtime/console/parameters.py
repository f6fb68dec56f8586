"""Types of parameters that several commands take."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import click

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
