"""Records what a server plays, or writes a file at all: beside its place, renamed when it is whole."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from ngs.pyo_instruments.clock import Clock
from ngs.runtime.audio import audio_format

Array = NDArray[np.float32]
SECONDS = 8  # that may wait to be written
PAUSE_SECONDS = 0.1
FLAC_FRAMES = 4096  # of a block of libsndfile's


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
        self.path, self._clock, self._most, self._live = path, clock, frames, clock.live
        self._format = audio_format(path)
        self._ring = np.zeros((SECONDS * clock.sample_rate // clock.block * clock.block, clock.channels), np.float32)
        self._rate = clock.sample_rate
        self.taken = self._written = 0
        self.lost = 0  # frames that found no room
        self.error: Exception | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ngs recorder", daemon=True)

    def __enter__(self) -> Recorder:
        subtype, channels = "PCM_24" if self._format == "FLAC" else "FLOAT", self._ring.shape[1]
        with contextlib.ExitStack() as stack:
            self._beside = stack.enter_context(replaced(self.path))
            try:
                self._file = soundfile.SoundFile(
                    self._beside, "w", self._rate, channels, subtype=subtype, format=self._format
                )
            except soundfile.LibsndfileError as error:
                raise OSError(f"{self.path} cannot be written: {error.error_string}") from error
            self._stack = stack.pop_all()
        self._clock.taps.append(self._take)
        if self._live:
            self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Finish the file: what was played is kept, whatever ended it. Raises OSError where some of it is lost."""
        self._clock.taps.remove(self._take)
        self._stopping.set()
        if self._live:
            self._thread.join()
        if self.error is None:
            self._try(self._drain)
        self._try(self._file.close)
        if self.error and self._format == "FLAC":
            self._written = _finish_flac(self._beside)
        self._stack.close()
        if self.error or self.lost:
            raise self._loss()

    def drain(self) -> None:
        """Write what waits. Raises OSError where that cannot be."""
        if self.error is None:
            self._try(self._drain)
        if self.error:
            raise self._loss()

    def _loss(self) -> OSError:
        reason = "the disk is full, or cannot be written" if self.error else "the disk is too slow"
        return OSError(f"{self.path} holds the first {self._written / self._rate:.1f} s only: {reason}")

    def _drain(self) -> None:
        while self._written < self.taken:
            start = self._written % len(self._ring)
            count = min(self.taken - self._written, len(self._ring) - start)
            self._file.write(self._ring[start : start + count])
            self._written += count

    def _take(self, block: Array) -> None:
        count = len(block) if self._most is None else min(len(block), self._most - self.taken)
        if self.lost or self.taken + count - self._written > len(self._ring):  # no gaps
            self.lost += count
            return
        start = self.taken % len(self._ring)  # blocks divide the ring
        self._ring[start : start + count] = block[:count]
        self.taken += count

    def _run(self) -> None:
        while self.error is None and not self._stopping.wait(PAUSE_SECONDS):
            self._try(self._drain)

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (OSError, soundfile.LibsndfileError) as error:
            self.error = self.error or error


def _finish_flac(path: Path) -> int:
    """Note in a FLAC file that was broken off how many frames it has: programs take it for endless otherwise."""
    frames = 0
    with contextlib.suppress(soundfile.LibsndfileError), soundfile.SoundFile(path) as file:
        while count := len(file.read(FLAC_FRAMES)):
            frames += count
    with path.open("r+b") as header:  # RFC 9639, section 8.2: the last 36 of 64 bits
        header.seek(18)
        numbers = int.from_bytes(header.read(8), "big")
        header.seek(18)
        header.write((numbers >> 36 << 36 | frames).to_bytes(8, "big"))
    return frames
