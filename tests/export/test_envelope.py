"""Drawn sounds get the envelopes of real ones of their class, and stay as loud as they were."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ngs.export.encoding import EncodedExcerpts, encode_excerpts
from ngs.export.envelope import OF_A_CLASS, RANGE_DB, Envelopes
from ngs.export.loudness import loudness_windows
from ngs.runtime.bundle.levels import MOST_GAIN_DB
from ngs.training.config import load_preset, override
from ngs.training.model.model import NeuralGranularModel

GRAINS, HOP, CLASSES = 32, 64, 2
WINDOWS = loudness_windows(GRAINS, 4, 1.0)


def plateau(grains: int) -> Tensor:
    return torch.where(torch.arange(GRAINS) < grains, 0.0, -RANGE_DB)


def decay(db_a_grain: float) -> Tensor:
    return (-db_a_grain * torch.arange(GRAINS)).clamp_min(-RANGE_DB)


@pytest.fixture(scope="module")
def model() -> NeuralGranularModel:
    torch.manual_seed(0)
    sizes = ["audio.grain_length=256", f"audio.path_length={GRAINS}", "grain.latent_size=16", "grain.hidden_size=16"]
    made = NeuralGranularModel(override(load_preset("fast"), sizes), (CLASSES,)).eval()
    made.start_from_pca(torch.randn(100, 256) * torch.rand(100, 1), torch.eye(100, 1))
    return made


@pytest.fixture(scope="module")
def envelopes(model: NeuralGranularModel) -> Envelopes:
    """Of plateaus (class 0) and decays (class 1)."""
    known = torch.stack([*(plateau(each) for each in range(12, 28)), *(decay(each / 4) for each in range(8, 24))])
    labels = torch.arange(len(known))[:, None] // 16
    made = Envelopes(model, encode_excerpts(model, torch.zeros(len(known), GRAINS * HOP), labels))
    made.known = known
    return made


def gains(envelopes: Envelopes, decibels: Tensor, *chosen: int) -> Tensor:
    condition = torch.zeros(1, CLASSES)
    condition[:, list(chosen)] = 1.0
    return envelopes(10 ** (decibels[None] / 10), condition, WINDOWS)[0]


def test_a_sound_that_has_such_an_envelope_stays_as_it_is(envelopes: Envelopes) -> None:
    for own, chosen in ((plateau(20), 0), (decay(4.0), 1)):
        audible = own > -RANGE_DB
        assert gains(envelopes, own - 13.0, chosen)[audible].abs().max() < 0.5


def test_a_note_that_swells_becomes_a_plateau(envelopes: Envelopes) -> None:
    own = torch.where(torch.arange(GRAINS) < 20, -12.0 + 0.6 * torch.arange(GRAINS), -RANGE_DB)
    made = (own + gains(envelopes, own, 0))[:20]
    assert own[:20].max() - own[:20].min() > 11 and made.max() - made.min() < 1


def test_the_class_decides(envelopes: Envelopes) -> None:
    made = plateau(20) + gains(envelopes, plateau(20), 1)
    assert (made[:12].diff() < -1).all()
    free = gains(envelopes, plateau(20))
    torch.testing.assert_close(free, gains(envelopes, plateau(20), 0), atol=0.1, rtol=0)


@pytest.mark.parametrize("db_a_grain", [0.6, 2.5])  # the second one beyond the limits of gains
def test_the_loudest_window_stays_as_loud(envelopes: Envelopes, db_a_grain: float) -> None:
    own = torch.where(torch.arange(GRAINS) < 20, -50.0 + db_a_grain * torch.arange(GRAINS), -RANGE_DB)
    before, after = ((10 ** (each / 10) @ WINDOWS).max() for each in (own, own + gains(envelopes, own, 0)))
    torch.testing.assert_close(after, before, rtol=1e-3, atol=0)


def test_between_classes_the_gains_go_evenly(envelopes: Envelopes) -> None:
    shares = torch.linspace(0, 1, 11)
    condition = torch.stack((1 - shares, shares), 1)
    found = envelopes((10 ** (plateau(20) / 10)).expand(11, -1), condition, WINDOWS)
    torch.testing.assert_close(found[1:-1, :12], (found[:-2, :12] + found[2:, :12]) / 2, atol=0.5, rtol=0)
    faint = envelopes(10 ** (plateau(20)[None] / 10), torch.tensor([[0.0, 0.02]]), WINDOWS)[0]
    assert (faint - gains(envelopes, plateau(20))).abs().max() < 1.5


def test_silence_is_not_raised(envelopes: Envelopes) -> None:
    own = torch.where(torch.arange(GRAINS) == 8, -2 * RANGE_DB, plateau(20))
    assert gains(envelopes, own, 0)[8] <= 0.5
    silent = gains(envelopes, torch.full((GRAINS,), -200.0), 0)
    assert silent.isfinite().all()


def test_gains_have_limits_and_are_continuous(envelopes: Envelopes) -> None:
    torch.manual_seed(1)
    for _ in range(50):
        own = -50 * torch.rand(GRAINS)
        found = gains(envelopes, own, 0)
        assert found.abs().max() <= 2 * MOST_GAIN_DB
        assert (found - gains(envelopes, own + 1e-3 * torch.randn(GRAINS), 0)).abs().max() < 0.5


def test_large_classes_are_thinned_and_few_sounds_are_kept(model: NeuralGranularModel) -> None:
    count = OF_A_CLASS + 40
    labels = torch.tensor([0] * count + [1] * 3)
    paths = torch.randn(len(labels), GRAINS, 16)
    condition = torch.nn.functional.one_hot(labels, CLASSES).float()
    nothing = torch.zeros(len(labels), 1)
    made = Envelopes(model, EncodedExcerpts(nothing, labels[:, None], condition, paths, nothing, nothing))
    assert (made.strange == 0).sum(1).tolist() == [OF_A_CLASS, 3, OF_A_CLASS + 3]
    assert made.known.amax(1).abs().max() == 0 and made.known.min() >= -RANGE_DB
