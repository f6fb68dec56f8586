"""What each phase learns from, how it is prepared, and one line if it cannot go on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from ngs.corpus.cache import Corpus
from ngs.training.config import Config
from ngs.training.learning.batches import GRAINS_A_SEQUENCE, EmbeddingBatches, PathBatches
from ngs.training.learning.phase import Phase
from ngs.training.learning.phases import OPEN, POSTERIOR, SOME_GRAINS, UNCONDITIONAL, PriorPhase, _at
from ngs.training.learning.plan import plan
from ngs.training.learning.trainer import start_grains, train_phase
from ngs.training.model.model import NeuralGranularModel, time_weights
from ngs.training.run_folder import RunError


@pytest.fixture
def phases(tiny_config: Config) -> dict[str, Phase]:
    """One of each, with batches of 3."""
    torch.manual_seed(0)
    stage = replace(tiny_config.grain_stage, spectral_share=0.5)
    config = replace(tiny_config, grain_stage=stage, joint_stage=replace(tiny_config.joint_stage, steps=1))
    model = NeuralGranularModel(config, (8,))
    return {planned.phase.name: planned.phase(model, replace(planned.stage, batch_size=3)) for planned in plan(config)}


def drawn(phase: Phase, corpus: Corpus) -> dict[str, tuple[int, ...]]:
    batch = phase.batches(corpus, np.arange(len(corpus.names)), rank=0)[0]
    return {name: tuple(values.shape) for name, values in batch.items()}


def test_every_phase_draws_what_it_learns_from(phases: dict[str, Phase], corpus: Corpus, tiny_config: Config) -> None:
    audio, latent = tiny_config.audio, tiny_config.grain.latent_size
    grains, signals = 3 * GRAINS_A_SEQUENCE, {"audio": (3, audio.path_length * audio.hop_length), "label": (3, 1)}
    single = {"grain": (grains, audio.grain_length), "onset": (grains,), "label": (grains, 1)}
    assert drawn(phases["spectra"], corpus) == single
    assert drawn(phases["grains"], corpus) == drawn(phases["joint"], corpus) == signals
    path, loudness = (3, audio.path_length, latent), (3, audio.path_length)
    assert drawn(phases["embedding"], corpus) == {"path": path, "loudness": loudness, "label": (3, 1)}
    embedding = (3, tiny_config.embedding.embedding_size)
    assert drawn(phases["prior"], corpus) == {"mean": embedding, "log_variance": embedding, "label": (3, 1)}


def test_paths_are_drawn_only_while_the_grains_are_frozen(phases: dict[str, Phase], corpus: Corpus) -> None:
    """So the pool of a phase is that of the next, if both draw paths."""
    for phase in phases.values():
        batches = phase.batches(corpus, np.arange(4), rank=0)
        assert isinstance(batches, PathBatches) == (phase.model.encoder not in phase.trained())


def test_sounds_are_made_quieter_only_where_grains_are_learned(phases: dict[str, Phase], corpus: Corpus) -> None:
    names, some = ("grains", "embedding", "joint"), np.arange(4)
    gains = {name: phases[name].batches(corpus, some, rank=0).config.data.gain_db for name in names}
    assert gains == {"grains": 12.0, "embedding": 0.0, "joint": 0.0}


def test_grains_start_from_a_pca_and_paths_in_audible_units(phases: dict[str, Phase], corpus: Corpus) -> None:
    model, everything = phases["embedding"].model, np.arange(len(corpus.names))
    assert model.spectral is not None and not model.spectral.center.any()
    start_grains(model, corpus, everything)
    assert model.spectral.center.any()
    batches = phases["embedding"].batches(corpus, everything, rank=0)
    before = model.embedding.path_map.clone()
    phases["embedding"].prepare(batches)
    assert not torch.equal(model.embedding.path_map, before)


def test_the_prior_starts_from_the_embeddings_of_the_corpus(phases: dict[str, Phase], corpus: Corpus) -> None:
    phase, prior, everything = phases["prior"], phases["prior"].model.embedding.prior, np.arange(len(corpus.names))
    start_grains(phase.model, corpus, everything)
    phases["embedding"].prepare(phases["embedding"].batches(corpus, everything, rank=0))
    batches = phase.batches(corpus, everything, rank=0)
    phase.prepare(batches)
    mean, log_variance = batches.embeddings(0)
    assert prior.center.any() and prior.effect.any()
    assert float((prior.scale.square() / (mean.var(0) + log_variance.exp().mean(0))).max()) < 1.5
    assert phase.trained() == [prior]


def test_early_grains_are_compared_more_often(
    phases: dict[str, Phase], tiny_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of sounds that are as loud throughout; half of the grains are drawn by what they count."""
    phase, grains, drawn = phases["embedding"], tiny_config.audio.path_length, list[torch.Tensor]()

    def kept(path: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        drawn.append(places[:, :SOME_GRAINS])
        return _at(path, places)

    monkeypatch.setattr("ngs.training.learning.phases._at", kept)
    path, label = torch.randn(2000, grains, tiny_config.grain.latent_size), torch.zeros(2000, 1, dtype=torch.long)
    phase.losses({"path": path, "loudness": torch.ones(2000, grains), "label": label})
    counted = torch.bincount(drawn[0].flatten(), minlength=grains) / drawn[0].numel()
    expected = (time_weights(tiny_config.audio) + 0.1) / (1.1 * grains)
    torch.testing.assert_close(counted, expected, atol=0.01, rtol=0)
    assert float(expected[0] - expected[-1]) > 0.04


@pytest.fixture
def prior_phase(tiny_config: Config) -> PriorPhase:
    """That of sounds with two attributes, of 3 and 2 classes."""
    torch.manual_seed(0)
    return PriorPhase(NeuralGranularModel(tiny_config, (3, 2)), tiny_config.prior_stage)


def test_the_prior_learns_embeddings_closer_to_their_means_than_posteriors_are(
    phases: dict[str, Phase], corpus: Corpus, tiny_config: Config, prior_phase: PriorPhase,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Both where it starts and where it learns: all means are 0 here, so their spread is all there is."""
    spread, embedding = torch.tensor([1.0, 2.0, 5.0, 10.0]), tiny_config.embedding.embedding_size
    still = torch.zeros(tiny_config.audio.path_length, tiny_config.grain.latent_size)

    def embed(paths: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(len(paths), embedding), 2 * spread.log().expand(len(paths), -1)

    phase, everything = phases["prior"], np.arange(len(corpus.names))
    batches = EmbeddingBatches(
        corpus, everything, phase.config, 4, 0, lambda audio: still.expand(len(audio), -1, -1), embed
    )
    phase.prepare(batches)
    torch.testing.assert_close(phase.model.embedding.prior.scale, POSTERIOR * spread)
    learned, prior = list[torch.Tensor](), prior_phase.model.embedding.prior
    remainder = prior.remainder

    def kept(embedding: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        learned.append(embedding)
        return remainder(embedding, condition)

    monkeypatch.setattr(prior, "remainder", kept)
    mean, log_variance = embed(torch.zeros(10000, 1), torch.zeros(10000))
    prior_phase.losses({"mean": mean, "log_variance": log_variance, "label": torch.zeros(10000, 2, dtype=torch.long)})
    torch.testing.assert_close(learned[0].std(0), POSTERIOR * spread, atol=0, rtol=0.03)


def test_the_prior_learns_a_share_of_embeddings_under_no_condition(
    prior_phase: PriorPhase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All attributes of these are hidden; of the others, a few are, each by itself."""
    seen, prior = list[torch.Tensor](), prior_phase.model.embedding.prior
    remainder, velocity = prior.remainder, prior.velocity

    def told_first(embedding: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        seen.append(condition)
        return remainder(embedding, condition)

    def told_then(place: torch.Tensor, time: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        seen.append(condition)
        return velocity(place, time, condition)

    monkeypatch.setattr(prior, "remainder", told_first)
    monkeypatch.setattr(prior, "velocity", told_then)
    embedding = torch.zeros(20000, prior_phase.config.embedding.embedding_size)
    labels = torch.tensor([[2, 1]]).expand(len(embedding), 2)
    prior_phase.losses({"mean": embedding, "log_variance": embedding, "label": labels})
    assert torch.equal(*seen)
    known = seen[0][:, [2, 4]]
    assert set(known.unique().tolist()) == {0.0, 1.0} and float(seen[0].sum()) == float(known.sum())
    none, one = ((known.sum(1) == attributes).float().mean() for attributes in (0, 1))
    assert float(none) == pytest.approx(UNCONDITIONAL + (1 - UNCONDITIONAL) * OPEN**2, abs=0.01)
    assert float(one) == pytest.approx((1 - UNCONDITIONAL) * 2 * OPEN * (1 - OPEN), abs=0.01)


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("spectra", "grain_stage"),
        ("grains", "grain_stage"),
        ("embedding", "embedding_stage"),
        ("joint", "joint_stage"),
        ("prior", "prior_stage"),
    ],
)
def test_full_memory_names_the_setting_to_lower(phases: dict[str, Phase], name: str, setting: str) -> None:
    def fit(*arguments: Any, **named: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory\nand more")

    trainer: Any = SimpleNamespace(fit=fit)
    with pytest.raises(RunError, match=rf"with a lower --set {setting}.batch_size=") as caught:
        train_phase(trainer, phases[name], None, Path("none"))
    assert "\n" not in str(caught.value)
