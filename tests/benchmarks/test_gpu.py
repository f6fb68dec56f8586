"""benchmarks/gpu.py runs once, where there is a GPU for some minutes: here it runs on the CPU, and in vain."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "gpu.py"
Run = Callable[..., tuple[dict[str, Any], str]]


@pytest.fixture
def run(environment: dict[str, str], tiny_bundle: Path, tmp_path: Path) -> Run:
    """Run the script on a small bundle: the results by part, and what it printed."""

    def run(*arguments: str) -> tuple[dict[str, Any], str]:
        command = [sys.executable, str(SCRIPT), str(tiny_bundle), "--out", str(tmp_path / "gpu.json"), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        parts: dict[str, Any] = json.loads((tmp_path / "gpu.json").read_text())["parts"]
        return parts, done.stdout

    return run


def test_everything_is_measured_on_the_cpu(run: Run) -> None:
    parts, told = run("--device", "cpu", "--voices", "1", "3", "--presets", "fast", "--minutes", "4")
    assert {name: part["error"] for name, part in parts.items()} == dict.fromkeys(
        ("parity", "hop", "offline", "training")
    )
    rows = {name: part["rows"] for name, part in parts.items()}
    assert not [row for part in rows.values() for row in part if "error" in row]
    assert len(rows["parity"]) == 13
    assert all(row["from_golden"] < 1e-3 and row["from_cpu"] == 0 and row["nodes"]["CPU"] for row in rows["parity"])
    hops = [(row["chain"].count("+"), row["voices"], row["way"]) for row in rows["hop"]]
    assert sorted(hops) == [
        (others, voices, way) for others in (0, 2) for voices in (1, 3) for way in ("bound", "plain", "resident")
    ]
    assert all(row["difference"] < 1e-6 for row in rows["hop"])  # of the fourth hop: each way hands states on
    assert [row["style"] for row in rows["offline"]] == [0, 1]
    phases = ["spectra", "grains", "embedding", "prior"]
    assert [(row["precision"], row["phase"]) for row in rows["training"]] == [
        (precision, phase) for precision in ("32-true", "bf16-mixed") for phase in phases
    ]
    assert all(row["finite"] for row in rows["training"])
    assert "decoder_stream, voices: 3" in told and "fast grains, cpu bf16-mixed" in told


def test_without_a_gpu_the_cpu_is_measured_and_the_reason_told(run: Run) -> None:
    parts, told = run("--device", "cuda", "--parts", "parity", "hop", "--voices", "2", "--minutes", "1")
    for part in parts.values():
        assert part["error"] is None
        assert {row["device"] for row in part["rows"] if "error" not in row} >= {"cpu"}
        assert [row for row in part["rows"] if row["device"] == "cuda"]
    assert "cuda" in told


def test_a_part_that_takes_too_long_is_ended_and_told(run: Run) -> None:
    parts, told = run("--device", "cpu", "--parts", "training", "--minutes", "0.02")
    assert parts["training"]["error"] == "not done after 1 s"
    assert "training: 1 s (not done after 1 s)" in told
