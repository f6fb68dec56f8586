"""Checkpoints of a run: saving them whole, and loading what was saved."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from ngs.runtime.atomic import replaced
from ngs.runtime.errors import reason
from ngs.training.learning.plan import plan
from ngs.training.model.model import NeuralGranularModel
from ngs.training.run_folder import RunError, RunInfo, phase_checkpoints


def load_model(run: Path) -> tuple[NeuralGranularModel, RunInfo, str]:
    """The model of a run as far as it is trained, in evaluation mode; its description; the last phase that trained it.

    Raises RunError if nothing was saved yet or a checkpoint is damaged.
    """
    info = RunInfo.read(run)
    model = NeuralGranularModel(info.config, info.sizes)
    for planned in reversed(plan(info.config)):
        for path in phase_checkpoints(run, planned.phase.name):
            if path.is_file():
                load_weights(model, path)
                return model.eval(), info, planned.phase.name
    raise RunError(f"{run} holds no checkpoint yet: continue with `ngs train --out {run} --resume`")


def load_weights(model: NeuralGranularModel, path: Path) -> None:
    """Give a model the weights in a checkpoint. Raises RunError if it is damaged or of another model."""
    state = _read(path, "state_dict")
    try:
        model.load_state_dict({name.removeprefix("model."): value for name, value in state.items()})
    except (RuntimeError, AttributeError) as error:
        raise _damaged(path, error) from error


def saved_step(path: Path) -> int:
    """The step that a checkpoint was saved after, 0 if there is none. Raises RunError if it is damaged."""
    return int(_read(path, "global_step")) if path.is_file() else 0


def save_checkpoint(trainer: Any, path: Path) -> None:
    """Save what a Lightning trainer trains, whole or not at all. Called by every process; the first one writes."""
    if trainer.is_global_zero:
        with replaced(path) as beside:
            trainer.save_checkpoint(beside)
    else:
        trainer.save_checkpoint(path)


def _read(path: Path, key: str) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)[key]
    except (RuntimeError, LookupError, EOFError, ValueError, OSError, pickle.UnpicklingError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> RunError:
    return RunError(
        f"{path} cannot be read as a checkpoint of this run ({reason(error)}): "
        "delete it, and --resume trains that phase anew"
    )
