"""Writes the sounds of a report and their pictures, and says what the page needs of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image

from ngs.report.page_model import Row, Section, Sound
from ngs.report.spectrogram import RANGE_DB, outline, spectrogram
from ngs.runtime.arrays import Array

OUTLINE_COLUMNS = 240
PICTURE_ROWS, PICTURE_COLUMNS = 128, 480
COLOURS = 128
FULL = 0.999  # loudest sample of a file; resampling may overshoot


@dataclass(frozen=True)
class Clip:
    """A sound to show: signal [n] at the gallery's rate, and its grains on the map where it follows a path."""

    title: str
    detail: str
    signal: Array
    path: tuple[tuple[float, float], ...] = ()


class Gallery:
    """Puts sounds into audio/ of a folder and spectrograms, as PNG, into pictures/.

    Sounds are 16-bit WAV: in short FLAC files Chromium cannot seek.
    """

    def __init__(self, folder: Path, sample_rate: int) -> None:
        self._folder, self._rate, self.count = folder, sample_rate, 0
        for name in ("audio", "pictures"):
            (folder / name).mkdir()

    def section(self, name: str, title: str, text: str, rows: Sequence[tuple[str, str, Sequence[Clip]]]) -> Section:
        """A section of rows, each a title, a detail and its sounds; `name` is plain, and its own. Raises OSError."""
        return Section(name, title, text, tuple(self._row(name, *row) for row in rows))

    def _row(self, name: str, title: str, detail: str, clips: Sequence[Clip]) -> Row:
        """Sounds of a row share the scales of time and level."""
        longest = max(len(clip.signal) for clip in clips)
        images = [
            spectrogram(
                np.pad(clip.signal, (0, longest - len(clip.signal))), self._rate, self._rate / 2,
                PICTURE_ROWS, PICTURE_COLUMNS,
            )
            for clip in clips
        ]  # fmt: skip
        loudest = max(float(image.max()) for image in images)
        peak = max(float(np.abs(clip.signal).max(initial=0.0)) for clip in clips)
        sounds = [
            self._sound(name, clip, image, longest, peak, loudest) for clip, image in zip(clips, images, strict=True)
        ]
        return Row(title, detail, tuple(sounds))

    def _sound(
        self, name: str, clip: Clip, image: NDArray[np.float64], longest: int, highest: float, loudest: float
    ) -> Sound:  # fmt: skip
        self.count += 1
        own = f"{name}-{self.count:03d}"
        signal = clip.signal
        peak = float(np.abs(signal).max(initial=0.0))
        if not np.isfinite(peak):
            raise ValueError(f"{clip.title} holds NaN or infinite samples: check the bundle with `ngs validate`")
        audio, picture = f"audio/{own}.wav", f"pictures/{own}.png"
        loud = signal * np.float32(FULL / peak) if peak > FULL else signal
        try:
            soundfile.write(self._folder / audio, loud, self._rate, subtype="PCM_16")
        except soundfile.LibsndfileError as error:
            raise OSError(f"{audio}: {error.error_string.strip()} Is the disk full?") from error
        _write_picture(self._folder / picture, image, loudest)
        return Sound(
            own, clip.title, clip.detail, audio, len(signal) / self._rate, 20 * np.log10(max(peak, 1e-6)), picture,
            _outline(signal, longest, highest), longest / self._rate, clip.path,
        )  # fmt: skip


def _outline(signal: Array, longest: int, highest: float) -> str:
    """The waveform as a closed SVG path: `longest` samples are 1000 to the right, a level of `highest` is 100 up."""
    columns = max(round(OUTLINE_COLUMNS * len(signal) / longest), 2)
    low, high = outline(signal, columns)
    scale = 100 / max(highest, 1e-6)
    x = np.linspace(0, 1000 * len(signal) / longest, len(low)).round(1)
    upper = [f"{at:g},{-scale * value:.0f}" for at, value in zip(x, high, strict=True)]
    lower = [f"{at:g},{-scale * value:.0f}" for at, value in zip(x[::-1], low[::-1], strict=True)]
    return f"M{'L'.join(upper + lower)}Z"


def _write_picture(path: Path, power: NDArray[np.float64], loudest: float) -> None:
    """A spectrogram, 80 dB deep below the power `loudest`, as a PNG of the palette magma."""
    level = 10 * np.log10(np.maximum(power / max(loudest, 1e-12), 1e-12)) / RANGE_DB + 1
    colours = np.asarray(matplotlib.colormaps["magma"](np.linspace(0, 1, COLOURS)))[:, :3]
    image = Image.fromarray((np.clip(level, 0, 1) * (COLOURS - 1)).round().astype(np.uint8)[::-1])
    image.putpalette((colours * 255).astype(np.uint8).tobytes())
    image.save(path, optimize=True)
