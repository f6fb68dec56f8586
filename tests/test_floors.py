"""Rooms import only rooms on lower floors, as the table in pyproject.toml has them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.floors import ROOT, Floors, load_floors, violations

FLOORS: Floors = {"low": [], "low.deep": ["low"], "high": ["low.deep"]}
FILES = {
    "low/__init__.py": "import typing\nif typing.TYPE_CHECKING:\n    from ngs.low.deep.well import rope, water\n",
    "low/stone.py": "import json\nfrom ngs import __version__\n",
    "low/deep/__init__.py": "",
    "low/deep/well.py": "from ngs.low import stone\n",
    "high/__init__.py": "",
    "high/roof.py": "def look() -> None:\n    from ngs.low.deep import well\n",
}


def house(root: Path, changes: dict[str, str]) -> Path:
    for name, text in {**FILES, **changes}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_imports_go_downwards() -> None:
    assert "\n".join(violations(load_floors())) == ""


@pytest.mark.parametrize(
    "changes, line",
    [
        ({}, ""),
        (
            {"low/stone.py": "import json\n\ndef lift():\n    import ngs.high.door\n", "high/door.py": ""},
            "low/stone.py:4: low imports ngs.high.door; it may import no other room",
        ),
        (
            {"high/wall.py": "from ngs.low import stone\n"},
            "high/wall.py:1: high imports ngs.low.stone; it may import low.deep",
        ),
        (
            {"low/stone.py": "import typing\nif typing.TYPE_CHECKING:\n    from ngs.high.roof import look\n"},
            "low/stone.py:3: low imports ngs.high.roof; it may import no other room",
        ),
        ({"high/wall.py": "from ngs.low import water\n"}, ""),
        (
            {"low/pebble.py": "from ngs.low import rope, water\n"},
            "low/pebble.py:1: low imports ngs.low.deep.well; it may import no other room",
        ),
        (
            {"low/stone.py": 'DOORS = {\n    "front": "ngs.high.door",\n}\n', "high/door.py": ""},
            "low/stone.py:2: low imports ngs.high.door; it may import no other room",
        ),
        (
            {"low/stone.py": 'def door(name):\n    return f"ngs.high.{name}"\n'},
            "low/stone.py:2: low imports ngs.high; it may import no other room",
        ),
        ({"low/__init__.py": 'HOMES = ["ngs.low.deep.well"]\n'}, ""),
        ({"high/roof.py": ""}, "pyproject.toml: high may import low.deep and does not: take it out"),
        (
            {"high/wall.py": "import ngs.high.door", "high/door.py": "import ngs.high.wall"},
            "modules import each other in a circle: high.door > high.wall > high.door",
        ),
        ({"low/cellar/__init__.py": ""}, "pyproject.toml: low.cellar is not on a floor: add it"),
    ],
)
def test_what_goes_up_is_told_in_a_line(changes: dict[str, str], line: str, tmp_path: Path) -> None:
    assert "\n".join(violations(FLOORS, house(tmp_path, changes))) == line


def test_a_table_with_a_circle_is_refused(tmp_path: Path) -> None:
    root = house(tmp_path, {})
    assert violations({**FLOORS, "low.deep": ["low", "high"]}, root) == [
        "pyproject.toml: low.deep may import high, which is not on a floor below it"
    ]
    assert violations({**FLOORS, "low.air": []}, root) == [
        "pyproject.toml: low.air is in no folder of ngs: take it out of the floors"
    ]


def test_the_picture_and_the_list_of_rooms_are_up_to_date() -> None:
    command = [sys.executable, ROOT / "scripts" / "floors-picture", "--check"]
    result = subprocess.run(command, capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")


def test_the_folders_of_tests_are_those_of_the_code() -> None:
    tests = {file.parent.relative_to(ROOT / "tests") for file in (ROOT / "tests").rglob("test_*.py")}
    assert [folder for folder in sorted(tests) if not (ROOT / folder).is_dir()] == []
