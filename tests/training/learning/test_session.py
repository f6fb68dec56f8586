"""`ngs train` stopped, killed, resumed and misused: nothing is lost, and every mistake is one line."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ngs.cli import main as command_line
from ngs.training.config import Config, budget
from ngs.training.learning.batches import COPIES, CounterBatches, PathBatches
from ngs.training.learning.machine import Machine
from ngs.training.learning.phase import Phase
from ngs.training.learning.session import check_learned, train
from ngs.training.model.model import NeuralGranularModel
from ngs.training.run_folder import HistoryEntry, RunError, RunInfo, append_history

PHASES = ("spectra", "grains", "embedding", "joint", "prior")
STEPS = "grain=10,embedding=5,joint=5,prior=5"
ALONE = Machine("cpu", workers=0)
# Saves after every step; after the third one of the second level it waits to be killed.
DRIVER = """
import time
from ngs.cli.main import main
from ngs.training.learning import callbacks

callbacks.SAVE_SECONDS = 0.0
save = callbacks.Keeper.save

def save_and_wait(self, trainer):
    save(self, trainer)
    if self.path.name == "embedding.last.ckpt" and trainer.global_step == 3:
        print("saved", flush=True)
        time.sleep(600)

callbacks.Keeper.save = save_and_wait
main()
"""
Ngs = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As the subprocesses, so that sums are added in the same order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def config(tiny_config: Config) -> Config:
    """Five steps a phase."""
    stage = replace(tiny_config.grain_stage, spectral_share=0.5)
    return budget(replace(tiny_config, grain_stage=stage), "steps", STEPS)


@pytest.fixture(scope="module")
def decoded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("decoded")


def go(data: Path | None, out: Path, config: Config, decoded: Path, resume: bool = False) -> bool:
    return train(data, None, out, config, resume, ALONE, decoded, lambda line: None, lambda title, done, total: None)


@pytest.fixture(scope="module")
def uninterrupted(hits_folder: Path, config: Config, decoded: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "uninterrupted"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    assert go(hits_folder, out, config, decoded)
    torch.set_num_threads(threads)
    return out


def assert_same_weights(run: Path, other: Path) -> None:
    names = sorted(path.name for path in (run / "checkpoints").iterdir())
    assert names == sorted(f"{name}.ckpt" for name in PHASES)
    for name in names:
        states = [torch.load(folder / "checkpoints" / name, weights_only=True) for folder in (run, other)]
        assert states[0]["global_step"] == states[1]["global_step"] == 5
        ours, theirs = (state["state_dict"] for state in states)
        assert ours.keys() == theirs.keys()
        assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == []


def test_a_run_stopped_in_every_phase_and_resumed_is_the_uninterrupted_one(
    hits_folder: Path, config: Config, decoded: Path, uninterrupted: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    start, places = Phase.on_train_batch_start, [("spectra", 2), ("grains", 0), ("embedding", 4)]
    places += [("joint", 1), ("prior", 3)]

    def interrupted(self: Phase, *arguments: object) -> None:
        if places and (self.name, self.global_step) == places[0]:
            places.pop(0)
            os.kill(os.getpid(), signal.SIGINT)
        start(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Phase, "on_train_batch_start", interrupted)
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    run = tmp_path / "run"
    assert not go(hits_folder, run, config, decoded)
    stopped = 1
    while not go(None, run, config, decoded, resume=True):
        stopped += 1
        assert stopped < 6
    # the last step of a phase that a stop falls into ends the phase, and the next one stops
    assert not places and stopped >= 4
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    assert_same_weights(run, uninterrupted)


def test_a_killed_run_goes_on_where_it_was_saved(
    hits_folder: Path, config: Config, decoded: Path, uninterrupted: Path, tmp_path: Path,
    tiny_settings: tuple[str, ...], environment: dict[str, str],
) -> None:  # fmt: skip
    (tmp_path / "driver.py").write_text(DRIVER)
    settings = [text for setting in (*tiny_settings, "grain_stage.spectral_share=0.5") for text in ("--set", setting)]
    arguments = ["train", str(hits_folder), "--out", "run", "--steps", STEPS, *settings]
    process = subprocess.Popen(
        [sys.executable, "driver.py", *arguments, "--accelerator", "cpu"],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None and process.stdout.readline() == "saved\n"
    finally:
        process.kill()
        process.wait()
    checkpoints = tmp_path / "run" / "checkpoints"
    assert sorted(path.name for path in checkpoints.iterdir()) == ["embedding.last.ckpt", "grains.ckpt", "spectra.ckpt"]
    (checkpoints / "embedding.last.part").write_bytes(b"half of a checkpoint")  # killed while it saved, too
    assert go(None, tmp_path / "run", config, decoded, resume=True)
    assert_same_weights(tmp_path / "run", uninterrupted)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Filled with the number of signals at each call that encodes some for a pool."""
    calls, paths = list[int](), NeuralGranularModel.paths

    def counted(self: NeuralGranularModel, audio: torch.Tensor) -> torch.Tensor:
        calls.append(len(audio))
        return paths(self, audio)

    monkeypatch.setattr(NeuralGranularModel, "paths", counted)
    return calls


