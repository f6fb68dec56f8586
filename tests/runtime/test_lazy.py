"""Names of packages that import nothing until a name is used."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FACES = ("ngs.runtime", "ngs.pyo_instruments")


def source(face: str) -> ast.Module:
    return ast.parse((ROOT / face.removeprefix("ngs.") / "__init__.py").read_text())


def declared(face: str) -> dict[str, str]:
    """Modules by the names that type checkers see: those imported where TYPE_CHECKING is true."""
    blocks = [
        node for node in source(face).body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    (block,) = blocks
    names = {}
    for statement in block.body:
        assert isinstance(statement, ast.ImportFrom) and statement.module
        for alias in statement.names:
            assert alias.asname == alias.name  # else a type checker takes it for a name that is not exported
            names[alias.name] = statement.module
    return names


@pytest.mark.parametrize("face", FACES)
def test_type_checkers_see_the_names_that_there_are(face: str) -> None:
    module = importlib.import_module(face)
    homes: dict[str, str] = module._HOMES
    assert declared(face) == {name: home for home, names in homes.items() for name in names.split()}
    assert sorted(module.__all__) == sorted(declared(face)) == dir(module)


@pytest.mark.parametrize("face", FACES)
def test_every_name_is_that_of_its_module(face: str) -> None:
    if face == "ngs.pyo_instruments":
        pytest.importorskip("pyo")
    module = importlib.import_module(face)
    for name, home in declared(face).items():
        assert getattr(module, name) is getattr(importlib.import_module(home), name)
        assert name in vars(module)  # the second time it is there


@pytest.mark.parametrize("face", FACES)
def test_an_unknown_name_is_an_attribute_error(face: str) -> None:
    with pytest.raises(AttributeError, match=f"module '{face}' has no attribute 'nothing'"):
        _ = importlib.import_module(face).nothing


def test_nothing_heavy_is_imported_before_a_name_is_used() -> None:
    code = (
        "import sys, ngs.runtime, ngs.pyo_instruments\n"
        "heavy = {'numpy', 'onnxruntime', 'soundfile', 'soxr', 'pyo'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()\n"
        "assert ngs.runtime.Note and 'numpy' in sys.modules and 'onnxruntime' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
