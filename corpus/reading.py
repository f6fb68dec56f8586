"""Reads one file, of any format and length, as one clean mono sound: decoded, high-passed, trimmed and resampled."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import soundfile
import soxr

from ngs.corpus.high_pass import high_passed, reach
from ngs.runtime.dsp.grains import LOWEST_HZ

BLOCK = 1 << 18  # values worked on at a time
IN_MEMORY = 1 << 22  # samples of a sound that stay in memory; longer sounds go through an unnamed file
SILENCE_DB = -60.0  # relative to full scale: a sound whose peak is lower is silent
ONSET_DB, ONSET_KEPT_SECONDS = -50.0, 0.001  # the onset's level relative to the peak, and what is kept before it
END_DB, END_KEPT_SECONDS = -60.0, 0.020  # the same for the end
FADE_SECONDS = 0.001  # at a cut end
RATES_HZ = (1000, 768000)  # lowest and highest
PEAK = 0.9  # of a normalised sound
# libsndfile's log of a truncated WAV, AIFF or AU file; a stream that was never closed claims 2 GiB or more and is whole
_LENGTH = re.compile(r"(?:data|SSND|Data Size) *: (\d+) \(should be (\d+)\)")


class SoundError(ValueError):
    """A file that gives no sound. The message is the reason, without the file's name."""


@dataclass(frozen=True)
class Sound:
    """A decoded sound."""

    samples: np.ndarray  # float32 [n], mono, at the rate asked for; may be a memory map of an unnamed file
    peak: float  # largest |sample|


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

    Channels are averaged, and the mean and the rumble are removed. Silence is cut up to 1 ms before the onset, and from
    20 ms after the last sample above -60 dB of the peak; a cut end fades over 1 ms. Cutting comes before resampling,
    whose filter would ring ahead of the onset. Long sounds pass through unnamed files in `scratch`, so that memory is
    bounded.

    Raises SoundError if the file is unreadable, truncated, empty, or silent above 20 Hz, or holds samples that are not
    finite; OSError if `scratch` cannot be written.
    """
    try:
        samples, source_rate = _read(path, scratch)
    except soundfile.LibsndfileError as error:
        raise SoundError(error.error_string.strip().rstrip(".")) from error
    if len(samples) == 0:
        raise SoundError("holds no samples")
    mean = sum(float(part.sum(dtype=np.float64)) for part in _parts(samples)) / len(samples)
    for part in _parts(samples):
        part -= np.float32(mean)
    samples = _trim(samples, source_rate, scratch)
    samples = _resample(samples, source_rate, sample_rate, scratch)
    return Sound(samples, _audible_peak(samples))


def _parts(samples: np.ndarray) -> list[np.ndarray]:
    return [samples[start : start + BLOCK] for start in range(0, len(samples), BLOCK)]


def _read(path: Path, scratch: Path) -> tuple[np.ndarray, int]:
    collected = _Samples(scratch)
    with soundfile.SoundFile(path) as file:
        if not RATES_HZ[0] <= file.samplerate <= RATES_HZ[1]:
            raise SoundError(f"has a sample rate of {file.samplerate} Hz")
        lengths = _LENGTH.search(file.extra_info)
        if lengths and int(lengths[2]) + 8 < int(lengths[1]) < 2**31 - 256:
            raise SoundError("is truncated")
        frames = max(BLOCK // file.channels, 1)
        while len(block := file.read(frames, dtype="float32", always_2d=True)):
            if not np.isfinite(block).all():
                raise SoundError("holds NaN or infinite samples")
            collected.append(block[:, 0] if file.channels == 1 else block.mean(1, dtype=np.float32))
        if collected.length < file.frames and file.format != "MP3":  # the length of an MP3 is an estimate
            raise SoundError("is truncated")
        return collected.array(), file.samplerate


def _peak(samples: np.ndarray) -> float:
    return max((float(np.abs(part).max()) for part in _parts(samples)), default=0.0)


def _audible_peak(samples: np.ndarray) -> float:
    peak = _peak(samples)
    if not np.isfinite(peak):
        raise SoundError("holds samples too large for any sound")
    if peak < 10 ** (SILENCE_DB / 20):
        raise SoundError("is silent")
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
