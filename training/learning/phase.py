"""What all phases of training share: schedule, seeds, batches, logging, and the reconstructions of validation."""

from __future__ import annotations

import math
import time
from typing import Any, ClassVar

import lightning
import numpy as np
import torch
from torch import Tensor, nn

from ngs.corpus.cache import Corpus
from ngs.training.config import Config, StageConfig, VariationalStageConfig
from ngs.training.learning.batches import Batch, CounterBatches
from ngs.training.learning.losses import kl_divergence, log_spectral_distance, multi_scale_distance
from ngs.training.model.model import NeuralGranularModel, one_hot

RISING_STEPS = 50  # at the start of a phase, in which the learning rate rises
MOST_GRADIENT = 1.0  # gradients are clipped to this norm


def step_seed(seed: int, rank: int, step: int) -> int:
    """A seed for torch. Seed, rank and step all change its lower 32 bits, the only ones that CPUs use."""
    return int(np.random.SeedSequence((seed, rank, step)).generate_state(1)[0])


class Phase(lightning.LightningModule):
    """Base of the phases. A subclass says which parts it trains, on which batches, to minimise which losses."""

    name: ClassVar[str]  # of checkpoints and in the history
    title: ClassVar[str]  # for the progress display
    section: ClassVar[str]  # of the configuration
    through_embedding: ClassVar[bool] = False  # whether validation sounds pass through the embedding too

    def __init__(self, model: NeuralGranularModel, stage: StageConfig) -> None:
        super().__init__()
        self.model, self.stage = model, stage
        self.seconds = 0.0  # of training until this step began, without interruptions, on the first process
        self._started = 0.0
        # done here, before Lightning hands the module to several processes: these synchronise what needs a gradient
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        for module in self.trained():
            for parameter in module.parameters():
                parameter.requires_grad_(True)

    def trained(self) -> list[nn.Module]:
        """The parts of the model that learn."""
        raise NotImplementedError

    def batches(self, corpus: Corpus, sounds: np.ndarray, rank: int) -> CounterBatches:
        """What a process draws its batches from: some of the sounds of a corpus (indices)."""
        raise NotImplementedError

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The parts of the loss by name. Those whose name begins with kl are weighted by beta, the others by 1."""
        raise NotImplementedError

    def prepare(self, batches: CounterBatches) -> None:
        """Compute what the phase needs before its first step, the same on every process."""

    @property
    def config(self) -> Config:
        return self.model.config

    @property
    def progress(self) -> float:
        """Share of the phase that is done, 0 to 1."""
        if self.stage.steps > 0:
            return min(self.global_step / self.stage.steps, 1.0)
        return min(self.seconds / (60 * self.stage.minutes), 1.0)

    def conditions(self, labels: Tensor, dropout: float) -> Tensor:
        """One-hot conditions [B, C] of labels [B, A]; a share `dropout` of the labels is hidden, and so left open."""
        hidden = torch.rand(labels.shape, device=labels.device) < dropout
        return one_hot(labels.masked_fill(hidden, -1), self.model.sizes)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        parameters = [parameter for module in self.trained() for parameter in module.parameters()]
        return torch.optim.AdamW(parameters, lr=self.stage.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4)

    def on_fit_start(self) -> None:
        self.model.eval()
        for module in self.trained():
            module.train()
        self._started = time.monotonic() - self.seconds

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        # every step has its own seed, so that a resumed run goes on as it would have
        torch.manual_seed(step_seed(self.config.seed, self.global_rank, self.global_step))
        self.seconds = time.monotonic() - self._started
        if self.trainer.world_size > 1:
            self.seconds = self.trainer.strategy.broadcast(self.seconds)
        optimizer = self.optimizers()
        assert isinstance(optimizer, torch.optim.Optimizer | lightning.pytorch.core.optimizer.LightningOptimizer)
        for group in optimizer.param_groups:
            group["lr"] = group.get("share", 1.0) * self._learning_rate()

    def _learning_rate(self) -> float:
        """The learning rate of this step: it rises linearly at first, then falls by a cosine."""
        final = self.stage.final_learning_rate
        cosine = final + (1 - final) * 0.5 * (1 + math.cos(math.pi * self.progress))
        return self.stage.learning_rate * cosine * min(1.0, (self.global_step + 1) / RISING_STEPS)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        parts, beta = self.losses(batch), self._beta()
        total = sum((beta * part if name.startswith("kl") else part for name, part in parts.items()), torch.zeros(()))
        if not torch.isfinite(total):
            raise ValueError(
                f"The loss became {total.item()} in step {self.global_step} of phase {self.name}: "
                f"train anew with a lower --set {self.section}.learning_rate=..."
            )
        self.log_dict({f"{self.name}/{name}": part.detach() for name, part in parts.items()})
        return total

    def _beta(self) -> float:
        """The weight of divergences in this step."""
        stage = self.stage
        if not isinstance(stage, VariationalStageConfig):
            return 0.0
        return stage.beta * (min(1.0, self.progress / stage.warm_up) if stage.warm_up > 0 else 1.0)

    def configure_gradient_clipping(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        self.clip_gradients(optimizer, gradient_clip_val=MOST_GRADIENT, gradient_clip_algorithm="norm")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["seconds"] = self.seconds

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.seconds = checkpoint["seconds"]

    @torch.no_grad()
    def validate(self, audio: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Sounds [B, n] to hear beside validation sounds, audio [B, n] with labels [B, A], and figures by name.

        The figure "distance" is what tells whether the phase still improves.
        """
        sound = self.reconstruct(audio, labels)
        return sound, {
            "distance": float(multi_scale_distance(sound, audio, self.config.loss)),
            "lsd_1024": float(log_spectral_distance(sound, audio, 1024).mean()),
            "lsd_2048": float(log_spectral_distance(sound, audio, 2048).mean()),
            "kl_grain": float(kl_divergence(*self.model.encode(audio[:8]))),
        }

    @torch.no_grad()
    def reconstruct(self, audio: Tensor, labels: Tensor) -> Tensor:
        """Audio [B, T * hop] through the means of the levels trained so far, with the same noise each time."""
        training = [module for module in self.model.modules() if module.training]
        self.model.eval()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            condition = one_hot(labels, self.model.sizes)
            path, _ = self.model.encode(audio)
            if self.through_embedding:
                embedding, _ = self.model.embedding.encode(path, condition)
                path = self.model.embedding.decode(embedding, condition, path.shape[1])
            sound = self.model.decode(path, condition)
        for module in training:
            module.training = True
        return sound
