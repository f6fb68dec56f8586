"""Grains in torch: the same laws as the runtime's, and a post-processing that starts as nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ngs.runtime.dsp import grains
from ngs.training.model.overlap_add import (
    PostProcessing,
    analysis_windows,
    event_windows,
    noise_grains,
    overlap_add,
    slice_grains,
    soft_sign,
)

LENGTHS = [1, 15, 16, 17, 64, 200]


def signals(samples: int, batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, samples, generator=torch.Generator().manual_seed(samples)) * 2 - 1


def test_windows_are_the_runtimes() -> None:
    windows = event_windows(64, 3).numpy()
    np.testing.assert_allclose(windows[0], grains.onset_window(64), atol=1e-6)
    np.testing.assert_allclose(windows[1:], np.stack([grains.hann(64)] * 2), atol=1e-6)


@pytest.mark.parametrize("samples", LENGTHS)
def test_slices_are_the_runtimes(samples: int) -> None:
    signal = signals(samples)
    sliced = slice_grains(signal, 64)
    windowed = sliced * analysis_windows(64, sliced.shape[1])
    for row in range(2):
        np.testing.assert_array_equal(sliced[row], grains.slice_grains(signal[row].numpy(), 64))
        np.testing.assert_allclose(windowed[row], grains.analysis_grains(signal[row].numpy(), 64), atol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 20])
def test_overlap_add_is_the_runtimes(count: int) -> None:
    generated = signals(count * 64).reshape(2, count, 64)
    whole = overlap_add(generated)
    assert whole.shape == (2, count * 16)
    for row in range(2):
        np.testing.assert_allclose(whole[row], grains.overlap_add(generated[row].numpy()), atol=1e-6)


@pytest.mark.parametrize("samples", LENGTHS)
def test_overlap_add_of_slices_is_the_signal(samples: int) -> None:
    signal = signals(samples)
    whole = overlap_add(slice_grains(signal, 64))
    torch.testing.assert_close(whole[:, :samples], signal, atol=1e-6, rtol=0)
    assert whole[:, samples:].abs().max() < 1e-6 if samples % 16 else whole.shape[1] == samples


def test_analysis_windows_all_have_the_energy_of_a_hann_window() -> None:
    energies = analysis_windows(256, 4).square().sum(1)
    torch.testing.assert_close(energies, torch.full((4,), 0.375 * 256))


def test_overlapping_grains_share_one_stream_of_noise() -> None:
    torch.manual_seed(0)
    noise = noise_grains(2, 5, 64)
    assert noise.shape == (2, 5, 64) and noise.abs().max() <= 1
    torch.testing.assert_close(noise[:, 1:, :48], noise[:, :-1, 16:], atol=0, rtol=0)
    assert not torch.equal(noise[0], noise[1])


def test_postprocessing_is_the_identity_at_first() -> None:
    signal = 0.79 * signals(304)
    torch.testing.assert_close(PostProcessing(17, 0.8)(signal), signal, atol=1e-6, rtol=0)


def drawn(knee: float = 0.8) -> PostProcessing:
    postprocessing = PostProcessing(9, knee)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        postprocessing.response.copy_(torch.randn(9, generator=generator))
    return postprocessing


def test_postprocessing_is_causal_and_keeps_an_impulse_in_its_place() -> None:
    impulse = torch.zeros(1, 64)
    impulse[0, 20] = 0.01
    with torch.no_grad():
        response = drawn()(impulse)[0]
    assert response[:20].abs().max() == 0 and response[29:].abs().max() == 0
    torch.testing.assert_close(response[20:29], 0.01 * drawn().response.detach())


def test_postprocessing_is_bounded() -> None:
    with torch.no_grad():
        assert drawn()(1000 * signals(200)).abs().max() < 1


def test_postprocessing_is_a_convolution() -> None:
    signal = signals(200)
    with torch.no_grad():
        found = drawn(0.9)(0.01 * signal)
    for row in range(2):
        expected = np.convolve(0.01 * signal[row].numpy(), drawn().response.detach().numpy())[:200]
        np.testing.assert_allclose(found[row], expected, atol=1e-7)


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("block", [8, 16, 64, 192])
def test_postprocessing_of_blocks_is_that_of_the_whole(block: int, given: bool) -> None:
    signal, postprocessing = signals(192, 1), drawn()
    padded = torch.nn.functional.pad(signal, (postprocessing.history, 0))
    matrix = postprocessing.matrix() if given else None
    with torch.no_grad():
        parts = [
            postprocessing.filter_block(padded[:, start : start + postprocessing.history + block], matrix)
            for start in range(0, 192, block)
        ]
        torch.testing.assert_close(torch.cat(parts, 1), postprocessing(signal))


@pytest.mark.parametrize("knee", [0.0, 0.5, 0.8])
def test_soft_sign_bends_without_a_corner(knee: float) -> None:
    x = torch.linspace(-4, 4, 8001, dtype=torch.float64, requires_grad=True)
    y = soft_sign(x, knee)
    (slope,) = torch.autograd.grad(y.sum(), x)
    y = y.detach()
    assert y.abs().max() < 1 and (y.diff() > 0).all()
    torch.testing.assert_close(y, -y.flip(0))
    inside = x.abs().detach() < knee
    torch.testing.assert_close(y[inside], x[inside].detach())
    away = x.detach().abs() > 1e-9  # at 0 autograd takes the sign's slope
    assert slope[away].diff().abs().max() < 0.02


def test_a_knee_of_0_is_the_papers_soft_sign() -> None:
    x = torch.linspace(-30, 30, 601)
    torch.testing.assert_close(soft_sign(x, 0.0), x / (1 + x.abs()))
