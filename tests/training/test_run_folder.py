"""What run.json and history.jsonl hold, what is read back, and one line if it cannot be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ngs.runtime.bundle.manifest import Attribute
from ngs.training.config import Config, ConfigError, load_preset, override
from ngs.training.run_folder import HistoryEntry, RunError, RunInfo, append_history, read_history, remove_parts

ATTRIBUTES = (Attribute("class", ("Kick", "Snare")), Attribute("room", ("dry",)))
INFO = RunInfo(load_preset("fast"), ATTRIBUTES, "/sounds", None, 3, ("a.wav",))


def test_a_description_survives_its_file(tmp_path: Path) -> None:
    INFO.write(tmp_path)
    assert RunInfo.read(tmp_path) == INFO and INFO.sizes == (2, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_description_is_written_in_format_3(tmp_path: Path) -> None:
    INFO.write(tmp_path)
    document = json.loads((tmp_path / "run.json").read_text())
    assert list(document) == [
        "format", "data", "labels", "class_from", "pitch_from_names", "slice", "sounds", "validation", "attributes",
        "config",
    ]  # fmt: skip
    assert document["format"] == 3 and document["attributes"] == [["class", ["Kick", "Snare"]], ["room", ["dry"]]]


def test_a_run_from_before_classes_had_levels_has_those_of_the_first_folder(tmp_path: Path) -> None:
    replace(INFO, class_from="2", pitch_from_names=True, slice="onsets").write(tmp_path)
    assert RunInfo.read(tmp_path).slice == "onsets"
    assert (RunInfo.read(tmp_path).class_from, RunInfo.read(tmp_path).pitch_from_names) == ("2", True)
    document = json.loads((tmp_path / "run.json").read_text())
    del document["class_from"], document["pitch_from_names"], document["slice"]
    (tmp_path / "run.json").write_text(json.dumps(document))
    assert (RunInfo.read(tmp_path).class_from, RunInfo.read(tmp_path).pitch_from_names) == ("top", False)
    assert RunInfo.read(tmp_path).slice is None


def test_a_run_keeps_settings_that_do_nothing(tmp_path: Path) -> None:
    """Only `--set` refuses them: a run that was trained before stays readable."""
    config = INFO.config
    info = replace(INFO, config=replace(config, grain=replace(config.grain, channels=64)))
    info.write(tmp_path)
    assert RunInfo.read(tmp_path) == info


def test_a_run_from_before_a_limit_stays_readable(tmp_path: Path) -> None:
    INFO.write(tmp_path)
    document = json.loads((tmp_path / "run.json").read_text())
    document["config"]["grain"]["condition_dropout"] = 1.2
    document["config"]["joint_stage"]["steps"] = -1
    (tmp_path / "run.json").write_text(json.dumps(document))
    config = RunInfo.read(tmp_path).config
    assert (config.grain.condition_dropout, config.joint_stage.steps) == (1.2, -1)
    for setting in ("grain.condition_dropout=1.2", "joint_stage.steps=-1"):
        with pytest.raises(ConfigError, match=r"^[a-z_.]+ is [-0-9.]+: choose [^\n]+$"):
            override(INFO.config, [setting])


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("sounds", "three"),
        ("class_from", 2),
        ("pitch_from_names", "no"),
        ("slice", 2),
        ("sounds", 3.5),
        ("attributes", [["class"]]),
        ("attributes", [["class", []]]),
        ("attributes", [["class", [1]]]),
        ("attributes", ["ab"]),
        ("attributes", []),
        ("data", 3),
        ("labels", 3),
        ("validation", "a.wav"),
        ("config", []),
    ],
)
def test_a_damaged_member_is_named(tmp_path: Path, member: str, value: object) -> None:
    INFO.write(tmp_path)
    document = json.loads((tmp_path / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps({**document, member: value}))
    with pytest.raises(RunError, match=rf"run.json is damaged \('{member}'\): restore it or train anew$"):
        RunInfo.read(tmp_path)


@pytest.mark.parametrize(
    ("section", "value", "message"),
    [
        ("joint_stage", 3, "'joint_stage' is not a section"),
        ("grain", {"latent_size": 1}, "grain.latent_size is 1: choose"),
        ("x", {}, "There is no section 'x'"),
    ],
)
def test_a_wrong_configuration_names_the_file(tmp_path: Path, section: str, value: object, message: str) -> None:
    INFO.write(tmp_path)
    document = json.loads((tmp_path / "run.json").read_text())
    document["config"][section] = value
    (tmp_path / "run.json").write_text(json.dumps(document))
    with pytest.raises(RunError, match=rf"run.json: {message}"):
        RunInfo.read(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is damaged"),
        ("[]", "is damaged"),
        (b"\xff", "is damaged"),
        ('{"format": 3}', "is damaged"),
        ('{"format": 3, "attributes": [], "config": [], "data": "", "labels": null}', "is damaged"),
        ('{"format": 3, "config": {"joint_stage": 3}}', "is damaged"),
        ('{"format": 2}', "has format 2; this version of ngs reads 3"),
        ('{"format": 9}', "has format 9; this version of ngs reads 3"),
        ('{"config": {}}', r"is damaged \('format'\)"),
    ],
)
def test_a_damaged_description_is_one_line(tmp_path: Path, text: str | bytes, message: str) -> None:
    (tmp_path / "run.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message) as caught:
        RunInfo.read(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_history_survives_its_file(tmp_path: Path) -> None:
    assert read_history(tmp_path) == []
    entries = [HistoryEntry("grains", 1.5, {"step": 7, "distance": 0.25}), HistoryEntry("joint", 0.0, {"step": 0})]
    for entry in entries:
        append_history(tmp_path, entry)
    assert read_history(tmp_path) == entries


def test_a_byte_order_mark_that_an_editor_left_is_ignored(tmp_path: Path) -> None:
    INFO.write(tmp_path)
    append_history(tmp_path, HistoryEntry("grains", 1.5, {"step": 7}))
    for name in ("run.json", "history.jsonl"):
        (tmp_path / name).write_text((tmp_path / name).read_text(), encoding="utf-8-sig")
    assert RunInfo.read(tmp_path) == INFO and len(read_history(tmp_path)) == 1


@pytest.mark.parametrize("line", ["{", "[]", '{"phase": "joint"}', '{"phase": "joint", "seconds": 1, "step": "x"}'])
def test_a_damaged_history_says_which_line(tmp_path: Path, line: str) -> None:
    append_history(tmp_path, HistoryEntry("grains", 1.5, {}))
    with open(tmp_path / "history.jsonl", "a") as file:
        file.write(line + "\n")
    with pytest.raises(RunError, match=r"history.jsonl, line 2 is damaged"):
        read_history(tmp_path)


def test_half_written_files_are_removed_and_others_stay(tmp_path: Path) -> None:
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    kept = [tmp_path / "run.json", checkpoints / "joint.last.ckpt"]
    for path in (*kept, tmp_path / ".run.json.12.part", checkpoints / ".joint.ckpt.12.part"):
        path.touch()
    remove_parts(tmp_path)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)


def test_the_default_configuration_is_a_run_too(tmp_path: Path) -> None:
    info: Any = replace(INFO, config=Config())
    info.write(tmp_path)
    assert RunInfo.read(tmp_path) == info
