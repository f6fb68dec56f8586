"""The sounddevice host, with a stand-in for PortAudio: no sound card is needed."""

from __future__ import annotations

import io
import json
import runpy
import sys
import threading
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from tests.runtime.waiting import wait_for

from ngs.runtime import Bundle, Note, Synth

HOST = Path(__file__).parents[2] / "examples" / "sounddevice_host.py"
RATE, FRAMES = 48000, 256
CLOCK = time.monotonic


class StandIn(ModuleType):
    """What the host uses of sounddevice. Its stream calls back as soon as the engine has a block ready."""

    PortAudioError = OSError

    def __init__(self) -> None:
        super().__init__("sounddevice")
        self.heard: list[Any] = []
        self.errors: list[Exception] = []

    def query_devices(self, device: Any, kind: str) -> dict[str, float]:
        if device not in (None, 3):
            raise ValueError(f"No output device matching {device!r}")
        return {"default_samplerate": float(RATE)}

    def OutputStream(  # noqa: N802
        self, *, samplerate: int, blocksize: int, device: Any, channels: int, dtype: str, latency: str, callback: Any
    ) -> StandIn:
        assert (samplerate, channels, dtype) == (RATE, 2, "float32")
        self.blocksize, self.callback, self.over = blocksize, callback, threading.Event()
        return self

    def __enter__(self) -> StandIn:
        self.thread = threading.Thread(target=self.play)
        self.thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.over.set()
        self.thread.join()

    def play(self) -> None:
        ring = self.callback.__self__.engine._ring
        while not self.over.wait(self.blocksize / RATE / 10):
            if ring.filled < self.blocksize:
                continue
            outdata = np.full((self.blocksize, 2), np.nan, np.float32)
            try:
                self.callback(outdata, self.blocksize, None, None)
            except Exception as error:
                self.errors.append(error)
            self.heard.append(outdata)


def run(monkeypatch: pytest.MonkeyPatch, lines: str, *arguments: object) -> StandIn:
    """What the host plays of these lines."""
    device = StandIn()
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    monkeypatch.setattr(sys, "argv", ["sounddevice_host.py", *map(str, arguments)])
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    monkeypatch.setattr(time, "monotonic", lambda: CLOCK() / 30)  # a busy machine may take a minute for 2 s of the host
    runpy.run_path(str(HOST), run_name="__main__")
    assert not device.errors and np.isfinite(device.heard).all()
    return device


def test_the_callback_plays_what_the_synth_renders(tiny_bundle: Path) -> None:
    """Interleaved, in blocks of the sound card, some of them shorter."""
    bundle = Bundle.open(tiny_bundle, "cpu")
    host = runpy.run_path(str(HOST))["Host"](bundle, RATE, FRAMES)
    host.do("Snare")
    parts = []
    with host.engine:
        for frames in (FRAMES, 100, 1) * 12:
            wait_for(lambda: host.engine._ring.filled >= FRAMES)
            outdata = np.full((frames, 2), np.nan, np.float32)
            host.callback(outdata, frames, None, "output underflow" if frames == 1 else None)
            parts.append(outdata)
    synth = Synth(bundle, RATE)
    synth.note_on(Note("Snare"))
    heard = np.concatenate(parts)
    np.testing.assert_array_equal(heard, synth.render(len(heard)).T)
    assert np.abs(heard).max() > 0.01 and host.underflows == 12 and host.engine.statistics().late == 0


def test_lines_are_played_and_what_is_held_is_kept(
    tiny_bundle: Path,
    tiny_noise: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    state = tmp_path / "state.json"
    options = (tiny_bundle, "--frames", 128, "--state", state)
    device = run(monkeypatch, "Kick\nGong\nhold Hat\nquit\nSnare\n", *options)
    out, errors = capsys.readouterr()
    assert out.startswith("tiny.ngs plays Kick, Snare, Hat, 19 ms later\n") and out.endswith("\n0 late, 0 underflows\n")
    assert errors.startswith("There is no class 'Gong'") and errors.count("\n") == 1
    assert device.blocksize == 128 and np.abs(device.heard).max() > 0.01
    (note,) = json.loads(state.read_text())["notes"]
    assert (note["choices"], note["index"], note["controls"]["freeze"]) == ("Hat", 1, 1)
    device = run(monkeypatch, "", *options, "--device", "3")  # the held note, without a line
    assert np.abs(device.heard).max() > 0.01
    run(monkeypatch, "", "--state", state)  # no bundle is named: the one that was stored
    assert capsys.readouterr().out.splitlines()[-2].startswith("tiny.ngs plays")
    run(monkeypatch, "", tiny_noise, "--state", state)
    assert capsys.readouterr().out.startswith("noise.ngs plays")
    assert json.loads(state.read_text())["bundle"]["path"] == str(tiny_noise)
    run(monkeypatch, "off\n", *options)
    assert json.loads(state.read_text())["notes"] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.ngs",), "none.ngs does not exist"),
        (("--device", "Moon"), "No output device"),
        (("--frames", "0"), "max_block is 0"),
    ],
)
def test_a_mistake_is_one_line(arguments: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=message):
        run(monkeypatch, "", *arguments)


def test_without_sounddevice_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    monkeypatch.setattr(sys, "argv", ["sounddevice_host.py"])
    with pytest.raises(SystemExit, match="pip install sounddevice"):
        runpy.run_path(str(HOST), run_name="__main__")
