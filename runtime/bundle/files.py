"""Reads the files of a bundle, folder or zip archive, and archives of arrays. Names and sizes are checked first."""

from __future__ import annotations

import io
import math
import os
import re
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.errors import reason

MAX_BUNDLE_BYTES = 1 << 30  # all files together, unpacked
MAX_ARRAYS_BYTES = 256 << 20  # an archive of arrays, unpacked
MAX_ENTRIES = 256
MAX_DIRECTORY_BYTES = 128 << 10  # an archive's table of contents
MAX_RATIO, SMALL_BYTES = 200, 16 << 20  # zeros pack a thousandfold, so only larger entries must keep to the ratio
MAX_DIMENSIONS = 8
FLAGS = 0x80E  # that zip entries may have: deflate's levels, sizes after the data, names in UTF-8
UNREADABLE = (  # what zipfile raises for a damaged archive
    OSError, zipfile.BadZipFile, zlib.error, struct.error, ArithmeticError, EOFError, LookupError, MemoryError,
    RuntimeError, ValueError,
)  # fmt: skip
# as numpy.save writes it, for little-endian plain numbers; no Python literal has to be parsed
HEADER = re.compile(
    rb"\{'descr': '(<f2|<f4|<i4|<i8)', 'fortran_order': (True|False), 'shape': \(((?:\d{1,10}, ?)*\d{0,10})\), \} *\n"
)


class Files:
    """Reads files by name from a folder or an archive: never from outside it, and never more than a limit."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.archive: zipfile.ZipFile | None = None
        if path.is_dir():
            return
        if not path.exists():
            raise BundleError(f"{path} does not exist: name a bundle that `ngs export` wrote")
        if not path.is_file():
            raise BundleError(f"{path} is not a bundle: neither a folder nor a file")
        try:
            with path.open("rb") as file:
                open_archive(file, str(path), MAX_BUNDLE_BYTES)
            self.archive = zipfile.ZipFile(path)
        except BundleError:
            raise
        except UNREADABLE as error:
            raise BundleError(
                f"{path} is not a bundle: neither a folder nor a whole zip archive; if it was one, copy it again"
            ) from error

    def close(self) -> None:
        """Close the archive, if it is one."""
        if self.archive:
            self.archive.close()

    def names(self) -> list[str]:
        """The names of everything in the folder or archive."""
        return self.archive.namelist() if self.archive else [entry.name for entry in self.path.iterdir()]

    def check(self, name: str) -> None:
        """Raise BundleError if there is no plain file of this name."""
        self._size(name)

    def read(self, name: str, most: int) -> bytes:
        """The content of a file of at most `most` bytes. Raises BundleError."""
        size = self._size(name)
        if size > most:
            raise BundleError(f"{self.path}: {name} has {size} bytes, and {most} are allowed")
        try:
            with self.archive.open(name) if self.archive else _open_plain(self.path / name) as file:
                content = file.read(most + 1)
        except UNREADABLE as error:
            raise BundleError(f"{self.path}: {name} cannot be read ({reason(error)})") from error
        if len(content) != size:
            raise BundleError(f"{self.path}: {name} has {len(content)} bytes, expected {size}")
        return content

    def _size(self, name: str) -> int:
        if self.archive:
            try:
                return self.archive.getinfo(name).file_size
            except KeyError as error:
                raise BundleError(f"{self.path}: {name} is missing") from error
        try:
            found = (self.path / name).lstat()
        except (OSError, ValueError) as error:
            raise BundleError(f"{self.path}: {name} is missing") from error
        if not stat.S_ISREG(found.st_mode):
            kind = "a link" if stat.S_ISLNK(found.st_mode) else "not a plain file"
            raise BundleError(f"{self.path}: {name} is missing ({kind})")
        return found.st_size


def _open_plain(path: Path) -> IO[bytes]:
    """Open a file without following links or waiting for a writer, should it have become a link or a pipe meanwhile."""
    flags = [getattr(os, flag, 0) for flag in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY", "O_CLOEXEC")]
    return os.fdopen(os.open(path, os.O_RDONLY | sum(flags)), "rb")


def open_archive(file: IO[bytes], where: str, most: int, folders: bool = False) -> zipfile.ZipFile:
    """Open a zip archive whose table of contents is small, plain and true enough to be read.

    `most`: bytes of all entries, unpacked. `folders`: allow names of the form a/b. Raises BundleError, and zipfile's
    own exceptions.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(-min(size, 42), io.SEEK_END)
    end = file.read()
    count, table, start = (int.from_bytes(end[-22:][at : at + n], "little") for at, n in ((10, 2), (12, 4), (16, 4)))
    if end[-22:][:4] != b"PK\5\6" or start + table + 22 != size:
        raise zipfile.BadZipFile("no table of contents at the end")
    if count > MAX_ENTRIES or table > MAX_DIRECTORY_BYTES or end.startswith(b"PK\6\7"):
        raise BundleError(f"{where}: expected an archive of at most {MAX_ENTRIES} files, found a larger one")
    archive = zipfile.ZipFile(file)
    names = set()
    for entry in archive.infolist():
        name, kind = entry.orig_filename, stat.S_IFMT(entry.external_attr >> 16)
        shown = name if name.isprintable() and len(name) <= 80 else ascii(name)[:80]
        parts = name.split("/") if folders else [name]
        if len(parts) > 2 or not all(is_plain(part) for part in parts):
            raise BundleError(f"{where}: expected plain file names in the archive, found {shown}")
        if name in names:
            raise BundleError(f"{where}: expected each file once in the archive, found {shown} twice")
        names.add(name)
        if kind not in (0, stat.S_IFREG) or entry.external_attr & 0x10:
            raise BundleError(f"{where}: expected plain files in the archive, but {shown} is not one")
        if entry.flag_bits & ~FLAGS or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise BundleError(
                f"{where}: expected stored or deflated files, found {shown} encrypted or packed otherwise"
            )
        if entry.file_size > max(SMALL_BYTES, MAX_RATIO * entry.compress_size):
            raise BundleError(f"{where}: expected files packed at most {MAX_RATIO}fold, found {shown} above that")
    if sum(entry.file_size for entry in archive.infolist()) > most:
        raise BundleError(f"{where}: expected at most {most >> 20} MiB in the archive, found more")
    return archive


