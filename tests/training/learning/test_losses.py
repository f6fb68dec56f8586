"""Distances and divergences against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence as divergence

from ngs.training.config import LossConfig
from ngs.training.learning.losses import (
    BAND_WEIGHT,
    BROAD_WEIGHT,
    CONVERGENCE_WEIGHT,
    SINGLE_BANDS_SHARE,
    _PowerSpectrum,
    envelope_distance,
    kl_divergence,
    level_distance,
    log_spectral_distance,
    multi_scale_distance,
    power_stft,
    sample_normal,
)

LINEAR, BOTH = LossConfig((256,), log_frequency=0.0), LossConfig((64, 256))


def noise(seed: int, rows: int = 2) -> torch.Tensor:
    return torch.randn(rows, 4096, generator=torch.Generator().manual_seed(seed))


def test_divergence_is_that_of_normals() -> None:
    mean, log_variance = noise(0)[:, :12].reshape(2, 3, 4), noise(1)[:, :12].reshape(2, 3, 4)
    expected = divergence(Normal(mean, (0.5 * log_variance).exp()), Normal(0.0, 1.0)).sum(-1).mean()
    torch.testing.assert_close(kl_divergence(mean, log_variance), expected)
    assert kl_divergence(torch.zeros(2, 4), torch.zeros(2, 4)) == 0


def test_samples_have_mean_and_variance_and_a_gradient() -> None:
    torch.manual_seed(0)
    mean = torch.full((40000,), 3.0, requires_grad=True)
    log_variance = torch.full((40000,), math.log(0.25), requires_grad=True)
    drawn = sample_normal(mean, log_variance)
    assert drawn.mean().item() == pytest.approx(3.0, abs=0.02)
    assert drawn.std().item() == pytest.approx(0.5, abs=0.02)
    drawn.square().sum().backward()  # type: ignore[no-untyped-call]
    assert mean.grad is not None and log_variance.grad is not None and log_variance.grad.abs().sum() > 0


def test_a_sine_has_the_power_of_its_window_in_its_bin() -> None:
    t = torch.arange(4096)
    power = power_stft(0.5 * torch.sin(2 * math.pi * 16 / 256 * t)[None], 256)
    assert power.shape == (1, 4096 // 64 + 1, 129)
    inner = power[0, 4:-4]
    assert (inner.argmax(1) == 16).all()
    torch.testing.assert_close(inner[:, 16], torch.full((len(inner),), (0.5 * 256 / 4) ** 2), rtol=1e-3, atol=0)


@pytest.mark.parametrize("window_length", [16, 256, 2048])
@pytest.mark.parametrize("samples", [1, 63, 1000, 4096])
def test_power_and_its_gradient_are_those_of_torch(window_length: int, samples: int) -> None:
    x = noise(0)[:, :samples].double().requires_grad_()
    window = torch.hann_window(window_length).double()  # as precise as the one in use
    spectrum = torch.stft(x, window_length, window_length // 4, window=window, pad_mode="constant", return_complex=True)
    expected, found = spectrum.abs().square().transpose(1, 2), power_stft(x, window_length)
    assert found.shape == (2, samples // (window_length // 4) + 1, window_length // 2 + 1)
    torch.testing.assert_close(found, expected)
    gradients = [torch.autograd.grad((power + 1).log().sum(), x)[0] for power in (found, expected)]
    torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize("length", [2, 4, 16])
def test_the_gradient_of_power_is_its_derivative(length: int) -> None:
    frames = noise(2)[:, : 3 * length].double().reshape(2, 3, length).requires_grad_()
    assert torch.autograd.gradcheck(_PowerSpectrum.apply, (frames,))  # type: ignore[no-untyped-call]


def test_log_spectral_distance_of_a_gain_is_that_gain() -> None:
    x = 100 * noise(0)
    assert log_spectral_distance(x, x, 256).abs().max() == 0
    distance = log_spectral_distance(x, 2 * x, 256)
    torch.testing.assert_close(distance, torch.full((2,), math.log(4)), rtol=1e-3, atol=0)


@pytest.mark.parametrize("loss", [LINEAR, BOTH])
def test_multi_scale_distance_is_one(loss: LossConfig) -> None:
    x, y = noise(0), noise(1)
    assert multi_scale_distance(x, x, loss) == 0
    torch.testing.assert_close(multi_scale_distance(x, y, loss), multi_scale_distance(y, x, loss))
    assert multi_scale_distance(x, y, loss) > multi_scale_distance(x, 0.9 * x + 0.1 * y, loss) > 0
    # any gain of loud sounds moves all logarithms alike, on either axis
    assert multi_scale_distance(100 * x, 200 * x, loss).item() == pytest.approx(math.log(4), rel=1e-3)


def test_multi_scale_distance_of_one_window_is_its_definition() -> None:
    x, y = noise(0), noise(1)
    expected = (torch.log(5e-3 + power_stft(x, 256)) - torch.log(5e-3 + power_stft(y, 256))).abs().mean()
    torch.testing.assert_close(multi_scale_distance(x, y, LINEAR), expected)


@pytest.mark.parametrize("loss", [LINEAR, BOTH])
def test_silence_has_a_finite_distance_and_gradient(loss: LossConfig) -> None:
    x = torch.zeros(1, 1024, requires_grad=True)
    distance = multi_scale_distance(x, noise(0, 1)[:, :1024], loss)
    distance.backward()  # type: ignore[no-untyped-call]
    assert torch.isfinite(distance) and x.grad is not None and torch.isfinite(x.grad).all()


def spectra(seed: int, level: float = 3.0) -> torch.Tensor:
    """Log magnitudes of 2 sounds of 5 grains at 22050 Hz, all well audible at the level of 3."""
    return level + 0.3 * torch.randn(2, 5, 513, generator=torch.Generator().manual_seed(seed))


def levels(decoded: torch.Tensor, target: torch.Tensor, loud: int = 3) -> float:
    return float(level_distance(decoded, target, 22050, loud))


def test_equal_levels_are_at_no_distance_and_changed_ones_cost_by_their_logarithm() -> None:
    target, octave = spectra(0), math.log(2)
    assert levels(target, target) == 0
    logarithms = octave * (2 + 2 * BAND_WEIGHT + 2 * BROAD_WEIGHT)
    assert levels(target - octave, target) == pytest.approx(logarithms + 0.5 * CONVERGENCE_WEIGHT, rel=1e-2)
    assert levels(target + octave, target) == pytest.approx(logarithms + CONVERGENCE_WEIGHT, rel=1e-2)


def test_energy_that_bands_lose_costs_more_than_as_much_that_moves_within_them() -> None:
    target, up_and_down = spectra(0), 0.2 * (-1.0) ** torch.arange(513)
    assert levels(target - 0.2, target) > 1.3 * levels(target + up_and_down, target)


def test_what_is_not_heard_costs_next_to_nothing() -> None:
    silent = 1.0 * (torch.arange(5) > 0)[:, None]  # all but the first grain
    target = spectra(0) - 12 * silent
    assert levels(target - silent, target) < 0.01 * levels(spectra(0) - silent, spectra(0))


def test_magnitudes_themselves_count_in_the_loud_grains_only() -> None:
    target = spectra(0)
    quieter = {grain: target - 0.5 * (torch.arange(5) == grain)[:, None] for grain in (0, 3)}
    assert levels(quieter[3], target, 3) == pytest.approx(levels(quieter[3], target, 1))
    assert levels(quieter[3], target, 4) > levels(quieter[3], target, 3)


@pytest.mark.parametrize("level", [-50.0, 90.0])
def test_levels_of_a_model_that_knows_nothing_have_a_gradient(level: float) -> None:
    decoded = spectra(1, level).requires_grad_()
    distance = level_distance(decoded, spectra(0), 22050, 3)
    distance.backward()  # type: ignore[no-untyped-call]
    assert decoded.grad is not None and torch.isfinite(decoded.grad).all()
    assert torch.isfinite(distance) and levels(spectra(1, 90.0), spectra(0)) == levels(spectra(2, 90.0), spectra(0))


def envelope() -> tuple[torch.Tensor, torch.Tensor]:
    """Log levels of two bands over six grains of three sounds, and loudness: the third grain is silent."""
    return torch.linspace(0, 1, 36).reshape(3, 6, 2), 1.0 * (torch.arange(6) != 2).expand(3, -1)


def test_envelopes_are_compared_by_their_levels_and_by_how_these_change() -> None:
    target, loudness = envelope()
    assert envelope_distance(target, target, loudness) == 0
    louder = envelope_distance(target + 0.3, target, loudness)
    assert float(louder) == pytest.approx(0.3 * (1 + SINGLE_BANDS_SHARE), rel=1e-5)
    flutter = 0.3 * (-1.0) ** torch.arange(6)[:, None]
    assert envelope_distance(target + flutter, target, loudness) > 2 * louder


def test_the_envelope_counts_where_a_sound_is_loud_and_above_silence() -> None:
    target, loudness = envelope()
    wrong = {grain: target + 0.3 * (torch.arange(6) == grain)[:, None] for grain in (2, 4)}
    assert envelope_distance(wrong[2], target, loudness) < 0.8 * envelope_distance(wrong[4], target, loudness)
    silence = torch.full_like(target, -9.0)
    assert envelope_distance(silence - 5, silence, loudness) == 0


@pytest.mark.parametrize("level", [-40.0, 40.0])
def test_envelopes_of_a_model_that_knows_nothing_have_a_gradient(level: float) -> None:
    target, loudness = envelope()
    decoded = torch.full_like(target, level).requires_grad_()
    envelope_distance(decoded, target, loudness).backward()  # type: ignore[no-untyped-call]
    assert decoded.grad is not None and torch.isfinite(decoded.grad).all()
    assert (decoded.grad.abs().sum((0, 1)) > 0).all()
