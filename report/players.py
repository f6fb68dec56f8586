"""The files behind the players of a page: sounds, and pictures of their spectrograms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image

from ngs.report.page_model import PagePlayer, PlayerRow, Section
from ngs.report.spectrogram import RANGE_DB, outline, spectrogram
from ngs.runtime.arrays import Array

OUTLINE_COLUMNS = 240
PICTURE_ROWS, PICTURE_COLUMNS = 128, 480
COLOURS = 128
LEVEL_SECONDS = 0.2
MOST_DB = 30  # that sounds are brought down to those of a row that is quiet
FULL = 0.999  # loudest sample of a file; resampling may overshoot


@dataclass(frozen=True)
class Clip:
    """A sound to show, and the places of its grains on the map if it follows a path."""

    title: str
    detail: str
    signal: Array  # [n]
    path: tuple[tuple[float, float], ...] = ()


class ClipRow(NamedTuple):
    """Sounds to hear beside each other."""

    title: str
    detail: str
    clips: Sequence[Clip]


@dataclass(frozen=True)
class _Scales:
    """What the pictures of a row have in common."""

    samples: int  # of the longest clip
    peak: float
    power: float  # of the loudest point of all spectrograms
    level: float  # of the quietest clip that is heard


class PlayerFiles:
    """Puts sounds into audio/ of a folder and spectrograms, as PNG, into pictures/.

    Sounds are 16-bit WAV: Chromium cannot seek in short FLAC files.
    """

    def __init__(self, folder: Path, sample_rate: int) -> None:
        self._folder, self._rate, self.count = folder, sample_rate, 0
        for name in ("audio", "pictures"):
            (folder / name).mkdir()

    def section(self, name: str, title: str, text: str, rows: Sequence[ClipRow]) -> Section:
        """Write a section's files; `name`, of plain letters, starts theirs. Raises OSError, ValueError."""
        return Section(name, title, text, tuple(self._row(name, row) for row in rows))

    def _row(self, name: str, row: ClipRow) -> PlayerRow:
        longest = max(len(clip.signal) for clip in row.clips)
        spectrograms = [
            spectrogram(
                np.pad(clip.signal, (0, longest - len(clip.signal))), self._rate, self._rate / 2,
                PICTURE_ROWS, PICTURE_COLUMNS,
            )
            for clip in row.clips
        ]  # fmt: skip
        scales = _Scales(
            samples=longest,
            peak=max(_peak(clip.signal) for clip in row.clips),
            power=max(float(power.max()) for power in spectrograms),
            level=_common_level([self._level(clip.signal) for clip in row.clips]),
        )
        players = [self._player(name, clip, power, scales) for clip, power in zip(row.clips, spectrograms, strict=True)]
        return PlayerRow(row.title, row.detail, tuple(players))

    def _level(self, signal: Array) -> float:
        """The RMS level of the loudest LEVEL_SECONDS of a sound as its file has it."""
        power = np.square(_limited(signal), dtype=np.float64)
        length = min(max(round(LEVEL_SECONDS * self._rate), 1), len(power))
        sums = np.concatenate(([0.0], np.cumsum(power)))
        return float(np.sqrt(max((sums[length:] - sums[:-length]).max(), 0.0) / length)) if length else 0.0

    def _player(self, section: str, clip: Clip, power: NDArray[np.float64], scales: _Scales) -> PagePlayer:
        self.count += 1
        name, peak = f"{section}-{self.count:03d}", _peak(clip.signal)
        if not np.isfinite(peak):
            raise ValueError(f"{clip.title} holds NaN or infinite samples: check the bundle with `ngs validate`")
        audio, picture = f"audio/{name}.wav", f"pictures/{name}.png"
        try:
            soundfile.write(self._folder / audio, _limited(clip.signal), self._rate, subtype="PCM_16")
        except soundfile.LibsndfileError as error:
            raise OSError(f"{audio}: {error.error_string.strip()} Is the disk full?") from error
        _write_picture(self._folder / picture, power, scales.power)
        return PagePlayer(
            id=name, title=clip.title, detail=clip.detail, audio=audio, seconds=len(clip.signal) / self._rate,
            peak_db=20 * np.log10(max(peak, 1e-6)), picture=picture, outline=_outline(clip.signal, scales),
            span=scales.samples / self._rate, path=clip.path,
            gain=min(scales.level / level, 1.0) if (level := self._level(clip.signal)) > 0 else 1.0,
        )  # fmt: skip


def _common_level(levels: Sequence[float]) -> float:
    """The level of the quietest sound, those aside that are next to silent."""
    heard = (level for level in levels if level >= max(levels) * 10 ** (-MOST_DB / 20))
    return min(heard, default=0.0)  # none if a clip is NaN, which is refused later


def _limited(signal: Array) -> Array:
    peak = _peak(signal)
    return signal * np.float32(FULL / peak) if peak > FULL else signal


def _peak(signal: Array) -> float:
    return float(np.abs(signal).max(initial=0.0))


def _outline(signal: Array, scales: _Scales) -> str:
    """The waveform as a closed SVG path: the row's longest clip is 1000 wide, its peak 100 high."""
    low, high = outline(signal, max(round(OUTLINE_COLUMNS * len(signal) / scales.samples), 2))
    scale = 100 / max(scales.peak, 1e-6)
    x = np.linspace(0, 1000 * len(signal) / scales.samples, len(low)).round(1)
    upper = [f"{at:g},{-scale * value:.0f}" for at, value in zip(x, high, strict=True)]
    lower = [f"{at:g},{-scale * value:.0f}" for at, value in zip(x[::-1], low[::-1], strict=True)]
    return f"M{'L'.join(upper + lower)}Z"


def _write_picture(path: Path, power: NDArray[np.float64], loudest: float) -> None:
    """Write a spectrogram as a PNG in matplotlib's colours magma, RANGE_DB deep below the power `loudest`."""
    level = 10 * np.log10(np.maximum(power / max(loudest, 1e-12), 1e-12)) / RANGE_DB + 1
    colours = np.asarray(matplotlib.colormaps["magma"](np.linspace(0, 1, COLOURS)))[:, :3]
    image = Image.fromarray((np.clip(level, 0, 1) * (COLOURS - 1)).round().astype(np.uint8)[::-1])
    image.putpalette((colours * 255).astype(np.uint8).tobytes())
    image.save(path, optimize=True)
