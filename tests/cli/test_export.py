"""`ngs export --card`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.conftest import CARD

from ngs.cli.bundle import info
from ngs.cli.export import export
from ngs.runtime.bundle.bundle import Bundle


def test_entries_join_the_model_card(exported_bundle: Path) -> None:
    card = Bundle.open(exported_bundle, "cpu").manifest.model_card
    assert {"made_with", "parameters"} < card.keys() and CARD.items() < card.items()
    lines = CliRunner().invoke(info, [str(exported_bundle)]).output.splitlines()
    shown = next(line for line in lines if line.startswith("card: licence"))
    assert shown.endswith(f" {CARD['licence']}")
    assert lines[-1] == " " * shown.index("CC0") + "two"


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (["licence"], "write KEY=TEXT"),
        (["=text"], "write KEY=TEXT"),
        (["licence="], "write KEY=TEXT"),
        (["intended use=music"], "only letters, digits and _ in KEY"),
        (["1st=text"], "only letters, digits and _ in KEY"),
        (["licence=a", "licence=b"], "licence is given twice"),
        (["licence=\x1b[31mred"], "model_card.licence: expected printable text"),
        ([f"licence={'x' * 65537}"], "model_card.licence: expected text of 1 to 65536 characters"),
    ],
)
def test_invalid_entries(entries: list[str], message: str, trained_run: Path, tmp_path: Path) -> None:
    arguments = [part for entry in entries for part in ("--card", entry)]
    result = CliRunner().invoke(export, [str(trained_run), "-o", str(tmp_path / "a.ngs"), *arguments])
    assert result.exit_code != 0 and message in f"{result.output}{result.exception}"
    assert not list(tmp_path.iterdir())
