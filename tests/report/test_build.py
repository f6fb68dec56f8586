"""`ngs report`: from a bundle and its sounds to a page that Chromium plays."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import numpy as np
import pytest
import soundfile
from tests import browser

from ngs.evaluation.quality import selection
from ngs.report import build, examples
from ngs.report.curves import training_curves
from ngs.runtime.bundle.bundle import Bundle
from ngs.training.run_folder import RunInfo

Ngs = Callable[..., CompletedProcess[str]]
SECTIONS = {
    "reconstructions": 16, "samples": 40, "paths": 5, "resyntheses": 6, "transfers": 14, "morphs": 15, "loops": 2,
}  # fmt: skip


@pytest.fixture(scope="module")
def made(
    ngs: Ngs, exported_bundle: Path, hits_folder: Path, trained_run: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("report")
    given = folder / "my voice.wav"
    soundfile.write(given, np.sin(np.arange(12000) ** 1.5 / 2000), 16000)
    arguments = (exported_bundle, hits_folder, "--run", trained_run, "--sound", given, "-o", "out/report", "--json")
    return folder / "out" / "report", ngs("report", *arguments, cwd=folder)


def test_every_sound_plays_in_a_browser(made: tuple[Path, CompletedProcess[str]], tmp_path: Path) -> None:
    folder, _ = made
    script, address = Path(__file__).with_name("drive.mjs"), (folder / "index.html").as_uri()
    driven = browser.drive(script, tmp_path, url=address, tasks=["contents"], rate=8000)
    assert driven["errors"] == [] and set(driven["requests"]) <= {"file", "data"}
    found = driven["contents"]
    names = [path.stem.rsplit("-", 1)[0] for path in map(Path, found["sounds"])]
    assert {name: names.count(name) for name in names} == SECTIONS
    assert all(sound["seconds"] > 0.05 and sound["peak"] > 0.001 for sound in found["sounds"].values())
    assert len(found["pictures"]) == len(names) and min(found["pictures"]) > 10
    assert found["sound_titles"][:2] == ["Original", "Reconstruction"]
    assert found["title"].startswith("drums") and "Kick" in found["legend"]
    assert len(found["said"]) == 9 and all("of the time, your own sounds" in words for words in found["said"])


def test_the_folder_holds_everything(made: tuple[Path, CompletedProcess[str]]) -> None:
    folder, result = made
    said = json.loads(result.stdout)
    assert Path(said["page"]) == Path("out/report/index.html") and said["sounds"] == sum(SECTIONS.values())
    assert said["bytes"] == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 25e6
    assert 0 < said["explained_variance"] <= 1
    page = (folder / "index.html").read_text()
    for text in (
        "Latent map",
        "CC0, a = b",
        "Validation distance",
        "mean of classes",
        "my voice.wav",
        "Kick/Kick_0",
        "half way to your sounds",
        "heard as Clap",
    ):
        assert text in page, text
    assert all(remark in page for remark in build.CAPTIONS.values()), "each table has its remark"
    assert [path.name for path in folder.parent.iterdir()] == ["report"]
    original, again = (soundfile.read(folder / f"audio/reconstructions-00{number}.wav")[0] for number in (1, 2))
    assert len(original) == len(again) and np.abs(original).max() == pytest.approx(0.9, abs=0.01)


def test_only_a_report_is_replaced(
    made: tuple[Path, CompletedProcess[str]], ngs: Ngs, exported_bundle: Path, hits_folder: Path, tmp_path: Path
) -> None:
    report, sounds = tmp_path / "report", tmp_path / "sounds"
    shutil.copytree(made[0], report)
    shutil.copytree(hits_folder / "Kick", sounds)
    for number, file in enumerate(sorted(sounds.iterdir())):
        file.rename(file.with_name(f"{number}.wav"))  # else names would tell of kicks
    shown = ngs("report", exported_bundle, sounds, "-o", report, "--limit", "2", cwd=tmp_path)
    assert shown.stdout.startswith(f"Wrote {report / 'index.html'}: ") and "MB. Open it in a browser." in shown.stdout
    assert "The sounds have no class: measured without" in shown.stderr
    page = (report / "index.html").read_text()
    assert "my voice.wav" not in page and "Validation distance" not in page  # without a run there are no curves
    assert {path.stem.rsplit("-", 1)[0] for path in (report / "audio").iterdir()} == set(SECTIONS)
    (report / "my notes.txt").write_text("mine")
    result = ngs("report", exported_bundle, sounds, "-o", "report", cwd=tmp_path, check=False)
    assert result.returncode == 1 and "holds more than a report, which would be lost: my notes.txt" in result.stderr
    assert (report / "my notes.txt").read_text() == "mine" and (report / "index.html").read_text() == page
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "index.html").write_text("my page")
    result = ngs("report", exported_bundle, sounds, "-o", "notes", cwd=tmp_path, check=False)
    assert result.returncode == 1 and "notes is there and is not a report: name another folder" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes", "report", "sounds"]


def test_every_file_is_read_once_and_a_broken_one_remarked_once(
    exported_bundle: Path, hits_folder: Path, trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    decode = selection.decode

    def counted(path: Path, *rest: Any) -> Any:
        read.append(path)
        return decode(path, *rest)

    sounds = Path(shutil.copytree(hits_folder, tmp_path / "sounds"))
    (sounds / "Kick" / "broken.wav").write_bytes(b"RIFF")
    monkeypatch.setattr(selection, "decode", counted)
    summary = build.write_report(Bundle.open(exported_bundle, "cpu"), sounds, tmp_path / "report", run=trained_run)
    assert sorted(read) == sorted(sounds.rglob("*.wav"))
    assert len([remark for remark in summary.remarks if "Kick/broken.wav" in remark]) == 1


@pytest.mark.parametrize("where", ["write_page", "rename"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_leaves_the_former_report(
    made: tuple[Path, CompletedProcess[str]], exported_bundle: Path, hits_folder: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, where: str, error: BaseException,
) -> None:  # fmt: skip
    output = tmp_path / "report"
    shutil.copytree(made[0], output)

    def fail(*_: object) -> None:
        raise error

    def rename(source: Path, target: Path) -> None:
        if Path(target) == output and Path(source).name != "former":
            raise error
        os.replace(source, target)

    if where == "rename":
        monkeypatch.setattr("os.rename", rename)
    else:
        monkeypatch.setattr(build, "write_page", fail)
    with pytest.raises(type(error)):
        build.write_report(Bundle.open(exported_bundle, "cpu"), hits_folder, output, limit=1)
    assert list(tmp_path.iterdir()) == [output]
    assert sorted(path.read_bytes() for path in output.rglob("*.wav")) == sorted(
        path.read_bytes() for path in made[0].rglob("*.wav")
    )


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("-o", "sounds/report"), "lies among the sounds"),
        (("-o", "text.txt/report"), "text.txt"),
        (("-o", "report", "--sound", "text.txt"), "text.txt cannot be read as sound"),
        (("-o", "report", "--sound", "empty.wav"), "empty.wav holds no samples"),
        (("-o", "report", "--sound", "silent.wav"), "silent.wav is silent"),
        (("-o", "report", "--run", "sounds"), "is not a run folder"),
    ],
)
def test_wrong_arguments_are_reported_at_once(
    ngs: Ngs, exported_bundle: Path, hits_folder: Path, tmp_path: Path, arguments: tuple[str, ...], text: str
) -> None:
    shutil.copytree(hits_folder, tmp_path / "sounds")
    (tmp_path / "text.txt").write_text("text")
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), 8000)
    soundfile.write(tmp_path / "silent.wav", np.zeros(800), 8000)
    before = sorted(path.name for path in tmp_path.iterdir())
    result = ngs("report", exported_bundle, "sounds", *arguments, cwd=tmp_path, check=False)
    assert result.returncode == 1 and text in result.stderr and result.stderr.count("\n") == 1, result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_many_classes_have_one_sample_each(exported_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = Bundle.open(exported_bundle, "cpu")
    names = tuple(f"c{number}" for number in range(bundle.manifest.condition_size))
    attribute = dataclasses.replace(bundle.manifest.attributes[0], classes=names)
    bundle.manifest = dataclasses.replace(bundle.manifest, attributes=(attribute,))
    assert [len(clips) for _, _, clips in examples.samples(bundle, 0)] == [5] * 8
    for most, count, said in ((64, 8, "seed 0"), (3, 3, "3 of 8, drawn by the seed 0")):
        monkeypatch.setattr(examples, "MOST_ROWS", 2)
        monkeypatch.setattr(examples, "MOST_CLASSES", most)
        ((_, detail, clips),) = examples.samples(bundle, 0)
        assert len(clips) == count and detail == said
        assert len({clip.title for clip in clips}) == len(clips)


def test_curves_continue_from_phase_to_phase(tmp_path: Path) -> None:
    assert training_curves(tmp_path) == ()
    history = tmp_path / "history.jsonl"
    lines = [
        {"phase": "spectra", "seconds": 60, "distance": 0.5, "kl_grain": 9.0},
        {"phase": "spectra", "seconds": 120, "distance": float("nan"), "kl_grain": 8.0},
        {"phase": "embedding", "seconds": 30, "distance": 0.4},
    ]
    history.write_text("".join(json.dumps(line) + "\n" for line in lines))
    distance, kl = training_curves(tmp_path)
    assert [(series.name, series.points) for series in distance.series] == [
        ("grains (spectra)", ((1.0, 0.5),)), ("embedding", ((2.5, 0.4),)),
    ]  # fmt: skip
    assert [series.points for series in kl.series] == [((1.0, 9.0), (2.0, 8.0))]
    history.write_text("{\n")
    with pytest.raises(ValueError, match=r"history.jsonl, line 1 is damaged"):
        training_curves(tmp_path)


def test_the_run_of_another_model_is_recognised(exported_bundle: Path, trained_run: Path, tmp_path: Path) -> None:
    run = RunInfo.read(trained_run)
    assert build._run_matches(run, Bundle.open(exported_bundle, "cpu"))
    assert not build._run_matches(run, Bundle.open())
    (tmp_path / "run.json").write_text('{"validation": [], "labels": null, "attributes": [], "config": {}}')
    with pytest.raises(ValueError, match=r"run.json is damaged \('format'\)"):
        RunInfo.read(tmp_path)
