"""`ngs bench`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ngs.cli.bench import bench

Ngs = Callable[..., subprocess.CompletedProcess[str]]
RATES = (8000, 48000)
NO_TORCH = "import sys\nsys.modules['torch'] = None\nfrom ngs.cli.main import main\nmain()"


def check_times(times: dict[str, Any]) -> None:
    assert times["count"] > 0 and 0 < times["p50_ms"] <= times["p99_ms"] <= times["worst_ms"]
    assert times["cpu_ms"] >= 0


def check_load(load: dict[str, Any]) -> None:
    assert [row["voices"] for row in load["rows"]] == [1, 8, 16, 32]
    assert load["in_real_time"] > 0 and isinstance(load["extrapolated"], bool)
    assert load["block"] <= load["frames"] and load["frames"] % load["block"] == 0
    for row in load["rows"]:
        check_times(row["times"])
        assert row["share"] == pytest.approx(1e-3 * row["times"]["cpu_ms"] * load["sample_rate"] / load["frames"])


def check_document(document: dict[str, Any]) -> None:
    """Every measurement is there, and none contradicts another."""
    assert (document["sample_rate"], document["hop_length"], document["grain_length"]) == (8000, 64, 256)
    assert document["quick"] is True and document["provider"] == "cpu"
    machine = document["machine"]
    assert machine["processor"] and machine["system"] and 1 <= machine["usable_cores"] <= machine["cores"]
    start_up = document["start_up"]
    assert all(start_up[f"{step}_ms"] >= 0 for step in ("import", "open", "sessions", "warm_up"))
    if sys.platform == "linux":
        assert 0 < start_up["memory_before_mib"] and 0 < start_up["memory_open_mib"] <= 2 * start_up["memory_ready_mib"]
    assert [one["seconds"] for one in document["offline"]] == [1, 10]
    for one in document["offline"]:
        check_times(one["times"])
        assert one["grains"] == one["seconds"] * 125
        assert one["real_time_factor"] == pytest.approx(1e3 * one["seconds"] / one["times"]["p50_ms"])
    assert [(one["voices"], one["seconds"]) for one in document["floor"]] == [
        (1, None), (8, None), (16, None), (32, None), (1, 1), (1, 10),
    ]  # fmt: skip
    for one in document["floor"]:
        check_times(one["products"])
        check_times(one["decoder"])
        assert one["operations"] > 0
    check_load(document["hop"])
    assert document["hop"]["block"] == document["hop"]["frames"] == 64
    assert [(load["sample_rate"], load["block"]) for load in document["synth"]] == [
        (8000, 64), (8000, 128), (48000, 384), (48000, 128),
    ]  # fmt: skip
    for load in document["synth"]:
        check_load(load)
    assert [(one["sample_rate"], one["others"]) for one in document["note_on"]] == [
        (rate, others) for rate in RATES for others in (0, 7)
    ]
    for one in document["note_on"]:
        assert one["frames"] == 64
        check_times(one["times"])


def test_everything_is_in_the_document(ngs: Ngs, tiny_bundle: Path, tmp_path: Path) -> None:
    result = ngs("bench", tiny_bundle, "--quick", "--provider", "cpu", "--json", cwd=tmp_path)
    document = json.loads(result.stdout)
    check_document(document)
    assert result.stderr.count("\n") == 5 and result.stderr.startswith("A hop ...\n")
    sizes = document["reference"]
    assert (sizes["grain_length"], sizes["latent_size"], sizes["condition_size"]) == (256, 4, 3)
    assert document["no_reference"] == ""
    for one in document["offline"]:
        check_times(one["reference"])
        assert one["ratio"] == pytest.approx(one["reference"]["p50_ms"] / one["times"]["p50_ms"])


def test_without_torch(tiny_zip: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    for arguments in (["--json"], []):
        command = [sys.executable, "-c", NO_TORCH, "bench", str(tiny_zip), "--quick", "--provider", "cpu", *arguments]
        result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
        if arguments:
            document = json.loads(result.stdout)
            check_document(document)
            assert document["reference"] is None and "torch" in document["no_reference"]
            assert all(one["reference"] is one["ratio"] is None for one in document["offline"])
        else:
            assert "No torch beside it" in result.stdout and "in real time" in result.stdout


def test_the_sizes_of_the_reference_are_those_of_the_bundle(ngs: Ngs, exported_bundle: Path, tmp_path: Path) -> None:
    result = ngs("bench", exported_bundle, "--quick", "--provider", "cpu", cwd=tmp_path)
    assert "(16 + 8 inputs, 16 wide, 2 blocks)" in result.stdout
    for text in ("8000 Hz", "onnxruntime", "provider cpu", "voices: 32", "others: 7", "blocks of 128", "memory MiB"):
        assert text in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 120


@pytest.mark.parametrize("spoil", ["missing", "empty", "graph"])
def test_an_error_is_one_line(ngs: Ngs, tiny_bundle: Path, tmp_path: Path, spoil: str) -> None:
    if spoil == "empty":
        (tmp_path / "a.ngs").mkdir()
    if spoil == "graph":
        shutil.copytree(tiny_bundle, tmp_path / "a.ngs")
        (tmp_path / "a.ngs" / "decoder_stream.onnx").write_bytes(b"no graph")
    result = ngs("bench", "a.ngs", "--quick", cwd=tmp_path, check=False)
    assert result.returncode == 1 and result.stdout == ""
    assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1 and "a.ngs" in result.stderr


def test_help_has_an_example() -> None:
    assert "  ngs bench --quick\n" in CliRunner().invoke(bench, ["--help"]).output
