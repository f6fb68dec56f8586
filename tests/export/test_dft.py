"""The DFT as matrix products is the DFT."""

from __future__ import annotations

import pytest
import torch

from ngs.export.dft import RealDFT

LENGTHS = [2**power for power in range(6, 13)]


def signals(length: int) -> torch.Tensor:
    return torch.rand(3, length, generator=torch.Generator().manual_seed(length)) * 2 - 1


@pytest.mark.parametrize("length", LENGTHS)
def test_forward_is_the_dft_in_the_order_of_its_bins(length: int) -> None:
    dft = RealDFT(length)
    real, imaginary = dft(signals(length))
    expected = torch.fft.rfft(signals(length))
    assert sorted(set(dft.bins.tolist())) == list(range(length // 2 + 1))
    assert sorted(dft.bins[dft.is_first].tolist()) == list(range(length // 2 + 1))
    order = dft.bins.reshape(dft.k_size, dft.q_size)
    # of a bin that comes twice one is the conjugate
    conjugate = torch.arange(dft.k_size)[:, None] + dft.p_size * torch.arange(dft.q_size) > length // 2
    for row in range(3):
        there = expected[row, order]
        torch.testing.assert_close(real[:, row], there.real, atol=2e-4, rtol=0)
        sign = torch.where(conjugate, -1.0, 1.0)
        torch.testing.assert_close(imaginary[:, row], sign * there.imag, atol=2e-4, rtol=0)


@pytest.mark.parametrize("length", LENGTHS)
def test_inverse_undoes_forward(length: int) -> None:
    dft = RealDFT(length)
    torch.testing.assert_close(dft.inverse(*dft(signals(length))), signals(length), atol=2e-6, rtol=0)


@pytest.mark.parametrize("length", LENGTHS)
def test_magnitudes_between_the_two_are_a_filter(length: int) -> None:
    dft = RealDFT(length)
    response = torch.rand(length // 2 + 1, generator=torch.Generator().manual_seed(1))
    ordered = response[dft.bins].reshape(dft.k_size, 1, dft.q_size)
    real, imaginary = dft(signals(length))
    filtered = dft.inverse(real * ordered, imaginary * ordered)
    expected = torch.fft.irfft(torch.fft.rfft(signals(length)) * response, n=length)
    torch.testing.assert_close(filtered, expected, atol=2e-6, rtol=0)
