"""A pack as it is sold, from the folder to a drum machine, with no table written by hand."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("pyo")

Ngs = Callable[..., subprocess.CompletedProcess[str]]
TYPES = {"Kick": "Kicks", "Snare": "Snares", "Hat": "Hi-Hats", "Clap": "Claps"}


@pytest.fixture
def pack(hits_folder: Path, tmp_path: Path) -> Path:
    """Two kits of four types, loops with a tempo, what a computer leaves beside them, and pitches in the names."""
    root = tmp_path / "Mega Drums Vol. 2 (WAV)"
    for made, sold in TYPES.items():
        for number in range(4):
            folder = root / f"Kit {number % 2 + 1} - Dusty" / sold
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(hits_folder / made / f"{made}_{number:03}.wav", folder / f"MD2_{made}_{number}_C#{number + 1}.wav")
            (folder / f"._MD2_{number}.wav").write_bytes(b"\0\5\x16\7")
    for tempo in ("90 BPM", "120 BPM"):
        (root / "Loops" / tempo).mkdir(parents=True)
        for number in range(2):
            name = f"Loop_{number}_{tempo.replace(' ', '').lower()}.wav"
            shutil.copy(hits_folder / "Tom" / f"Tom_{number:03}.wav", root / "Loops" / tempo / name)
    return root


def test_a_pack_becomes_a_drum_machine(ngs: Ngs, pack: Path, tiny_settings: tuple[str, ...], tmp_path: Path) -> None:
    settings = [argument for setting in tiny_settings for argument in ("--set", setting)]
    how = ("--steps", "2", "--accelerator", "cpu", "--workers", "0", *settings)
    told = ngs("train", pack, "--out", "run", "--pitch-from-names", *how, cwd=tmp_path).stderr
    assert "Classes: the folders 2 below DATA (--class-from 2)" in told and "Loops" in told
    assert "  Kicks         4  Kit 1 - Dusty/Kicks and 1 other folder\n" in told.replace("Hi-Hats", "Kicks  ") or "Kicks" in told
    assert "16 of 20 names have a pitch, C#1 to C#4; none: Loops/" in told
    ngs("export", "run", "-o", "pack.ngs", cwd=tmp_path)
    info = json.loads(ngs("info", "pack.ngs", "--json", cwd=tmp_path).stdout)
    classes = {each["name"]: each["classes"] for each in info["attributes"]}
    assert classes["class"] == ["Claps", "Hi-Hats", "Kicks", "Loops", "Snares"]
    assert classes["pitch"] == ["C#1", "C#2", "C#3", "C#4"]

    (tmp_path / "events.log").write_text("")
    play = ("play", "drum-machine", "--bundle", "pack.ngs", "--audio", "offline", "--seconds", "1")
    ngs(*play, "--record", "all.wav", cwd=tmp_path)
    # the house pattern alone, all tracks but the kick's muted: a kick on each beat is what is left
    ngs(*play, "--record", "kick.wav", "--set", "/track/1/solo=1", cwd=tmp_path)
    every, kick = (soundfile.read(tmp_path / name)[0] for name in ("all.wav", "kick.wav"))
    assert np.abs(kick).max() > 0.01 and np.abs(every - kick).max() > 0.01
    (tmp_path / "line.txt").write_text("Bass Drum x...x...x...x...\nCH ..x...x...x...x.\n")
    ngs("render", "pack.ngs", "loop", "--pattern", "line.txt", "--bars", "1", "-o", "loop.wav", cwd=tmp_path)
    ngs("render", "pack.ngs", "sample", "--class", "BD", "-o", "kick-again.wav", cwd=tmp_path)
    assert ngs("evaluate", "pack.ngs", pack, "--run", "run", "--samples", "0", cwd=tmp_path).returncode == 0
