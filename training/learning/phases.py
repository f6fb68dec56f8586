"""What each phase of training learns from and minimises. All share one model.

spectra    the grain VAE on spectra and energy profiles of single grains (not in the paper; minutes instead of hours)
grains     the grain VAE on sound, multi-scale spectral distance (paper, section 3.3, eq. 9)
embedding  the recurrent VAE on the latent paths of the frozen grain VAE (section 3.4)
joint      both levels together, through all losses (section 3.4, last paragraph)
prior      what embeddings sounds have, on those of the frozen levels (not in the paper, whose prior is N(0, 1))
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ngs.corpus.cache import Corpus
from ngs.runtime.temperature import TEMPERATURE
from ngs.training.config import Config
from ngs.training.learning.augmentation import augment_magnitudes
from ngs.training.learning.batches import (
    Batch,
    CounterBatches,
    EmbeddingBatches,
    GrainBatches,
    PathBatches,
    SequenceBatches,
)
from ngs.training.learning.losses import (
    envelope_distance,
    kl_divergence,
    level_distance,
    multi_scale_distance,
    sample_normal,
)
from ngs.training.learning.phase import Phase
from ngs.training.model.encoders import magnitude_spectrum
from ngs.training.model.model import one_hot, time_weights
from ngs.training.model.overlap_add import analysis_windows

SPECTRA_WEIGHT = 0.5  # of the distance between spectra; that between sounds has weight 1
PATH_WEIGHT = 0.5  # of the error of paths in the joint phase
STRETCH = 24  # grains of a sequence in the grains phase
EXAMPLES = 1536  # paths that the embedding's linear maps are computed from
LINEAR_SHARE = 0.15  # learning rate of these maps, as a share of the stage's
PATH_SHARE = 0.3  # of the error of paths beside that of levels
ENVELOPE_SHARE = 0.4  # of the error of envelopes beside that of levels
SOME_GRAINS = 10  # of a path, loud and early ones, whose levels are compared in a step; and as many of all
POSTERIOR = 0.5  # of the spread of a posterior that the prior learns: what lies about a mean decodes to a blur of it
UNCONDITIONAL = 0.15  # share of embeddings that the prior learns without a condition, for guidance
OPEN = 0.05  # share of labels that are hidden from it besides, each by itself
TIMES = 16  # at which the velocities of a validation sound are compared


class SpectraPhase(Phase):
    name, title, section = "spectra", "grains (spectra)", "grain_stage"

    def trained(self) -> list[nn.Module]:
        return [self.model.encoder, self.model.decoder]

    def batches(self, corpus: Corpus, sounds: np.ndarray, rank: int) -> GrainBatches:
        return GrainBatches(corpus, sounds, self.config, self.stage.batch_size, rank)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        model, config, encoder = self.model, self.config, self.model.spectral
        assert encoder is not None  # the configuration allows this phase with spectral parts only
        grains = windowed(batch, config)
        with torch.no_grad():
            magnitudes = augment_magnitudes(magnitude_spectrum(grains), config.data)
            onset = onset_of(batch)
            features = encoder.features(grains, onset, magnitudes)
        mean, log_variance = encoder.encode_features(features)
        condition = self.conditions(batch["label"], config.grain.condition_dropout)
        decoded = model.decoder.coefficients(sample_normal(mean, log_variance), condition)
        return {"distance": encoder.distance(decoded, features, onset), "kl": kl_divergence(mean, log_variance)}


class GrainsPhase(Phase):
    name, title, section = "grains", "grains (sound)", "grain_stage"

    def trained(self) -> list[nn.Module]:
        return [self.model.encoder, self.model.decoder, self.model.postprocessing]

    def batches(self, corpus: Corpus, sounds: np.ndarray, rank: int) -> SequenceBatches:
        # many short stretches teach more about grains than a few long ones, whose ends are silent
        audio, step = self.config.audio, self.config.embedding.grains_per_step
        length = min(audio.path_length, step * max(STRETCH // step, 1))
        config = replace(self.config, audio=replace(audio, path_length=length))
        return SequenceBatches(corpus, sounds, config, self.stage.batch_size, rank)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        model, config, audio = self.model, self.config, batch["audio"]
        condition = self.conditions(batch["label"], config.grain.condition_dropout)
        mean, log_variance = model.encode(audio)
        decoded = model.coefficients(sample_normal(mean, log_variance), condition)
        losses = {
            "distance": multi_scale_distance(model.play(decoded), audio, config.loss),
            "kl": kl_divergence(mean, log_variance),
        }
        spectra = model.spectral_distance(decoded, audio)
        if spectra is not None:  # sound alone does not teach all of a spectrum
            losses["spectra"] = SPECTRA_WEIGHT * spectra
        return losses


class EmbeddingPhase(Phase):
    name, title, section = "embedding", "embedding", "embedding_stage"
    through_embedding = True

    def trained(self) -> list[nn.Module]:
        return [self.model.embedding.encoder, self.model.embedding.decoder]

    def batches(self, corpus: Corpus, sounds: np.ndarray, rank: int) -> PathBatches:
        self.model.eval()  # batch normalisation must not mix the sounds of a batch
        config = _at_their_level(self.config)
        return PathBatches(corpus, sounds, config, self.stage.batch_size, rank, self.model.paths)

    def prepare(self, batches: CounterBatches) -> None:
        assert isinstance(batches, PathBatches)
        pool = batches.pool(0)
        self.model.start_embedding(pool.paths[:EXAMPLES], torch.from_numpy(pool.weights[:EXAMPLES]).float())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        maps = self.model.embedding.linear_maps
        known = {id(parameter) for parameter in maps}
        others = [one for module in self.trained() for one in module.parameters() if id(one) not in known]
        groups: list[dict[str, Any]] = [{"params": others}]
        if maps:  # what starts as a PCA has far to go and far to fall
            groups.append({"params": maps, "share": LINEAR_SHARE, "weight_decay": 0.0})
        return torch.optim.AdamW(groups, lr=self.stage.learning_rate, betas=(0.9, 0.99), weight_decay=1e-4)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        model, path = self.model, batch["path"]
        condition = self.conditions(batch["label"], self.config.embedding.condition_dropout)
        mean, log_variance = model.embedding.encode(path, condition)
        decoded = model.embedding.decode(sample_normal(mean, log_variance), condition, path.shape[1])
        grains = _some_grains(batch["loudness"] * time_weights(self.config.audio, path.device))
        with torch.no_grad():
            wanted = model.log_magnitudes(_at(path, grains), condition)
        found = model.log_magnitudes(_at(decoded, grains), condition)
        losses = {
            "path": PATH_SHARE * model.embedding.path_error(decoded, path),
            "levels": level_distance(found, wanted, self.config.audio.sample_rate, SOME_GRAINS),
            "kl": kl_divergence(mean, log_variance),
        }
        if model.decoder.levels:
            with torch.no_grad():
                envelope = model.band_levels(path, condition)
            ours = model.band_levels(decoded, condition)
            losses["envelope"] = ENVELOPE_SHARE * envelope_distance(ours, envelope, batch["loudness"])
        return losses


def _some_grains(weight: Tensor) -> Tensor:
    """Numbers of grains [B, 2 * SOME_GRAINS] of sounds, drawn by their weights [B, T]; then as many of any."""
    batch, grains = weight.shape
    chance = weight + 0.1 * weight.mean(1, keepdim=True) + 1e-6
    loud = torch.multinomial(chance, SOME_GRAINS, replacement=True)
    return torch.cat((loud, torch.randint(grains, (batch, SOME_GRAINS), device=loud.device)), 1)


def _at(path: Tensor, grains: Tensor) -> Tensor:
    """The grains [B, G], by number, of paths [B, T, Z]: [B, G, Z]."""
    return path.gather(1, grains[:, :, None].expand(-1, -1, path.shape[2]))


class JointPhase(Phase):
    name, title, section = "joint", "joint", "joint_stage"
    through_embedding = True

    def trained(self) -> list[nn.Module]:
        model = self.model
        return [
            model.encoder, model.decoder, model.postprocessing, model.embedding.encoder, model.embedding.decoder,
        ]  # fmt: skip

    def batches(self, corpus: Corpus, sounds: np.ndarray, rank: int) -> SequenceBatches:
        return SequenceBatches(corpus, sounds, _at_their_level(self.config), self.stage.batch_size, rank)

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        model, config, audio = self.model, self.config, batch["audio"]
        condition = self.conditions(batch["label"], config.grain.condition_dropout)
        mean, log_variance = model.encode(audio)
        path = sample_normal(mean, log_variance)
        embedding_mean, embedding_log_variance = model.embedding.encode(path, condition)
        embedding = sample_normal(embedding_mean, embedding_log_variance)
        decoded = model.embedding.decode(embedding, condition, path.shape[1])
        coefficients = model.coefficients(torch.cat((path, decoded)), condition.repeat(2, 1))
        sound = model.play(coefficients)
        # the grain level's own divergence keeps the weight that it was trained with
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


class PriorPhase(Phase):
    name, title, section = "prior", "prior", "prior_stage"
    through_embedding = True

    def trained(self) -> list[nn.Module]:
        return [self.model.embedding.prior]

    def batches(self, corpus: Corpus, sounds: np.ndarray, rank: int) -> EmbeddingBatches:
        self.model.eval()
        config = _at_their_level(self.config)
        return EmbeddingBatches(
            corpus, sounds, config, self.stage.batch_size, rank, self.model.paths, self.model.embeddings
        )

    def prepare(self, batches: CounterBatches) -> None:
        assert isinstance(batches, EmbeddingBatches)
        prior, pool, (mean, log_variance) = self.model.embedding.prior, batches.pool(0), batches.embeddings(0)
        prior.know(batches.corpus.attributes)
        device = prior.center.device
        condition = one_hot(torch.from_numpy(batches.corpus.labels[pool.sounds]), self.model.sizes)
        weight = torch.from_numpy(pool.weights).float()
        prior.fit(*(values.to(device) for values in (mean, _narrowed(log_variance).exp(), condition, weight)))

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        condition = self.conditions(batch["label"], OPEN)
        condition = condition * (torch.rand_like(condition[:, :1]) >= UNCONDITIONAL)
        return {"velocity": self._error(batch["mean"], batch["log_variance"], condition)}

    def _error(self, mean: Tensor, log_variance: Tensor, condition: Tensor) -> Tensor:
        """How far velocities are from those of straight ways between draws and embeddings: mean square, scalar."""
        prior = self.model.embedding.prior
        end = prior.remainder(sample_normal(mean, _narrowed(log_variance)), condition)
        start, time = torch.randn_like(end), torch.rand(len(end), 1, device=end.device)
        place = (1 - time) * start + time * end
        return (prior.velocity(place, time, condition) - (end - start)).square().mean()

    @torch.no_grad()
    def validate(self, audio: Tensor, labels: Tensor) -> tuple[Tensor, dict[str, float]]:
        """Drawn sounds with the labels of validation sounds; how well the velocities of these are known."""
        model, prior = self.model, self.model.embedding.prior
        with torch.random.fork_rng():
            torch.manual_seed(0)
            condition = one_hot(labels, model.sizes)
            mean, log_variance = model.embedding.encode(model.encode(audio)[0], condition)
            many = [values.repeat(TIMES, 1) for values in (mean, log_variance, condition)]
            error = float(self._error(*many))
            normal = TEMPERATURE * torch.randn_like(mean)
            path = model.embedding.decode(
                prior.from_normal(normal, condition), condition, self.config.audio.path_length
            )
            sound = model.decode(path, condition)
        return sound, {"distance": error}


def _narrowed(log_variance: Tensor) -> Tensor:
    """Log-variances of posteriors as the prior learns them."""
    return log_variance + 2 * math.log(POSTERIOR)


def windowed(batch: Batch, config: Config) -> Tensor:
    """The single grains of a batch [N, L] under their analysis windows: the first of a sound has its own."""
    first, later = analysis_windows(config.audio.grain_length, 2, batch["grain"].device)
    return batch["grain"] * torch.where(batch["onset"][:, None], first, later)


def onset_of(batch: Batch) -> Tensor:
    """The onset flags of the single grains of a batch [N, 1]."""
    return batch["onset"][:, None].float()


def _at_their_level(config: Config) -> Config:
    """The configuration without random gain: if levels varied, some sampled sounds would be quiet by chance."""
    return replace(config, data=replace(config.data, gain_db=0.0))
