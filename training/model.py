"""The two-level model: a grain VAE and a recurrent VAE over its latent paths (paper, section 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ngs.training.config import Config
from ngs.training.decoders import GrainDecoder
from ngs.training.embedding import EmbeddingVAE
from ngs.training.encoders import ConvolutionEncoder, SpectralEncoder, magnitude_spectrum
from ngs.training.synthesis import PostProcessing, analysis_windows, noise_grains, overlap_add, slice_grains


class NeuralGranularModel(nn.Module):
    """Encoder, decoder and post-processing of grains, and the embedding of their paths.

    Shapes: B signals, G grains each, N = B * G grains, L grain length, Z latent size, C condition size (the one-hot
    attributes concatenated; zeros where an attribute is left open), T path length, E embedding size. `sizes` are the
    numbers of classes of the attributes.
    """

    def __init__(self, config: Config, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.config, self.sizes = config, sizes
        grain = config.grain
        self.encoder: SpectralEncoder | ConvolutionEncoder = (
            SpectralEncoder(config.audio, grain)
            if grain.encoder == "spectral"
            else ConvolutionEncoder(config.audio, grain)
        )
        self.decoder = GrainDecoder(config.audio, grain, sum(sizes))
        self.postprocessing = PostProcessing(grain.postprocessing_taps, grain.soft_sign_knee)
        self.embedding = EmbeddingVAE(grain.latent_size, sizes, config.embedding)

    def encode(self, signal: Tensor) -> tuple[Tensor, Tensor]:
        """Signals [B, n] -> latent mean, log-variance [B, G, Z]."""
        length = self.config.audio.grain_length
        grains = slice_grains(signal, length)
        windowed = (grains * analysis_windows(length, grains.shape[1], signal.device)).flatten(0, 1)
        mean, log_variance = self.encoder(windowed)
        return mean.unflatten(0, grains.shape[:2]), log_variance.unflatten(0, grains.shape[:2])

    def decode(self, path: Tensor, condition: Tensor) -> Tensor:
        """Paths [B, G, Z] and conditions [B, C] -> audio [B, G * hop], with fresh noise from torch's generator."""
        batch, grains, _ = path.shape
        length = self.config.audio.grain_length
        noise = noise_grains(batch, grains, length, path.device)
        repeated = condition[:, None].expand(-1, grains, -1)
        coefficients = self.decoder.coefficients(path.flatten(0, 1), repeated.flatten(0, 1))
        with torch.autocast(path.device.type, enabled=False):  # sound needs all 24 bits, whatever the layers run in
            decoded = self.decoder.grains(coefficients.float().reshape(batch, grains, -1), noise)
            audio: Tensor = self.postprocessing(overlap_add(decoded))
        return audio

    @torch.no_grad()
    def start_from_pca(self, grains: Tensor) -> float:
        """Set the linear paths of encoder and decoder to a whitened PCA of windowed grains [N, L].

        Returns the share of the variance that the latent dimensions keep. Only for the spectral encoder with the
        log-magnitude decoder.
        """
        assert isinstance(self.encoder, SpectralEncoder)
        features = self.encoder.features(magnitude_spectrum(grains), self.encoder.profile(grains))
        center = features.mean(0)
        covariance = torch.cov((features - center).T.double())
        variances, directions = (part.flip(-1).float() for part in torch.linalg.eigh(covariance))
        size = min(self.config.grain.latent_size, len(variances), len(features) - 1)
        kept = variances[:size].clamp_min(1e-6)
        self.encoder.center.copy_(center)
        self.encoder.linear.weight.zero_()
        self.encoder.linear.bias.zero_()
        self.encoder.linear.weight[:size] = directions[:, :size].T / kept.sqrt()[:, None]
        self.decoder.linear.weight.zero_()
        self.decoder.linear.weight[:, :size] = directions[:, :size] * kept.sqrt()
        self.decoder.linear.bias.copy_(center)
        return float(kept.sum() / variances.clamp_min(0).sum())

    @torch.no_grad()
    def scale_paths(self, path: Tensor) -> None:
        """Set the scale of paths from examples [B, T, Z], and the weight of each latent dimension.

        The weight is the mean square change of the decoder's coefficients for a change of one standard deviation.
        """
        flat = path.flatten(0, 1)
        level2 = self.embedding
        level2.path_mean.copy_(flat.mean(0))
        level2.path_scale.copy_(flat.std(0).clamp_min(1e-3))
        some = flat[torch.linspace(0, len(flat) - 1, 64).long()]
        condition = flat.new_zeros(len(some), sum(self.sizes))
        base = self.decoder.coefficients(some, condition)
        for dimension in range(flat.shape[1]):
            moved = some.clone()
            moved[:, dimension] += 0.1 * level2.path_scale[dimension]
            change = (self.decoder.coefficients(moved, condition) - base) / 0.1
            level2.path_weight[dimension] = change.square().mean()
