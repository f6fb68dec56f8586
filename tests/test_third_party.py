"""THIRD_PARTY.md lists every package that ngs, its extras and its examples need, and all data that is shipped."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "THIRD_PARTY.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DATA = {".ngs", ".flac", ".wav", ".npz", ".onnx", ".woff2", ".ttf"}  # that could be others' work


def names(requirements: list[str]) -> set[str]:
    return {re.match(r"[\w.-]+", each)[0] for each in requirements} - {"ngs"}  # type: ignore[index]


NEEDED = {"": names(PROJECT["dependencies"])} | {
    extra: names(each) for extra, each in PROJECT["optional-dependencies"].items()
}


def words(licence: str) -> set[str]:
    """The families of licences that a text names."""
    known = {
        "MIT": "MIT", "BSD": "BSD", "Apache": "Apache", "MPL": r"MPL|Mozilla Public", "LGPL": "LGPL|Lesser",
        "PSF": "PSF|Python Software Foundation", "free": "Unlicense|free and unencumbered",
    }  # fmt: skip
    return {name for name, pattern in known.items() if re.search(pattern, licence)}


def listed(package: str) -> list[str]:
    rows = [row for row in ROWS if package in row[0].split(", ")]
    assert rows, f"THIRD_PARTY.md does not list {package}"
    return rows[0]


@pytest.mark.parametrize(
    ("extra", "package"), [(extra, name) for extra, each in NEEDED.items() for name in sorted(each)]
)
def test_a_package_is_listed_with_its_licence(extra: str, package: str) -> None:
    licence = " ".join(listed(package)[1:])
    assert words(licence), licence
    try:
        found = metadata.metadata(package)
    except metadata.PackageNotFoundError:
        return  # onnxruntime stands for onnxruntime-gpu, or the other way round
    classifiers = [each for each in found.get_all("Classifier") or [] if each.startswith("License")]
    said = words(" ".join([found.get("License-Expression") or "", *classifiers, (found.get("License") or "")[:200]]))
    assert not said or said & words(licence), (licence, said)


def test_what_the_examples_need_is_listed() -> None:
    web = json.loads((ROOT / "examples" / "web" / "package.json").read_text())
    text = "".join(path.read_text() for path in (ROOT / "examples").glob("*.py"))
    for package in {*web["dependencies"], *web["devDependencies"], *re.findall(r"pip install ([\w-]+)", text)}:
        assert words(" ".join(listed(package)[1:])), package


def test_every_file_of_data_is_listed() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("these files are no git checkout")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    data = [path for path in tracked if Path(path).suffix in DATA]
    assert "runtime/drums.ngs" in data
    shipped = " ".join(row[0] for row in ROWS)
    for path in data:
        assert path in shipped or f"`{Path(path).name}`" in shipped, f"THIRD_PARTY.md does not list {path}"


def test_the_page_comes_with_the_wheel() -> None:
    assert "THIRD_PARTY.md" in PROJECT["license-files"] and "(THIRD_PARTY.md)" in (ROOT / "README.md").read_text()
