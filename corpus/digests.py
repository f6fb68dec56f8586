"""Digests of what files hold. They are remembered, so that a library that did not change is not read again."""

from __future__ import annotations

import hashlib
import json
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from ngs.corpus.sounds import SoundFile, Sounds
from ngs.runtime.atomic import replaced

T = TypeVar("T")
R = TypeVar("R")


def content_digests(sounds: Sounds, root: Path, progress: Callable[[int], None]) -> list[str]:
    """The digest of each file's content, "" if it cannot be read. Only files that changed since last time are read.

    The digests are remembered in the folder `root`. `progress` is called with the number of files done.
    """
    folder = hashlib.blake2b(os.fsencode(sounds.folder.resolve()), digest_size=8).hexdigest()
    memo = root / f"digests-{folder}.json"
    try:
        known: dict[str, Any] = json.loads(memo.read_bytes())
    except (OSError, ValueError):
        known = {}

    def digest(file: SoundFile) -> tuple[str, list[Any]]:
        try:
            status = file.path.stat()
            stamp = [status.st_size, status.st_mtime_ns]
            entry = known.get(file.name)
            if isinstance(entry, list) and entry[:2] == stamp:
                return file.name, entry
            with open(file.path, "rb") as opened:
                return file.name, [*stamp, hashlib.file_digest(opened, _blake).hexdigest()]
        except OSError:
            return file.name, [0, 0, ""]

    entries: dict[str, list[Any]] = {}
    for name, entry in parallel(digest, sounds.files):
        entries[name] = entry
        if entry != known.get(name):
            progress(len(entries))
    if entries != known:
        with replaced(memo) as beside:
            beside.write_text(json.dumps(entries))
    return [str(entry[2]) for entry in entries.values()]


def _blake() -> Any:
    return hashlib.blake2b(digest_size=20)


def parallel(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Results in the order of the items, from a few threads: decoding, resampling and hashing release the GIL."""
    workers = min(os.cpu_count() or 1, 8)
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) >= 4 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
