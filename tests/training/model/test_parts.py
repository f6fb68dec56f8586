"""The parts that a configuration names, and the weights that checkpoints know them by."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ngs.training import config as words
from ngs.training.config import load_preset, override
from ngs.training.model.heads import LogMagnitudeHead, SigmoidHead
from ngs.training.model.model import NeuralGranularModel
from ngs.training.model.parts import ENCODERS, EXCITATIONS, HEADS, make_decoder, make_encoder

KEYS = Path(__file__).with_name("checkpoint_keys")
SMALL = ["grain.hidden_size=16", "audio.grain_length=256", "grain.postprocessing_taps=17"]
MIXED = ["grain.excitation=noise", "grain_stage.spectral_share=0"]


def test_every_word_of_the_configuration_has_a_part() -> None:
    assert set(ENCODERS) == set(words.ENCODERS)
    assert set(HEADS) == set(words.DECODERS)
    assert set(EXCITATIONS) == set(words.EXCITATIONS)


def test_the_configuration_knows_which_parts_are_spectral() -> None:
    config = load_preset("fast")
    encoders = {word for word, make in ENCODERS.items() if make(config.audio, config.grain, 0, 0).spectral}
    assert encoders == words.SPECTRAL_ENCODERS
    assert {word for word, head in HEADS.items() if head.spectral} == words.SPECTRAL_DECODERS


@pytest.mark.parametrize(
    ("preset", "like"),
    [("fast", "fast"), ("fast-44k", "fast"), ("paper-16k", "paper-16k"), ("paper-22k", "paper-16k")],
)
def test_checkpoints_know_weights_by_these_names(preset: str, like: str) -> None:
    """A run that was trained before loads: the files hold names and shapes as first released, for 8 classes."""
    state = NeuralGranularModel(load_preset(preset), (8,)).state_dict()
    written = [line.partition(" ")[::2] for line in (KEYS / f"{like}.txt").read_text().splitlines()]
    assert list(state) == [name for name, _ in written]
    if preset == like:
        shapes = ["x".join(map(str, value.shape)) for value in state.values()]
        assert shapes == [shape for _, shape in written]


def test_only_the_locked_excitation_follows_a_profile() -> None:
    config = override(load_preset("fast"), SMALL)
    assert make_decoder(config.audio, config.grain, 0).points > 0
    noise = override(config, ["grain.excitation=noise"])
    assert make_decoder(noise.audio, noise.grain, 0).points == 0


@pytest.mark.parametrize("encoder", ["spectral", "convolution"])
@pytest.mark.parametrize("head", ["log_magnitude", "sigmoid"])
def test_any_encoder_goes_with_any_head(encoder: str, head: str) -> None:
    torch.manual_seed(0)
    config = override(load_preset("fast"), [*SMALL, *MIXED, f"grain.encoder={encoder}", f"grain.decoder={head}"])
    model = NeuralGranularModel(config, (2,)).eval()
    with torch.no_grad():
        audio = torch.rand(1, 640) - 0.5
        path, _ = model.encode(audio)
        coefficients = model.coefficients(path, torch.zeros(1, 2))
        assert model.play(coefficients).shape == audio.shape
        distance = model.spectral_distance(coefficients, audio)
    assert (distance is not None) == (encoder == "spectral" and head == "log_magnitude") == config.grain.spectral
    if distance is None:
        with pytest.raises(ValueError, match="Only encoders and decoders of spectra start from a PCA"):
            model.start_from_pca(torch.zeros(3, 256), torch.zeros(3, 1))


def test_heads_agree_on_what_a_magnitude_of_noise_is() -> None:
    """A filter of gain g makes noise of magnitude g times the noise's own, whichever head decodes it."""
    config = load_preset("fast")
    sigmoid, log_magnitude = SigmoidHead(config.audio, config.grain), LogMagnitudeHead(config.audio, config.grain)
    h = torch.linspace(-4, 4, 9)
    decoded = torch.log(config.grain.floor + torch.exp(sigmoid.log_magnitudes(h)))
    filters = [head.filter_gain * head.magnitudes(values) for head, values in ((sigmoid, h), (log_magnitude, decoded))]
    torch.testing.assert_close(filters[0], filters[1], rtol=1e-3, atol=1e-4)


def test_features_of_a_spectral_encoder_are_at_no_distance_from_themselves() -> None:
    config = override(load_preset("fast"), SMALL)
    encoder = make_encoder(config.audio, config.grain).spectral
    assert encoder is not None
    onset = torch.eye(3, 1)
    features = encoder.features(torch.rand(3, 256) - 0.5, onset)
    silence = encoder.features(torch.zeros(3, 256), onset)
    below = silence - 5 * (torch.arange(silence.shape[1]) < encoder.bins)
    assert encoder.distance(features, features, onset) == 0 and encoder.distance(below, silence, onset) == 0
    assert encoder.distance(features + 1, features, onset) > 0
    shapes = torch.arange(features.shape[1]) >= encoder.bins + encoder.points  # which only first grains have
    moved = features + 9 * shapes * (1 - onset)
    assert encoder.distance(moved, features, onset) == 0 < encoder.distance(moved, features, torch.ones(3, 1))
