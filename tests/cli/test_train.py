"""What `ngs train` says is harmless to show."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ngs.cli.train import train
from ngs.training.learning import session


def test_names_from_files_do_not_control_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(data: Path, labels: Path, out: Path, config: object, resume: bool, *others: object) -> bool:
        _machine, _cache, say, *_rest = others
        say("1 sound without \x1b[2J: a.wav")  # type: ignore[operator]
        return False

    monkeypatch.setattr(session, "train", stopped)
    result = CliRunner().invoke(train, [str(tmp_path), "--out", str(tmp_path / "ru\x1bn")])
    assert result.exit_code == 130 and "\x1b" not in result.output
    assert "1 sound without ?[2J: a.wav\nStopped; " in result.output
