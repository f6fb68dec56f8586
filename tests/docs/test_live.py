"""What docs/live.md plays is heard; its tables and docs/osc.md are what the code says."""

from __future__ import annotations

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

from tests.docs.conftest import Play
from tests.docs.pages import ROOT

import ngs.pyo_instruments

PAGE = "docs/live.md"


def test_its_python_plays(play_page: Play) -> None:
    played = play_page(PAGE)
    assert len(played.servers) == 2 and played.names["bells"].level == 0.8


def test_the_addresses_are_those_there_are(tmp_path: Path) -> None:
    copy = tmp_path / "scripts"
    copy.mkdir()
    (tmp_path / "docs").mkdir()
    (copy / "osc-doc").write_text((ROOT / "scripts" / "osc-doc").read_text())
    environment = {**os.environ, "NGS": str(Path(sys.executable).parent / "ngs")}
    subprocess.run(["sh", copy / "osc-doc"], env=environment, check=True)
    assert (tmp_path / "docs" / "osc.md").read_text() == (ROOT / "docs" / "osc.md").read_text(), "run scripts/osc-doc"


def test_the_tables_are_those_of_the_code() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "live-doc"))
    page = (ROOT / PAGE).read_text()
    assert script["written"](page) == page, "run scripts/live-doc"


def test_the_page_names_every_player() -> None:
    rows = re.findall(r"^\| `([A-Z]\w+)` \|", (ROOT / PAGE).read_text(), re.MULTILINE)
    ports = [name for name in ngs.pyo_instruments.__all__ if hasattr(getattr(ngs.pyo_instruments, name), "statistics")]
    assert set(rows) == set(ports) - {"Clock", "Instrument", "Sequenced"}
