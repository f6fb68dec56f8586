"""`ngs hits`."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ngs.cli.hits import hits
from ngs.corpus.drum_synthesis import write_hits


def test_it_makes_the_folder_and_says_so(tmp_path: Path) -> None:
    out = tmp_path / "new" / "drums"
    result = CliRunner().invoke(hits, [str(out), "--count", "1", "--seed", "3", "--sample-rate", "8000"])
    assert result.exit_code == 0
    assert result.output.count("\n") == 1 and result.output.startswith(f"Made 8 hits in {out}: 1 each of Kick, ")
    write_hits(tmp_path / "same", 1, 3, 8000)
    for path in (tmp_path / "same").rglob("*.wav"):
        assert (out / path.relative_to(tmp_path / "same")).read_bytes() == path.read_bytes()


def test_it_leaves_other_folders_alone(tmp_path: Path) -> None:
    (tmp_path / "song.wav").touch()
    result = CliRunner().invoke(hits, [str(tmp_path)])
    assert isinstance(result.exception, ValueError)
    assert [path.name for path in tmp_path.iterdir()] == ["song.wav"]


@pytest.mark.parametrize("option", [["--count", "0"], ["--seed", "-1"], ["--sample-rate", "1"]])
def test_options_out_of_range_are_refused(tmp_path: Path, option: list[str]) -> None:
    result = CliRunner().invoke(hits, [str(tmp_path / "x"), *option])
    assert result.exit_code == 2 and option[0] in result.output
    assert not (tmp_path / "x").exists()
