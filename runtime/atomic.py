"""Write first, rename last: no reader ever finds half a file, and a failed write leaves what was there before."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """Replace a file as a whole: write to the path that this yields, a new name in the same folder.

    When the block ends, the file written there takes the name `path`, and the mode of the file that it replaces. When
    the block raises, `path` stays as it was and the new file is removed. Missing parent folders are made. A symbolic
    link stays one: the file it points to is replaced. Raises OSError, which names `path`.
    """
    target = path.resolve() if path.is_symlink() else path
    beside = target.with_name(f".{target.name[:40]}.{secrets.token_hex(4)}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield beside
        if target.is_file():
            beside.chmod(stat.S_IMODE(target.stat().st_mode))
        os.replace(beside, target)
    except OSError as error:
        if error.filename != str(beside):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        beside.unlink(missing_ok=True)


def close_replaced(stack: contextlib.ExitStack, keep: bool) -> None:
    """Close a stack that holds a `replaced` file: the file takes its name, or is removed if `keep` is false."""
    if keep:
        stack.close()
    else:
        stack.__exit__(_Discarded, _Discarded(), None)


class _Discarded(Exception):
    """Raised inside `replaced` to discard its file."""


def replace_path(made: Path, path: Path, old: Path) -> None:
    """Rename the file or folder `made` to `path`; what was there moves to `old`, and back should the renaming fail.

    Two steps, because a folder that is not empty cannot be renamed over. All three are on one file system, `old` does
    not exist yet, and the caller removes it.
    """
    try:
        if path.exists():
            os.rename(path, old)
        os.rename(made, path)
    except BaseException:  # Ctrl-C as well
        if old.exists() and not path.exists():
            os.rename(old, path)
        raise


@contextlib.contextmanager
def replaced_folder(path: Path) -> Iterator[Path]:
    """Replace a folder as a whole: write to the folder that this yields, a new one beside it.

    When the block ends, the new folder takes the name `path`. When the block or the renaming fails, `path` stays as it
    was and the new folder is removed. Missing parent folders are made. Raises OSError, which names `path` if writing
    failed.
    """
    try:
        scratch = Path(tempfile.mkdtemp(prefix=f".{path.name[:40]}-", dir=writable(path.parent)))
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error.strerror or error}") from error
    try:
        made = scratch / path.name
        made.mkdir()
        yield made
        replace_path(made, path, scratch / "former")
    except OSError as error:
        if error.filename and not Path(error.filename).is_relative_to(scratch):
            raise
        raise OSError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def writable(folder: Path) -> Path:
    """The folder, made if it is missing. Raises OSError if it cannot be made or written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"{folder} cannot be made: {error.strerror}") from error
    if not os.access(folder, os.W_OK):
        raise OSError(f"{folder} cannot be written to")
    return folder
