"""Style: grains of other sounds are replaced by grains of the corpus, and stay as loud as they were."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from ngs.export.encoding import EncodedExcerpts, encode_excerpts
from ngs.export.envelope import Envelopes
from ngs.export.graphs import bundle_graphs
from ngs.export.loudness import LoudnessFit
from ngs.export.onnx_export import export_graph
from ngs.export.style import LOUDEST, MOST_GRAINS, Style
from ngs.runtime.bundle.session import make_session
from ngs.runtime.bundle.specs import Attribute
from ngs.training.config import load_preset, override
from ngs.training.model.energy_profile import PROFILE_SCALE
from ngs.training.model.model import NeuralGranularModel

RATE_HZ, LENGTH, HOP, GRAINS = 16000, 1024, 256, 16
KEYS = (57, 60, 64, 69)
ATTRIBUTES = (Attribute("class", ("low", "high")), Attribute("pitch", tuple(map(str, KEYS))))


def tone(key: float, brightness: float, level: float = 0.3) -> Tensor:
    """A harmonic tone; its partials fade with their number, the less the brighter it is."""
    hz = 440 * 2 ** ((key - 69) / 12)
    numbers = torch.arange(1, int(RATE_HZ / 2 / hz))[:, None]
    partials = torch.sin(2 * torch.pi * hz * numbers * torch.arange(GRAINS * HOP) / RATE_HZ + numbers)
    sound = (numbers ** (brightness - 2.0) * partials).sum(0)
    return level * sound / sound.abs().max()


@pytest.fixture(scope="module")
def model() -> NeuralGranularModel:
    shared = ["audio.sample_rate=16000", "audio.grain_length=1024", "audio.path_length=16", "grain.latent_size=48"]
    made = NeuralGranularModel(override(load_preset("fast"), [*shared, "grain.hidden_size=16"]), (2, 4)).eval()
    grains = made.windowed(sounds()[0]).flatten(0, 1)
    made.start_from_pca(grains, torch.eye(GRAINS, 1).repeat(len(grains) // GRAINS, 1))
    return made


def sounds() -> tuple[Tensor, Tensor]:
    """Dull and bright tones of four pitches, [8 * 6, n], and their classes and pitches."""
    every = [(c, p, n) for c in range(2) for p in range(4) for n in range(6)]
    audio = torch.stack([tone(KEYS[p], 0.2 + 1.2 * c + 0.05 * n, 0.1 + 0.1 * n) for c, p, n in every])
    return audio, torch.tensor([(c, p) for c, p, _ in every])


@pytest.fixture(scope="module")
def excerpts(model: NeuralGranularModel) -> EncodedExcerpts:
    return encode_excerpts(model, *sounds())


@pytest.fixture(scope="module")
def style(model: NeuralGranularModel, excerpts: EncodedExcerpts) -> Style:
    return Style(model, excerpts, ATTRIBUTES)


@torch.no_grad()
def brought(style: Style, latent: Tensor, amount: float, *chosen: int) -> tuple[Tensor, Tensor, Tensor]:
    condition = torch.zeros(len(latent), 6)
    condition[:, list(chosen)] = 1.0
    moved, level, motion = style(latent, condition, torch.full((len(latent), 1), amount), style.decoder)
    return moved, level, motion


@torch.no_grad()
def latents(model: NeuralGranularModel, sound: Tensor) -> Tensor:
    return model.encode(sound[None])[0][0, 2:-4]


@torch.no_grad()
def magnitudes(style: Style, latent: Tensor) -> Tensor:
    return style.decoder.magnitudes(style.decoder.coefficients(latent, torch.zeros(len(latent), 6)))


@torch.no_grad()
def bright_share(style: Style, latent: Tensor) -> Tensor:
    """The share of the energy above 2 kHz."""
    energy = magnitudes(style, latent).square()
    return energy[:, 128:].sum(1) / energy.sum(1)


def test_amount_0_changes_nothing(model: NeuralGranularModel, style: Style) -> None:
    given = latents(model, tone(62, 0.7))
    moved, level, motion = brought(style, given, 0.0, 1)
    assert torch.equal(moved, given) and not motion.any()
    torch.testing.assert_close(level, torch.ones_like(level))


def test_a_class_is_heard(model: NeuralGranularModel, style: Style) -> None:
    given = latents(model, tone(60, 0.8))
    dull, bright = (bright_share(style, brought(style, given, 1.0, chosen)[0]).mean() for chosen in (0, 1))
    assert 2 * dull < bright_share(style, given).mean() < bright / 1.5


def test_more_is_nearer_to_the_class(model: NeuralGranularModel, style: Style) -> None:
    given = latents(model, tone(60, 0.2))
    shares = [bright_share(style, brought(style, given, amount, 1)[0]).mean() for amount in (0, 0.25, 0.5, 0.75, 1)]
    assert shares == sorted(shares)


@pytest.mark.parametrize("chosen", [(), (0,), (1,)])
@pytest.mark.parametrize("key", [57, 60, 69])
def test_the_pitch_stays_in_every_class(
    model: NeuralGranularModel, style: Style, key: int, chosen: tuple[int, ...]
) -> None:
    """The mix is most like the tone of the class that has this pitch."""
    moved = brought(style, latents(model, tone(key, 0.9)), 1.0, *chosen)[0]
    label = chosen[0] if chosen else 1
    known = torch.stack([magnitudes(style, latents(model, tone(k, 0.3 + 1.2 * label))).mean(0) for k in KEYS])
    near = torch.nn.functional.cosine_similarity(known[:, None], magnitudes(style, moved), dim=2).argmax(0)
    assert (near == KEYS.index(key)).float().mean() > 0.9


def test_a_class_of_another_attribute_counts_too(model: NeuralGranularModel, style: Style) -> None:
    moved = brought(style, latents(model, tone(57, 0.3)), 1.0, 0, 2 + KEYS.index(69))[0]
    wanted = magnitudes(style, latents(model, tone(69, 0.3))).mean(0)
    assert torch.nn.functional.cosine_similarity(magnitudes(style, moved), wanted[None]).min() > 0.9


@pytest.mark.parametrize("level", [0.01, 0.03, 0.9])
def test_what_is_moved_is_as_loud_as_before(model: NeuralGranularModel, style: Style, level: float) -> None:
    given = latents(model, tone(63, 0.7, level))
    moved, factor, _ = brought(style, given, 1.0, 1)
    before, after = (each.square() @ style.weights for each in (magnitudes(style, given), magnitudes(style, moved)))
    assert (10 * torch.log10(after * factor.square() / before)).abs().max() < 2.0


def test_energy_moves_within_a_grain_as_it_did(model: NeuralGranularModel, style: Style) -> None:
    """The click lies in the same part of its grains, whatever grains take their place."""
    click = torch.zeros(GRAINS * HOP)
    click[8 * HOP : 8 * HOP + 20] = 0.8
    given, condition = latents(model, click)[3:7], torch.zeros(4, 6)
    moved, _, motion = brought(style, given, 1.0)
    before, after = (style.decoder.coefficients(each, condition, style.decoder.profile_rows) for each in (given, moved))
    assert (after - before).abs().max() > 1.0
    torch.testing.assert_close(after + PROFILE_SCALE * motion, before, atol=1e-4, rtol=1e-4)


def test_silence_stays_silent(model: NeuralGranularModel, style: Style) -> None:
    moved, level, _ = brought(style, latents(model, torch.zeros(GRAINS * HOP)), 1.0)
    assert moved.isfinite().all() and not level.any()


def test_silence_stays_silent_in_the_exported_graph(
    model: NeuralGranularModel, style: Style, excerpts: EncodedExcerpts
) -> None:  # fmt: skip
    """The exporter leaves out of a sum what it takes for 0."""
    fit, envelopes = LoudnessFit(1.0, torch.zeros(3)), Envelopes(model, excerpts)
    graph = bundle_graphs(model, style, fit, envelopes)["style"]
    session = make_session(export_graph(graph), "cpu", 1, "style")
    given = latents(model, torch.zeros(GRAINS * HOP)).numpy()
    inputs = {"latent": given, "condition": np.zeros((len(given), 6), np.float32)}
    moved, level, *_ = session.run(None, {**inputs, "amount": np.ones((len(given), 1), np.float32)})
    assert np.isfinite(moved).all() and not level.any()


def test_levels_are_limited(model: NeuralGranularModel, excerpts: EncodedExcerpts) -> None:
    faint = encode_excerpts(model, 1e-3 * excerpts.audio, excerpts.labels)
    level = brought(Style(model, faint, ATTRIBUTES), latents(model, tone(60, 0.5, 0.9)), 1.0)[1]
    assert level.max() <= LOUDEST


def test_a_choice_that_no_grain_has_is_met_as_far_as_it_can_be(
    model: NeuralGranularModel, excerpts: EncodedExcerpts
) -> None:
    labels = excerpts.labels.clone()
    labels[:, 1] = torch.where(labels[:, 0] == 0, -1, labels[:, 1])  # the pitches of dull sounds are not known
    style = Style(model, EncodedExcerpts(**{**vars(excerpts), "labels": labels}), ATTRIBUTES)
    given = latents(model, tone(60, 1.2))
    both, alone = (brought(style, given, 1.0, *chosen)[0] for chosen in ((0, 2), (0,)))
    assert both.isfinite().all()
    mixed = bright_share(style, both)
    assert (mixed >= bright_share(style, alone) - 1e-3).all()  # of bright ones that have the pitch, or dull ones


@pytest.mark.parametrize("count", [1, 2])
def test_a_corpus_of_few_sounds(model: NeuralGranularModel, excerpts: EncodedExcerpts, count: int) -> None:
    few = EncodedExcerpts(*(values[:count] for values in vars(excerpts).values()))
    found = brought(Style(model, few, ATTRIBUTES), latents(model, tone(64, 1.5)), 1.0, 1)
    assert all(each.isfinite().all() for each in found)


def test_a_large_corpus_is_sampled_evenly(model: NeuralGranularModel, excerpts: EncodedExcerpts) -> None:
    rows = torch.cat((torch.arange(24).repeat(20), torch.arange(24, 48).repeat(2)))  # ten times as many dull ones
    many = EncodedExcerpts(*(values[rows] for values in vars(excerpts).values()))
    style = Style(model, many, ATTRIBUTES)
    assert len(style.latents) <= MOST_GRAINS
    dull = float((style.columns[0] == 0).float().mean())
    assert 0.4 < dull < 0.7
