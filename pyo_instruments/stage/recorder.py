"""Recorders write what a server plays to a sound file, which gets its name once it is complete."""

from __future__ import annotations

import contextlib
import struct
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from ngs.runtime.arrays import Array
from ngs.runtime.atomic import close_replaced, replaced
from ngs.runtime.dsp.audio_files import audio_format

if TYPE_CHECKING:
    from ngs.pyo_instruments.timing.clock import Clock

RING_SECONDS = 8  # of sound that may wait to be written
PAUSE_SECONDS = 0.1  # between two looks of a thread at the ring
FLAC_FRAMES = 4096  # in a block of libsndfile's
HEADER_BYTES = 128  # by which the sound of a WAV by libsndfile has begun
LARGEST_WAV = (1 << 32) - 1  # bytes that a plain WAV can declare


class Recorder:
    """Takes every block of a clock into a ring; `drain` writes the ring to a file and must be called now and then.

    Frames that find no room in the ring are counted, and are silent in the file.
    """

    def __init__(self, clock: Clock, path: Path, frames: int | None = None) -> None:
        """Record `frames` at most. Raises AudioError for a file type that cannot be written."""
        self.path, self._clock, self._most = path, clock, frames
        self._format = audio_format(path)
        ring_blocks = RING_SECONDS * clock.sample_rate // clock.block
        self._ring = np.zeros((ring_blocks * clock.block, clock.channels), np.float32)
        self._rate = clock.sample_rate
        self.taken = self._written = 0  # frames that went into the ring, and out of it
        self._played = 0  # frames in the file
        self.lost = 0  # frames that found no room
        self._missing = 0  # of them, since the last one that did
        self._gaps: deque[tuple[int, int]] = deque()  # after how many taken frames, and how many are missing
        self.error: Exception | None = None

    def __enter__(self) -> Recorder:
        self.open()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def open(self) -> None:
        """Record from now on. Raises OSError if the file cannot be made."""
        subtype, channels = "PCM_24" if self._format == "FLAC" else "FLOAT", self._ring.shape[1]
        kind = "RF64" if self._format == "WAV" else self._format  # a WAV holds 4 GiB, three hours
        with contextlib.ExitStack() as stack:
            self._beside = stack.enter_context(replaced(self.path))
            try:
                self._beside.touch()  # libsndfile gives no reason if it cannot make the file
                self._file = soundfile.SoundFile(self._beside, "w", self._rate, channels, subtype=subtype, format=kind)
            except OSError as error:
                raise OSError(f"{self.path} cannot be written: {error.strerror}") from error
            except soundfile.LibsndfileError as error:
                raise OSError(f"{self.path} cannot be written: {error.error_string}") from error
            self._stack = stack.pop_all()
        self._clock.taps.append(self._take)

    def close(self, keep: bool = True) -> None:
        """Finish the file, or drop it. Raises OSError if part of the sound is lost; the rest is kept."""
        self._clock.taps.remove(self._take)
        if self._missing:
            self._gaps.append((self.taken, self._missing))
        if self.error is None:
            self._try(self._write_ring)
        self._try(self._file.close)
        if self._format == "WAV":
            self._try(lambda: _finish_wav(self._beside))
        elif self.error:
            self._try(self._finish_flac)
        close_replaced(self._stack, keep)
        if keep and (self.error or self.lost):
            raise self._loss()

    def drain(self) -> None:
        """Write what is in the ring. Raises OSError if it cannot be written."""
        if self.error is None:
            self._try(self._write_ring)
        if self.error:
            raise self._loss()

    def _finish_flac(self) -> None:
        self._played = _finish_flac(self._beside)

    def _loss(self) -> OSError:
        if self.error is None:
            return OSError(
                f"{self.path} lacks {self.lost / self._rate:.1f} s, which are silent in it: the disk is too slow"
            )
        return OSError(
            f"{self.path} holds the first {self._played / self._rate:.1f} s only: "
            "the disk is full, or cannot be written"
        )

    def _write_ring(self) -> None:
        while True:
            taken = self.taken  # before the gaps: all gaps up to here are known
            gap = self._gaps[0] if self._gaps else None
            end = taken if gap is None else min(gap[0], taken)
            while self._written < end:
                start = self._written % len(self._ring)
                count = min(end - self._written, len(self._ring) - start)
                self._write(self._ring[start : start + count])
                self._written += count
            if gap is None or gap[0] > taken:
                return
            for at in range(0, gap[1], self._rate):
                self._write(np.zeros((min(gap[1] - at, self._rate), self._ring.shape[1]), np.float32))
            self._gaps.popleft()

    def _write(self, sound: Array) -> None:
        self._file.write(sound)
        self._played += len(sound)

    def _take(self, block: Array) -> None:
        count = len(block) if self._most is None else min(len(block), self._most - self.taken - self.lost)
        if self.error or self.taken + count - self._written > len(self._ring):
            self.lost += count
            self._missing += count
            return
        if self._missing:
            self._gaps.append((self.taken, self._missing))
            self._missing = 0
        start = self.taken % len(self._ring)  # the ring holds whole blocks
        self._ring[start : start + count] = block[:count]
        self.taken += count

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except (OSError, soundfile.LibsndfileError) as error:
            self.error = self.error or error


class BackgroundRecorder(Recorder):
    """A recorder whose thread writes the ring, so that a slow disk holds up nothing else."""

    def __init__(self, clock: Clock, path: Path, frames: int | None = None) -> None:
        super().__init__(clock, path, frames)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ngs recorder", daemon=True)

    def open(self) -> None:
        super().open()
        self._thread.start()

    def close(self, keep: bool = True) -> None:
        self._stopping.set()
        self._thread.join()
        super().close(keep)

    def drain(self) -> None:
        """Nothing: the thread writes."""

    def _run(self) -> None:
        while self.error is None and not self._stopping.wait(PAUSE_SECONDS):
            self._try(self._write_ring)


def _finish_wav(path: Path) -> None:
    """Turn an RF64 file (EBU Tech 3306) into a plain WAV, which every program reads, if its sizes fit into 32 bits."""
    with path.open("r+b") as file:
        header = bytearray(file.read(HEADER_BYTES))
        place = header.find(b"data", 48)  # after the 64-bit sizes
        if place < 0:  # the disk was full before the sound began
            return
        size, data = struct.unpack_from("<QQ", header, 20)
        if size < LARGEST_WAV:
            header[:8], header[12:16] = b"RIFF" + struct.pack("<I", size), b"JUNK"
            header[place + 4 : place + 8] = struct.pack("<I", data)
            file.seek(0)
            file.write(header)


def _finish_flac(path: Path) -> int:
    """Write the number of frames into the header of a FLAC file that was cut off, and return it.

    Without it, programs take the file for endless.
    """
    frames = 0
    with contextlib.suppress(soundfile.LibsndfileError), soundfile.SoundFile(path) as file:
        while count := len(file.read(FLAC_FRAMES)):
            frames += count
    with path.open("r+b") as header:  # RFC 9639, section 8.2: the last 36 bits of 64
        header.seek(18)
        numbers = int.from_bytes(header.read(8), "big")
        header.seek(18)
        header.write((numbers >> 36 << 36 | frames).to_bytes(8, "big"))
    return frames