def one_pool(run: Path) -> int:
    """The number of signals in a pool of the sounds that a run trains on."""
    return COPIES * (32 - len(RunInfo.read(run).validation))


def test_the_prior_learns_from_the_pool_of_the_embedding(
    hits_folder: Path, tiny_config: Config, decoded: Path, tmp_path: Path, encoded: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    config, shared, apart = budget(tiny_config, "steps", "2"), tmp_path / "shared", tmp_path / "apart"
    assert go(hits_folder, shared, config, decoded)
    assert sum(encoded) == one_pool(shared)
    monkeypatch.setattr(PathBatches, "take_pool", CounterBatches.take_pool)
    assert go(hits_folder, apart, config, decoded)
    assert sum(encoded) == 3 * one_pool(shared)
    ours, theirs = (
        torch.load(run / "checkpoints" / "prior.ckpt", weights_only=True)["state_dict"] for run in (shared, apart)
    )
    assert [key for key in ours if not torch.equal(ours[key], theirs[key])] == []


def test_paths_are_encoded_again_after_a_joint_phase(
    hits_folder: Path, config: Config, decoded: Path, tmp_path: Path, encoded: list[int]
) -> None:
    assert go(hits_folder, tmp_path / "run", budget(config, "steps", "1"), decoded)
    assert sum(encoded) == 2 * one_pool(tmp_path / "run")


def test_a_pool_is_not_that_of_weights_that_were_loaded_since(
    hits_folder: Path, decoded: Path, config: Config, tmp_path: Path, uninterrupted: Path
) -> None:
    """The embedding's checkpoint is deleted, that of the joint phase after it is not."""
    run = Path(shutil.copytree(uninterrupted, tmp_path / "run"))
    for name in ("embedding", "prior"):
        (run / "checkpoints" / f"{name}.ckpt").unlink()
    assert go(None, run, config, decoded, resume=True)
    assert_same_weights(run, uninterrupted)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_everything_and_says_how_to_go_on(
    hits_folder: Path, tmp_path: Path, tiny_settings: tuple[str, ...], environment: dict[str, str], stop: int
) -> None:
    settings = [text for setting in tiny_settings for text in ("--set", setting)]
    arguments = ["train", str(hits_folder), "--out", "run", "--steps", "1000000", *settings, "--accelerator", "cpu"]
    process = subprocess.Popen(
        [Path(sysconfig.get_path("scripts")) / "ngs", *arguments],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        while not (tmp_path / "run" / "history.jsonl").exists() and process.poll() is None:
            time.sleep(0.05)
        if stop == signal.SIGINT:
            os.killpg(process.pid, stop)  # as a terminal does: the process that draws batches hears it too
        else:
            process.send_signal(stop)
        output, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert errors.splitlines()[-1] == "Stopped; nothing is lost. Continue with: ngs train --out run --resume"
    assert "Traceback" not in output + errors
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["spectra.last.ckpt"]


@pytest.mark.parametrize(
    ("distances", "worse"),
    [
        ({"grains": [0.2, 0.1], "embedding": [0.2, 0.3], "prior": [1.9, 2.3]}, None),
        ({"grains": [0.9, 0.3], "embedding": [9.6, 0.2]}, None),  # what counts is how it ends
        ({"grains": [0.2, 0.1], "embedding": [0.2, 9.6], "prior": [1.7]}, "embedding ended at .* 9.600"),
        ({"grains": [0.2, float("nan")]}, "grains ended at .* nan"),
        ({"grains": [0.2], "prior": [1.7, float("nan")]}, "prior ended at .* nan"),
        ({"spectra": [0.5]}, "spectra ended at .* 0.500, and silence is at 0.500"),
    ],
)
def test_a_run_that_ends_no_better_than_silence_has_not_learned(
    tmp_path: Path, distances: dict[str, list[float]], worse: str | None
) -> None:
    for phase, values in distances.items():
        for step, value in enumerate(values):
            append_history(tmp_path, HistoryEntry(phase, 0.0, {"step": step, "distance": value}))
    with pytest.raises(RunError, match=worse) if worse else nullcontext():
        check_learned(tmp_path, silence=0.5)


def test_a_run_that_diverged_is_not_called_trained(
    ngs: Ngs, hits_folder: Path, tmp_path: Path, tiny_settings: tuple[str, ...]
) -> None:
    settings = [text for setting in tiny_settings for text in ("--set", setting)]
    settings += ["--set", "embedding_stage.learning_rate=100", "--accelerator", "cpu", "--workers", "0"]
    arguments = ("train", hits_folder, "--out", "run", "--steps", "grain=2,embedding=30,prior=2", *settings)
    result = ngs(*arguments, cwd=tmp_path, check=False)
    assert result.returncode == 1 and result.stdout == ""
    line = result.stderr.splitlines()[-1]
    assert line.startswith("Error: run has not learned: phase embedding ended at a validation distance of "), line
    assert (tmp_path / "run" / "checkpoints" / "prior.ckpt").exists()


def test_two_processes_train_one_run(
    ngs: Ngs, hits_folder: Path, tmp_path: Path, tiny_settings: tuple[str, ...]
) -> None:
    settings = [text for setting in tiny_settings for text in ("--set", setting)]
    shared = ["--devices", "2", "--accelerator", "cpu"]
    result = ngs("train", hits_folder, "--out", "run", "--steps", "3", *shared, *settings, cwd=tmp_path)
    checkpoints = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert checkpoints == sorted(f"{name}.ckpt" for name in PHASES if name != "joint")  # which the preset leaves out
    assert result.stdout == "Trained: run. Next: ngs export run -o run.ngs\n"
    lines = result.stderr.splitlines()
    assert len([line for line in lines if line.startswith("32 sounds, ")]) == 1
    assert "Traceback" not in result.stderr


def test_two_processes_end_with_the_same_weights(
    environment: dict[str, str], hits_folder: Path, tmp_path: Path, tiny_settings: tuple[str, ...]
) -> None:
    driver = tmp_path / "driver.py"
    driver.write_text(
        "import os, torch\n"
        "import ngs.training.learning.trainer as run\n"
        "from ngs.cli.main import main\n"
        "made = []\n"
        "original = run.NeuralGranularModel\n"
        "run.NeuralGranularModel = lambda *arguments: made.append(original(*arguments)) or made[-1]\n"
        "main()\n"
        "state = made[0].state_dict()\n"
        "torch.save(state, f\"weights-{os.environ['LOCAL_RANK']}.pt\")\n"
    )
    settings = [text for setting in tiny_settings for text in ("--set", setting)]
    command = [sys.executable, driver, "train", hits_folder, "--out", "run", "--steps", "3", "--devices", "2"]
    result = subprocess.run(
        [*command, "--accelerator", "cpu", *settings], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    first, second = (torch.load(tmp_path / f"weights-{rank}.pt") for rank in (0, 1))
    for name, value in first.items():
        torch.testing.assert_close(value, second[name], rtol=0, atol=1e-6, msg=f"{name} differs between processes")


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], decoded: Path) -> Callable[..., str]:
    """Runs `ngs train` here, which must end with exit status 1 and one line, which is returned."""

    def run(*arguments: str | Path) -> str:
        command = ["ngs", "train", *arguments, "--cache", decoded, "--accelerator", "cpu", "--workers", "0"]
        monkeypatch.setattr(sys, "argv", [str(argument) for argument in command])
        with pytest.raises(SystemExit) as caught:
            command_line.main()
        captured = capsys.readouterr()
        assert caught.value.code == 1 and captured.out == ""
        errors = [line for line in captured.err.splitlines() if line.startswith("Error: ")]
        assert len(errors) == 1 and captured.err.endswith(f"{errors[0]}\n") and "Traceback" not in captured.err
        return errors[0]

    return run


Fails = Callable[..., str]


@pytest.fixture
def run(uninterrupted: Path, tmp_path: Path) -> Path:
    """A copy of a finished run, to be damaged."""
    return Path(shutil.copytree(uninterrupted, tmp_path / "run"))


def test_a_finished_run_resumes_to_itself(run: Path, config: Config, decoded: Path, uninterrupted: Path) -> None:
    assert go(None, run, config, decoded, resume=True)
    assert_same_weights(run, uninterrupted)


@pytest.mark.parametrize("content", [b"", b"garbage", None])
def test_a_damaged_checkpoint_is_one_line(run: Path, fails: Fails, content: bytes | None) -> None:
    finished = run / "checkpoints" / "prior.ckpt"
    damaged = finished.read_bytes()[:-2000] if content is None else content
    finished.unlink()
    under_way = run / "checkpoints" / "prior.last.ckpt"
    under_way.write_bytes(damaged)
    assert f"{under_way} cannot be read as a checkpoint" in fails("--out", run, "--resume")
    assert under_way.read_bytes() == damaged


def test_a_damaged_finished_phase_is_one_line(run: Path, fails: Fails) -> None:
    (run / "checkpoints" / "grains.ckpt").write_bytes(b"garbage")
    assert "grains.ckpt cannot be read as a checkpoint" in fails("--out", run, "--resume")


def test_a_folder_that_is_no_run_is_one_line(hits_folder: Path, fails: Fails) -> None:
    assert f"{hits_folder} is not a run folder" in fails("--out", hits_folder, "--resume")


@pytest.mark.parametrize(
    "option", [("--steps", "5"), ("--minutes", "1"), ("--seed", "1"), ("--set", "seed=1"), ("--seed", "0")]
)
def test_resuming_with_another_budget_is_one_line(run: Path, fails: Fails, option: tuple[str, str]) -> None:
    assert "--resume continues the run with its own settings" in fails("--out", run, "--resume", *option)


def test_a_run_in_the_way_is_one_line(run: Path, fails: Fails, hits_folder: Path) -> None:
    before = (run / "run.json").read_bytes()
    assert f"{run} already holds a run: add --resume" in fails(hits_folder, "--out", run, "--steps", "1")
    assert (run / "run.json").read_bytes() == before


def test_other_classes_are_one_line(run: Path, fails: Fails, hits_folder: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(hits_folder, tmp_path / "data"))
    (data / "Kick").rename(data / "Boom")
    before = (run / "run.json").read_bytes()
    assert "are not those that" in fails(data, "--out", run, "--resume")
    assert (run / "run.json").read_bytes() == before


def test_no_folder_and_a_folder_without_sounds_are_one_line(fails: Fails, tmp_path: Path) -> None:
    assert "Which sounds?" in fails("--out", tmp_path / "run")
    (tmp_path / "empty").mkdir()
    fails(tmp_path / "empty", "--out", tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_sounds_that_are_gone_are_one_line(
    fails: Fails, hits_folder: Path, tmp_path: Path, config: Config, decoded: Path
) -> None:
    data = Path(shutil.copytree(hits_folder, tmp_path / "data"))
    assert go(data, tmp_path / "run", budget(config, "steps", "1"), decoded)
    shutil.rmtree(data)
    assert str(data) in fails("--out", tmp_path / "run", "--resume")


def test_a_large_seed_is_a_seed(hits_folder: Path, tmp_path: Path, config: Config, decoded: Path) -> None:
    states = []
    for seed in (0, 2**63 - 1):
        out = tmp_path / str(seed)
        assert go(hits_folder, out, budget(replace(config, seed=seed), "steps", "1"), decoded)
        states.append(torch.load(out / "checkpoints" / "prior.ckpt", weights_only=True)["state_dict"])
    assert any(not torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_what_was_kept_apart_stays_apart_when_sounds_are_added(
    hits_folder: Path, tmp_path: Path, config: Config, decoded: Path
) -> None:
    data, out = tmp_path / "data", tmp_path / "run"
    shutil.copytree(hits_folder, data)
    assert go(data, out, budget(config, "steps", "1"), decoded)
    began = RunInfo.read(out)
    for path in sorted((data / "Kick").iterdir()):
        shutil.copy(path, path.with_name(f"A{path.name}"))
    lines = list[str]()
    train(data, None, out, config, True, ALONE, decoded, lines.append, lambda title, done, total: None)
    assert RunInfo.read(out).validation == began.validation
    assert any("when the run began: new ones are trained on" in line for line in lines)
    kept = len(began.validation)
    assert any(line.endswith(f"{kept} to validate on") for line in lines)


def test_devices_that_are_not_there_are_said_before_anything_is_written(
    fails: Callable[..., str], hits_folder: Path, tmp_path: Path
) -> None:
    assert "do not fit this machine" in fails(hits_folder, "--out", tmp_path / "run", "--precision", "7")
    assert not (tmp_path / "run").exists()
