"""The first grain has its attack, its bands over time, and its level."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ngs.export.dft import RealDFT
from ngs.training.model.onset import BANDS, FFT, FRAMES, RISE, SHAPE_SIZE, ShortFrames, first_grain
from ngs.training.model.overlap_add import analysis_windows

LENGTH, RATE_HZ = 2048, 22050
FRAMES_OF_ALL = ShortFrames(LENGTH)
WINDOW = analysis_windows(LENGTH, 1)[0]
TIME = torch.arange(LENGTH) / RATE_HZ


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def white(rows: int, seed: int, length: int = LENGTH) -> Tensor:
    return 2 * torch.rand(rows, length, generator=generator(seed)) - 1


def exact(sound: Tensor) -> tuple[Tensor, Tensor]:
    """Magnitudes and onset shapes of the first grains of sounds [B, L]."""
    length = sound.shape[1]
    windowed = sound * analysis_windows(length, 1)[0]
    return torch.fft.rfft(windowed).abs(), ShortFrames(length).log_shares(windowed)


def made(sound: Tensor, seed: int = 1) -> Tensor:
    """The first grain with the magnitudes and the shape of a sound [L]."""
    magnitude, shape = exact(sound[None])
    return first_grain(magnitude, shape, white(1, seed), FFT(), FRAMES_OF_ALL)[0][0]


def kick() -> Tensor:
    return 0.5 * torch.exp(-TIME / 0.03) * torch.sin(2 * math.pi * 60 * TIME + 4 * torch.exp(-TIME / 0.01))


def burst(start: int) -> Tensor:
    decay = torch.exp(-torch.arange(LENGTH - start) / 200)
    return torch.cat((torch.zeros(start), 0.3 * white(1, 2)[0, start:] * decay))


@pytest.mark.parametrize("length", [64, 256, LENGTH])
def test_grains_are_the_same_by_matrix_products(length: int) -> None:
    magnitude, shape = exact(white(3, 3, length) * torch.exp(-torch.arange(length) / length * 5))
    noise, frames = white(3, 4, length), ShortFrames(length)
    found = first_grain(magnitude, shape, noise, RealDFT(length, length // 2), frames)
    wanted = first_grain(magnitude, shape, noise, FFT(), frames)
    torch.testing.assert_close(found[0], wanted[0], atol=1e-4, rtol=1e-3)
    apart = found[1] - wanted[1]
    assert (apart - apart.round()).abs().max() < 1e-3


def test_a_struck_body_is_found_again_whatever_the_noise() -> None:
    sound = kick()
    for seed in (1, 2):
        grain = made(sound, seed)[: LENGTH // 2]
        likeness = cosine(grain, sound[: LENGTH // 2])
        assert likeness > 0.8


def cosine(a: Tensor, b: Tensor) -> float:
    return float((a @ b).abs() / (a.norm() * b.norm()))


@pytest.mark.parametrize("start", [0, 300, 700])
def test_an_attack_comes_in_time(start: int) -> None:
    sound, grain = burst(start), made(burst(start))
    before = max(start - LENGTH // FRAMES, 0)
    energies = grain[:before].square().sum(), grain[: LENGTH // 2].square().sum()
    assert energies[0] < 0.02 * energies[1]
    level_db = 10 * torch.log10(energies[1] / sound[: LENGTH // 2].square().sum())
    assert abs(level_db.item()) < 2


def test_bands_have_their_own_time_course() -> None:
    """Lows that rise under highs that decay."""
    low = torch.sin(2 * math.pi * 700 * TIME) * (TIME / TIME[-1])
    sound = low + 0.3 * white(1, 5)[0] * torch.exp(-TIME / 0.005)
    grain = made(sound)
    high = [part.diff().diff().square().reshape(8, -1).sum(1) for part in (grain[: 8 * 128 + 2], sound[: 8 * 128 + 2])]
    assert (10 * torch.log10(high[0][:2] / high[1][:2])).abs().max() < 3
    shares = [FRAMES_OF_ALL.log_shares((part * WINDOW)[None]).reshape(FRAMES, BANDS)[:16, 1] for part in (grain, sound)]
    assert (shares[0] - shares[1]).abs().mean() < 0.7


def test_grains_are_brought_to_shares_and_keep_their_energy() -> None:
    grain = white(2, 6) * WINDOW
    wanted = FRAMES_OF_ALL.log_shares(white(2, 7) * WINDOW * torch.exp(-TIME / 0.02))
    shaped = FRAMES_OF_ALL.shaped(grain, wanted)
    assert (FRAMES_OF_ALL.log_shares(shaped) - wanted).abs().mean() < 0.5
    torch.testing.assert_close(shaped.square().sum(1), grain.square().sum(1), rtol=0.15, atol=0)
    same = FRAMES_OF_ALL.shaped(grain, FRAMES_OF_ALL.log_shares(grain))
    torch.testing.assert_close(same[:, : -LENGTH // FRAMES], grain[:, : -LENGTH // FRAMES], atol=2e-3, rtol=0)


def test_it_rises_from_zero_and_silence_is_silent() -> None:
    grain = made(0.5 * white(1, 9)[0])
    assert grain[0] == 0 and grain[: LENGTH // RISE // 4].abs().max() < 0.3 * grain.abs().max()
    nothing, shape = torch.zeros(2, LENGTH // 2 + 1), torch.full((2, SHAPE_SIZE), 9.0)
    for scale in (1, -1):
        grain, phase = first_grain(nothing, scale * shape, white(2, 10), FFT(), FRAMES_OF_ALL)
        assert not grain.any() and phase.isfinite().all()
