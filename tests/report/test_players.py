"""The files behind the players of a page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ngs.report.players import Clip, ClipRow, PlayerFiles

RATE = 8000


def tone(level: float, seconds: float = 0.5) -> np.ndarray:
    return np.float32(level) * np.sin(np.arange(round(seconds * RATE)) * 0.4, dtype=np.float32)


def gains(folder: Path, *signals: np.ndarray) -> list[float]:
    row = ClipRow("", "", [Clip(str(at), "", signal) for at, signal in enumerate(signals)])
    (made,) = PlayerFiles(folder, RATE).section("a", "", "", [row]).rows
    return [player.gain for player in made.players]


def test_gains_bring_the_sounds_of_a_row_to_the_level_of_the_quietest(tmp_path: Path) -> None:
    decay = tone(0.6, 1.0) * np.exp(-np.arange(RATE, dtype=np.float32) / 800)
    signals = (tone(0.8), tone(0.2, 2.0), decay, tone(5.0))
    made = gains(tmp_path, *signals)
    assert max(made) == 1 and made[0] == pytest.approx(0.25, rel=0.01) and 0.2 < made[3] < 0.21
    loudest = []
    for number, gain in enumerate(made, 1):
        heard = gain * soundfile.read(tmp_path / f"audio/a-{number:03d}.wav")[0]
        starts = range(0, len(heard) - RATE // 5, 20)
        loudest.append(max(float(np.square(heard[at : at + RATE // 5]).mean()) for at in starts) ** 0.5)
    np.testing.assert_allclose(loudest, loudest[1], rtol=0.01)


def test_what_is_next_to_silent_does_not_silence_the_others(tmp_path: Path) -> None:
    assert gains(tmp_path, tone(0.5), tone(0.0), tone(1e-4), tone(0.25))[1:3] == [1, 1]


def test_a_row_of_silence(tmp_path: Path) -> None:
    assert gains(tmp_path, tone(0.0)) == [1]


def test_a_sound_that_is_not_finite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 holds NaN or infinite samples"):
        gains(tmp_path, tone(0.5), tone(float("nan")))
