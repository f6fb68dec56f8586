"""One recording without labels, from the file to an instrument: its slices are the sounds, for every command."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

Ngs = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def field(tmp_path: Path) -> Path:
    """A folder with a recording of 12 hits in 8 s, 8 kHz."""
    rng, signal = np.random.default_rng(0), np.zeros(8 * 8000)
    for place in range(0, len(signal) - 4000, 5000):
        length = int(rng.integers(1500, 4000))
        tone = np.sin(np.arange(length) * rng.uniform(0.1, 1)) + rng.normal(0, 0.2, length)
        signal[place : place + length] = tone * np.exp(-np.arange(length) / 600)
    (tmp_path / "field").mkdir()
    soundfile.write(tmp_path / "field" / "walk.wav", 0.3 * signal, 8000)
    return tmp_path / "field"


def test_slices_are_sounds_wherever_they_are_needed(
    ngs: Ngs, field: Path, tiny_settings: tuple[str, ...], tmp_path: Path
) -> None:
    settings = [argument for setting in tiny_settings for argument in ("--set", setting)]
    how = ("--accelerator", "cpu", "--workers", "0")
    told = ngs("train", field, "--out", "run", "--slice", "onsets", "--steps", "2", *how, *settings, cwd=tmp_path)
    assert "1 sound cut at onsets: 12 slices\n" in told.stderr and "11 to train on, 1 to validate on" in told.stderr
    description = json.loads((tmp_path / "run" / "run.json").read_text())
    (held_back,) = description["validation"]
    assert description["slice"] == "onsets" and held_back.startswith("walk.wav@")

    again = ngs("train", "--out", "run", "--resume", *how, cwd=tmp_path).stderr
    assert "12 slices\n" in again and "There are" not in again
    assert json.loads((tmp_path / "run" / "run.json").read_text()) == description
    refused = ngs("train", "--out", "run", "--resume", "--slice", "1", cwd=tmp_path, check=False)
    assert refused.returncode == 1 and "--resume continues the run with its own settings" in refused.stderr

    ngs("export", "run", "-o", "walk.ngs", cwd=tmp_path)
    measured = ("evaluate", "walk.ngs", field, "--run", "run", "--samples", "0", "--json")
    found = json.loads(ngs(*measured, cwd=tmp_path).stdout)
    assert (found["sounds"], found["reference"]) == (1, 11)
    drawn = json.loads(ngs("map", "walk.ngs", field, "--run", "run", "--json", cwd=tmp_path).stdout)
    assert len({point["file"] for point in drawn["points"]}) == 12
    assert held_back in {point["file"] for point in drawn["points"]}
    ngs("report", "walk.ngs", field, "--run", "run", "-o", "report", cwd=tmp_path)
    named = re.compile(r"walk\.wav@\d+\.\d{3}")
    assert len(set(named.findall((tmp_path / "report" / "map.js").read_text()))) == 12
    assert held_back in named.findall((tmp_path / "report" / "index.html").read_text())


def test_a_wrong_choice_is_refused_before_anything_is_read(ngs: Ngs, field: Path, tmp_path: Path) -> None:
    result = ngs("train", field, "--out", "run", "--slice", "0", cwd=tmp_path, check=False)
    assert result.returncode == 1 and "--slice 0: choose onsets, or a number of seconds" in result.stderr
    assert not (tmp_path / "run").exists()
