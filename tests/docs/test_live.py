"""What docs/live.md plays is heard; it names every player."""

from __future__ import annotations

import re

from tests.docs.conftest import Play
from tests.docs.pages import ROOT

import ngs.pyo_instruments

PAGE = "docs/live.md"


def test_its_python_plays(play_page: Play) -> None:
    played = play_page(PAGE)
    assert len(played.servers) == 2 and played.names["bells"].level == 0.8


def test_the_page_names_every_player() -> None:
    rows = re.findall(r"^\| `([A-Z]\w+)` \|", (ROOT / PAGE).read_text(), re.MULTILINE)
    ports = [name for name in ngs.pyo_instruments.__all__ if hasattr(getattr(ngs.pyo_instruments, name), "statistics")]
    assert set(rows) == set(ports) - {"Clock", "Instrument", "Sequenced"}
