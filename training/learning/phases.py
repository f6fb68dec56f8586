"""What each phase of training learns from and minimises. All share one model.

spectra    the grain VAE on spectra and energy profiles of single grains (not in the paper; minutes instead of hours)
grains     the grain VAE on sound, multi-scale spectral distance (paper, section 3.3, eq. 9)
embedding  the recurrent VAE on the latent paths of the frozen grain VAE (section 3.4)
joint      both levels together, through all losses (section 3.4, last paragraph)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from ngs.corpus.cache import Corpus
from ngs.training.config import Config
from ngs.training.learning.augmentation import augment_magnitudes
from ngs.training.learning.batches import Batch, CounterBatches, GrainBatches, PathBatches, SequenceBatches
from ngs.training.learning.losses import kl_divergence, multi_scale_distance, sample_normal
from ngs.training.learning.phase import Phase
from ngs.training.model.encoders import magnitude_spectrum
from ngs.training.model.overlap_add import analysis_windows

SPECTRA_WEIGHT = 0.5  # of the distance between spectra; that between sounds has weight 1
PATH_WEIGHT = 0.5  # of the error of paths in the joint phase
STRETCH = 24  # grains of a sequence in the grains phase
EXAMPLES = 1536  # paths that the embedding's linear maps are computed from


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
        paths, _, weights = batches.pool(0)
        self.model.start_embedding(paths[:EXAMPLES], torch.from_numpy(weights[:EXAMPLES]).float())

    def losses(self, batch: Batch) -> dict[str, Tensor]:
        model, path = self.model, batch["path"]
        condition = self.conditions(batch["label"], self.config.embedding.condition_dropout)
        mean, log_variance = model.embedding.posterior(path, condition)
        decoded = model.embedding.path(sample_normal(mean, log_variance), condition, path.shape[1])
        return {"path": model.embedding.path_error(decoded, path), "kl": kl_divergence(mean, log_variance)}


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
        embedding_mean, embedding_log_variance = model.embedding.posterior(path, condition)
        embedding = sample_normal(embedding_mean, embedding_log_variance)
        decoded = model.embedding.path(embedding, condition, path.shape[1])
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
