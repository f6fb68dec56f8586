"""Which sounds are measured, under which condition, and compared with which others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from ngs.corpus.cache import build_cache
from ngs.corpus.slices import sliced
from ngs.corpus.sounds import find_sounds
from ngs.evaluation.quality.selection import Selection, read, select
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.manifest import Attribute
from ngs.training.config import Config
from ngs.training.run_folder import RunInfo

RATE = 8000  # of the bundle


def quiet(title: str, done: int, total: int) -> None:
    """No progress."""


@pytest.fixture
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle, provider="cpu")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Five sounds in each of three classes, one of which the bundle lacks. All start with 0.5 s of silence."""
    for name in ("Kick", "snare", "Gong"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(5):
            signal = np.concatenate((np.zeros(4000), 0.3 * np.sin(np.arange(2000) * (number + 1) / 20)))
            soundfile.write(tmp_path / "data" / name / f"{number}.wav", signal, 8000)
    return tmp_path / "data"


def names(selection: Selection) -> list[str]:
    return [entry.file.name for entry in selection.test]


def make_run(folder: Path, validation: list[str], labels: Path | None = None, cut: str | None = None) -> Path:
    folder.mkdir()
    RunInfo(
        Config(),
        (Attribute("class", ("Kick",)),),
        "sounds",
        str(labels) if labels else None,
        1,
        tuple(validation),
        slice=cut,
    ).write(folder)
    return folder


def test_conditions_are_given_where_the_bundle_has_them(bundle: Bundle, data: Path) -> None:
    (data / "labels.csv").write_text("file,pitch\nKick/0.wav,C4\n")
    selection = select(bundle, data, None, None, None, None, 0)
    conditions = {entry.name: entry.condition.tolist() for entry in selection.test}
    assert conditions == {"Gong": [0, 0, 0], "Kick": [1, 0, 0], "Snare": [0, 1, 0]}
    assert selection.training is None and len(selection.test) == 15
    assert any("no class Gong" in remark for remark in selection.remarks)


def test_classes_are_found_at_the_level_that_the_bundle_or_the_run_knows(
    bundle: Bundle, data: Path, tmp_path: Path
) -> None:
    for name, kit, sold in (("Kick", "Kit 1", "BD"), ("snare", "Kit 2", "Snares")):
        (tmp_path / "pack" / kit).mkdir(parents=True)
        (data / name).rename(tmp_path / "pack" / kit / sold)
    held_back = ["Kit 1/BD/0.wav", "Kit 2/Snares/0.wav"]
    run = make_run(tmp_path / "run", held_back)  # by the first folder, as it was trained
    chosen = select(bundle, tmp_path / "pack", None, None, None, None, 0)
    assert {entry.name for entry in chosen.test} == {"Kick", "Snare"} and chosen.remarks == []
    assert all(entry.condition.any() for entry in chosen.test)
    assert [entry.name for entry in select(bundle, tmp_path / "pack", run, None, None, None, 0).test] == [
        "Kit 1",
        "Kit 2",
    ]


def test_a_run_divides_its_sounds(bundle: Bundle, data: Path, tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", ["Kick/1.wav", "snare/4.wav", "Kick/9.wav"])
    selection = select(bundle, data, run, None, None, None, 0)
    assert names(selection) == ["Kick/1.wav", "snare/4.wav"]
    assert selection.training is not None and len(selection.training) == 13
    assert any(" lacks 1 sound that the run held back: Kick/9.wav" in remark for remark in selection.remarks)


def test_labels_of_a_run_are_found_again(bundle: Bundle, data: Path, tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("file,class\nKick/0.wav,Hat\nKick/1.wav,Snare\n")
    run = make_run(tmp_path / "run", ["Kick/0.wav"], tmp_path / "other.csv")
    (entry,) = select(bundle, data, run, None, None, None, 0).test
    assert entry.name == "Hat" and entry.condition.tolist() == [0, 0, 1]


def test_a_run_validated_on_everything_has_no_reference(bundle: Bundle, data: Path, tmp_path: Path) -> None:
    everything = names(select(bundle, data, None, None, None, None, 0))
    selection = select(bundle, data, make_run(tmp_path / "run", everything), None, None, None, 0)
    assert selection.training is None and any(
        "validated on its training sounds" in remark for remark in selection.remarks
    )


def test_slices_of_a_run_are_those_it_was_trained_on(bundle: Bundle, data: Path, tmp_path: Path) -> None:
    remarks: list[str] = []
    (whole,) = (
        signal for _, entry, signal in read(select(bundle, data, None, None, None, None, 0).test, RATE, "", [], quiet)
        if entry.file.name == "Kick/1.wav"
    )  # fmt: skip
    (data / "Kick" / "0.wav").write_text("no sound")
    trained = sliced(build_cache(find_sounds(data, class_from="top"), RATE, tmp_path / "cache"), "0.1")
    held_back = ["Kick/1.wav@0.100", "snare/4.wav@0.000"]
    run = make_run(tmp_path / "run", held_back, cut="0.1")
    selection = select(bundle, data, run, None, None, None, 0)
    assert selection.training is not None and names(selection) == held_back
    everything = sorted([*selection.test, *selection.training], key=lambda entry: entry.file.name)
    assert [entry.file.name for entry in everything] == sorted([*trained.names, "Kick/0.wav"])
    signals = {entry.file.name: signal for _, entry, signal in read(everything, RATE, "Reading", remarks, quiet)}
    assert len(remarks) == 1 and "Kick/0.wav" in remarks[0]
    assert {name: len(signal) for name, signal in signals.items()} == dict(
        zip(trained.names, trained.lengths.tolist(), strict=True)
    )
    np.testing.assert_array_equal(signals["Kick/1.wav@0.100"], whole[RATE // 10 : RATE // 5])


def test_a_limit_is_a_seeded_choice_of_each_class(bundle: Bundle, data: Path) -> None:
    first, again, other = (names(select(bundle, data, None, data, None, 2, seed)) for seed in (0, 0, 2))
    assert len(first) == 6 and {name.split("/")[0] for name in first} == {"Kick", "snare", "Gong"}
    assert first == again != other


def test_sounds_are_read_as_training_reads_them(bundle: Bundle, data: Path) -> None:
    (data / "Kick" / "0.wav").write_text("no sound")
    remarks: list[str] = []
    calls: list[tuple[int, int]] = []
    entries = select(bundle, data, None, None, None, None, 0).test
    sounds = list(read(entries, 8000, "Reading", remarks, lambda _, done, total: calls.append((done, total))))
    assert len(sounds) == 14 and len(remarks) == 1 and "Kick/0.wav" in remarks[0]
    assert calls[0] == (0, 15) and calls[-1] == (15, 15)
    for index, entry, signal in sounds:
        assert entries[index] is entry and signal.dtype == np.float32
        assert np.abs(signal).max() == pytest.approx(0.9) and len(signal) < 2100
