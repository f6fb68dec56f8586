"""Types of parameters that several commands take."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import click

from ngs.runtime.spelling import on_disk

SHIPPED = "drums"


class BundlePath(click.Path):
    """The path of a bundle; the word "drums" is the bundle that comes with ngs, unless there is one of that name.

    A folder called drums that holds sounds, as the README makes one, is not a bundle.
    """

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        path = on_disk(Path(value))
        if str(value) != SHIPPED or path.is_file() or (path / "manifest.json").is_file():
            return path
        from ngs.runtime.bundle.bundle import shipped

        return shipped()


BUNDLE = BundlePath()


class InputPath(click.Path):
    """The path of something to read, whose accents may be written in another way than on the disk."""

    def __init__(self, exists: bool = True, file_okay: bool = True, dir_okay: bool = True) -> None:
        super().__init__(exists=exists, file_okay=file_okay, dir_okay=dir_okay, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        return Path(os.fsdecode(super().convert(on_disk(Path(value)), param, ctx)))


FOLDER = InputPath(file_okay=False)
FILE = InputPath(dir_okay=False)


NEW_FILE = click.Path(path_type=Path)


def in_folder(output: Path, name: str) -> Path:
    """Where to write: the output, or a file of that name in it if it is a folder."""
    return output / name if output.is_dir() else output


class Number(click.FloatRange):
    """A number within a range; unlike click's own type, it refuses NaN."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number
