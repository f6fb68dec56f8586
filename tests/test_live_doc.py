"""The code of docs/live.md runs, and docs/osc.md is what the instruments say."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ngs.pyo_instruments
from ngs.pyo_instruments.clock import Clock

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "live.md"


@pytest.fixture
def manual(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Servers that are booted make blocks when they are asked to, and nothing is live."""
    import pyo

    servers: list[Any] = []

    class Server(pyo.Server):  # type: ignore[misc]
        def boot(self, *arguments: Any) -> Any:
            super().boot(*arguments)
            Clock.of(self)
            servers.append(self)
            return self

    monkeypatch.setattr(pyo, "Server", functools.partial(Server, audio="manual", nchnls=2, sr=48000, verbosity=0))
    yield servers
    for server in servers:
        server.stop()
        Clock.of(server).close()
        server.shutdown()


def test_its_python_plays(manual: list[Any]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 2
    for number, block in enumerate(blocks):
        names: dict[str, Any] = {"__name__": "page"}
        exec(compile(block, str(PAGE), "exec", dont_inherit=True), names)
        server = manual[number]
        clock, peaks = Clock.of(server), [0.0]
        clock.taps.append(lambda heard, peaks=peaks: peaks.append(float(np.abs(heard).max())))  # type: ignore[misc]
        for _ in range(600):
            server.process()
        assert 0.02 < max(peaks) < 1.5 and clock.statistics().failures == 0, clock.statistics()
        if number == 0:
            assert names["bells"].level == 0.8
        server.stop()


def test_its_offline_commands_run(tmp_path: Path) -> None:
    blocks = [each for each in re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL) if "offline" in each]
    assert len(blocks) == 2
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    for block in blocks:
        result = subprocess.run(
            ["sh", "-e"], input=block, cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True
        )
        assert result.returncode == 0, result.stdout + result.stderr


def test_the_addresses_are_those_there_are(tmp_path: Path) -> None:
    copy = tmp_path / "scripts"
    copy.mkdir()
    (tmp_path / "docs").mkdir()
    (copy / "osc-doc").write_text((ROOT / "scripts" / "osc-doc").read_text())
    environment = {**os.environ, "NGS": str(Path(sys.executable).parent / "ngs")}
    subprocess.run(["sh", copy / "osc-doc"], env=environment, check=True)
    assert (tmp_path / "docs" / "osc.md").read_text() == (ROOT / "docs" / "osc.md").read_text(), "run scripts/osc-doc"


def test_the_page_names_every_player() -> None:
    rows = re.findall(r"^\| `([A-Z]\w+)` \|", PAGE.read_text(), re.MULTILINE)
    ports = [name for name in ngs.pyo_instruments.__all__ if hasattr(getattr(ngs.pyo_instruments, name), "statistics")]
    assert set(rows) == set(ports) - {"Clock", "Instrument", "Sequenced"}
