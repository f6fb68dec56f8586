"""A recording holds every frame that was heard, or as many as the disk could take."""

from __future__ import annotations

import errno
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ngs.pyo_instruments.stage import recorder as recorder_module
from ngs.pyo_instruments.stage.recorder import BackgroundRecorder, Recorder
from ngs.runtime.atomic import replaced
from ngs.runtime.dsp.audio_files import AudioError

pyo = pytest.importorskip("pyo")

RATE, BLOCK = 48000, 128


def tones() -> Any:
    return pyo.Sine([100, 333], mul=0.4).out()


def recorded(room: Any, path: Path, blocks: int, frames: int | None = None) -> Any:
    with Recorder(room.clock, path, frames):
        heard = room.hear(blocks)
        room.clock.hear()  # the last block
    return heard


@pytest.mark.parametrize(("name", "step"), [("take.wav", 0.0), ("take.flac", 2.0**-23)])
def test_a_file_holds_what_was_heard(room: Any, tmp_path: Path, name: str, step: float) -> None:
    sines = tones()
    heard = recorded(room, tmp_path / "takes" / name, 100)
    sound, rate = soundfile.read(tmp_path / "takes" / name, dtype="float32")
    assert rate == RATE and sound.shape == heard.shape and heard.std() > 0.1
    np.testing.assert_allclose(sound, heard, atol=step, rtol=0)
    assert [each.name for each in (tmp_path / "takes").iterdir()] == [name] and len(sines) == 2


@pytest.mark.parametrize("frames", [0, 1, BLOCK, 1000])
def test_no_more_frames_are_recorded_than_asked_for(room: Any, tmp_path: Path, frames: int) -> None:
    sines = tones()
    heard = recorded(room, tmp_path / "take.wav", 12, frames)
    np.testing.assert_array_equal(soundfile.read(tmp_path / "take.wav", dtype="float32")[0], heard[:frames])
    assert len(sines) == 2


def test_it_hears_nothing_before_and_nothing_after(room: Any, tmp_path: Path) -> None:
    sines = tones()
    room.hear(10)
    with Recorder(room.clock, tmp_path / "take.wav") as recorder:
        heard = room.hear(20)
    room.hear(10)
    sound, _ = soundfile.read(tmp_path / "take.wav", dtype="float32")
    assert recorder.taken == len(sound) and room.clock.taps == []
    np.testing.assert_array_equal(sound[BLOCK:], heard[: len(sound) - BLOCK])  # the block before ended within
    assert len(sines) == 2


def test_more_than_the_ring_holds_is_written_by_a_thread(
    rooms: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "PAUSE_SECONDS", 0.001)
    with rooms(live=True) as room:
        sines = tones()
        with BackgroundRecorder(room.clock, tmp_path / "take.wav") as recorder:
            heard = []
            for _ in range(12):
                heard.append(room.hear_seconds(1))
                while recorder._written < recorder.taken:
                    recorder._stopping.wait(0.001)
            room.clock.hear()
        sound, _ = soundfile.read(tmp_path / "take.wav", dtype="float32")
        np.testing.assert_array_equal(sound, np.concatenate(heard))
        assert not recorder._thread.is_alive() and recorder.lost == 0 and len(sines) == 2


def test_sound_that_finds_no_room_is_silent_and_the_rest_keeps_its_place(room: Any, tmp_path: Path) -> None:
    sines = tones()
    room.hear(1)
    with (
        pytest.raises(OSError, match=r"take.wav lacks 2.0 s, which are silent in it: the disk is too slow"),
        Recorder(room.clock, tmp_path / "take.wav") as recorder,
    ):
        heard = [room.clock._output.copy()]  # the block before ended within
        for seconds in (9, 4, 9, 0.25):
            heard.append(room.hear_seconds(seconds))
            recorder.drain()
    sound, _ = soundfile.read(tmp_path / "take.wav", dtype="float32")
    expected = np.concatenate(heard)[:-BLOCK]
    for second in (8, 21):  # the ring is full, for a second
        expected[second * RATE : (second + 1) * RATE] = 0
    np.testing.assert_array_equal(sound, expected)
    assert recorder.lost == 2 * RATE and len(sines) == 2


def test_a_gap_at_the_end_is_silent_too_and_no_longer_than_asked_for(room: Any, tmp_path: Path) -> None:
    sines = tones()
    with pytest.raises(OSError, match=r"lacks 1.0 s"), Recorder(room.clock, tmp_path / "take.wav", 9 * RATE):
        heard = room.hear_seconds(9.5)
    sound, _ = soundfile.read(tmp_path / "take.wav", dtype="float32")
    assert len(sound) == 9 * RATE and not sound[8 * RATE :].any() and len(sines) == 2
    np.testing.assert_array_equal(sound[: 8 * RATE], heard[: 8 * RATE])


