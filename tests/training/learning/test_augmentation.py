"""What augmentation does to magnitude spectra."""

from __future__ import annotations

import math

import pytest
import torch

from ngs.training.config import DataConfig
from ngs.training.learning.augmentation import augment_magnitudes

NOTHING = DataConfig(gain_db=0.0, pitch_semitones=0.0, low_pass_share=0.0)


def spectra(rows: int = 50, bins: int = 129) -> torch.Tensor:
    return torch.rand(rows, bins, generator=torch.Generator().manual_seed(0)) + 0.1


def augment(magnitudes: torch.Tensor, data: DataConfig, seed: int = 0) -> torch.Tensor:
    torch.manual_seed(seed)
    return augment_magnitudes(magnitudes, data)


def test_no_augmentation_changes_nothing() -> None:
    torch.testing.assert_close(augment(spectra(), NOTHING), spectra(), atol=1e-3, rtol=1e-2)


def test_gain_is_one_number_a_row_and_only_quieter() -> None:
    data = DataConfig(gain_db=12.0, pitch_semitones=0.0, low_pass_share=0.0)
    decibels = 20 * torch.log10(augment(spectra(), data) / spectra())[:, :-1]
    assert decibels.max() < 0.01 and decibels.min() > -12.01
    assert (decibels - decibels[:, :1]).abs().max() < 0.01
    assert decibels[:, 0].std() > 2


@pytest.mark.parametrize("semitones", [0.5, 12.0])
def test_pitch_moves_a_peak_by_at_most_that_much(semitones: float) -> None:
    bins = torch.arange(1025)
    peak = torch.exp(-0.5 * ((bins - 400) / 6.0) ** 2).repeat(200, 1)
    data = DataConfig(gain_db=0.0, pitch_semitones=semitones, low_pass_share=0.0)
    moved = 12 * torch.log2(augment(peak, data).argmax(1) / 400)
    assert moved.abs().max() <= semitones + 12 * math.log2(401 / 400) + 1e-6
    assert moved.min() < -semitones / 2 and moved.max() > semitones / 2


def test_a_band_limit_takes_highs_from_some_rows_only() -> None:
    data = DataConfig(gain_db=0.0, pitch_semitones=0.0, low_pass_share=0.5)
    rows = augment(spectra(400), data) / spectra(400)
    limited = rows[:, -2] < 0.9
    assert 0.35 < limited.float().mean() < 0.65
    assert rows.max() < 1.01
    assert (rows[:, :12] > 0.99).all()  # a tenth of the bandwidth always stays
    assert (rows[limited, -2] < rows[limited, 12] + 1e-6).all()


def test_the_seed_decides_and_silence_stays_silent() -> None:
    data = DataConfig()
    assert torch.equal(augment(spectra(), data, 3), augment(spectra(), data, 3))
    assert not torch.equal(augment(spectra(), data, 3), augment(spectra(), data, 4))
    silence = augment(torch.zeros(20, 129), data)
    assert (silence >= 0).all() and silence.max() < 2e-5
