"""Levels of bands: what is mixed keeps its energy, what is whole stays as it is."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ngs.runtime.dsp.grains import LOWEST_HZ
from ngs.training.config import load_preset, override
from ngs.training.model.band_levels import BANDS, LIMIT, QUIET, SCALE, SILENT, bands_of_bins, gains
from ngs.training.model.decoders import GrainDecoder
from ngs.training.model.parts import make_decoder, make_encoder

CONFIG = override(load_preset("fast"), ["grain.hidden_size=16", "grain.latent_size=8"])
RATE_HZ, LENGTH = CONFIG.audio.sample_rate, CONFIG.audio.grain_length
BINS = LENGTH // 2 + 1


@pytest.fixture(scope="module")
def decoder() -> GrainDecoder:
    return make_decoder(CONFIG.audio, CONFIG.grain, 0).eval()


def sine(hz: float, level: float = 0.5) -> Tensor:
    return level * torch.sin(2 * math.pi * hz / RATE_HZ * torch.arange(LENGTH))[None] * torch.hann_window(LENGTH)


@torch.no_grad()
def features(grain: Tensor) -> Tensor:
    encoder = make_encoder(CONFIG.audio, CONFIG.grain).spectral
    assert encoder is not None
    return encoder.features(grain, torch.ones(1, 1))


def energy_db(magnitude: Tensor) -> float:
    return float(10 * magnitude.square().sum().log10())


@pytest.mark.parametrize(("rate", "length"), [(22050, 2048), (44100, 4096), (16000, 1024), (8000, 256), (384000, 64)])
def test_every_bin_that_is_heard_lies_in_one_band(rate: int, length: int) -> None:
    bands = bands_of_bins(length // 2 + 1, rate / length)
    heard = (torch.arange(length // 2 + 1) + 0.5) * rate / length > LOWEST_HZ
    heard[0] = False
    assert bands.shape == (length // 2 + 1, BANDS) and torch.equal(bands.sum(1), heard.float())
    assert (bands[heard].argmax(1).diff() >= 0).all()


def test_a_grain_with_its_own_levels_is_not_changed(decoder: GrainDecoder) -> None:
    own = features(sine(440.0) + 0.1 * torch.randn(1, LENGTH, generator=torch.Generator().manual_seed(0)))
    shape = decoder.head.magnitudes(own[:, :BINS])
    torch.testing.assert_close(decoder.magnitudes(own)[:, 2:], shape[:, 2:], rtol=0.02, atol=1e-3)
    torch.testing.assert_close(decoder.log_magnitudes(own)[:, 2:], own[:, 2:BINS], atol=0.02, rtol=0)


def test_two_tones_of_a_band_mixed_half_and_half_are_as_loud_as_either(decoder: GrainDecoder) -> None:
    """Their log spectra alone would give two peaks far below both."""
    first, second = features(sine(640.0)), features(sine(1100.0))
    mixed = (first + second) / 2
    wanted = energy_db(decoder.magnitudes(first))
    assert energy_db(decoder.head.magnitudes(mixed[:, :BINS])) < wanted - 15
    assert energy_db(decoder.magnitudes(mixed)) == pytest.approx(wanted, abs=1.0)


def test_levels_are_mixed_as_levels(decoder: GrainDecoder) -> None:
    loud, soft = features(sine(640.0, 0.9)), features(sine(1100.0, 0.009))
    ends = energy_db(decoder.magnitudes(loud)), energy_db(decoder.magnitudes(soft))
    assert energy_db(decoder.magnitudes((loud + soft) / 2)) == pytest.approx(sum(ends) / 2, abs=1.5)


def test_silence_stays_silent_whatever_the_levels(decoder: GrainDecoder) -> None:
    silence = features(torch.zeros(1, LENGTH))
    silence[:, BINS + decoder.points : BINS + decoder.points + BANDS] = 9 * SCALE
    assert not decoder.magnitudes(silence).any()


def test_gains_are_limited() -> None:
    bands = bands_of_bins(BINS, RATE_HZ / LENGTH)
    magnitude = torch.rand(3, BINS, generator=torch.Generator().manual_seed(0))
    found = gains(magnitude, torch.full((3, BANDS), 40.0), bands)
    torch.testing.assert_close(found, math.exp(LIMIT) * bands.sum(1).expand(3, -1))


@pytest.mark.parametrize("error", [-9.0, -0.3, 0.0, 0.3])
def test_levels_that_err_about_silence_are_silent(error: float) -> None:
    bands = bands_of_bins(BINS, RATE_HZ / LENGTH)
    faint = 0.01 * torch.rand(3, BINS, generator=torch.Generator().manual_seed(0))
    levels = torch.full((3, BANDS), math.log(QUIET) + error)
    assert not gains(faint, levels, bands).any()
    levels[:, 0] = math.log(4 * SILENT * QUIET)
    heard = gains(faint, levels, bands)
    assert (heard[:, bands[:, 1:].any(1)] > 0).all()  # faint bands of a grain that is heard are kept


def test_gradients_are_finite_where_bands_fall_silent(decoder: GrainDecoder) -> None:
    levels = torch.linspace(-60, 20, BANDS)[None].requires_grad_()
    bands = bands_of_bins(BINS, RATE_HZ / LENGTH)
    magnitude = torch.zeros(1, BINS, requires_grad=True)
    gains(magnitude, levels, bands).square().sum().backward()  # type: ignore[no-untyped-call]
    assert levels.grad is not None and levels.grad.isfinite().all()


def test_a_paper_decoder_has_no_levels() -> None:
    paper = load_preset("paper-16k")
    assert make_decoder(paper.audio, paper.grain, 0).levels == 0
