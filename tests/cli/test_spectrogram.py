"""`ngs spectrogram`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from ngs.cli.spectrogram import spectrogram as command
from ngs.report.spectrogram import LOWEST_HZ, ROWS, outline, spectrogram

RATE = 22050


def draw(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "tone.wav"
    soundfile.write(path, 0.5 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE), RATE)
    return path


@pytest.mark.parametrize(("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_it_draws_a_picture(tmp_path: Path, sound: Path, suffix: str, start: bytes) -> None:
    picture = tmp_path / f"out{suffix}"
    result = draw(sound, "-o", picture)
    assert result.exit_code == 0 and result.output == f"Drew {picture}.\n"
    assert picture.read_bytes().startswith(start)


def test_many_files_of_any_kind_share_a_picture(tmp_path: Path, sound: Path) -> None:
    stereo, short = tmp_path / "stereo.flac", tmp_path / "short.wav"
    soundfile.write(stereo, np.random.default_rng(0).uniform(-0.1, 0.1, (48000, 2)), 48000)
    soundfile.write(short, np.array([0.5]), 8000)
    picture = tmp_path / "out.png"
    assert draw(sound, stereo, short, sound, stereo, "-o", picture, "--title", "Five").exit_code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.png", "short.wav", "stereo.flac", "tone.wav"]


def test_a_tone_is_at_its_frequency_and_level() -> None:
    samples = (0.5 * np.sin(2 * np.pi * 1000 * np.arange(RATE) / RATE)).astype(np.float32)
    power = spectrogram(samples, RATE, 22050.0)
    middle = power[:, power.shape[1] // 2]
    hz = LOWEST_HZ * (22050 / LOWEST_HZ) ** ((middle.argmax() + 0.5) / ROWS)
    assert hz == pytest.approx(1000, rel=0.03)
    assert np.sqrt(middle.max()) == pytest.approx(0.5, rel=0.2)  # a Hann window between two bins: up to 1.4 dB
    above = int(ROWS * np.log(RATE / 2 / LOWEST_HZ) / np.log(22050 / LOWEST_HZ))
    assert (power[above + 1 :] == 0).all(), "nothing above the file's own Nyquist frequency"


@pytest.mark.parametrize(
    ("name", "samples", "message"),
    [
        ("text.wav", None, "cannot be read as sound"),
        ("empty.wav", np.zeros(0), "holds no samples"),
        ("nan.wav", np.array([0.1, np.nan]), "holds NaN or infinite samples"),
    ],
)
def test_bad_sounds_are_one_line(tmp_path: Path, name: str, samples: np.ndarray | None, message: str) -> None:
    path = tmp_path / name
    if samples is None:
        path.write_text("text")
    else:
        soundfile.write(path, samples, RATE, subtype="FLOAT")
    result = draw(path, "-o", tmp_path / "out.png")
    assert isinstance(result.exception, ValueError) and message in str(result.exception)
    assert not (tmp_path / "out.png").exists()


def test_unknown_formats_and_places_are_errors(tmp_path: Path, sound: Path) -> None:
    wrong = draw(sound, "-o", tmp_path / "out.gif")
    assert isinstance(wrong.exception, ValueError) and ".png, .svg, .pdf" in str(wrong.exception)
    nowhere = draw(sound, "-o", sound / "out.png")
    assert isinstance(nowhere.exception, OSError) and "cannot be written" in str(nowhere.exception)


def test_an_outline_holds_every_extreme() -> None:
    samples = np.random.default_rng(0).uniform(-0.1, 0.1, 1000).astype(np.float32)
    samples[[333, 777]] = 0.9, -0.8
    shown = outline(samples, 100)
    assert shown.shape == (2, 100) and (shown[0] <= shown[1]).all()
    assert shown[1].argmax() == 33 and shown[1].max() == np.float32(0.9) and shown[0].argmin() == 77
    np.testing.assert_array_equal(outline(samples[:3], 100), [samples[:3], samples[:3]])
