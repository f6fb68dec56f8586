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

from ngs.runtime.drum_names import drum_class, in_order
from ngs.runtime.offline.patterns import load_pattern

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
            shutil.copy(
                hits_folder / made / f"{made}_{number:03}.wav", folder / f"MD2_{made}_{number}_C#{number + 1}.wav"
            )
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
    assert "\n  Kicks         4  Kit 1 - Dusty/Kicks and 1 other folder\n" in told
    assert "16 of 20 names have a pitch, C#1 to C#4; none: Loops/" in told
    ngs("export", "run", "-o", "pack.ngs", cwd=tmp_path)
    info = json.loads(ngs("info", "pack.ngs", "--json", cwd=tmp_path).stdout)
    classes = {each["name"]: each["classes"] for each in info["attributes"]}
    assert classes["class"] == ["Claps", "Hi-Hats", "Kicks", "Loops", "Snares"]
    assert classes["pitch"] == ["C#1", "C#2", "C#3", "C#4"]

    house = {track.class_name: track.text for track in load_pattern("house", tuple(classes["class"]))}
    assert house["Kicks"] == "X...X...X...X..." and house["Hi-Hats"] == "..x...x...x...xo" and len(house) == 3
    assert in_order(classes["class"])[:2] == ["Kicks", "Snares"] and drum_class(36, classes["class"]) == "Kicks"
    play = ("play", "drum-machine", "--bundle", "pack.ngs", "--audio", "offline", "--seconds", "1")
    solo = ("--set", "/track/1/solo=1", "--set", "/track/1/class=bd")
    ngs(*play, *solo, "--record", "kick.wav", cwd=tmp_path)
    kick, rate = soundfile.read(tmp_path / "kick.wav")
    beat, heard = round(rate * 60 / 122), np.abs(kick).max(1)  # house, 122 beats a minute: a kick on each
    assert heard[: rate // 20].max() > 0.01 and heard[beat : beat + rate // 20].max() > 0.01
    (tmp_path / "line.txt").write_text("Bass Drum x...x...x...x...\nCH ..x...x...x...x.\n")
    ngs("render", "pack.ngs", "loop", "--pattern", "line.txt", "--bars", "1", "-o", "loop.wav", cwd=tmp_path)
    ngs("render", "pack.ngs", "sample", "--class", "BD", "-o", "kick-again.wav", cwd=tmp_path)
    assert ngs("evaluate", "pack.ngs", pack, "--run", "run", "--samples", "0", cwd=tmp_path).returncode == 0
