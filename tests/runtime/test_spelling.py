"""Names whose accents are written in the other way are found: "é" is one character (NFC) or two (NFD)."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ngs.runtime.console.parameters import BUNDLE, FILE, FOLDER
from ngs.runtime.drum_names import same_class
from ngs.runtime.spelling import on_disk

NAME = "Große Trömmelé"
FORMS = [("NFC", "NFD"), ("NFD", "NFC")]


def written(form: str, text: str = NAME) -> str:
    assert form in ("NFC", "NFD")
    return unicodedata.normalize(form, text)  # type: ignore[arg-type]


@pytest.mark.parametrize(("there", "asked"), FORMS)
def test_files_and_folders(tmp_path: Path, there: str, asked: str) -> None:
    file = tmp_path / written(there) / written(there, "ä.wav")
    file.parent.mkdir()
    file.touch()
    wanted = tmp_path / written(asked) / written(asked, "ä.wav")
    assert wanted != file and on_disk(wanted) == file
    for kind, path, given in ((FILE, file, wanted), (FOLDER, file.parent, wanted.parent), (BUNDLE, file, wanted)):
        assert kind.convert(str(given), None, None) == path
    wanted.parent.mkdir()
    wanted.touch()
    assert on_disk(wanted) == wanted  # what is there as it is written comes first


@pytest.mark.parametrize("name", ["no", "nö", "", ".", "nö/nö", "a\0ö", "\udce4ö", "f/ö", "/nö"])
def test_what_is_not_there_stays_as_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("f").touch()
    assert on_disk(Path(name)) == Path(name)


def test_a_missing_file_is_named_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(click.command()(click.argument("file", type=FILE)(lambda file: None)), ["nö.wav"])
    assert result.exit_code == 2 and "'nö.wav' does not exist" in result.output
    assert os.listdir() == []


@pytest.mark.parametrize(("there", "asked"), FORMS)
def test_classes(there: str, asked: str) -> None:
    for name in (NAME, "É1", "hi-hät", "Café Kicks"):
        classes = ["Kick", written(there, name), "Snare"]
        for spelled in (name, name.upper(), name.lower()):
            if spelled.casefold() == name.casefold():
                assert same_class(written(asked, spelled), classes) == classes[1]
    both = [written(there), written(asked)]
    assert same_class(written(asked), both) == written(asked)
