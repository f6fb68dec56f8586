"""Reads one file, of any format and length, as one clean mono sound: decoded, high-passed, trimmed and resampled."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import soxr

from ngs.corpus.high_pass import high_passed, reach
from ngs.runtime.dsp.grains import LOWEST_HZ
from ngs.runtime.dsp.sound_reader import SILENCE_DB, SILENT, SoundError, read_sound

BLOCK = 1 << 18  # values worked on at a time
IN_MEMORY = 1 << 22  # samples of a sound that stay in memory; longer sounds go through an unnamed file
ONSET_DB, ONSET_KEPT_SECONDS = -50.0, 0.001  # the onset's level relative to the peak, and what is kept before it
END_DB, END_KEPT_SECONDS = -60.0, 0.020  # the same for the end
FADE_SECONDS = 0.001  # at a cut end
PEAK = 0.9  # of a normalised sound


@dataclass(frozen=True)
class Sound:
    """A decoded sound."""

    samples: np.ndarray  # float32 [n], mono, at the rate asked for; may be a memory map of an unnamed file
    peak: float  # largest |sample|
    notes: tuple[str, ...] = ()  # what is odd about the file, as `read_sound` says it


class _Samples:
    """Collects float32 blocks, in memory at first, and once there are many, in an unnamed file in `scratch`."""

    def __init__(self, scratch: Path) -> None:
        self.scratch, self.blocks, self.length = scratch, list[np.ndarray](), 0
        self.file: IO[bytes] | None = None

    @classmethod
    def of(cls, blocks: Iterable[np.ndarray], scratch: Path) -> np.ndarray:
        """The blocks as one array."""
        collected = cls(scratch)
        for block in blocks:
            collected.append(block)
        return collected.array()

    def append(self, block: np.ndarray) -> None:
        self.blocks.append(block)
        self.length += len(block)
        if self.length > IN_MEMORY:
            if self.file is None:
                self.file = tempfile.TemporaryFile(dir=self.scratch)
            self.file.writelines(np.ascontiguousarray(part).data for part in self.blocks)
            self.blocks.clear()

    def array(self) -> np.ndarray:
        if self.file is None:
            return np.concatenate(self.blocks) if self.blocks else np.zeros(0, np.float32)
        self.file.flush()
        return np.memmap(self.file, np.float32, "r+").view(np.ndarray)


def decode(path: Path, sample_rate: int, scratch: Path) -> Sound:
    """Decode `path` to mono at `sample_rate` (Hz), without rumble below 20 Hz and without the silence around it.

    The file is read as `read_sound` does, and the mean and the rumble are removed. Silence is cut up to 1 ms before the
    onset, and from 20 ms after the last sample above -60 dB of the peak; a cut end fades over 1 ms. Cutting comes
    before resampling, whose filter would ring ahead of the onset. Long sounds pass through unnamed files in `scratch`,
    so that memory is bounded.

    Raises SoundError for a file that `read_sound` refuses or that is silent above 20 Hz; OSError if `scratch` cannot be
    written.
    """
    read = read_sound(path, lambda blocks: _Samples.of(blocks, scratch))
    samples, source_rate = read.samples, read.sample_rate
    mean = sum(float(part.sum(dtype=np.float64)) for part in _parts(samples)) / len(samples)
    for part in _parts(samples):
        part -= np.float32(mean)
    samples = _trim(samples, source_rate, scratch)
    samples = _resample(samples, source_rate, sample_rate, scratch)
    return Sound(samples, _audible_peak(samples), read.notes)


def _parts(samples: np.ndarray) -> list[np.ndarray]:
    return [samples[start : start + BLOCK] for start in range(0, len(samples), BLOCK)]


def _peak(samples: np.ndarray) -> float:
    return max((float(np.abs(part).max()) for part in _parts(samples)), default=0.0)


def _audible_peak(samples: np.ndarray) -> float:
    peak = _peak(samples)
    if peak < 10 ** (SILENCE_DB / 20):
        raise SoundError(SILENT)
    return peak


def _trim(samples: np.ndarray, sample_rate: int, scratch: Path) -> np.ndarray:
    """The sound without rumble and without the silence around it."""
    _audible_peak(samples)
    heard = _Samples.of(high_passed(samples, sample_rate), scratch)
    if _peak(heard) < 10 ** (SILENCE_DB / 20):
        raise SoundError(f"holds nothing above {LOWEST_HZ:.0f} Hz")
    (first, last), (onset, end) = _bounds(samples), _bounds(heard)
    begins, ends = onset < first < end, onset < last < end  # in silence, into which the filter rings
    start = max((first if begins else onset) - round(ONSET_KEPT_SECONDS * sample_rate), 0)
    stop = min((last if ends else end) + round(END_KEPT_SECONDS * sample_rate), len(samples))
    near = reach(sample_rate)
    if begins:
        attack = samples[start : min(start + 2 * near, stop if ends else len(samples))]
        kept = min(near, len(attack))
        heard[start : start + kept] = np.concatenate([*high_passed(attack, sample_rate)])[:kept]
    if ends:
        decay = samples[max(stop - 2 * near, start if begins else 0) : stop]
        kept = min(near, len(decay))
        heard[stop - kept : stop] = np.concatenate([*high_passed(decay, sample_rate)])[-kept:]
    if stop < len(samples):
        fade = min(round(FADE_SECONDS * sample_rate), stop - start)
        heard[stop - fade : stop] *= np.linspace(1, 0, fade, dtype=np.float32)
    return heard[start:stop]


def _bounds(samples: np.ndarray) -> tuple[int, int]:
    """Where a sound begins and where it ends, by its own peak."""
    peak = _peak(samples)
    onset = _first_above(samples, peak * 10 ** (ONSET_DB / 20))
    return onset, len(samples) - _first_above(samples[::-1], peak * 10 ** (END_DB / 20))


def _first_above(samples: np.ndarray, threshold: float) -> int:
    for index, part in enumerate(_parts(samples)):
        above = np.abs(part) > threshold
        if above.any():
            return index * BLOCK + int(above.argmax())
    raise AssertionError("the threshold lies below the peak")


def _resample(samples: np.ndarray, source_rate: int, sample_rate: int, scratch: Path) -> np.ndarray:
    if source_rate == sample_rate:
        return samples
    stream = soxr.ResampleStream(source_rate, sample_rate, 1, dtype="float32", quality="HQ")
    parts = _parts(samples)
    last = len(parts) - 1
    return _Samples.of((stream.resample_chunk(part, last=n == last) for n, part in enumerate(parts)), scratch)
