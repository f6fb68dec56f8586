"""The wheel, built from the source distribution, holds the bundle and the sounds that come with ngs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from ngs.evaluation.quality.transfers import NAMES
from ngs.runtime.bundle.bundle import shipped


def test_the_wheel_holds_what_comes_with_ngs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", tmp_path, Path(__file__).parents[1]]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("ngs/runtime/drums.ngs") == shipped().read_bytes()
        sounds = [name for name in archive.namelist() if name.startswith("ngs/evaluation/quality/transfer_sounds/")]
        assert sorted(sounds) == [f"ngs/evaluation/quality/transfer_sounds/{name}.flac" for name in sorted(NAMES)]
        assert "ngs/pyo_instruments/surfaces/midi_maps/keyboard.toml" in archive.namelist()
        assert not any(name.endswith(".ngs") for name in archive.namelist() if name != "ngs/runtime/drums.ngs")
