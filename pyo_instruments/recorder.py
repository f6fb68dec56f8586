"""Records what a server plays, or writes a file at all: beside its place, renamed when it is whole."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from ngs.pyo_instruments.clock import Clock
from ngs.runtime.audio import audio_format

Array = NDArray[np.float32]
SECONDS = 8  # that may wait to be written
PAUSE_SECONDS = 0.1


@contextlib.contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes its name at the end, and goes where something fails."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


class Recorder:
    """Takes every block of a clock into a ring; a thread of its own writes them to a file.

    With a clock that is not live `drain` writes, from time to time, and no thread is needed.
    """

    def __init__(self, clock: Clock, path: Path, frames: int | None = None) -> None:
        """`frames` to record at most. Raises AudioError for a file type that cannot be written."""
        self.path, self._most, self._live = path, frames, clock.live
        self._format = audio_format(path)
        self._ring = np.zeros((SECONDS * clock.sample_rate // clock.block * clock.block, clock.channels), np.float32)
        self._rate = clock.sample_rate
        self.taken = self._written = 0
        self.lost = 0  # frames that found no room
        self.error: Exception | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ngs recorder", daemon=True)
        self._stack = contextlib.ExitStack()
        clock.taps.append(self._take)

    def __enter__(self) -> Recorder:
        beside = self._stack.enter_context(replaced(self.path))
        subtype = "PCM_24" if self._format == "FLAC" else "FLOAT"
        file = soundfile.SoundFile(beside, "w", self._rate, self._ring.shape[1], subtype=subtype, format=self._format)
        self._file = self._stack.enter_context(file)
        if self._live:
            self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Finish the file: what was played is kept, whatever ended it. Raises OSError where some of it is lost."""
        self._stopping.set()
        if self._live:
            self._thread.join()
        if self.error is None:
            self._try_to_drain()
        self._stack.close()
        if self.error or self.lost:
            seconds, reason = self._written / self._rate, self.error or "the disk is too slow"
            raise OSError(f"{self.path} holds the first {seconds:.1f} s only: {reason}")

    def drain(self) -> None:
        """Write what waits."""
        while self._written < self.taken:
            start = self._written % len(self._ring)
            count = min(self.taken - self._written, len(self._ring) - start)
            self._file.write(self._ring[start : start + count])
            self._written += count

    def _take(self, block: Array) -> None:
        count = len(block) if self._most is None else min(len(block), self._most - self.taken)
        if self.taken + count - self._written > len(self._ring):
            self.lost += count
            return
        start = self.taken % len(self._ring)  # blocks divide the ring
        self._ring[start : start + count] = block[:count]
        self.taken += count

    def _run(self) -> None:
        while self.error is None and not self._stopping.wait(PAUSE_SECONDS):
            self._try_to_drain()

    def _try_to_drain(self) -> None:
        try:
            self.drain()
        except (OSError, soundfile.LibsndfileError) as error:
            self.error = error
