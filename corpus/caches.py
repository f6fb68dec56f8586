"""The caches of decoded sounds in a folder: what they hold, when they were last used, and how to be rid of them."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ngs.corpus.cache import STALE_SECONDS, USE, open_index
from ngs.runtime.errors import printable

_CACHE = re.compile(r"(\d+)-[0-9a-f]{32}")
_MEMO = re.compile(r"digests-[0-9a-f]{16}\.json")
_UNFINISHED = ".build-*"


@dataclass(frozen=True)
class CacheFolder:
    """A cache of decoded sounds."""

    path: Path
    sample_rate: int  # Hz
    sounds: int
    seconds: float  # of sound
    size: int  # bytes
    last_used: float  # seconds since 1970
    data: str  # the folder of sounds that last used it, "" if that is not known


def caches(root: Path) -> list[CacheFolder]:
    """The caches in a folder, the last used first; damaged ones have no sounds. Raises OSError."""
    found = []
    for path in root.iterdir() if root.is_dir() else ():
        match = _CACHE.fullmatch(path.name)
        if not match or not path.is_dir():
            continue
        index, rate = open_index(path), int(match[1])
        lengths = [] if index is None else index["lengths"][index["lengths"] > 0].tolist()
        used = path / USE
        found.append(
            CacheFolder(
                path=path,
                sample_rate=rate,
                sounds=len(lengths),
                seconds=sum(lengths) / rate,
                size=_size(path),
                last_used=(used if used.exists() else path).stat().st_mtime,
                data=printable(used.read_bytes().decode("utf-8", "replace")) if used.exists() else "",
            )
        )
    return sorted(found, key=lambda cache: -cache.last_used)


def clear(root: Path, older_than: float = 0.0) -> tuple[int, int]:
    """Remove the caches in a folder that were last used more than `older_than` seconds ago, and nothing else there.

    Returns how many there were, and the bytes that are free now, those of remembered digests and of caches that were
    never finished included. Raises OSError.
    """
    before, removed, freed = time.time() - older_than, 0, 0
    for cache in caches(root):
        if cache.last_used <= before:
            shutil.rmtree(cache.path)
            removed, freed = removed + 1, freed + cache.size
    for path, oldest in _leavings(root, before):
        if path.stat().st_mtime <= oldest:
            freed += _size(path)
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return removed, freed


def _leavings(root: Path, before: float) -> Iterator[tuple[Path, float]]:
    """What else is in a folder of caches, each with the time up to which it goes."""
    if not root.is_dir():
        return
    for path in sorted(root.iterdir()):
        if _MEMO.fullmatch(path.name):
            yield path, before
        elif path.match(_UNFINISHED) and path.is_dir():
            yield path, min(before, time.time() - STALE_SECONDS)  # a younger one may be under way


def _size(path: Path) -> int:
    files = [path] if path.is_file() else path.rglob("*")
    return sum(each.stat().st_size for each in files if each.is_file())
