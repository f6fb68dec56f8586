"""The wheel, built from the source distribution, holds the bundle that comes with ngs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from ngs.runtime.bundle.bundle import shipped


def test_the_wheel_holds_the_shipped_bundle(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path, Path(__file__).parents[1]]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("ngs/runtime/drums.ngs") == shipped().read_bytes()
        assert "ngs/pyo_instruments/surfaces/midi_maps/keyboard.toml" in archive.namelist()
        assert not any(name.endswith(".ngs") for name in archive.namelist() if name != "ngs/runtime/drums.ngs")
