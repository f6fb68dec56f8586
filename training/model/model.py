"""The two-level model: a grain VAE and a recurrent VAE over its latent paths (paper, section 3)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ngs.training.config import AudioConfig, Config
from ngs.training.model.embedding import EmbeddingVAE
from ngs.training.model.encoders import SpectralEncoder
from ngs.training.model.energy_profile import PROFILE_SCALE
from ngs.training.model.overlap_add import PostProcessing, analysis_windows, noise_grains, overlap_add, slice_grains
from ngs.training.model.parts import make_decoder, make_encoder

EAR_HZ = 200.0  # below this, the ear resolves a constant width in Hz; above, a share of the frequency
METRIC_POINTS = 64  # grains at which the audible metric is measured
PROFILE_WEIGHT = 0.3  # weight of a grain's energy profile beside its spectrum
EARLY_SECONDS = 0.1  # from this time on, every octave of time counts the same
FAINT = 0.07  # |DFT| of a windowed grain that is hardly heard
# variance of a component of spectra, as a share of the strongest one's. What is fainter is not brought to variance 1:
# beside loud tones, rounding alone moves the logarithms of silent bins
FAINTEST_VARIANCE = 1e-4


class NeuralGranularModel(nn.Module):
    """Encoder, decoder and post-processing of grains, and the embedding of their paths.

    `sizes` are the numbers of classes of the attributes.

    Shapes: B signals, G grains each, N = B * G grains, L grain length, K = L/2 + 1 bins, S points of the energy
    profile, Q bands that have levels of their own (none unless the decoder's head is spectral), O numbers of the onset
    shape, F = K + S + Q + O coefficients, Z latent size, C condition size (the one-hot attributes one after the other,
    zeros for an open one), T path length, E embedding size.
    """

    def __init__(self, config: Config, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.config, self.sizes = config, sizes
        grain = config.grain
        self.encoder = make_encoder(config.audio, grain)
        self.decoder = make_decoder(config.audio, grain, sum(sizes))
        self.postprocessing = PostProcessing(grain.postprocessing_taps, grain.soft_sign_knee)
        self.embedding = EmbeddingVAE(grain.latent_size, sizes, config.audio.path_length, config.embedding)

    @property
    def spectral(self) -> SpectralEncoder | None:
        """The encoder, if the decoder decodes the very spectra that it reads: the two compare without sound."""
        return self.encoder.spectral if self.decoder.head.spectral else None

    def windowed(self, signal: Tensor) -> Tensor:
        """Signals [B, n] -> grains under the windows that the encoder expects [B, G, L]."""
        grains = slice_grains(signal, self.config.audio.grain_length)
        return grains * analysis_windows(self.config.audio.grain_length, grains.shape[1], signal.device)

    def encode(self, signal: Tensor) -> tuple[Tensor, Tensor]:
        """Signals [B, n] -> latent mean, log-variance [B, G, Z]."""
        grains = self.windowed(signal)
        mean, log_variance = self.encoder(grains.flatten(0, 1), onset_flags(grains))
        return mean.unflatten(0, grains.shape[:2]), log_variance.unflatten(0, grains.shape[:2])

    def decode(self, path: Tensor, condition: Tensor, level: float = 1.0) -> Tensor:
        """Paths [B, G, Z] and conditions [B, C] -> audio [B, G * hop], with new noise from torch's generator.

        `level` is the factor of the sound before the limiter.
        """
        return self.play(self.coefficients(path, condition), level)

    def coefficients(self, path: Tensor, condition: Tensor) -> Tensor:
        """Paths [B, G, Z] and conditions [B, C] -> the decoder's coefficients of their grains [B, G, F]."""
        return _by_grain(self.decoder.coefficients, path, condition)

    def log_magnitudes(self, path: Tensor, condition: Tensor) -> Tensor:
        """Paths [B, G, Z] and conditions [B, C] -> log |DFT| of the windowed grains that they stand for [B, G, K]."""
        return self.decoder.log_magnitudes(self.coefficients(path, condition))

    def band_levels(self, path: Tensor, condition: Tensor) -> Tensor:
        """Paths [B, G, Z] and conditions [B, C] -> the log levels of the Q bands of their grains, nepers [B, G, Q]."""
        return _by_grain(self.decoder.band_levels, path, condition)

    def spectral_distance(self, coefficients: Tensor, audio: Tensor) -> Tensor | None:
        """How far coefficients [B, G, F] are from the spectra of audio [B, n]; None if `spectral` is None."""
        if self.spectral is None:
            return None
        with torch.no_grad():
            grains = self.windowed(audio)
            onset = onset_flags(grains)
            features = self.spectral.features(grains.flatten(0, 1), onset)
        return self.spectral.distance(coefficients.flatten(0, 1), features, onset)

    def play(self, coefficients: Tensor, level: float = 1.0) -> Tensor:
        """Coefficients [B, G, F] -> audio [B, G * hop], with new noise from torch's generator."""
        batch, grains, _ = coefficients.shape
        noise = noise_grains(batch, grains, self.config.audio.grain_length, coefficients.device)
        with torch.autocast(coefficients.device.type, enabled=False):  # sound needs all 24 bits
            audio: Tensor = self.postprocessing(level * overlap_add(self.decoder.grains(coefficients.float(), noise)))
        return audio

    @torch.no_grad()
    def start_from_pca(self, grains: Tensor, onset: Tensor) -> float:
        """Set the linear paths of encoder and decoder to a whitened PCA of windowed grains [N, L], flags [N, 1].

        Components fainter than FAINTEST_VARIANCE get a variance below 1. Returns the share of the variance that the
        latent dimensions keep. Raises ValueError unless the decoder decodes the spectra that the encoder reads.
        """
        encoder, decoder = self.spectral, self.decoder.linear
        if encoder is None or decoder is None:
            raise ValueError("Only encoders and decoders of spectra start from a PCA")
        features, heard = encoder.features(grains, onset), encoder.heard(onset)
        center = (features * heard).sum(0) / heard.sum(0).clamp_min(1)
        covariance = torch.cov(((features - center) * heard).T.double())
        variances, directions = (part.flip(-1).float() for part in torch.linalg.eigh(covariance))
        size = min(self.config.grain.latent_size, len(variances), len(features) - 1)
        kept = variances[:size].clamp_min(max(FAINTEST_VARIANCE * float(variances[0]), 1e-6))
        encoder.center.copy_(center)
        encoder.linear.weight.zero_()
        encoder.linear.bias.zero_()
        encoder.linear.weight[:size] = directions[:, :size].T / kept.sqrt()[:, None]
        decoder.weight.zero_()
        decoder.weight[:, :size] = directions[:, :size] * kept.sqrt()
        decoder.bias.copy_(center)
        return float(variances[:size].clamp_min(0).sum() / variances.clamp_min(0).sum())

    @torch.no_grad()
    def start_embedding(self, path: Tensor, weight: Tensor) -> None:
        """Set the units in which the embedding sees paths, and its linear maps, from paths [N, T, Z], weights [N]."""
        device, bins = next(self.parameters()).device, self.decoder.bins
        path, weight = path.to(device), weight.to(device)
        loudness = torch.stack([self._audible(one)[:, :bins].mean(1) for one in path])
        heard = loudness * time_weights(self.config.audio, device)
        self.embedding.scale_paths(path, self._metric(path.flatten(0, 1), heard.flatten()), heard)
        if self.config.embedding.linear:
            self.embedding.start_from_pca(path, weight)

    def _audible(self, latent: Tensor) -> Tensor:
        """What is heard of latents [N, Z], in nepers [N, K + S].

        First the log magnitudes above what is faint, scaled so that their mean square weighs each bin as the ear does:
        a bin at b Hz stands for about 1 / (200 + b) of what it tells apart. Then the log shares of the energy profile.
        """
        coefficients = self.decoder.coefficients(latent, latent.new_zeros(len(latent), sum(self.sizes)))
        bins, points = self.decoder.bins, self.decoder.points
        profile = coefficients[:, bins : bins + points]
        audible = torch.relu(self.decoder.log_magnitudes(coefficients) - math.log(FAINT))
        weight = 1 / (EAR_HZ + torch.linspace(0, self.config.audio.sample_rate / 2, bins, device=latent.device))
        share = math.sqrt(PROFILE_WEIGHT * bins / max(points, 1)) / (2 * PROFILE_SCALE)
        return torch.cat((audible * (weight / weight.mean()).sqrt(), share * profile), 1)

    @torch.no_grad()
    def paths(self, audio: Tensor) -> Tensor:
        """Mean latent paths [B, G, Z] of signals [B, n], both in main memory, on whichever device the model is."""
        device = next(self.parameters()).device
        return self.encode(audio.to(device))[0].cpu()

    @torch.no_grad()
    def embeddings(self, path: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance [B, E] of paths [B, T, Z] with labels [B, A], in main memory, as `paths` are."""
        device = next(self.parameters()).device
        mean, log_variance = self.embedding.encode(path.to(device), one_hot(labels.to(device), self.sizes))
        return mean.cpu(), log_variance.cpu()

    def _metric(self, latent: Tensor, heard: Tensor) -> Tensor:
        """The quadratic form [Z, Z] that a small change of latents [N, Z] gives: its mean square audible change.

        It is measured at the half of them that counts most, by `heard` [N].
        """
        sounding = latent[heard >= heard.median()]
        size = latent.shape[1]
        step = 0.1 * latent.std(0).clamp_min(1e-3)
        metric = latent.new_zeros(size, size)
        for place in torch.linspace(0, len(sounding) - 1, METRIC_POINTS).long().tolist():
            moved = self._audible(torch.cat((sounding[[place]], sounding[[place]] + torch.diag(step))))
            slopes = (moved[1:] - moved[:1]) / step[:, None]
            metric += slopes @ slopes.T / self.decoder.bins / METRIC_POINTS
        return metric


def _by_grain(decode: Callable[[Tensor, Tensor], Tensor], path: Tensor, condition: Tensor) -> Tensor:
    """What `decode` makes of latents [N, Z] and conditions [N, C], [N, ...], of paths [B, G, Z]: [B, G, ...]."""
    repeated = condition[:, None].expand(-1, path.shape[1], -1)
    return decode(path.flatten(0, 1), repeated.flatten(0, 1)).reshape(*path.shape[:2], -1)


def time_weights(audio: AudioConfig, device: torch.device | None = None) -> Tensor:
    """What the grains of a path count for where they are compared [T], mean 1: the early ones more than the late ones.

    What a sound is, is mostly heard in its attack, which is but a few grains of many.
    """
    seconds = torch.arange(audio.path_length, device=device) * (audio.hop_length / audio.sample_rate)
    weights = 1 / (EARLY_SECONDS + seconds)
    return weights / weights.mean()


def onset_flags(grains: Tensor) -> Tensor:
    """Onset flags [B * G, 1] of the grains [B, G, L] of whole sounds."""
    return torch.eye(grains.shape[1], 1, device=grains.device).repeat(len(grains), 1)


def one_hot(labels: Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Labels [B, A] (-1: unknown) -> conditions [B, sum(sizes)], zeros for the unknown."""
    parts = [nn.functional.one_hot(labels[:, a].long() + 1, size + 1)[:, 1:].float() for a, size in enumerate(sizes)]
    return torch.cat(parts, -1)
