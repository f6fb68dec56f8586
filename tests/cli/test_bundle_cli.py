"""`ngs info` and `ngs validate`."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from click.testing import CliRunner
from pytest import FixtureRequest as Request

from ngs.cli.bundle import info, validate
from ngs.runtime.dsp.locked_tones import HAS_FFT32


def test_info_shows_what_is_in_a_bundle(tiny_bundle: Path) -> None:
    result = CliRunner().invoke(info, [str(tiny_bundle)])
    assert result.exit_code == 0
    for text in ("tiny", "8000 Hz", "Kick, Snare, Hat", "onnx.helper", "0.06 s"):
        assert text in result.output
    document = json.loads(CliRunner().invoke(info, [str(tiny_bundle), "--json"]).output)
    assert document == json.loads((tiny_bundle / "manifest.json").read_text())


@pytest.mark.parametrize("kind", ["tiny_bundle", "tiny_zip", "tiny_noise"])
def test_a_valid_bundle(kind: str, request: Request) -> None:
    bundle = request.getfixturevalue(kind)
    result = CliRunner().invoke(validate, [str(bundle), "--provider", "cpu"])
    assert result.exit_code == 0
    assert result.output.count("ok") == (12 if kind == "tiny_noise" else 13)  # noise has no graph of onsets
    assert f"onnxruntime {onnxruntime.__version__} (CPUExecutionProvider)" in result.output
    document = json.loads(CliRunner().invoke(validate, [str(bundle), "--provider", "cpu", "--json"]).output)
    assert document["valid"] and max(document["largest_errors"].values()) < document["tolerance"]
    assert document["providers"]["decoder"] == ["CPUExecutionProvider"]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (None, "numpy, which agrees with the synthesis graph"),
        ("tiny_bundle", "the synthesis graph: numpy computes other grains than this graph"),
        ("tiny_noise", "the synthesis graph: numpy has a faster version for locked tones only"),
    ],
)
def test_validate_says_how_offline_decoding_fills_grains(kind: str | None, said: str, request: Request) -> None:
    bundle = [str(request.getfixturevalue(kind))] if kind else []
    if not kind and not HAS_FFT32:
        said = f"the synthesis graph: numpy {np.__version__} has no FFT of 32-bit floats"
    result = CliRunner().invoke(validate, [*bundle, "--provider", "cpu"])
    assert f"Offline decoding fills grains with {said}" in result.output
    document = json.loads(CliRunner().invoke(validate, [*bundle, "--provider", "cpu", "--json"]).output)
    assert document["offline_decoding"].startswith(said)


@pytest.mark.parametrize("error", [0.25, np.nan])
def test_a_bundle_that_sounds_different(tiny_bundle: Path, tmp_path: Path, error: float) -> None:
    bundle = Path(shutil.copytree(tiny_bundle, tmp_path / "copy.ngs"))
    arrays = dict(np.load(bundle / "golden.npz"))
    arrays["synthesis/grain"] = arrays["synthesis/grain"] + np.float32(error)
    np.savez(bundle / "golden.npz", **arrays)
    document = json.loads((bundle / "manifest.json").read_text())
    document["files"]["golden"]["sha256"] = hashlib.sha256((bundle / "golden.npz").read_bytes()).hexdigest()
    (bundle / "manifest.json").write_text(json.dumps(document))
    result = CliRunner().invoke(validate, [str(bundle), "--provider", "cpu"])
    assert result.exit_code == 1
    assert "synthesis" in result.stderr and result.stdout.count("FAILED") == 1
    again = CliRunner().invoke(validate, [str(bundle), "--provider", "cpu", "--json"])
    assert again.exit_code == 1 and json.loads(again.stdout)["valid"] is False


@pytest.mark.parametrize("command", ["info", "validate"])
@pytest.mark.parametrize("spoil", ["missing", "empty", "format"])
def test_an_error_is_one_line(tiny_bundle: Path, tmp_path: Path, command: str, spoil: str) -> None:
    bundle = tmp_path / "a.ngs"
    if spoil == "empty":
        bundle.mkdir()
    if spoil == "format":
        shutil.copytree(tiny_bundle, bundle)
        (bundle / "manifest.json").write_text('{"format_version": 7}')
    result = subprocess.run(
        [sys.executable, "-c", "from ngs.cli.main import main; main()", command, str(bundle)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert result.returncode == 1 and result.stdout == ""
    assert len(result.stderr.splitlines()) == 1 and result.stderr.startswith("Error: ") and "a.ngs" in result.stderr
    if spoil == "format":
        assert "format_version: expected 3 or 4, found 7" in result.stderr
