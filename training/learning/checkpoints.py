"""TODO."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from ngs.training.learning.plan import plan
from ngs.training.model.model import NeuralGranularModel
from ngs.training.run_folder import RunError, RunInfo, phase_checkpoints


def load_model(run: Path) -> tuple[NeuralGranularModel, RunInfo, str]:
    """The furthest trained model of a run, with its description and the phase that it reached.

    Raises RunError when nothing was saved yet.
    """
    info = RunInfo.read(run)
    model = NeuralGranularModel(info.config, info.sizes)
    for planned in reversed(plan(info.config)):
        for path in phase_checkpoints(run, planned.phase.name):
            if path.is_file():
                _load_weights(model, path)
                return model.eval(), info, planned.phase.name
    raise RunError(f"{run} holds no checkpoint yet: go on with `ngs train --out {run} --resume`")


def _load_weights(model: NeuralGranularModel, path: Path) -> None:
    state = _read_checkpoint(path, "state_dict")
    try:
        model.load_state_dict({name.removeprefix("model."): value for name, value in state.items()})
    except (RuntimeError, AttributeError) as error:
        raise _damaged(path, error) from error


def _read_checkpoint(path: Path, key: str) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)[key]
    except (RuntimeError, LookupError, EOFError, ValueError, OSError, pickle.UnpicklingError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> RunError:
    detail = (str(error).splitlines() or [type(error).__name__])[0]
    return RunError(
        f"{path} cannot be read as a checkpoint of this run ({detail}): delete it, and --resume trains that phase anew"
    )


def _saved_step(checkpoint: Path) -> int:
    if not checkpoint.is_file():
        return 0
    return int(_read_checkpoint(checkpoint, "global_step"))
