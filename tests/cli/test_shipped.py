"""Commands without a bundle, the names of bundles, and the examples that --help prints."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from ngs.cli.main import COMMANDS, cli, main
from ngs.cli.render.forms import render
from ngs.runtime.bundle import bundle as bundles
from ngs.runtime.bundle.bundle import shipped


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ngs(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def name(*arguments: str | Path) -> str:
    """The name of a bundle, from `ngs info`."""
    result = ngs("info", *arguments, "--json")
    assert result.exit_code == 0, result.exception
    document: dict[str, str] = json.loads(result.stdout)
    return document["name"]


def rate(*arguments: str | Path) -> int:
    """The sample rate of the sound that `ngs render` writes; that of the tiny bundle is 8 kHz."""
    result = ngs("render", *arguments, "--provider", "cpu", "--json")
    assert result.exit_code == 0, (result.output, result.exception)
    document: dict[str, int] = json.loads(result.stdout)
    return document["sample_rate"]


def error(*arguments: str | Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The one line that a command prints: its error."""
    monkeypatch.setattr("sys.argv", ["ngs", *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code != 0
    printed = capsys.readouterr()
    (line,) = [line for line in printed.err.splitlines() if line.startswith("Error: ")]
    assert printed.out == ""
    return line


def test_no_bundle_and_the_word_drums_are_the_shipped_one(place: Path) -> None:
    own = bundles.Bundle.open(provider="cpu").manifest
    assert name() == name("drums") == own.name
    assert str(shipped()) in ngs("validate", "--provider", "cpu").output
    sounds = []
    for number, arguments in enumerate((["sample"], ["drums", "sample"], ["--bundle", "drums", "sample"])):
        assert rate(*arguments, "-o", f"{number}.wav") == own.sample_rate
        sounds.append(Path(f"{number}.wav").read_bytes())
    assert sounds[0] == sounds[1] == sounds[2]


def test_the_bundle_comes_before_the_form_or_is_an_option(tiny_bundle: Path, place: Path) -> None:
    assert rate(tiny_bundle, "sample") == 8000
    assert rate("--bundle", tiny_bundle, "sample") == 8000
    assert rate("sample", "--bundle", tiny_bundle) == 8000


def test_a_bundle_of_that_name_comes_first(tiny_bundle: Path, tiny_zip: Path, place: Path) -> None:
    for kind in (tiny_bundle, tiny_zip):
        copy = shutil.copytree if kind.is_dir() else shutil.copy
        copy(kind, "drums")
        assert name("drums") == "tiny" and rate("drums", "sample") == 8000
        assert rate("sample") == bundles.Bundle.open(provider="cpu").manifest.sample_rate
        shutil.rmtree("drums", ignore_errors=True)


def test_a_folder_of_sounds_called_drums_is_no_bundle(place: Path) -> None:
    Path("drums/Kick").mkdir(parents=True)
    assert name("drums") == name()


def test_a_form_is_a_form_even_where_a_bundle_has_its_name(tiny_bundle: Path, place: Path) -> None:
    shutil.copytree(tiny_bundle, "sample")
    assert rate("sample", "-o", "a.wav") != 8000
    assert rate("./sample", "sample", "-o", "b.wav") == rate("--bundle", "sample", "sample", "-o", "c.wav") == 8000


def test_help_may_follow_a_bundle() -> None:
    for arguments in (["--help"], ["no.ngs", "--help"]):
        assert ngs("render", *arguments).output.startswith("Usage: cli render [OPTIONS] [BUNDLE] FORM")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["render", "lop", "-o", "x.wav"], "is not a form (reconstruct, resynth, sample, vary, path, morph, loop)"),
        (["render", "my.ngs"], "'my.ngs' is not a form"),
        (["render", "my.ngs", "lop"], "'lop' is not a form"),
        (["render", "--bundle", "a.ngs", "b.ngs", "loop"], "Name one bundle: a.ngs or b.ngs"),
        (["render", "a.ngs", "loop", "--bundle", "b.ngs"], "Name one bundle: a.ngs or b.ngs"),
        (["render", "Drums", "loop"], "Drums does not exist"),
        (["info", "drum"], "drum does not exist"),
        (["evaluate", "drums"], "Name either a folder DATA or --pair"),
    ],
)
def test_errors(
    place: Path, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    assert message in error(*arguments, capsys=capsys, monkeypatch=monkeypatch)
    assert not list(place.iterdir())


@pytest.mark.parametrize("arguments", [["render", "loop"], ["info"], ["validate"], ["info", "drums"]])
def test_an_installation_without_it(
    place: Path, arguments: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles.resources, "files", lambda package: place)
    assert "comes with ngs is missing" in error(*arguments, capsys=capsys, monkeypatch=monkeypatch)


def examples() -> Iterator[list[str]]:
    """The example of each command and form."""
    forms = [("render", form) for form in render.commands]
    for path in ((), *((command,) for command in COMMANDS), *forms):
        text = ngs(*path, "--help").output.partition("Example:")[2].partition("Options:")[0]
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        assert lines and all(line.startswith("ngs ") for line in lines), path
        yield lines


@pytest.mark.parametrize("lines", list(examples()), ids=lambda lines: lines[-1])
def test_an_example_works_as_printed_right_after_the_install(place: Path, lines: list[str]) -> None:
    for line in lines:
        if line.startswith(("ngs train", "ngs export")):
            command, *arguments = shlex.split(line)[1:]
            found = cli.get_command(click.Context(cli), command)
            assert found is not None
            found.make_context(command, arguments)
        elif "mine.ngs" not in line:
            result = ngs(*shlex.split(line)[1:], *(["--samples", "2"] if line.startswith("ngs evaluate") else []))
            assert result.exit_code == 0, (line, result.output, result.exception)
            assert "-o" not in line or Path(shlex.split(line)[-1]).parent.is_dir()
