"""What each phase of training minimises, as Lightning modules that share one model.

spectra    the grain VAE on spectra and energy profiles of single grains (beyond the paper: minutes instead of hours)
grains     the grain VAE on sound, multi-scale spectral distance (paper, section 3.3, eq. 9)
embedding  the recurrent VAE on the latent paths of the frozen grain VAE (section 3.4)
joint      both levels together, through all losses (section 3.4, last paragraph)
"""

from __future__ import annotations

import math
import time
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor, nn

from ngs.training.config import StageConfig
from ngs.training.learning.augmentation import augment_magnitudes
from ngs.training.learning.batches import Batch, one_hot
from ngs.training.learning.losses import kl_divergence, multi_scale_distance, sample_normal
from ngs.training.model.encoders import magnitude_spectrum
from ngs.training.model.model import NeuralGranularModel
from ngs.training.model.overlap_add import analysis_windows

SPECTRA_WEIGHT = 0.5  # of the distance of spectra beside that of sounds
PATH_WEIGHT = 0.5  # of the error of paths beside the distance of sounds, in the joint phase


def step_seed(seed: int, rank: int, step: int) -> int:
    """A seed for torch that seed, rank and step all change in its lower 32 bits: on CPUs no others count."""
    return int(np.random.SeedSequence((seed, rank, step)).generate_state(1)[0])


