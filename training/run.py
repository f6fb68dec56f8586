"""A run folder and the phases that fill it: `ngs train` from sounds to a trained model.

RUN/run.json             configuration, attributes and where the sounds are: all that is needed to go on
RUN/excerpts.npz         starts of some sounds: latent map and golden vectors need no library at export
RUN/history.jsonl        one line a validation
RUN/checkpoints/NAME.ckpt        a finished phase
RUN/checkpoints/NAME.last.ckpt   the phase under way, written beside and renamed
RUN/logs/                TensorBoard
"""

from __future__ import annotations

import json
import os
import pickle
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning.pytorch.utilities.exceptions import SIGTERMException

from ngs.training.batches import (
    GRAINS_A_SEQUENCE,
    GrainBatches,
    PathBatches,
    SequenceBatches,
    loader,
    validation_signals,
)
from ngs.training.cache import Corpus
from ngs.training.config import Config, StageConfig
from ngs.training.model import NeuralGranularModel
from ngs.training.stages import EmbeddingPhase, GrainsPhase, JointPhase, Phase, SpectraPhase
from ngs.training.synthesis import analysis_windows

EXCERPTS = 512
EXAMPLES = 1536  # paths that the embedding's linear maps are computed from
RUN_FORMAT = 2
STRETCH = 24  # grains of a sequence where only grains are learned


class RunError(ValueError):
    """A folder that is not a run, or a run in a state that does not allow what was asked."""


@dataclass(frozen=True)
class RunInfo:
    """What run.json holds."""

    config: Config
    attributes: tuple[tuple[str, tuple[str, ...]], ...]  # (name, classes)
    data: str
    labels: str | None
    sounds: int  # how many there were when the run began
    validation: tuple[str, ...]  # names of those set apart then

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(len(classes) for _, classes in self.attributes)

    def write(self, run: Path) -> None:
        document = {
            "format": RUN_FORMAT,
            "data": self.data,
            "labels": self.labels,
            "sounds": self.sounds,
            "validation": list(self.validation),
            "attributes": [[name, list(classes)] for name, classes in self.attributes],
            "config": self.config.to_dict(),
        }
        beside = run / "run.json.part"
        beside.write_text(json.dumps(document, indent=2) + "\n")
        os.replace(beside, run / "run.json")

    @classmethod
    def read(cls, run: Path) -> RunInfo:
        path = run / "run.json"
        if not path.is_file():
            raise RunError(f"{run} is not a run folder: it has no run.json. `ngs train DATA --out {run}` makes one")
        try:
            document = json.loads(path.read_text())
            if document["format"] != RUN_FORMAT:
                raise RunError(f"{path} has format {document['format']}; this version of ngs reads {RUN_FORMAT}")
            attributes = tuple((str(name), tuple(map(str, classes))) for name, classes in document["attributes"])
            return cls(
                Config.from_dict(document["config"]),
                attributes,
                document["data"],
                document["labels"],
                int(document["sounds"]),
                tuple(map(str, document["validation"])),
            )
        except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
            raise RunError(f"{path} is damaged ({error}): restore it or train anew") from error


@dataclass(frozen=True)
class PlannedPhase:
    phase: type[Phase]
    stage: StageConfig
    title: str  # for the progress display


def plan(config: Config) -> list[PlannedPhase]:
    """The phases in turn, with the grain stage's budget divided between spectra and sound."""
    grain, share = config.grain_stage, config.grain_stage.spectral_share
    sound = _part(grain, 1 - share)
    if share > 0:  # after the spectra this is fine-tuning
        sound = replace(sound, learning_rate=0.3 * grain.learning_rate, warm_up=0.0)
    phases = [
        PlannedPhase(SpectraPhase, _part(grain, share), "grains (spectra)"),
        PlannedPhase(GrainsPhase, sound, "grains (sound)"),
        PlannedPhase(EmbeddingPhase, config.embedding_stage, "embedding"),
        PlannedPhase(JointPhase, config.joint_stage, "joint"),
    ]
    dropped = {SpectraPhase: share == 0, GrainsPhase: share == 1}
    return [planned for planned in phases if not dropped.get(planned.phase, False)]


def _part(stage: StageConfig, share: float) -> StageConfig:
    steps = max(round(stage.steps * share), 1) if stage.steps else 0
    return replace(stage, minutes=max(stage.minutes * share, 1e-3), steps=steps)


def phase_checkpoints(run: Path, name: str) -> tuple[Path, Path]:
    """(finished, under way) checkpoint of a phase."""
    folder = run / "checkpoints"
    return folder / f"{name}.ckpt", folder / f"{name}.last.ckpt"


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


def write_excerpts(run: Path, corpus: Corpus, sounds: np.ndarray, config: Config) -> None:
    audio, labels = validation_signals(corpus, sounds, config, EXCERPTS)
    beside = run / "excerpts.npz.part"
    with open(beside, "wb") as file:
        np.savez_compressed(file, audio=(audio.numpy() * 32767).round().astype(np.int16), labels=labels.numpy())
    os.replace(beside, run / "excerpts.npz")


def read_excerpts(run: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Audio [B, T * hop] and labels [B, A] of some of the sounds that the run was trained on."""
    try:
        with np.load(run / "excerpts.npz", allow_pickle=False) as archive:
            return torch.from_numpy(archive["audio"].astype(np.float32) / 32767), torch.from_numpy(archive["labels"])
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise RunError(f"{run / 'excerpts.npz'} is missing or damaged: `ngs train --resume` writes it anew") from error


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


def _saved_step(checkpoint: Path) -> int:
    if not checkpoint.is_file():
        return 0
    return int(_read_checkpoint(checkpoint, "global_step"))


def prepare(
    model: NeuralGranularModel,
    planned: PlannedPhase,
    data: GrainBatches | SequenceBatches | PathBatches,
    corpus: Corpus,
    sounds: np.ndarray,
) -> None:
    """What a phase needs before its first step, computed from training sounds alike on every process."""
    config = model.config
    if planned.phase is plan(config)[0].phase and config.grain.spectral:
        number = max(6 * config.audio.grain_length, 8000)
        batch = GrainBatches(corpus, sounds, config, -(-number // GRAINS_A_SEQUENCE), rank=0)[2**39]
        windows = analysis_windows(config.audio.grain_length, 2)
        grains = batch["grain"] * torch.where(batch["onset"][:, None], windows[0], windows[1])
        model.start_from_pca(grains.to(next(model.parameters()).device))
    elif isinstance(data, PathBatches):
        paths, _, weights = data.pool(0)
        model.start_embedding(paths[:EXAMPLES], torch.from_numpy(weights[:EXAMPLES]).float())
