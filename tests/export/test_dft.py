"""The DFT as matrix products is the DFT."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ngs.export.dft import RealDFT

LENGTHS = [2**power for power in range(6, 13)]


def signals(length: int) -> torch.Tensor:
    return torch.rand(3, length, generator=torch.Generator().manual_seed(length)) * 2 - 1


def in_order(dft: RealDFT, spectra: torch.Tensor) -> torch.Tensor:
    """Full spectra [B, L], of any signals, in the order of `dft`: [K, B, Q]."""
    rows, columns = torch.arange(dft.k_size)[:, None], torch.arange(dft.q_size)
    mirrored = torch.where(columns < dft.q_size // 2, columns, 3 * dft.q_size // 2 - 1 - columns)
    return spectra[:, rows + dft.p_size * mirrored].transpose(0, 1)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("center", [0, 1, "half"])
def test_forward_is_the_dft_in_the_order_of_its_bins(length: int, center: int | str) -> None:
    middle = length // 2 if center == "half" else int(center)
    dft = RealDFT(length, middle)
    real, imaginary = dft(signals(length))
    expected = in_order(dft, torch.from_numpy(np.fft.fft(np.roll(signals(length).double(), -middle, -1))))
    torch.testing.assert_close(real.double(), expected.real, atol=2e-4, rtol=0)
    torch.testing.assert_close(imaginary.double(), expected.imag, atol=2e-4, rtol=0)


@pytest.mark.parametrize("length", LENGTHS)
def test_every_bin_is_marked_first_once(length: int) -> None:
    dft = RealDFT(length)
    assert sorted(set(dft.bins.tolist())) == list(range(length // 2 + 1))
    assert sorted(dft.bins[dft.is_first].tolist()) == list(range(length // 2 + 1))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("odd", [False, True])
def test_values_of_bins_are_brought_to_that_order(length: int, odd: bool) -> None:
    """As spectra of real signals have them: magnitudes are even, phases odd."""
    dft, half = RealDFT(length), np.fft.rfft(signals(length).double())
    values = torch.from_numpy(half.imag if odd else half.real)
    full = torch.from_numpy(np.fft.fft(signals(length).double()))
    expected = in_order(dft, full.imag if odd else full.real)
    torch.testing.assert_close(dft.ordered(values, odd), expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("length", LENGTHS)
def test_even_values_are_ordered_like_the_bins(length: int) -> None:
    dft = RealDFT(length)
    values = torch.rand(3, length // 2 + 1, generator=torch.Generator().manual_seed(2))
    expected = values[:, dft.bins].reshape(3, dft.k_size, dft.q_size).transpose(0, 1)
    torch.testing.assert_close(dft.ordered(values), expected, atol=0, rtol=0)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(("center", "gain"), [(0, 1.0), (0, 0.5), (7, 1.0), (32, 3.0)])
def test_the_inverse_undoes_forward_except_for_its_gain(length: int, center: int, gain: float) -> None:
    dft = RealDFT(length, center, gain)
    torch.testing.assert_close(dft.inverse(*dft(signals(length))), gain * signals(length), atol=1e-5, rtol=0)


@pytest.mark.parametrize("length", LENGTHS)
def test_magnitudes_between_both_transforms_are_a_filter(length: int) -> None:
    dft = RealDFT(length)
    response = torch.rand(3, length // 2 + 1, generator=torch.Generator().manual_seed(1))
    real, imaginary = dft(signals(length))
    filtered = dft.inverse(real * dft.ordered(response), imaginary * dft.ordered(response))
    expected = np.fft.irfft(np.fft.rfft(signals(length)) * response.numpy(), n=length)
    torch.testing.assert_close(filtered, torch.from_numpy(expected).float(), atol=2e-6, rtol=0)


@pytest.mark.parametrize("length", LENGTHS)
def test_phases_are_relative_to_the_center(length: int) -> None:
    """A tone of phase 0.3 is a cosine of that phase at the center."""
    dft = RealDFT(length, length // 2)
    magnitude = torch.zeros(1, length // 2 + 1)
    magnitude[0, 5] = length / 2
    phase = torch.full((1, length // 2 + 1), 0.3)
    ordered, turned = dft.ordered(magnitude), dft.ordered(phase, odd=True)
    tone = dft.inverse(ordered * turned.cos(), ordered * turned.sin())
    around = 2 * np.pi * 5 * (torch.arange(length) - length // 2) / length
    torch.testing.assert_close(tone[0], torch.cos(around + 0.3), atol=1e-5, rtol=0)


@pytest.mark.parametrize("length", LENGTHS)
def test_odd_values_come_back_in_the_order_of_bins(length: int) -> None:
    dft = RealDFT(length)
    values = torch.rand(3, length // 2 + 1, generator=torch.Generator().manual_seed(3))
    values[:, [0, -1]] = 0.0  # as odd values are
    torch.testing.assert_close(dft.of_bins(dft.ordered(values, odd=True)), values, atol=0, rtol=0)
