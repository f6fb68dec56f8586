"""Types of parameters: bundles by name, and numbers."""

from __future__ import annotations

import os
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from ngs.runtime.bundle.bundle import shipped
from ngs.runtime.console.parameters import BUNDLE, Number


def test_a_bundle_of_that_name_comes_before_the_shipped_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkdir("drums")
    assert BUNDLE.convert("drums", None, None) == shipped()
    Path("drums", "manifest.json").write_text("{}")
    assert BUNDLE.convert("drums", None, None) == Path("drums")
    assert BUNDLE.convert("other", None, None) == Path("other")


@pytest.mark.parametrize(("text", "valid"), [("0", False), ("0.5", True), ("2", True), ("2.1", False), ("nan", False)])
def test_numbers(text: str, valid: bool) -> None:
    command = click.command()(click.argument("number", type=Number(0, 2, min_open=True))(lambda number: None))
    assert (CliRunner().invoke(command, [text]).exit_code == 0) == valid
