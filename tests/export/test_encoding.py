"""Excerpts are encoded once, and everything that follows finds what the model would encode."""

from __future__ import annotations

import pytest
import torch

from ngs.export.encoding import audible, encode_excerpts
from ngs.runtime.dsp.grains import AUDIBLE
from ngs.training.config import load_preset, override
from ngs.training.model.model import NeuralGranularModel

SETTINGS = ["audio.grain_length=256", "audio.path_length=8", "grain.latent_size=8", "embedding.hidden_size=16"]
COUNT = 20


@pytest.fixture(scope="module")
def model() -> NeuralGranularModel:
    torch.manual_seed(0)
    return NeuralGranularModel(override(load_preset("fast"), SETTINGS), (3, 2)).eval()


@torch.no_grad()
def test_excerpts_hold_what_the_model_encodes(model: NeuralGranularModel) -> None:
    audio = torch.randn(COUNT, 8 * 64, generator=torch.Generator().manual_seed(1))
    labels = torch.stack((torch.arange(COUNT) % 3, torch.arange(COUNT) % 3 - 1), 1)
    excerpts = encode_excerpts(model, audio, labels)
    torch.testing.assert_close(excerpts.paths, model.encode(audio)[0])
    assert excerpts.condition[:2].tolist() == [[1, 0, 0, 0, 0], [0, 1, 0, 1, 0]]  # -1 chooses nothing
    mean, log_variance = model.embedding.encode(excerpts.paths, excerpts.condition)
    torch.testing.assert_close(excerpts.embedding_mean, mean)
    torch.testing.assert_close(excerpts.embedding_log_variance, log_variance)
    few = excerpts.every(7)
    assert len(few) == 3
    for name, values in vars(few).items():
        torch.testing.assert_close(values, vars(excerpts)[name][::7])


def test_if_all_is_faint_the_louder_half_is_audible() -> None:
    peaks = torch.tensor([0.0, 0.04, 0.06, 0.9])
    assert audible(peaks).tolist() == [False, False, True, True] and AUDIBLE == 0.05
    assert audible(peaks / 100).tolist() == [False, False, False, True]
