"""Reads sound files, as far as their samples go: the one reader of training, rendering and playing."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from ngs.runtime.arrays import Array
from ngs.runtime.dsp.sound_headers import CUT, LONGER, Header, Spliced, examine

BLOCK = 4096  # frames read at a time, and the most that are lost where a file breaks off
RATES_HZ = (1000, 768000)  # lowest and highest
LARGEST = 2.0**31  # |sample|: floats on the scale of 32-bit integers
SILENCE_DB = -60.0  # relative to full scale: a sound whose peak is lower is silent
SILENT = f"is silent (below {SILENCE_DB:.0f} dB)"
CANCELLED = 0.1  # of the power that a mix has when its channels have nothing in common
ROUNDING = BLOCK * float(np.finfo(np.float32).eps)  # of the mean square: less than this is no power about a mean
CANCELLING = "has channels that cancel each other, and was read from the loudest"
REPAIR = "repair it in an editor, or export it again as 24-bit WAV"
# how files begin that are named like sounds and are none
NO_SOUNDS = (
    (0, b"version https://git-lfs", "is a pointer of Git LFS, not the sound: fetch it with git lfs pull"),
    (0, b"<!DOCTYPE", "is a web page, not the sound: download it again"),
    (0, b"<html", "is a web page, not the sound: download it again"),
    (4, b"ftyp", "is MPEG-4 (M4A), which libsndfile does not read: convert it to WAV or FLAC"),
)


class SoundError(ValueError):
    """A file that gives no sound. The message is the reason and what to do, without the file's name."""


@dataclass(frozen=True)
class Reading:
    """What was read from a file."""

    samples: Array  # float32 [n], mono
    sample_rate: int  # Hz
    notes: tuple[str, ...]  # what is odd about the file, as predicates: "is ...", "has ..."


def joined(blocks: Iterable[Array]) -> Array:
    """Blocks as one array, in memory."""
    return np.concatenate([np.zeros(0, np.float32), *blocks])


def read_sound(path: Path, collect: Callable[[Iterable[Array]], Array] = joined) -> Reading:
    """Read a file as mono. `collect` puts the blocks, float32 [n] each, together.

    Channels are averaged; of channels that cancel each other the loudest is taken. Where a header is wrong about the
    length, or a file breaks off, it is read to where its samples end, and a note says so. Raises SoundError for what
    gives no samples, or some that are not finite or beyond any sound; and what `collect` raises.
    """
    with _opened(path) as source:
        mix = _Mix(source.channels)
        samples = collect(map(mix.mono, source.blocks()))
    if len(samples) == 0:
        raise SoundError("holds no samples: record, copy or download it again")
    notes = source.notes
    if mix.cancels:
        with _opened(path) as source:
            samples = collect(block[:, mix.loudest].copy() for block in source.blocks())
        notes.append(CANCELLING)
    return Reading(samples, source.sample_rate, tuple(notes))


def is_silent(samples: Array) -> bool:
    """Whether a sound [n] has no sample above -60 dB, its mean aside."""
    mean = float(samples.mean(dtype=np.float64))
    largest = max(float(samples.max()) - mean, mean - float(samples.min()))
    return largest < float(10 ** (SILENCE_DB / 20))


def for_libsndfile(path: Path) -> str | bytes:
    """A path for soundfile, which does not encode names that are not UTF-8."""
    return str(path) if os.name == "nt" else os.fsencode(path)


