"""Saved values and logs that went through an editor or another system: byte order marks, and accents."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ngs.pyo_instruments.commands.arguments import ClassName, Text
from ngs.pyo_instruments.commands.values_file import read_values, write_values
from ngs.pyo_instruments.stage.event_log import read_events

NFC, NFD = "Gr\u00f6\u00dfe", "Gro\u0308\u00dfe"


@pytest.mark.parametrize(("there", "asked"), [(NFC, NFD), (NFD, NFC)])
def test_values(tmp_path: Path, there: str, asked: str) -> None:
    path = tmp_path / f"{there}.json"
    write_values(path, "morph", {"/pitch": (3,)})
    path.write_text(path.read_text().replace(" ", "\t"), encoding="utf-8-sig")
    assert read_values(tmp_path / f"{asked}.json", "morph") == {"/pitch": [3]}


def test_a_log(tmp_path: Path) -> None:
    lines = [{"instrument": "morph"}, {"frame": 3, "address": "/new", "values": []}]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8-sig")
    head, _, events = read_events(tmp_path / "log.jsonl")
    assert head == lines[0] and [event.frame for event in events] == [3]


def test_words_from_elsewhere() -> None:
    assert Text("name", r"\w+", "letters").read(NFD) == NFC
    for known, sent in ((NFC, NFD), (NFD, NFC)):
        assert ClassName().of(["Kick", known]).read(sent) == known
