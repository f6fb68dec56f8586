"""From sounds to sounds: the console script from `ngs hits` to every form of `ngs render`."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

Ngs = Callable[..., subprocess.CompletedProcess[str]]
HIT = "drums/Kick/Kick_000.wav"
FORMS = {
    "reconstruct": [HIT],
    "resynth": [HIT, "--class", "Snare"],
    "sample": ["--class", "Kick", "--count", "2"],
    "path": ["--kind", "walk", "--seconds", "1"],
    "morph": ["--from", "1", "--to", HIT, "--steps", "3"],
    "loop": ["--pattern", "house", "--bars", "1"],
}


def test_a_trained_bundle_describes_itself_and_is_valid(ngs: Ngs, exported_bundle: Path) -> None:
    info = json.loads(ngs("info", exported_bundle, "--json", cwd=exported_bundle.parent).stdout)
    assert info["sample_rate"] == 8000 and "Kick" in info["attributes"][0]["classes"]
    result = json.loads(
        ngs("validate", exported_bundle, "--json", "--provider", "cpu", cwd=exported_bundle.parent).stdout
    )
    assert result["valid"] and max(result["largest_errors"].values()) < 1e-4


@pytest.mark.parametrize("form", FORMS)
def test_every_form_renders_and_the_same_seed_gives_the_same_bytes(
    ngs: Ngs, exported_bundle: Path, tmp_path: Path, form: str
) -> None:
    written = []
    for name, seed in (("a", "5"), ("b", "5"), ("c", "6")):
        (tmp_path / name).mkdir()
        common = ["--seed", seed, "--output", tmp_path / name, "--json", "--provider", "cpu"]
        result = ngs("render", exported_bundle, form, *FORMS[form], *common, cwd=exported_bundle.parent)
        summary = json.loads(result.stdout)
        files = [Path(file) for file in summary["files"]]
        assert files and {file.name for file in files} == {file.name for file in (tmp_path / name).iterdir()}
        for file in files:
            sound, rate = soundfile.read(file)
            assert rate == 8000 and len(sound) > 0 and np.isfinite(sound).all() and np.abs(sound).max() < 1
        written.append([file.read_bytes() for file in files])
    assert written[0] == written[1]
    assert written[0] != written[2]
