"""docs/figures draws what docs/how-it-works.md shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.pages import ROOT

DOCS = ROOT / "docs"
PAGE = DOCS / "how-it-works.md"
MOST_BYTES = 150_000


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("figures") / "images"
    subprocess.run([sys.executable, DOCS / "figures" / "how.py", folder], check=True, cwd=folder.parent)
    return folder


def test_the_page_shows_every_figure_that_is_drawn(drawn: Path) -> None:
    shown = re.findall(r"!\[[^\]]+\]\(images/([^)]+)\)", PAGE.read_text())
    assert sorted(shown) == sorted(file.name for file in drawn.iterdir())
    assert sorted(shown) == sorted(file.name for file in (DOCS / "images").glob("how-*"))


def test_figures_are_small_and_have_a_white_background(drawn: Path) -> None:
    for file in drawn.iterdir():
        assert file.stat().st_size < MOST_BYTES, file.name
        if file.suffix == ".svg":
            assert "fill: #ffffff" in file.read_text()[:2000], file.name


def test_without_a_folder_it_prints_its_usage() -> None:
    result = subprocess.run([sys.executable, DOCS / "figures" / "how.py"], capture_output=True, text=True)
    assert result.returncode == 1 and "docs/figures/how.py docs/images" in result.stderr