class Phase(lightning.LightningModule):
    """Schedule, seeding and logging that the phases share; a subclass gives `losses` and the parts it trains."""

    name = ""
    through_embedding = False  # whether validation sounds pass the embedding too

    def __init__(self, model: NeuralGranularModel, stage: StageConfig, sizes: tuple[int, ...], seed: int) -> None:
        super().__init__()
        self.model, self.stage, self.sizes, self.seed = model, stage, sizes, seed
        self.seconds = 0.0  # of training so far, interruptions left out; as of the step's start, on the first process
        self._started = 0.0
        # here, before Lightning hands the module to several processes: they synchronise what needs a gradient
        for parameter in model.parameters():
            parameter.requires_grad_(False)
        for module in self.trained():
            for parameter in module.parameters():
                parameter.requires_grad_(True)

    def trained(self) -> list[nn.Module]:
        raise NotImplementedError

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        """The parts of the loss by name; those called kl... are weighted by beta, the others by 1."""
        raise NotImplementedError

    @property
    def progress(self) -> float:
        """Share of the phase that is done, 0 to 1."""
        if self.stage.steps > 0:
            return min(self.global_step / self.stage.steps, 1.0)
        return min(self.seconds / (60 * self.stage.minutes), 1.0)

    def conditions(self, labels: Tensor, dropout: float) -> Tensor:
        """One-hot conditions [B, C]; each attribute is left open in a share of the rows, so that it may be later on."""
        hidden = torch.rand(labels.shape, device=labels.device) < dropout
        return one_hot(labels.masked_fill(hidden, -1), self.sizes)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        parameters = [parameter for module in self.trained() for parameter in module.parameters()]
        return torch.optim.AdamW(parameters, lr=self.stage.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4)

    def on_fit_start(self) -> None:
        self.model.eval()
        for module in self.trained():
            module.train()
        self._started = time.monotonic() - self.seconds

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        # every step draws from its own seed: a resumed run goes on as it would have
        torch.manual_seed(step_seed(self.seed, self.global_rank, self.global_step))
        self.seconds = time.monotonic() - self._started
        if self.trainer.world_size > 1:
            self.seconds = self.trainer.strategy.broadcast(self.seconds)
        final = self.stage.final_learning_rate
        cosine = final + (1 - final) * 0.5 * (1 + math.cos(math.pi * self.progress))
        optimizer = self.optimizers()
        assert isinstance(optimizer, torch.optim.Optimizer | lightning.pytorch.core.optimizer.LightningOptimizer)
        for group in optimizer.param_groups:
            group["lr"] = self.stage.learning_rate * cosine * min(1.0, (self.global_step + 1) / 50)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        warm_up = min(1.0, self.progress / self.stage.warm_up) if self.stage.warm_up > 0 else 1.0
        beta = self.stage.beta * warm_up
        parts = self.losses(batch)
        total = sum((beta * part if name.startswith("kl") else part for name, part in parts.items()), torch.zeros(()))
        if not torch.isfinite(total):
            raise ValueError(f"The loss became {total.item()} in step {self.global_step}; try a lower learning_rate")
        self.log_dict({f"{self.name}/{name}": part.detach() for name, part in parts.items()})
        return total

    def configure_gradient_clipping(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        self.clip_gradients(optimizer, gradient_clip_val=1.0, gradient_clip_algorithm="norm")

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["seconds"] = self.seconds

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.seconds = checkpoint["seconds"]

    @torch.no_grad()
    def reconstruct(self, audio: Tensor, labels: Tensor) -> Tensor:
        """Audio [B, T * hop] through the means of the levels trained so far, with the same noise each time."""
        training = [module for module in self.model.modules() if module.training]
        self.model.eval()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            condition = one_hot(labels, self.sizes)
            path, _ = self.model.encode(audio)
            if self.through_embedding:
                embedding, _ = self.model.embedding.encode(path, condition)
                path = self.model.embedding.decode(embedding, condition, path.shape[1])
            sound = self.model.decode(path, condition)
        for module in training:
            module.training = True
        return sound


class SpectraPhase(Phase):
    name = "spectra"

    def trained(self) -> list[nn.Module]:
        return [self.model.encoder, self.model.decoder]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        model, config = self.model, self.model.config
        encoder = model.spectral
        assert encoder is not None  # the configuration sees to it
        windows = analysis_windows(config.audio.grain_length, 2, self.device)
        grains = batch["grain"] * torch.where(batch["onset"][:, None], windows[0], windows[1])
        with torch.no_grad():
            magnitudes = augment_magnitudes(magnitude_spectrum(grains), config.data)
            features = encoder.features(grains, magnitudes)
        mean, log_variance = encoder.encode_features(features)
        condition = self.conditions(batch["label"], config.grain.condition_dropout)
        decoded = model.decoder.coefficients(sample_normal(mean, log_variance), condition)
        return {
            "distance": encoder.distance(decoded, features),
            "kl": kl_divergence(mean, log_variance),
        }


class GrainsPhase(Phase):
    name = "grains"

    def trained(self) -> list[nn.Module]:
        return [self.model.encoder, self.model.decoder, self.model.postprocessing]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        model, config, audio = self.model, self.model.config, batch["audio"]
        condition = self.conditions(batch["label"], config.grain.condition_dropout)
        mean, log_variance = model.encode(audio)
        decoded = model.coefficients(sample_normal(mean, log_variance), condition)
        losses = {
            "distance": multi_scale_distance(model.play(decoded), audio, config.loss),
            "kl": kl_divergence(mean, log_variance),
        }
        spectra = model.spectral_distance(decoded, audio)
        if spectra is not None:  # what the sound does not tell of a spectrum is not unlearned
            losses["spectra"] = SPECTRA_WEIGHT * spectra
        return losses


class EmbeddingPhase(Phase):
    name = "embedding"
    through_embedding = True

    def trained(self) -> list[nn.Module]:
        return [self.model.embedding.encoder, self.model.embedding.decoder]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        model, config = self.model, self.model.config
        condition = self.conditions(batch["label"], config.embedding.condition_dropout)
        path = batch["path"]
        mean, log_variance = model.embedding.posterior(path, condition)
        decoded = model.embedding.path(sample_normal(mean, log_variance), condition, path.shape[1])
        return {"path": model.embedding.path_error(decoded, path), "kl": kl_divergence(mean, log_variance)}


class JointPhase(Phase):
    name = "joint"
    through_embedding = True

    def trained(self) -> list[nn.Module]:
        model = self.model
        level1 = [model.encoder, model.decoder, model.postprocessing]
        return [*level1, model.embedding.encoder, model.embedding.decoder]

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        model, config, audio = self.model, self.model.config, batch["audio"]
        condition = self.conditions(batch["label"], config.grain.condition_dropout)
        mean, log_variance = model.encode(audio)
        path = sample_normal(mean, log_variance)
        embedding_mean, embedding_log_variance = model.embedding.posterior(path, condition)
        embedding = sample_normal(embedding_mean, embedding_log_variance)
        decoded = model.embedding.path(embedding, condition, path.shape[1])
        coefficients = model.coefficients(torch.cat((path, decoded)), condition.repeat(2, 1))
        sound = model.play(coefficients)
        # the grain level's own divergence keeps the weight it was trained with
        grain_beta = config.grain_stage.beta * kl_divergence(mean, log_variance)
        losses = {
            "distance": 2 * multi_scale_distance(sound, audio.repeat(2, 1), config.loss),
            "path": PATH_WEIGHT * model.embedding.path_error(decoded, path.detach()),
            "grain_divergence": grain_beta,
            "kl": kl_divergence(embedding_mean, embedding_log_variance),
        }
        spectra = model.spectral_distance(coefficients[: len(audio)], audio)
        if spectra is not None:
            losses["spectra"] = SPECTRA_WEIGHT * spectra
        return losses
