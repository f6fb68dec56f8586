"""The two-level model as it starts: a PCA that already plays at the right level."""

from __future__ import annotations

import copy
import math
from dataclasses import replace

import pytest
import torch

from ngs.training.config import load_preset, override
from ngs.training.model.band_levels import SCALE
from ngs.training.model.embedding import FAINTEST
from ngs.training.model.energy_profile import PROFILE_SCALE, energy_profile
from ngs.training.model.model import EARLY_SECONDS, NeuralGranularModel, one_hot, time_weights

FREQUENCIES_HZ = (100.0, 440.0, 1000.0, 3500.0)
SMALL = ["grain.hidden_size=16", "embedding.hidden_size=16"]  # what starts at zero anyway
GRAINS = 1200


def level_db(signal: torch.Tensor) -> float:
    return 10 * math.log10(signal.square().mean().item() + 1e-24)


@pytest.fixture(scope="module")
def model() -> NeuralGranularModel:
    """The fast preset after its PCA of sines, noises and silences at many levels."""
    config = override(load_preset("fast"), SMALL)
    model = NeuralGranularModel(config, (2,)).eval()
    torch.manual_seed(6)
    length, half = config.audio.grain_length, GRAINS // 2
    cycles = torch.tensor(FREQUENCIES_HZ).repeat(half // 4)[:, None] * torch.arange(length) / config.audio.sample_rate
    sines = torch.sin(2 * math.pi * (cycles + torch.rand(half, 1))) * 10 ** (-2 * torch.rand(half, 1))
    noises = 0.3 * torch.randn(half, length) * 10 ** (-3 * torch.rand(half, 1))
    noises[::10] = 0
    grains = torch.cat((sines, noises)) * torch.hann_window(length)
    kept = model.start_from_pca(grains, torch.zeros(len(grains), 1))
    assert 0.95 < kept <= 1
    return model


@torch.no_grad()
def passed(model: NeuralGranularModel, signal: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(1)
    path, _ = model.encode(signal[None])
    return model.decode(path, torch.zeros(1, 2))[0]


@torch.no_grad()
def test_band_levels_alone_are_those_of_the_coefficients(model: NeuralGranularModel) -> None:
    model = copy.deepcopy(model)
    torch.nn.init.normal_(model.decoder.output.weight)
    torch.nn.init.normal_(model.decoder.output.bias)
    path, condition = torch.randn(2, 3, model.config.grain.latent_size), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    decoder, coefficients = model.decoder, model.coefficients(path, condition)
    levels = coefficients[..., decoder.bins + decoder.points :][..., : decoder.levels] / SCALE
    torch.testing.assert_close(model.band_levels(path, condition), levels, atol=1e-5, rtol=1e-5)


def sine(model: NeuralGranularModel, hz: float) -> torch.Tensor:
    audio = model.config.audio
    return 0.3 * torch.sin(2 * math.pi * hz * torch.arange(128 * audio.hop_length) / audio.sample_rate)


@pytest.mark.parametrize("hz", FREQUENCIES_HZ)
def test_a_sine_keeps_its_level_and_its_place(model: NeuralGranularModel, hz: float) -> None:
    signal = sine(model, hz)
    played = passed(model, signal)
    assert level_db(played[4096:]) == pytest.approx(level_db(signal[4096:]), abs=1.5)
    peak = torch.fft.rfft(played[4096:] * torch.hann_window(len(played) - 4096)).abs().argmax().item()
    found_hz = peak * model.config.audio.sample_rate / (len(played) - 4096)
    assert found_hz == pytest.approx(hz, abs=1)


@pytest.mark.parametrize("amplitude", [0.2, 0.02])
def test_stationary_noise_keeps_its_level(model: NeuralGranularModel, amplitude: float) -> None:
    generator = torch.Generator().manual_seed(2)
    signal = amplitude * torch.randn(128 * model.config.audio.hop_length, generator=generator)
    # few dimensions decode the mean logarithm of noise, 2.5 dB below its mean power, which a gain makes up in part
    assert level_db(passed(model, signal)[4096:]) == pytest.approx(level_db(signal[4096:]) - 1, abs=2.5)


def test_silence_stays_silent(model: NeuralGranularModel) -> None:
    silence = passed(model, torch.zeros(64 * model.config.audio.hop_length))
    assert level_db(silence) < -80 and silence.abs().max() < 1e-4


def test_nothing_plays_dc(model: NeuralGranularModel) -> None:
    constant = passed(model, torch.full((128 * model.config.audio.hop_length,), 0.3))
    for played in (constant, passed(model, sine(model, 440.0))):
        assert abs(played.mean().item()) < 1e-3


def test_a_pca_keeps_everything_it_has_room_for(model: NeuralGranularModel) -> None:
    config = override(load_preset("fast"), [*SMALL, "audio.grain_length=256"])
    whole = NeuralGranularModel(config, (2,)).eval()
    generator = torch.Generator().manual_seed(3)
    grains = torch.randn(400, 256, generator=generator) * torch.rand(400, 1, generator=generator)
    later = torch.zeros(400, 1)
    kept = whole.start_from_pca(grains, later)
    assert kept == pytest.approx(1.0, abs=1e-3)  # 129 bins and a profile in 256 dimensions
    with torch.no_grad():
        latent, _ = whole.encoder(grains, later)
        decoded = whole.decoder.coefficients(latent, torch.zeros(400, 2))
    expected = torch.log(config.grain.floor + torch.fft.rfft(grains).abs())
    torch.testing.assert_close(decoded[:, :129], expected, atol=0.02, rtol=0)
    profile = energy_profile(grains, whole.decoder.points)
    points = whole.decoder.points
    torch.testing.assert_close(decoded[:, 129 : 129 + points] / PROFILE_SCALE, profile, atol=0.02, rtol=0)
    used = latent[:, : 129 + points]
    torch.testing.assert_close(used.var(0), torch.ones(used.shape[1]), atol=0.02, rtol=0)  # whitened
    assert used.mean(0).abs().max() < 0.01


def test_faint_components_are_not_whitened_so_that_rounding_is_not_magnified() -> None:
    """Clean tones lie in few components; what rounding adds to the silent bins beside them is in all the others."""
    config = override(load_preset("fast"), SMALL)
    whole = NeuralGranularModel(config, (2,)).eval()
    length = config.audio.grain_length
    time = torch.arange(length) / length
    hertz, level = torch.linspace(4, 60, 300)[:, None], torch.linspace(0.1, 0.9, 300)[:, None]
    grains = level * torch.sin(2 * torch.pi * hertz * time) * torch.hann_window(length)
    onset = torch.zeros(len(grains), 1)
    whole.start_from_pca(grains, onset)
    with torch.no_grad():
        latent, _ = whole.encoder(grains, onset)
        exact, _ = copy.deepcopy(whole.encoder).double()(grains.double(), onset.double())
    spread = latent.std(0)
    assert spread[0] == pytest.approx(1, abs=0.01) and spread.min() < 0.1
    assert (latent - exact).abs().max() < 0.02


def test_few_grains_are_enough_for_a_start() -> None:
    model = NeuralGranularModel(override(load_preset("fast"), SMALL), (2,)).eval()
    grains = torch.randn(5, 2048, generator=torch.Generator().manual_seed(0))
    assert 0 < model.start_from_pca(grains, torch.eye(5, 1)) <= 1.001
    assert torch.isfinite(passed(model, sine(model, 440.0))).all()


@pytest.mark.parametrize("samples", [1, 511, 512, 5000])
def test_a_path_has_a_grain_for_every_hop(model: NeuralGranularModel, samples: int) -> None:
    signal = torch.rand(samples) - 0.5
    with torch.no_grad():
        path, log_variance = model.encode(signal[None])
    assert path.shape == log_variance.shape == (1, -(-samples // 512), 256)
    assert passed(model, signal).shape == (-(-samples // 512) * 512,)


@torch.no_grad()
def test_paths_are_seen_in_uncorrelated_units_of_what_is_heard(model: NeuralGranularModel) -> None:
    generator = torch.Generator().manual_seed(4)
    path = 3 * torch.randn(40, 64, 256, generator=generator) + 1
    model.start_embedding(path, torch.ones(40))
    level2 = model.embedding
    flat = path.flatten(0, 1)
    torch.testing.assert_close(level2.path_mean, flat.mean(0))
    seen = (flat - flat.mean(0)) @ level2.path_map
    torch.testing.assert_close(torch.cov(seen.T), torch.diag(level2.path_scale.square()), atol=0.01, rtol=0.01)
    assert (level2.path_scale.diff() <= 1e-3).all()  # the strongest first
    size = len(level2.path_scale)
    torch.testing.assert_close(level2.path_unmap @ level2.path_map, torch.eye(size), atol=1e-2, rtol=0)
    assert level2.time_weight.mean().item() == pytest.approx(1, abs=1e-4) and (level2.time_weight > 0).all()


def test_early_grains_count_more_by_the_time_that_they_come() -> None:
    audio = override(load_preset("fast"), SMALL).audio
    weights, hop_seconds = time_weights(audio), audio.hop_length / audio.sample_rate
    assert weights.shape == (audio.path_length,) and float(weights.mean()) == pytest.approx(1)
    assert (weights.diff() < 0).all()
    at = round(EARLY_SECONDS / hop_seconds)
    assert float(weights[0] / weights[at]) == pytest.approx(2, abs=0.1)
    doubled = time_weights(replace(audio, sample_rate=2 * audio.sample_rate, grain_length=2 * audio.grain_length))
    torch.testing.assert_close(doubled, weights)


def test_all_octaves_of_late_time_count_the_same() -> None:
    weights = time_weights(override(load_preset("fast"), [*SMALL, "audio.path_length=4096"]).audio)
    octaves = [float(weights[start : 2 * start].sum()) for start in (256, 512, 1024, 2048)]
    assert octaves == pytest.approx([octaves[-1]] * 4, rel=0.05)


@torch.no_grad()
def test_errors_of_paths_count_by_time_where_all_grains_are_as_loud(model: NeuralGranularModel) -> None:
    model, audio = copy.deepcopy(model), model.config.audio
    still = torch.randn(40, 1, 256, generator=torch.Generator().manual_seed(5)).expand(-1, audio.path_length, -1)
    model.start_embedding(still, torch.ones(40))
    expected = (time_weights(audio) + FAINTEST) / (1 + FAINTEST)
    torch.testing.assert_close(model.embedding.time_weight, expected, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("preset", ["fast", "paper-16k"])
def test_no_time_counts_less_than_nothing(preset: str) -> None:
    torch.manual_seed(0)
    channels = ["grain.channels=4"] if preset == "paper-16k" else []
    settings = ["grain.hidden_size=16", "embedding.hidden_size=16", "audio.path_length=8", *channels]
    model = NeuralGranularModel(override(load_preset(preset), settings), (2,)).eval()
    size = model.config.grain.latent_size
    model.start_embedding(torch.randn(12, 8, size), torch.ones(12))
    assert (model.embedding.time_weight > 0).all()
    path = torch.randn(2, 8, size)
    assert model.embedding.path_error(path, path + 1) > 0


def test_one_hot_leaves_unknown_labels_open() -> None:
    condition = one_hot(torch.tensor([[0, 1], [2, -1], [-1, -1]]), (3, 2))
    expected = [[1, 0, 0, 0, 1], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]
    torch.testing.assert_close(condition, torch.tensor(expected, dtype=torch.float32))
