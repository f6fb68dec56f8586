"""A run folder and the phases that fill it: `ngs train` from sounds to a trained model.

RUN/run.json             configuration, attributes and where the sounds are: all that is needed to go on
RUN/excerpts.npz         starts of some sounds: latent map and golden vectors need no library at export
RUN/history.jsonl        one line a validation
RUN/checkpoints/NAME.ckpt        a finished phase
RUN/checkpoints/NAME.last.ckpt   the phase under way, written beside and renamed
RUN/logs/                TensorBoard
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.utilities.exceptions import SIGTERMException

from ngs.corpus.cache import Corpus
from ngs.training.learning.batches import (
    GRAINS_A_SEQUENCE,
    GrainBatches,
    PathBatches,
    SequenceBatches,
    loader,
)
from ngs.training.learning.checkpoints import _load_weights, _saved_step
from ngs.training.learning.phases import EmbeddingPhase, JointPhase, SpectraPhase
from ngs.training.learning.plan import PlannedPhase, plan
from ngs.training.model.model import NeuralGranularModel
from ngs.training.model.overlap_add import analysis_windows
from ngs.training.run_folder import RunError, RunInfo, phase_checkpoints

EXAMPLES = 1536  # paths that the embedding's linear maps are computed from
STRETCH = 24  # grains of a sequence where only grains are learned


@dataclass(frozen=True)
class Machine:
    """Where the training runs: handed to Lightning as it is."""

    accelerator: str = "auto"
    devices: str = "auto"
    nodes: int = 1
    precision: str = "32-true"
    workers: int = 1  # processes that draw batches


def train_phases(
    run: Path,
    info: RunInfo,
    corpus: Corpus,
    training: np.ndarray,
    machine: Machine,
    callbacks: Callable[[PlannedPhase, int, int], list[Any]],
) -> bool:
    """Run all phases that are not finished yet; returns False when it was stopped before the end.

    `callbacks(planned, index, total)` gives the Lightning callbacks of a phase: checkpoints, display, validation.
    """
    torch.manual_seed(info.config.seed)  # first weights
    model = NeuralGranularModel(info.config, info.sizes)
    phases = plan(info.config)
    for index, planned in enumerate(phases):
        finished, under_way = phase_checkpoints(run, planned.phase.name)
        if finished.is_file():
            _load_weights(model, finished)
            continue
        module = planned.phase(model, planned.stage, info.sizes, info.config.seed)
        trainer = make_trainer(run, planned, machine, callbacks(planned, index, len(phases)))
        start = _saved_step(under_way)
        model.to(trainer.strategy.root_device)  # what is encoded there once is the same after a resume
        data = phase_batches(planned, corpus, training, model, trainer.global_rank)
        if isinstance(data, PathBatches):
            data.pool(start)
        if not under_way.is_file():
            prepare(model, planned, data, corpus, training)
        try:
            trainer.fit(
                module, loader(data, start, machine.workers), ckpt_path=str(under_way) if under_way.is_file() else None
            )
        except torch.OutOfMemoryError as error:
            setting = (
                f"{planned.phase.name}_stage.batch_size"
                if planned.phase in (EmbeddingPhase, JointPhase)
                else ("grain_stage.batch_size")
            )
            raise RunError(f"The device's memory is full: train anew with a lower --set {setting}=...") from error
        except SIGTERMException:  # Lightning's own, which it leaves with when the step is done and saved
            return False
        if module.progress < 1:
            return False
        trainer.save_checkpoint(finished.with_suffix(".part"))
        if trainer.is_global_zero:
            os.replace(finished.with_suffix(".part"), finished)
            under_way.unlink(missing_ok=True)
        trainer.strategy.barrier()
    return True


def phase_batches(
    planned: PlannedPhase, corpus: Corpus, sounds: np.ndarray, model: NeuralGranularModel, rank: int
) -> GrainBatches | SequenceBatches | PathBatches:
    size, config = planned.stage.batch_size, model.config
    if planned.phase is SpectraPhase:
        return GrainBatches(corpus, sounds, config, size, rank)
    if planned.phase.through_embedding:
        # whole sounds are learned at their own level: a sampled hit is not to be quiet by chance
        config = replace(config, data=replace(config.data, gain_db=0.0))
        if planned.phase is EmbeddingPhase:
            model.eval()  # what an encoder makes of a sound does not depend on those beside it
            return PathBatches(corpus, sounds, config, size, rank, model.paths)
    else:  # many short stretches teach grains more than few long ones, whose ends are silent
        step = config.embedding.grains_per_step
        length = min(config.audio.path_length, step * max(STRETCH // step, 1))
        config = replace(config, audio=replace(config.audio, path_length=length))
    return SequenceBatches(corpus, sounds, config, size, rank)


def make_trainer(run: Path, planned: PlannedPhase, machine: Machine, callbacks: list[Any]) -> Any:
    import lightning
    from lightning.pytorch.loggers import TensorBoardLogger

    return lightning.Trainer(
        accelerator=machine.accelerator,
        devices=1 if machine.devices == "auto" and machine.accelerator == "cpu" else machine.devices,
        num_nodes=machine.nodes,
        precision=machine.precision,  # type: ignore[arg-type]
        max_steps=planned.stage.steps or -1,
        max_epochs=-1,
        logger=TensorBoardLogger(run / "logs", name="", version=planned.phase.name),
        log_every_n_steps=20,
        callbacks=callbacks,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )


def check_machine(machine: Machine, planned: PlannedPhase, folder: Path) -> None:
    """Raise RunError where Lightning cannot have these devices, before anything is written."""
    from lightning.fabric.utilities.exceptions import MisconfigurationException

    try:
        make_trainer(folder, planned, machine, [])
    except (MisconfigurationException, ValueError, TypeError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise RunError(f"--accelerator, --devices or --precision do not fit this machine: {reason}") from error


def prepare(
    model: NeuralGranularModel,
    planned: PlannedPhase,
    data: GrainBatches | SequenceBatches | PathBatches,
    corpus: Corpus,
    sounds: np.ndarray,
) -> None:
    """What a phase needs before its first step, computed from training sounds alike on every process."""
    config = model.config
    if planned.phase is plan(config)[0].phase and model.spectral:
        number = max(6 * config.audio.grain_length, 8000)
        batch = GrainBatches(corpus, sounds, config, -(-number // GRAINS_A_SEQUENCE), rank=0)[2**39]
        windows = analysis_windows(config.audio.grain_length, 2)
        grains = batch["grain"] * torch.where(batch["onset"][:, None], windows[0], windows[1])
        model.start_from_pca(grains.to(next(model.parameters()).device))
    elif isinstance(data, PathBatches):
        paths, _, weights = data.pool(0)
        model.start_embedding(paths[:EXAMPLES], torch.from_numpy(weights[:EXAMPLES]).float())
