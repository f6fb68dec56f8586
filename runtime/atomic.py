"""TODO."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


def replace_path(made: Path, path: Path, old: Path) -> None:
    """Rename over what is there; a folder has to be moved to `old` first and is put back when that fails."""
    try:
        if path.exists():
            os.rename(path, old)
        os.rename(made, path)
    except BaseException:  # Ctrl-C, too
        if old.exists() and not path.exists():
            os.rename(old, path)
        raise


def writable(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"{folder} cannot be made: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise OSError(f"{folder} cannot be written to")
    return folder


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes its name at the end, and goes where something fails."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def left(stack: contextlib.ExitStack, keep: bool) -> None:
    """Leave the contexts of a `replaced` file: it takes its name, or goes."""
    stack.__exit__(*((None, None, None) if keep else (_Unwanted, _Unwanted(), None)))


class _Unwanted(Exception):
    """A file that is not kept."""
