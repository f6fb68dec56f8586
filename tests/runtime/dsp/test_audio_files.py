"""Reading, writing and resampling sound files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ngs.runtime.dsp.audio_files import AudioError, read_audio, read_mono, resample, write_audio

TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)).astype(np.float32)


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.WAV"])
def test_round_trip_in_24_bit(tmp_path: Path, name: str) -> None:
    assert write_audio(tmp_path / name, TONE, 8000) == pytest.approx(0.5, abs=1e-3)
    assert soundfile.info(tmp_path / name).subtype == "PCM_24"
    np.testing.assert_allclose(read_audio(tmp_path / name, 8000), TONE, atol=2e-7)
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize("name", ["a.wav", "a.flac"])
def test_the_same_samples_are_the_same_bytes(tmp_path: Path, name: str) -> None:
    write_audio(tmp_path / name, TONE, 8000)
    first = (tmp_path / name).read_bytes()
    write_audio(tmp_path / name, TONE, 8000)
    assert (tmp_path / name).read_bytes() == first


def test_channels_are_averaged_and_rates_converted(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.stack((TONE, np.zeros_like(TONE)), 1), 8000, subtype="FLOAT")
    np.testing.assert_allclose(read_audio(tmp_path / "a.wav", 8000), TONE / 2, atol=1e-6)
    assert len(read_audio(tmp_path / "a.wav", 16000)) == 16000
    mono, rate = read_mono(tmp_path / "a.wav")
    assert (len(mono), mono.dtype, rate) == (8000, np.float32, 8000)


@pytest.mark.parametrize("rate", [4000, 11025, 48000])
def test_a_tone_keeps_its_level(rate: int) -> None:
    middle = resample(TONE, 8000, rate)[rate // 4 : -rate // 4]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.01)


def test_the_peak_stays_below_one(tmp_path: Path) -> None:
    assert write_audio(tmp_path / "a.wav", 3 * TONE, 8000) < 1
    assert np.abs(soundfile.read(tmp_path / "a.wav")[0]).max() < 1


def test_silence_is_written_as_silence(tmp_path: Path) -> None:
    assert write_audio(tmp_path / "a.wav", np.zeros(10, np.float32), 8000) == 0
    assert not soundfile.read(tmp_path / "a.wav")[0].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_samples_are_named(tmp_path: Path, bad: float) -> None:
    soundfile.write(tmp_path / "bad.wav", np.array([0.0, bad, 0.0]), 8000, subtype="FLOAT")
    with pytest.raises(AudioError, match="bad.wav holds NaN or infinite"):
        read_audio(tmp_path / "bad.wav", 8000)


def test_files_that_are_not_sounds_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("la la la")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 8000)
    for name in ("text.wav", "empty.wav", "missing.wav", "."):
        with pytest.raises(AudioError, match=name):
            read_audio(tmp_path / name, 8000)


def test_a_sound_shorter_than_a_sample_is_named(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "one.wav", np.array([0.5]), 48000)
    with pytest.raises(AudioError, match="one.wav is too short"):
        read_audio(tmp_path / "one.wav", 8000)


def test_other_formats_are_refused(tmp_path: Path) -> None:
    for name in ("a.mp3", "a"):
        with pytest.raises(AudioError, match="[.]wav or a [.]flac"):
            write_audio(tmp_path / name, TONE, 8000)
    assert os.listdir(tmp_path) == []


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="a.wav cannot be written"):
        write_audio(tmp_path / "file" / "a.wav", TONE, 8000)
    (tmp_path / "b.wav").mkdir()
    with pytest.raises(OSError, match="b.wav cannot be written"):
        write_audio(tmp_path / "b.wav", TONE, 8000)
    assert sorted(os.listdir(tmp_path)) == ["b.wav", "file"]


def test_the_reason_is_told_without_the_name_of_the_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "touch", refused)
    with pytest.raises(OSError) as raised:
        write_audio(tmp_path / "a.wav", TONE, 8000)
    assert str(raised.value) == f"{tmp_path / 'a.wav'} cannot be written: Permission denied"
    assert ".part" not in str(raised.value)
