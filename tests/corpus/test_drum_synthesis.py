"""Hits are clean, differ within their class, and come back with their seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from ngs.corpus.drum_synthesis import RECIPES, make_hit, write_hits
from ngs.corpus.sounds import find_sounds


def many(name: str, rate: int = 44100, count: int = 12) -> list[NDArray[np.float32]]:
    return [make_hit(name, np.random.default_rng([7, number]), rate) for number in range(count)]


def centroid_hz(signal: NDArray[np.float32], rate: int) -> float:
    power = np.abs(np.fft.rfft(signal)) ** 2
    return float((power * np.fft.rfftfreq(len(signal), 1 / rate)).sum() / power.sum())


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("rate", [8000, 22050, 44100])
def test_a_hit_is_clean(name: str, rate: int) -> None:
    for hit in many(name, rate, 4):
        assert hit.dtype == np.float32 and hit.ndim == 1
        assert 0.08 * rate - 1 <= len(hit) <= 1.5 * rate + 1
        assert np.isfinite(hit).all()
        assert np.abs(hit).max() == pytest.approx(0.9, rel=1e-5)
        assert abs(float(hit.mean(dtype=np.float64))) < 1e-6
        assert abs(hit[-1]) < 1e-6 and np.abs(hit[-rate // 1000 :]).max() < 0.01


@pytest.mark.parametrize("name", RECIPES)
def test_hits_of_a_class_differ_and_decay(name: str) -> None:
    hits = many(name)
    assert len({hit.tobytes() for hit in hits}) == len(hits)
    assert len({len(hit) for hit in hits}) > len(hits) // 2
    for hit in hits:
        third = len(hit) // 3
        assert np.square(hit[:third]).sum() > 4 * np.square(hit[-third:]).sum()


def test_classes_lie_where_their_instruments_do() -> None:
    middle = {name: float(np.median([centroid_hz(hit, 44100) for hit in many(name)])) for name in RECIPES}
    assert middle["Kick"] < 150 < middle["Tom"] < 500 < middle["Cowbell"] < 2000
    assert middle["Cowbell"] < middle["Snare"] < middle["Crash"] < middle["Hat"]


def test_a_kick_falls_in_pitch() -> None:
    for hit in many("Kick"):
        crossings = np.flatnonzero(np.diff(np.signbit(hit[: int(0.15 * 44100)])))
        periods = np.diff(crossings[crossings > 0.01 * 44100])
        assert periods[-1] >= periods[0]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.wav")}


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    assert write_hits(tmp_path / "a", 2, 5, 22050) == 16
    write_hits(tmp_path / "b", 3, 5, 22050)
    write_hits(tmp_path / "c", 2, 6, 22050)
    a, b, c = (contents(tmp_path / name) for name in "abc")
    assert a.items() < b.items() and len(b) == 24
    assert a.keys() == c.keys() and not set(a.values()) & set(c.values())
    info = soundfile.info(tmp_path / "a" / "Kick" / "Kick_000.wav")
    assert (info.samplerate, info.channels, info.subtype) == (22050, 1, "PCM_16")


def test_the_folder_is_one_to_train_on_and_may_be_replaced(tmp_path: Path) -> None:
    write_hits(tmp_path, 2, 0, 8000)
    write_hits(tmp_path, 1, 0, 8000)
    sounds = find_sounds(tmp_path)
    assert sounds.attributes[0].classes == tuple(sorted(RECIPES))
    assert len(sounds.files) == 8 and not sounds.remarks
    assert not list(tmp_path.parent.glob(f".{tmp_path.name}*"))


def test_a_failure_leaves_the_hits_that_were_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, written = tmp_path / "hits", []
    write_hits(folder, 1, 0, 8000)
    before, write = contents(folder), soundfile.write

    def full(*arguments: Any, **named: Any) -> None:
        written.append(write(*arguments, **named))
        if len(written) == 5:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(soundfile, "write", full)
    with pytest.raises(OSError, match=r"hits cannot be written: No space left on device"):
        write_hits(folder, 2, 1, 8000)
    assert contents(folder) == before and [path.name for path in tmp_path.iterdir()] == ["hits"]


@pytest.mark.parametrize("name", ["song.wav", "Kick/mine.wav", "Kick/Snare_000.wav", "Bass/Bass_000.wav"])
def test_a_folder_of_anything_else_is_left_alone(tmp_path: Path, name: str) -> None:
    write_hits(tmp_path, 1, 0, 8000)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="not only hits of"):
        write_hits(tmp_path, 1, 1, 8000)
    assert contents(tmp_path) == before


def test_a_file_in_the_way_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="is a file"):
        write_hits(tmp_path / "file", 1)
    with pytest.raises(OSError, match="cannot be written"):
        write_hits(tmp_path / "file" / "hits", 1, 0, 8000)
