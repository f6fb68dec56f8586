"""`ngs map`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from matplotlib import image

Ngs = Callable[..., CompletedProcess[str]]


def test_it_draws_the_corpus_of_the_bundle(ngs: Ngs, exported_bundle: Path, tmp_path: Path) -> None:
    result = ngs("map", exported_bundle, "-o", "map.png", cwd=tmp_path)
    assert result.stdout.startswith("Drew map.png: ") and "two axes explain" in result.stdout
    picture = image.imread(tmp_path / "map.png")[..., :3]
    assert min(picture.shape[:2]) > 500
    colours = {tuple(colour) for colour in (picture.reshape(-1, 3) * 255).round().astype(int).tolist()}
    assert {(0, 0x72, 0xB2), (0xE6, 0x9F, 0), (0, 0x9E, 0x73)} <= colours  # classes, in the legend
    assert [path.name for path in tmp_path.iterdir()] == ["map.png"]


def test_it_draws_sounds_and_prints_json(ngs: Ngs, exported_bundle: Path, hits_folder: Path, tmp_path: Path) -> None:
    arguments = (exported_bundle, hits_folder, "--limit", "2", "--points", "60", "--json", "-o", "map.svg")
    result = ngs("map", *arguments, cwd=tmp_path)
    found = json.loads(result.stdout)
    assert (tmp_path / "map.svg").read_text().startswith("<?xml")
    assert len(found["points"]) == 60 and found["projection"] == "timbre" and found["attribute"] == "class"
    files = {point["file"] for point in found["points"]}
    assert len(files) == 16 and all(point["file"].startswith(point["class"] + "/") for point in found["points"])
    assert all(0 <= point["seconds"] < 2 for point in found["points"])
    assert [path["kind"] for path in found["paths"]] == ["linear", "back-and-forth", "circle", "spiral", "walk"]
    assert ngs("map", *arguments, cwd=tmp_path).stdout == result.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        ((), 2, "Name a picture with -o map.png, or add --json"),
        (("-o", "map.gif"), 1, "map.gif: a picture ends in .png, .svg, .pdf"),
        (("-o", "text.txt/map.png"), 1, "text.txt/map.png cannot be written"),
        (("-o", "map.png", "--limit", "2"), 2, "--labels, --run and --limit go with DATA"),
        (("nothing", "-o", "map.png"), 1, "There are no sounds in nothing"),
    ],
)
def test_errors(
    ngs: Ngs, exported_bundle: Path, tmp_path: Path, arguments: tuple[str, ...], status: int, text: str
) -> None:
    (tmp_path / "nothing").mkdir()
    (tmp_path / "text.txt").write_text("text")
    result = ngs("map", exported_bundle, *arguments, cwd=tmp_path, check=False)
    assert result.returncode == status and text in result.stderr and "Traceback" not in result.stderr
    assert result.stdout == "" and {path.name for path in tmp_path.iterdir()} == {"nothing", "text.txt"}
