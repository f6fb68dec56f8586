"""Runs the phases of a run one after the other; a phase that was stopped goes on from its checkpoint."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException

from ngs.corpus.cache import Corpus
from ngs.runtime.errors import reason
from ngs.training.learning.batches import GRAINS_A_SEQUENCE, CounterBatches, GrainBatches, Progress, loader
from ngs.training.learning.checkpoints import load_weights, save_checkpoint, saved_step
from ngs.training.learning.machine import MISFIT, Machine
from ngs.training.learning.phase import Phase
from ngs.training.learning.phases import onset_of, windowed
from ngs.training.learning.plan import PlannedPhase, plan
from ngs.training.model.model import NeuralGranularModel
from ngs.training.run_folder import RunError, RunInfo, phase_checkpoints

PCA_GRAINS = 8000  # the fewest that a PCA is computed from; long grains need more, six for each of their samples
PCA_STEP = 2**39  # number of the batch with these grains, one that no training reaches

Callbacks = Callable[[PlannedPhase, int, int], list[Any]]
Prepared = Callable[[NeuralGranularModel, PlannedPhase], None]


def train_phases(
    run: Path, info: RunInfo, corpus: Corpus, training: np.ndarray, machine: Machine, callbacks: Callbacks,
    prepared: Prepared, progress: Progress,
) -> bool:  # fmt: skip
    """Run all phases that are not finished yet; returns False if it was stopped before the end.

    `training` are the indices of the sounds to train on. `callbacks(planned, index, total)` gives the Lightning
    callbacks of a phase: checkpoints, display, validation. `prepared(model, planned)` is called before the first step
    of a phase, `progress(done, total)` while sounds are encoded before it. Raises RunError for damaged checkpoints and
    full memory.
    """
    torch.manual_seed(info.config.seed)  # decides the first weights
    model = NeuralGranularModel(info.config, info.sizes)
    phases = plan(info.config)
    batches: CounterBatches | None = None  # of the phase before, if it ran here and now
    try:
        for index, planned in enumerate(phases):
            finished, under_way = phase_checkpoints(run, planned.phase.name)
            if finished.is_file():
                load_weights(model, finished)
                if batches is not None:
                    batches.release()
                batches = None
                continue
            phase = planned.phase(model, planned.stage)
            trainer = make_trainer(run, planned, machine, callbacks(planned, index, len(phases)))
            start = saved_step(under_way)
            model.to(trainer.strategy.root_device)  # what is encoded there once is the same after a resume
            before, batches = batches, phase.batches(corpus, training, trainer.global_rank)
            if before is not None:
                batches.take_pool(before)
            batches.fill(start, progress)
            if not under_way.is_file():
                if index == 0:
                    start_grains(model, corpus, training)
                phase.prepare(batches)
                prepared(model, planned)
            if not train_phase(trainer, phase, loader(batches, start, machine.workers), under_way):
                return False
            save_checkpoint(trainer, finished)
            if trainer.is_global_zero:
                under_way.unlink(missing_ok=True)
            trainer.strategy.barrier()
    finally:
        if batches is not None:
            batches.release()
    return True


def train_phase(trainer: lightning.Trainer, phase: Phase, batches: Any, under_way: Path) -> bool:
    """Train a phase from its checkpoint, if there is one; returns False if it was stopped before its end."""
    try:
        trainer.fit(phase, batches, ckpt_path=str(under_way) if under_way.is_file() else None)
    except torch.OutOfMemoryError as error:
        raise RunError(
            f"The device's memory is full: train anew with a lower --set {phase.section}.batch_size=..."
        ) from error
    except SIGTERMException:  # what Lightning leaves with once the step is done and saved
        return False
    return phase.progress >= 1


def make_trainer(run: Path, planned: PlannedPhase, machine: Machine, callbacks: list[Any]) -> lightning.Trainer:
    """Lightning's trainer of a phase. Checkpoints, display and the distribution of batches are our own."""
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
    """Raise RunError if Lightning cannot have these devices, before anything is written."""
    try:
        make_trainer(folder, planned, machine, [])
    except (MisconfigurationException, ValueError, TypeError, RuntimeError) as error:
        raise RunError(f"{MISFIT}: {reason(error)}") from error


def start_grains(model: NeuralGranularModel, corpus: Corpus, sounds: np.ndarray) -> None:
    """Set the linear paths of a spectral model to a PCA of training grains, the same on every process."""
    if model.spectral is None:
        return
    grains = max(6 * model.config.audio.grain_length, PCA_GRAINS)
    batch = GrainBatches(corpus, sounds, model.config, -(-grains // GRAINS_A_SEQUENCE), rank=0)[PCA_STEP]
    device = next(model.parameters()).device
    model.start_from_pca(windowed(batch, model.config).to(device), onset_of(batch).to(device))
