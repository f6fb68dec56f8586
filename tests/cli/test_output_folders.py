"""An existing folder as the output gets a file of the default name, whatever is written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from ngs.cli.export import export
from ngs.cli.map import latent_map
from ngs.cli.play import play
from ngs.cli.render.forms import render
from ngs.cli.spectrogram import spectrogram
from ngs.pyo_instruments.stage.options import PlayOptions

RENDERED = {
    "reconstruct": "reconstruct-in.wav", "resynth": "resynth-in.wav", "vary": "vary-in-0.wav",
    "path": "path-linear-0.wav",
    "morph": "morph-1-2.wav", "loop": "loop-house-0.wav",
}  # fmt: skip
MORE = {"morph": ["--from", "1", "--to", "2"], "path": ["--seconds", "1"], "loop": ["--bars", "1"]}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, whose name has an ending, in the current one, which also holds in.wav."""
    monkeypatch.chdir(tmp_path)
    soundfile.write("in.wav", np.random.default_rng(0).uniform(-0.5, 0.5, 1000), 8000)
    Path("my.takes").mkdir()
    return Path("my.takes")


def written(folder: Path) -> list[str]:
    assert {path.name for path in Path().iterdir()} == {"in.wav", folder.name}
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("form", RENDERED)
def test_render(tiny_bundle: Path, folder: Path, form: str) -> None:
    given = MORE.get(form, ["in.wav"])
    how = [str(tiny_bundle), form, *given, "--provider", "cpu", "-o", str(folder)]
    assert CliRunner().invoke(render, how, catch_exceptions=False).exit_code == 0
    assert written(folder) == [RENDERED[form]]


def test_several_sounds(tiny_bundle: Path, folder: Path) -> None:
    how = [str(tiny_bundle), "vary", "in.wav", "--count", "2", "-o", str(folder)]
    assert CliRunner().invoke(render, how, catch_exceptions=False).exit_code == 0
    assert written(folder) == ["vary-in-0-0.wav", "vary-in-0-1.wav"]


def test_pictures(tiny_bundle: Path, folder: Path) -> None:
    for command, given in ((latent_map, [str(tiny_bundle)]), (spectrogram, ["in.wav"])):
        result = CliRunner().invoke(command, [*given, "-o", str(folder)], catch_exceptions=False)
        assert result.exit_code == 0 and result.output.startswith(f"Drew {folder}/{command.name}.png")
    assert written(folder) == ["map.png", "spectrogram.png"]


@pytest.mark.parametrize(
    ("output", "wanted"),
    [(None, "first.ngs"), ("my.takes", "my.takes/first.ngs"), ("a.ngs", "a.ngs"), ("new", "new"), ("old", "old")],
)
def test_export(folder: Path, monkeypatch: pytest.MonkeyPatch, output: str | None, wanted: str) -> None:
    asked = []

    def export_run(run: Path, path: Path, *others: Any) -> dict[str, float]:
        asked.append(path)
        return {}

    monkeypatch.setattr("ngs.export.run_to_bundle.export_run", export_run)
    Path("a.ngs").mkdir()
    Path("old").mkdir()
    Path("old", "manifest.json").touch()  # a bundle, which is replaced
    result = CliRunner().invoke(export, ["runs/first", *(["-o", output] if output else [])], catch_exceptions=False)
    assert result.exit_code == 0 and asked == [Path(wanted)]


def test_play(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = list[PlayOptions]()
    monkeypatch.setattr(PlayOptions, "check", lambda self, kind: taken.append(self))
    monkeypatch.setattr("ngs.runtime.bundle.bundle.Bundle.open", lambda *how, **more: 1 / 0)
    where = [part for option in ("--record", "--log", "--stats") for part in (option, str(folder))]
    with pytest.raises(ZeroDivisionError):
        CliRunner().invoke(play, ["morph", *where], catch_exceptions=False)
    names = [path and path.name for path in (taken[0].record, taken[0].log, taken[0].stats)]
    assert names == ["morph.wav", "morph-log.jsonl", "morph-stats.json"] and taken[0].record == folder / "morph.wav"