def test_a_short_wav_is_plain_and_a_long_one_has_64_bit_sizes(room: Any, tmp_path: Path) -> None:
    recorded(room, tmp_path / "take.wav", 10)
    assert (tmp_path / "take.wav").read_bytes()[:4] == b"RIFF"
    long = tmp_path / "long.wav"
    with soundfile.SoundFile(long, "w", RATE, 2, subtype="FLOAT", format="RF64") as file:
        file.write(np.ones((BLOCK, 2)))
    header, frames = long.read_bytes()[:104], 5 << 27
    with long.open("r+b") as raw:  # 5 GiB, of which the disk has hardly any
        raw.truncate(104 + 8 * frames)
        raw.write(header[:20] + struct.pack("<QQ", 96 + 8 * frames, 8 * frames))
    recorder_module._finish_wav(long)
    assert soundfile.info(long).frames == frames and soundfile.info(long).format == "RF64"


def test_a_dropped_recording_leaves_the_older_file(room: Any, tmp_path: Path) -> None:
    (tmp_path / "take.wav").write_text("an older one")
    recorder = Recorder(room.clock, tmp_path / "take.wav")
    recorder.open()
    room.hear(10)
    recorder.close(keep=False)
    assert (tmp_path / "take.wav").read_text() == "an older one"
    assert [each.name for each in tmp_path.iterdir()] == ["take.wav"] and room.clock.taps == []


@pytest.mark.parametrize("name", ["take.mp3", "take", "take.txt"])
def test_an_unknown_file_type_is_refused_at_once(room: Any, tmp_path: Path, name: str) -> None:
    with pytest.raises(AudioError, match=name):
        Recorder(room.clock, tmp_path / name)
    assert room.clock.taps == [] and list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_opened_is_refused_at_once(
    room: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any, **options: Any) -> None:
        raise soundfile.LibsndfileError(2)

    monkeypatch.setattr(soundfile, "SoundFile", refuse)
    with pytest.raises(OSError, match="take.wav cannot be written: "), Recorder(room.clock, tmp_path / "take.wav"):
        pass
    assert room.clock.taps == [] and list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_made_says_why(room: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(OSError, match=r"take.wav cannot be written: Permission denied$"):
        Recorder(room.clock, tmp_path / "take.wav").open()
    assert room.clock.taps == [] and list(tmp_path.iterdir()) == []


def test_a_flac_whose_header_cannot_be_written_is_kept(
    room: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*anything: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(recorder_module, "_finish_flac", refuse)
    recorder = Recorder(room.clock, tmp_path / "take.flac")
    with pytest.raises(OSError, match="take.flac holds the first 0.0 s only"), recorder:
        room.hear(10)
        monkeypatch.setattr(recorder, "_write", refuse)
    assert [each.name for each in tmp_path.iterdir()] == ["take.flac"] and room.clock.taps == []


def test_an_interrupted_recording_keeps_what_was_played(room: Any, tmp_path: Path) -> None:
    sines = tones()
    with pytest.raises(KeyboardInterrupt), Recorder(room.clock, tmp_path / "take.wav"):
        heard = room.hear(10)
        raise KeyboardInterrupt
    np.testing.assert_array_equal(soundfile.read(tmp_path / "take.wav", dtype="float32")[0], heard[:-BLOCK])
    assert len(sines) == 2


@pytest.mark.parametrize("name", ["take.wav", "take.flac"])
@pytest.mark.parametrize("live", [False, True])
def test_a_full_disk_keeps_what_was_written_and_says_so(tmp_path: Path, name: str, live: bool) -> None:
    program = f"""
import resource, sys, time
from pathlib import Path
from ngs.pyo_instruments.timing.clock import LiveClock, OfflineClock
from ngs.pyo_instruments.stage.recorder import BackgroundRecorder, Recorder
import pyo
server = pyo.Server(sr=48000, nchnls=2, buffersize=128, duplex=0, audio="manual", verbosity=0).boot()
clock = {"LiveClock" if live else "OfflineClock"}(server._server)
noise = pyo.Noise(0.5).out()
server.start()
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
try:
    with {"BackgroundRecorder" if live else "Recorder"}(clock, Path({str(tmp_path / name)!r})) as recorder:
        for second in range(6):
            end = clock.frame + 48000
            while clock.frame < end: server.process()
            while {live} and recorder.error is None and recorder._written < recorder.taken: time.sleep(0.01)
            if not {live} and recorder.error is None: recorder.drain()
except OSError as error:
    print(error)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    (line,) = [each for each in result.stdout.splitlines() if "take" in each]
    assert "holds the first" in line and "s only" in line
    sound, rate = soundfile.read(tmp_path / name)
    assert rate == RATE and len(sound) > 0.7 * RATE  # 8 bytes a frame, or less than 6
    if name.endswith("flac"):
        assert f"first {len(sound) / RATE:.1f} s" in line
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_a_file_is_replaced_once_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "values.json"
    path.write_text("old")
    with pytest.raises(ValueError), replaced(path) as beside:
        beside.write_text("half")
        raise ValueError
    assert path.read_text() == "old" and [each.name for each in tmp_path.iterdir()] == ["values.json"]
    with replaced(path) as beside:
        beside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new" and [each.name for each in tmp_path.iterdir()] == ["values.json"]
