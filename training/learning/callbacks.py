"""Lightning callbacks: checkpoints, validation, progress, and a clean stop."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import lightning
import torch
from lightning.pytorch.loggers import TensorBoardLogger
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from torch import Tensor

from ngs.training.learning.checkpoints import save_checkpoint
from ngs.training.learning.phase import Phase
from ngs.training.learning.plan import PlannedPhase
from ngs.training.run_folder import HistoryEntry, append_history, phase_checkpoints

SAVE_SECONDS = 60.0
VALIDATE_SECONDS = 30.0
VALIDATIONS_A_PHASE = 8  # at least, however short the phase
FEW_STEPS = 200  # fewer say nothing about the trend
PLAIN_LINE_SECONDS = 15.0  # between two lines of progress, if there is no terminal
SHOWN_SOUNDS = 4  # in TensorBoard


class StopSignal:
    """Turns the first Ctrl-C (or SIGTERM) into a flag; a second one interrupts at once."""

    def __init__(self) -> None:
        self.asked = False
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopSignal:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        if os.environ.get("LOCAL_RANK", "0") == "0":
            print("\nStopping after this step ...", file=sys.stderr, flush=True)


class Keeper(lightning.Callback):
    """Ends a phase when its budget is spent or a stop was asked for, and saves checkpoints on the way."""

    def __init__(self, run: Path, planned: PlannedPhase, stop: StopSignal) -> None:
        self.path = phase_checkpoints(run, planned.phase.name)[1]
        self.stop = stop
        self._saved = time.monotonic()

    def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: Any, *_: Any) -> None:
        # all processes leave in the same step, whichever noticed first
        done = self.stop.asked or pl_module.progress >= 1
        if trainer.world_size > 1:
            done = trainer.strategy.reduce_boolean_decision(done, all=False)
        due = time.monotonic() - self._saved > SAVE_SECONDS
        if trainer.world_size > 1:
            due = trainer.strategy.broadcast(due)
        if due or done:
            self.save(trainer)
        if done:
            trainer.should_stop = True

    def save(self, trainer: lightning.Trainer) -> None:
        save_checkpoint(trainer, self.path)
        self._saved = time.monotonic()


class Validation(lightning.Callback):
    """Regularly measures how far validation sounds are from their reconstructions.

    The distances go into the run's history and to TensorBoard, which also gets sounds and spectrograms.
    """

    def __init__(self, run: Path, planned: PlannedPhase, audio: Tensor, labels: Tensor) -> None:
        self.run, self.planned, self.audio, self.labels = run, planned, audio, labels
        self.distances: list[float] = []
        self._last_progress, self._step = -1.0, 0
        self._last_time = 0.0

    def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: Any, *_: Any) -> None:
        if not trainer.is_global_zero:
            return
        due = time.monotonic() - self._last_time > VALIDATE_SECONDS
        due = due or pl_module.progress - self._last_progress >= 1 / VALIDATIONS_A_PHASE
        if due or pl_module.progress >= 1:
            self.measure(trainer, pl_module)

    def measure(self, trainer: lightning.Trainer, phase: Phase) -> None:
        self._last_progress, self._last_time = phase.progress, time.monotonic()
        self._step = trainer.global_step
        audio, labels = self.audio.to(phase.device), self.labels.to(phase.device)
        sound, values = phase.validate(audio, labels)
        self.distances.append(values["distance"])
        append_history(self.run, HistoryEntry(phase.name, phase.seconds, {"step": trainer.global_step, **values}))
        if isinstance(trainer.logger, TensorBoardLogger):
            writer = trainer.logger.experiment
            for name, value in values.items():
                writer.add_scalar(f"validation/{name}", value, trainer.global_step)
            if len(self.distances) == 1 or phase.progress >= 1:
                self._show(writer, sound, audio, phase.config.audio.sample_rate, trainer.global_step)

    def _show(self, writer: Any, sound: Tensor, audio: Tensor, sample_rate: int, step: int) -> None:
        from ngs.training.learning.spectrogram_pairs import spectrogram_pairs  # matplotlib is slow to import

        count = min(SHOWN_SOUNDS, len(audio))
        for index in torch.linspace(0, len(audio) - 1, count).long().tolist():
            writer.add_audio(f"input/{index}", audio[index], step, sample_rate)
            writer.add_audio(f"reconstruction/{index}", sound[index], step, sample_rate)
        writer.add_figure("spectrograms", spectrogram_pairs(audio[:count], sound[:count], sample_rate), step)

    def verdict(self) -> str:
        """What the distances say, in words."""
        if len(self.distances) < 4 or self._step < FEW_STEPS:
            return "learning"
        before, now = min(self.distances[:-2]), min(self.distances[-2:])
        if now < before * 0.99:
            return "still improving"
        return "improving slowly" if now < before * 0.998 else "levelled off"


class Display(lightning.Callback):
    """The progress of a phase: a bar on a terminal, else a line from time to time."""

    def __init__(self, planned: PlannedPhase, index: int, total: int, validation: Validation) -> None:
        self.title = f"{index + 1}/{total} {planned.phase.title}"
        self.validation = validation
        self.console = Console(stderr=True, highlight=False)
        self.bar: Progress | None = None
        self._last_line = 0.0

    def setup(self, trainer: lightning.Trainer, pl_module: Any, stage: str) -> None:
        if not trainer.is_global_zero:
            return
        if sys.stderr.isatty():
            columns = TextColumn("{task.description:<24}"), BarColumn(24), TextColumn("{task.percentage:>3.0f} %")
            self.bar = Progress(*columns, TimeElapsedColumn(), TextColumn("{task.fields[words]}"), console=self.console)
            self.task = self.bar.add_task(self.title, total=1.0, words="")
            self.bar.start()

    def on_train_batch_end(self, trainer: lightning.Trainer, pl_module: Any, *_: Any) -> None:
        if not trainer.is_global_zero:
            return
        progress, distances = pl_module.progress, self.validation.distances
        words = f"validation distance {distances[-1]:.3f}, {self.validation.verdict()}" if distances else ""
        if self.bar:
            self.bar.update(self.task, completed=progress, words=words)
        elif time.monotonic() - self._last_line > PLAIN_LINE_SECONDS or progress >= 1:
            self._last_line = time.monotonic()
            self.console.print(f"{self.title}: {100 * progress:3.0f} %, step {trainer.global_step}, {words}")

    def teardown(self, trainer: lightning.Trainer, pl_module: Any, stage: str) -> None:
        if self.bar:
            self.bar.stop()
            self.bar = None
