"""Audio files as arrays: reads them, at any sample rate; writes WAV and FLAC. And resampling."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import soxr

from ngs.runtime.arrays import Array
from ngs.runtime.atomic import replaced
from ngs.runtime.dsp.sound_reader import SILENT, SoundError, for_libsndfile, is_silent, read_sound

FORMATS = {".wav": "WAV", ".flac": "FLAC"}


class AudioError(ValueError):
    """A file that cannot be read as sound, or an output name that is neither .wav nor .flac."""


def read_audio(path: Path, sample_rate: int, say: Callable[[str], None] = lambda line: None) -> Array:
    """Read a file as mono, float32 [n] at `sample_rate` Hz. Raises AudioError.

    Channels are averaged; of channels that cancel each other the loudest is taken. `say` is called with a line for
    whatever is odd about the file, and if it is silent.
    """
    signal, rate = read_mono(path, say)
    mono = resample(signal, rate, sample_rate)
    if len(mono) == 0:
        raise AudioError(f"{path} is too short: {len(signal)} samples at {rate} Hz are none at {sample_rate} Hz")
    return mono


def read_mono(path: Path, say: Callable[[str], None] = lambda line: None) -> tuple[Array, int]:
    """Read a file as `read_audio` does, at its own sample rate: float32 [n], and the rate in Hz. Raises AudioError."""
    try:
        read = read_sound(path)
    except SoundError as error:
        raise AudioError(f"{path} {error}") from error
    for note in (*read.notes, *([SILENT] if is_silent(read.samples) else [])):
        say(f"{path} {note}")
    return read.samples, read.sample_rate


def resample(signal: Array, from_hz: float, to_hz: float) -> Array:
    """Resample a signal [n] from one sample rate to another. If the two are equal, it is returned as it is."""
    if from_hz == to_hz:
        return signal
    converted: Array = soxr.resample(signal, from_hz, to_hz, quality="HQ").astype(np.float32)
    return converted


def audio_format(path: Path) -> str:
    """libsndfile's name for the format that a file name asks for. Raises AudioError for all but .wav and .flac."""
    if path.suffix.lower() not in FORMATS:
        raise AudioError(f"{path}: name a .wav or a .flac file")
    return FORMATS[path.suffix.lower()]


def write_audio(path: Path, signal: Array, sample_rate: int) -> float:
    """Write a signal [n] or [n, channels] with 24 bits a sample, and return its peak.

    A signal that reaches 1 is scaled down to stay below. The same samples give the same bytes. Raises AudioError,
    OSError.
    """
    file_format = audio_format(path)
    peak = max(float(signal.max(initial=0.0)), -float(signal.min(initial=0.0)))
    if peak >= 1.0:  # resampling may overshoot
        signal, peak = signal * np.float32(0.999 / peak), 0.999
    try:
        with replaced(path) as beside:
            beside.touch()  # libsndfile would not say why it cannot make it
            soundfile.write(for_libsndfile(beside), signal, sample_rate, subtype="PCM_24", format=file_format)
    except OSError as error:
        raise OSError(f"{path} cannot be written: {error.strerror or error}") from error
    except soundfile.SoundFileError as error:
        raise OSError(f"{path} cannot be written: {getattr(error, 'error_string', error)}") from error
    return peak
