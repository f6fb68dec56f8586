"""A checkout without symbolic links, as Windows and zip downloads make it, says what is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.floors import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone of this repository with these scripts, whose links are small files of text."""
    if not (ROOT / ".git").exists():
        pytest.skip("these files are no git checkout")
    folder = tmp_path / "ngs"
    options = ["--quiet", "--shared", "-c", "core.symlinks=false"]
    subprocess.run(["git", "-c", "safe.directory=*", "clone", *options, ROOT, folder], check=True)
    for name in ("scripts/setup", "src/ngs/__init__.py"):
        (folder / name).write_bytes((ROOT / name).read_bytes())
    assert (folder / "src" / "ngs" / "runtime").is_file()
    return folder


def test_an_import_says_so(checkout: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(checkout / "src")}
    command = [sys.executable, "-c", "import ngs.runtime"]
    result = subprocess.run(command, env=environment, cwd=checkout, capture_output=True, text=True)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("ImportError: this checkout of ngs has no symbolic links")


def test_setup_says_what_to_do_and_that_works(checkout: Path) -> None:
    result = subprocess.run([checkout / "scripts" / "setup"], capture_output=True, text=True)
    assert result.returncode == 1 and result.stdout == ""
    problem, remedy = result.stderr.splitlines()
    assert "this checkout has no symbolic links" in problem and not (checkout / ".venv").exists()
    subprocess.run(remedy.partition(": ")[2], shell=True, check=True, cwd=checkout)
    assert (checkout / "src" / "ngs" / "runtime").is_dir()
