"""Checkpoints and excerpts of a run: what is read back, and one line if it cannot be; seeds of steps."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from ngs.corpus.cache import Corpus
from ngs.training.config import Config
from ngs.training.learning.checkpoints import load_model
from ngs.training.learning.excerpts import read_excerpts, write_excerpts
from ngs.training.learning.phase import step_seed
from ngs.training.model.model import NeuralGranularModel
from ngs.training.run_folder import RunError, phase_checkpoints


@pytest.fixture
def run(trained_run: Path, tmp_path: Path) -> Path:
    """A copy of a finished run, to be damaged."""
    return Path(shutil.copytree(trained_run, tmp_path / "run"))


def weights(path: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(path, weights_only=True)["state_dict"]
    return {name.removeprefix("model."): value for name, value in state.items()}


def test_excerpts_survive_their_file(tmp_path: Path, tiny_config: Config, corpus: Corpus) -> None:
    write_excerpts(tmp_path, corpus, np.arange(32), tiny_config)
    audio, labels = read_excerpts(tmp_path)
    assert audio.shape == (32, 512) and labels.tolist() == corpus.labels.tolist()
    np.testing.assert_allclose(audio[9], corpus.read(9, 0, 512), atol=1 / 32767)


def test_the_furthest_model_is_loaded(run: Path) -> None:
    for name in ("prior", "embedding", "grains", "spectra"):
        model, info, phase = load_model(run)
        finished, under_way = phase_checkpoints(run, name)
        assert phase == name and not model.training and info.sizes == (8,)
        for key, value in weights(finished).items():
            assert torch.equal(model.state_dict()[key], value)
        finished.rename(under_way)
        assert load_model(run)[2] == name  # what is under way counts too
        under_way.unlink()
    with pytest.raises(RunError, match="no checkpoint yet: continue with"):
        load_model(run)


@pytest.mark.parametrize("damage", [b"", b"garbage", b"PK\x03\x04", None])
def test_a_damaged_checkpoint_is_one_line(run: Path, damage: bytes | None) -> None:
    path, _ = phase_checkpoints(run, "prior")
    path.write_bytes(path.read_bytes()[:-1000] if damage is None else damage)
    with pytest.raises(RunError, match="prior.ckpt cannot be read as a checkpoint of this run") as caught:
        load_model(run)
    assert "\n" not in str(caught.value)


def test_the_checkpoint_of_another_model_is_one_line(run: Path, tiny_config: Config) -> None:
    other = NeuralGranularModel(tiny_config, (3,)).state_dict()
    path, _ = phase_checkpoints(run, "prior")
    torch.save({"state_dict": {f"model.{name}": value for name, value in other.items()}}, path)
    with pytest.raises(RunError, match="prior.ckpt cannot be read as a checkpoint of this run") as caught:
        load_model(run)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", [None, b"", b"garbage", b"PK\x03\x04 and no archive"])
def test_damaged_excerpts_are_one_line(tmp_path: Path, damage: bytes | None) -> None:
    if damage is not None:
        (tmp_path / "excerpts.npz").write_bytes(damage)
    with pytest.raises(RunError, match="excerpts.npz is missing or damaged"):
        read_excerpts(tmp_path)


def test_every_seed_rank_and_step_draws_other_noise() -> None:
    keys = [(seed, rank, step) for seed in (0, 1, 70000, 2**63 - 1) for rank in (0, 1) for step in (0, 1, 1000)]
    seeds = [step_seed(*key) for key in keys]
    assert len({seed & 0xFFFFFFFF for seed in seeds}) == len(keys)
    draws = set()
    for seed in seeds:
        torch.manual_seed(seed)
        draws.add(torch.rand(2).numpy().tobytes())
    assert len(draws) == len(keys)
