"""The site that `make docs` builds: no warnings, nothing missing, no network needed."""

from __future__ import annotations

import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import click
import pytest
from tests.docs.pages import PAGES, ROOT

import ngs.pyo_instruments
import ngs.runtime
from ngs.cli.main import cli


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built with the Makefile's options."""
    folder = tmp_path_factory.mktemp("site")
    (options,) = re.findall(r"sphinx-build (.*) docs build/docs", (ROOT / "Makefile").read_text())
    command = [sys.executable, "-m", "sphinx", *options.split(), "docs", folder]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def words(page: Path) -> str:
    return unescape(re.sub("<[^>]*>", "", page.read_text()))


def test_every_page_is_in_the_contents(site: Path) -> None:
    contents = (site / "index.html").read_text()
    for page in PAGES:
        if page.startswith("docs/") and page != "docs/index.md":
            name = Path(page).stem
            assert (site / f"{name}.html").exists() and f'href="{name}.html"' in contents, f"{name} is in no toctree"


def test_no_page_fetches_from_elsewhere(site: Path) -> None:
    for page in [*site.glob("*.html"), *site.glob("_static/**/*.css")]:
        text = page.read_text()
        fetched = re.findall(r"<(?:script|img|link|iframe|source)[^>]*(?:src|href)=[\"']?(?:https?:)?//[^>]*>", text)
        fetched += re.findall(r"(?:url\(|@import )[\"']?(?:https?:)?//[^)]*", text)
        assert not fetched, f"{page.name}: {fetched}"


def commands(command: click.Command, path: str) -> dict[str, click.Command]:
    """A command and all its subcommands, by what is typed."""
    found = {path: command}
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            found |= commands(below, f"{path} {name}")
    return found


def test_the_page_of_commands_has_every_option(site: Path) -> None:
    page = (site / "commands.html").read_text()
    for path, command in commands(cli, "ngs").items():
        for parameter in command.params:
            for option in parameter.opts if isinstance(parameter, click.Option) else []:
                assert f'id="cmdoption-{path.replace(" ", "-")}-{option.lstrip("-")}"' in page, f"{path} {option}"
    text = words(site / "commands.html")
    assert "ngs render path --kind circle --seconds 8 --class Hat -o circle.wav\n" in text
    assert "\nKick   X...x...X...x..o\n" in text and "\b" not in text


@pytest.mark.parametrize("module", [ngs.runtime, ngs.pyo_instruments])
def test_the_python_reference_has_every_public_name(site: Path, module: object) -> None:
    page = (site / "api.html").read_text()
    for name in module.__all__:  # type: ignore[attr-defined]
        assert f'id="{module.__name__}.{name}"' in page, name  # type: ignore[attr-defined]


def test_links_into_the_repository_become_paths(site: Path) -> None:
    assert "../pyo_instruments" not in (site / "live.html").read_text()
    assert "pyo_instruments/surfaces/midi_maps" in words(site / "live.html")
    assert "THIRD_PARTY.md" in words(site / "hosts.html") and 'href="../THIRD' not in (site / "hosts.html").read_text()
    assert 'href="model-card.html"' in (site / "changelog.html").read_text()
