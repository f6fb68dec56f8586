"""`ngs evaluate`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
import soundfile

from ngs.runtime.bundle.manifest import Attribute
from ngs.training.config import Config
from ngs.training.run_folder import RunInfo

Ngs = Callable[..., CompletedProcess[str]]
DISTANCES = {"lsd_1024", "lsd_2048", "multi_scale", "log_mel", "envelope_db", "level_db"}


def document(ngs: Ngs, *arguments: str | Path, cwd: Path) -> Any:
    return json.loads(ngs("evaluate", *arguments, "--json", cwd=cwd).stdout)


def test_sounds_that_a_run_set_apart(
    ngs: Ngs, exported_bundle: Path, hits_folder: Path, trained_run: Path, tmp_path: Path
) -> None:
    arguments = (exported_bundle, hits_folder, "--run", trained_run, "--samples", "3")
    result = document(ngs, *arguments, cwd=tmp_path)
    assert (result["sounds"], result["reference"]) == (8, 24)
    for table in ("reconstruction", "through_embedding", "nearest_grain"):
        assert len(result[table]["by_class"]) == 8 and set(result[table]["mean_of_classes"]) == DISTANCES
    assert result["mean_sound"]["mean_of_files"]["lsd_1024"] > 0
    assert result["grain_latents"]["size"] == 16 and result["embedding_latents"]["count"] == 8
    kinds = {"reconstructed", "through_embedding", "sampled"}
    assert set(result["compared"]) == {"loudness", "attack_ms", "decay_ms", "crest_db", "sounding_ms"}
    assert set(result["compared"]["loudness"]["by_class"]["Kick"]["median"]) == {"real", *kinds}
    assert set(result["compared"]["attack_ms"]["mean_of_classes"]["difference"]) == kinds
    assert len(result["levels"]["through_embedding"]["by_class"]) == 8
    assert {"loud", "onset", "loud_high"} <= set(result["levels"]["reconstructed"]["mean_of_classes"])
    assert set(result["sampling"]["novelty"]["sampled"]) == set(result["sampling"]["novelty"]["real"])
    assert result["sampling"]["frechet"] == {}  # of three sounds a class there are no halves
    played = result["transfers"]["played"]
    assert len(played) == 3 * 6 and set(result["transfers"]["sounds"]) == {"speech", "clarinet", "bursts"}
    at_0, at_1, named = (result["transfers"]["mean"][style] for style in ("style 0", "style 1", "style 1, a class"))
    assert set(at_0) == {"domain_db", "flutter", "envelope", "log_mel"}
    assert max(result["transfers"]["real"]["domain_db"], at_1["domain_db"]) < 0.8 * at_0["domain_db"]
    assert min(at_0["envelope"], at_1["envelope"], named["envelope"]) > 0.9
    assert at_0["log_mel"] < at_1["log_mel"]
    if result["sampling"]["agreement"]:
        assert named["heard"] > 0.8 and len(result["transfers"]["heard"]) == 8
        assert set(result["sampling"]["agreement"]["by_class"]) == {"real", *kinds}
        assert len(result["sampling"]["agreement"]["by_class"]["through_embedding"]) == 8
    assert result["sampling"]["told_apart"] == {}  # nor can three sounds a class be told apart
    assert result == document(ngs, *arguments, cwd=tmp_path)
    shown = ngs("evaluate", *arguments, cwd=tmp_path)
    for text in (
        "8 sounds",
        "24 training sounds",
        "mean of classes",
        "nearest grain",
        "Kick",
        "crest dB",
        "LUFS",
        "loud  onset  tail",
        "Other sounds, played",
    ):
        assert text in shown.stdout
    assert "Reconstructing: 8" in shown.stderr


def test_sounds_compared_with_each_other_and_with_a_training_set(
    ngs: Ngs, exported_bundle: Path, hits_folder: Path, tmp_path: Path
) -> None:
    shown = ngs("evaluate", exported_bundle, hits_folder, "--samples", "0", "--limit", "2", cwd=tmp_path).stdout
    assert "16 sounds" in shown and "each compared with all others" in shown and "Novelty" not in shown
    arguments = (exported_bundle, hits_folder, "--train", hits_folder, "--samples", "2", "--limit", "2")
    result = document(ngs, *arguments, cwd=tmp_path)
    assert (result["sounds"], result["reference"]) == (16, 16)
    same = sorted(measures["lsd_1024"] for measures in result["nearest_grain"]["by_class"].values())
    assert same[len(same) // 2] < 0.01  # the sounds themselves; in steady tones, a neighbour is as near
    assert same[-1] < 0.3 < result["reconstruction"]["mean_of_files"]["lsd_1024"]


def test_remarks_name_what_cannot_be_measured(
    ngs: Ngs, exported_bundle: Path, hits_folder: Path, tmp_path: Path
) -> None:
    data = tmp_path / "sounds"
    shutil.copytree(hits_folder / "Kick", data / "kick")
    shutil.copytree(hits_folder / "Snare", data / "Gong")
    for number, file in enumerate(sorted((data / "Gong").iterdir())):
        file.rename(file.with_name(f"{number}.wav"))  # else names would tell of snares
    (data / "Gong" / "broken.wav").write_text("no sound")
    soundfile.write(data / "kick" / "silent.wav", np.zeros(800), 8000)
    result = document(ngs, exported_bundle, data, "--samples", "2", cwd=tmp_path)
    assert set(result["reconstruction"]["by_class"]) == {"Kick", "Gong"} and result["sounds"] == 8
    remarks = "\n".join(result["remarks"])
    assert (
        "no class Gong: measured without it" in remarks
        and "Gong/broken.wav" in remarks
        and "kick/silent.wav" in remarks
    )
    assert "real sounds of two classes" in remarks and "No real sounds of Clap" in remarks
    assert result["sampling"]["agreement"] is None and set(result["sampling"]["frechet"]) == {"Kick"}
    assert set(result["sampling"]["novelty"]["sampled"]) == {"Kick"}


def test_given_sounds_are_transferred(ngs: Ngs, exported_bundle: Path, hits_folder: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "my voice.wav", np.sin(np.arange(8000) ** 1.5 / 2000), 16000)
    arguments = (exported_bundle, hits_folder, "--samples", "0", "--limit", "1")
    result = document(ngs, *arguments, "--transfer", tmp_path / "my voice.wav", cwd=tmp_path)
    assert set(result["transfers"]["sounds"]) == {"my voice"} and len(result["transfers"]["played"]) == 6
    soundfile.write(tmp_path / "silent.wav", np.zeros(800), 8000)
    failed = ngs("evaluate", *arguments, "--transfer", "silent.wav", cwd=tmp_path, check=False)
    assert failed.returncode == 1 and "silent.wav is silent" in failed.stderr


def test_one_sound(ngs: Ngs, exported_bundle: Path, hits_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    shutil.copy(sorted((hits_folder / "Kick").iterdir())[0], tmp_path / "one")
    result = document(ngs, exported_bundle, "one", "--samples", "1", cwd=tmp_path)
    assert result["sounds"] == 1 and result["nearest_grain"]["by_class"] == {}
    assert "one sound only" in "\n".join(result["remarks"])


def test_pairs(ngs: Ngs, exported_bundle: Path, hits_folder: Path, tmp_path: Path) -> None:
    sound, other = sorted((hits_folder / "Kick").iterdir())[:2]
    arguments = ("--pair", sound, sound, "--pair", sound, other)
    same, different = document(ngs, exported_bundle, *arguments, "--rate", "16000", cwd=tmp_path)
    assert set(same["other"].values()) == {0.0} and different["other"]["lsd_1024"] > 0
    assert set(same["ours"]) == DISTANCES and same["seconds"] >= different["seconds"]
    shown = ngs("evaluate", exported_bundle, *arguments, cwd=tmp_path).stdout
    assert shown.count(": ours") == 2 and shown.count(": the other") == 2


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("nothing",), "There are no sounds in nothing"),
        (("broken",), "No sound can be used: 1 file left out"),
        (("nothing", "--run", "nothing"), "is not a run folder"),
        (("broken", "--run", "run"), "broken has none of the sounds that run held back"),
        (("broken", "--run", "damaged"), "run.json is damaged"),
        (("--pair", "broken/a.wav", "broken/a.wav"), "cannot be read as sound"),
    ],
)
def test_an_error_is_one_line(
    ngs: Ngs, exported_bundle: Path, tmp_path: Path, arguments: tuple[str, ...], text: str
) -> None:
    for folder in ("nothing", "broken", "run", "damaged"):
        (tmp_path / folder).mkdir()
    (tmp_path / "broken" / "a.wav").write_text("no sound")
    RunInfo(Config(), (Attribute("class", ("Kick",)),), "broken", None, 1, ("Kick/a.wav",)).write(tmp_path / "run")
    (tmp_path / "damaged" / "run.json").write_text("{}")
    result = ngs("evaluate", exported_bundle, *arguments, cwd=tmp_path, check=False)
    assert result.returncode == 1 and result.stdout == "" and text in result.stderr
    assert sum(line.startswith("Error: ") for line in result.stderr.splitlines()) == 1
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        (".", "--pair", "a.wav", "a.wav"),
        (".", "--rate", "8000"),
        (".", "--run", ".", "--train", "."),
        ("--pair", "a.wav", "a.wav", "--transfer", "a.wav"),
    ],
)
def test_options_that_exclude_each_other(
    ngs: Ngs, exported_bundle: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    (tmp_path / "a.wav").write_text("")
    result = ngs("evaluate", exported_bundle, *arguments, cwd=tmp_path, check=False)
    assert result.returncode == 2 and result.stdout == "" and "Usage" in result.stderr