class _Mix:
    """Averages channels, and measures whether they cancel each other."""

    def __init__(self, channels: int) -> None:
        self.frames = 0
        self.sums, self.squares = np.zeros(channels + 1), np.zeros(channels + 1)  # of the channels, and of their mix
        self._shares, self._ones = np.full(channels, 1 / channels, np.float32), np.ones(BLOCK, np.float32)

    def mono(self, block: Array) -> Array:
        """The mix [n] of a block [n, channels]."""
        if block.shape[1] == 1:
            return block[:, 0]
        mixed: Array = block @ self._shares
        self.frames += len(block)
        self.sums[:-1] += self._ones[: len(block)] @ block
        self.squares[:-1] += (block.T @ block).diagonal()
        self.sums[-1] += mixed.sum()
        self.squares[-1] += mixed @ mixed
        return mixed

    @property
    def powers(self) -> npt.NDArray[np.float64]:
        """Of each channel and of the mix, without their means; 0 where that is less than their sums are rounded by."""
        squares = self.squares / self.frames
        powers = squares - (self.sums / self.frames) ** 2
        return np.where(powers > ROUNDING * squares, powers, 0.0)

    @property
    def cancels(self) -> bool:
        if self.frames == 0:
            return False
        *channels, mixed = self.powers.tolist()
        return bool(mixed < CANCELLED * sum(channels) / len(channels) ** 2)

    @property
    def loudest(self) -> int:
        return int(self.powers[:-1].argmax())


class _Source:
    """A sound file that is open, to be read once."""

    def __init__(self, file: Any, header: Header) -> None:
        self._file, self._header = file, header
        self.sample_rate, self.channels = int(file.samplerate), int(file.channels)
        self.notes = [header.note] if header.note else []

    def blocks(self) -> Iterator[Array]:
        """The samples, float32 [n, channels] each, to where they end."""
        frames, whole = 0, False
        while block := self._next():
            frames += len(block[0])
            yield block[0]
        whole = block is not None
        claimed = self._header.frames or (self._file.frames if self._file.format != "MP3" else 0)  # MP3: an estimate
        known = 0 < claimed < 2**62
        if not self.notes and (not whole or known and frames < claimed):
            self.notes.append(CUT)
        if not self.notes and self._header.frames and frames > claimed:
            self.notes.append(LONGER)

    def _next(self) -> list[Array] | None:
        """The next block, none at the end, and None where the file is broken."""
        try:
            block: Array = self._file.read(BLOCK, dtype="float32", always_2d=True)
        except soundfile.SoundFileError:
            return None
        if len(block) == 0:
            return []
        largest = float(np.abs(block).max())
        if not np.isfinite(largest):
            raise SoundError(f"holds NaN or infinite samples: {REPAIR}")
        if largest > LARGEST:
            raise SoundError(f"holds samples too large for any sound: {REPAIR}")
        return [block]


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[_Source]:
    with contextlib.ExitStack() as stack:
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                raise SoundError("is a folder, not a sound" if path.is_dir() else "is a device or a pipe, not a sound")
            opened = stack.enter_context(open(path, "rb"))
            header = examine(opened)
            start = _read_start(opened)
            content = for_libsndfile(path) if header.instead is None else Spliced(opened, header.instead)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise SoundError("does not exist") from error
        except OSError as error:
            raise SoundError(f"cannot be read: {error.strerror or error}") from error
        except ValueError as error:  # a path that no file can have, or a SoundError
            raise error if isinstance(error, SoundError) else SoundError("does not exist") from error
        try:
            file = stack.enter_context(soundfile.SoundFile(content))
        except (soundfile.SoundFileError, RuntimeError) as error:
            raise SoundError(_why_unreadable(start, error)) from error
        if file.format == "RAW":  # libsndfile goes by the name alone
            raise SoundError(_why_unreadable(start, None))
        file.seekable = lambda: False  # or soundfile seeks after each block, which streams do not let it
        if not RATES_HZ[0] <= file.samplerate <= RATES_HZ[1]:
            raise SoundError(f"has a sample rate of {file.samplerate} Hz: correct it or convert the file again")
        yield _Source(file, header)


def _read_start(file: Any) -> bytes:
    file.seek(0)
    start: bytes = file.read(64)
    return start


def _why_unreadable(start: bytes, error: Exception | None) -> str:
    if not start:
        return "is empty: record, copy or download it again"
    for place, text, reason in NO_SOUNDS:
        if start[place:].lower().startswith(text.lower()):
            return reason
    said = str(getattr(error, "error_string", "")).strip().rstrip(".") or "Format not recognised"
    return f"cannot be read as sound ({said}): convert it to WAV or FLAC"
