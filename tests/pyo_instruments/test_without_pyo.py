"""Whatever does not play needs no pyo, and pyo is imported in one place."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "pyo_instruments"
WITHOUT_PYO = (
    "ngs.cli.play",
    "ngs.pyo_instruments",
    "ngs.pyo_instruments.commands.arguments",
    "ngs.pyo_instruments.commands.command",
    "ngs.pyo_instruments.commands.key_actions",
    "ngs.pyo_instruments.commands.address_patterns",
    "ngs.pyo_instruments.commands.values_file",
    "ngs.pyo_instruments.stage.event_log",
    "ngs.pyo_instruments.stage.options",
    "ngs.pyo_instruments.stage.perform",
    "ngs.pyo_instruments.stage.posix_signals",
    "ngs.pyo_instruments.stage.recorder",
    "ngs.pyo_instruments.surfaces.key_cursor",
    "ngs.pyo_instruments.surfaces.midi",
    "ngs.pyo_instruments.surfaces.midi_map",
    "ngs.pyo_instruments.surfaces.osc",
    "ngs.pyo_instruments.surfaces.osc_packets",
    "ngs.pyo_instruments.surfaces.osc_subscribers",
    "ngs.pyo_instruments.surfaces.osc_reference",
    "ngs.pyo_instruments.quiet_output",
    "ngs.pyo_instruments.surfaces.screen",
    "ngs.pyo_instruments.surfaces.terminal",
    "ngs.pyo_instruments.timing.midi_clock",
    "ngs.pyo_instruments.timing.preparer",
    "ngs.pyo_instruments.timing.timed_queue",
    "ngs.pyo_instruments.timing.transport",
)


def test_modules_that_do_not_play_import_without_pyo(tmp_path: Path) -> None:
    program = f"import sys\nsys.modules['pyo'] = None\nimport {', '.join(WITHOUT_PYO)}"
    result = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_importing_the_package_imports_none_of_its_modules(tmp_path: Path) -> None:
    program = "import sys, ngs.pyo_instruments\nprint([each for each in sys.modules if each.startswith('ngs.pyo_')])"
    result = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert result.stdout == "['ngs.pyo_instruments']\n", result.stderr


def test_every_public_name_is_found_where_the_package_says() -> None:
    import ngs.pyo_instruments as package

    for name in package.__all__:
        assert getattr(package, name).__name__ == name


def test_pyo_is_imported_in_one_place() -> None:
    importing = {path.name for path in FOLDER.rglob("*.py") if "pyo" in imported(path)}
    assert importing == {"quiet_pyo.py"}


def imported(path: Path) -> set[str]:
    """The top-level packages that a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").partition(".")[0])
    return found