def is_plain(name: str) -> bool:
    """Whether a name is that of a file in this folder, on every system, and can be shown."""
    return 0 < len(name) <= 256 and name.isprintable() and name[0] != "." and not any(c in name for c in "/\\:")


def read_arrays(content: bytes, where: str) -> dict[str, NDArray[Any]]:
    """The arrays in a .npz file by name. Raises BundleError for anything but plain arrays of plain numbers."""
    try:
        with open_archive(io.BytesIO(content), where, MAX_ARRAYS_BYTES, folders=True) as archive:
            arrays = {}
            for entry in archive.infolist():
                with archive.open(entry) as file:
                    arrays[entry.filename.removesuffix(".npy")] = _read_array(file, entry.file_size)
            return arrays
    except BundleError:
        raise
    except UNREADABLE as error:
        raise BundleError(f"{where} is not an archive of plain arrays ({reason(error)})") from error


def _read_array(file: IO[bytes], size: int) -> NDArray[Any]:
    start = file.read(10)
    length = int.from_bytes(start[8:], "little")
    header = HEADER.fullmatch(file.read(length))
    if start[:8] != b"\x93NUMPY\1\0" or not header:
        raise ValueError("expected the header that numpy.save writes for 16 or 32-bit floats, or for integers")
    shape = tuple(int(size) for size in header[3].split(b",") if size.strip())
    dtype = np.dtype(header[1].decode())
    if len(shape) > MAX_DIMENSIONS or math.prod(shape) * dtype.itemsize != size - length - 10:
        raise ValueError(f"expected {size - length - 10} bytes, found sizes {shape}"[:200])
    array = np.frombuffer(file.read(size), dtype=dtype).copy()
    return np.ascontiguousarray(array.reshape(shape[::-1]).T) if header[2] == b"True" else array.reshape(shape)
