"""Batches are pure functions of (seed, rank, step), whoever draws them."""

from __future__ import annotations

import weakref
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from torch import nn

from ngs.corpus.cache import Corpus
from ngs.training.config import Config
from ngs.training.learning.batches import (
    COPIES,
    GRAINS_A_SEQUENCE,
    REFRESH,
    Batch,
    EmbeddingBatches,
    GrainBatches,
    PathBatches,
    SequenceBatches,
    first_signals,
    grain_loudness,
    loader,
)

KINDS = [GrainBatches, SequenceBatches]
Kind = type[GrainBatches] | type[SequenceBatches]


def everything(corpus: Corpus) -> np.ndarray:
    return np.arange(len(corpus.names))


def same(a: Batch, b: Batch) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_is_decided_by_seed_rank_and_step(kind: Kind, corpus: Corpus, tiny_config: Config) -> None:
    batches = kind(corpus, everything(corpus), tiny_config, 4, rank=0)
    other_rank = kind(corpus, everything(corpus), tiny_config, 4, rank=1)
    other_seed = kind(corpus, everything(corpus), replace(tiny_config, seed=70000), 4, rank=0)
    first = batches[7]
    assert same(first, kind(corpus, everything(corpus), tiny_config, 4, rank=0)[7])
    assert same(first, batches[7])
    for other in (batches[8], other_rank[7], other_seed[7]):
        assert not same(first, other)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_a_loader_starts_at_a_step_whoever_works(kind: Kind, workers: int, corpus: Corpus, tiny_config: Config) -> None:
    batches = kind(corpus, everything(corpus), tiny_config, 4, rank=0)
    drawn = list(islice(loader(batches, 5, workers), 4))
    assert all(same(batch, batches[5 + place]) for place, batch in enumerate(drawn))


def encode(audio: torch.Tensor) -> torch.Tensor:
    """Paths of 8 grains of 16 dimensions."""
    return audio.reshape(len(audio), 8, -1)[..., :16]


def with_room(config: Config, paths: float) -> Config:
    """With memory for so many paths of 8 x 16 numbers."""
    return replace(config, embedding=replace(config.embedding, pool_mb=paths * 512 / 2**20))


@pytest.mark.parametrize("room", [1000, 70, 10])
def test_paths_are_decided_by_seed_rank_and_step(room: int, corpus: Corpus, tiny_config: Config) -> None:
    config = with_room(tiny_config, room)

    def batches(rank: int = 0, config: Config = config) -> PathBatches:
        return PathBatches(corpus, everything(corpus), config, 4, rank, encode)

    at_once, used = batches(), batches()
    for step in (0, 1, REFRESH - 1, REFRESH, 3 * REFRESH, 1):
        batch = used[step]
        assert batch["path"].shape == (4, 8, 16) and batch["label"].shape == (4, 1)
        assert same(batch, batches()[step]) and same(batch, at_once[step])
        assert not same(batch, used[step + 1]) and not same(batch, batches(rank=1)[step])
    assert not same(batches()[7], batches(config=replace(config, seed=5))[7])
    assert all(same(a, used[5 + n]) for n, a in enumerate(islice(loader(used, 5, 2), 3)))


@pytest.mark.parametrize(("room", "copies", "renewed"), [(1000, 4, False), (70, 2, False), (10, 0, True)])
def test_a_pool_holds_what_the_memory_allows(
    room: int, copies: int, renewed: bool, corpus: Corpus, tiny_config: Config
) -> None:
    batches = PathBatches(corpus, everything(corpus), with_room(tiny_config, room), 4, 0, encode)
    pool = batches.pool(0)
    sizes = {len(values) for values in (pool.paths, pool.loudness, pool.sounds, pool.weights)}
    assert sizes == {copies * 32 or room} and pool.weights.sum() == pytest.approx(1)
    _, counts = np.unique(pool.sounds, return_counts=True)
    assert set(counts) == {copies or 1}
    assert renewed == (not np.array_equal(batches.pool(REFRESH).sounds, pool.sounds))


def embed(paths: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings of 4 dimensions that know the path and the class."""
    return paths.mean(1)[:, :4] + labels, paths.std(1)[:, :4]


@pytest.mark.parametrize("room", [1000, 10])
def test_embeddings_are_those_of_the_paths_of_that_step(room: int, corpus: Corpus, tiny_config: Config) -> None:
    """Whichever step comes first, as after a resume, and also when the pool is drawn anew on the way."""
    config, sounds = with_room(tiny_config, room), everything(corpus)

    def batches(rank: int = 0) -> EmbeddingBatches:
        return EmbeddingBatches(corpus, sounds, config, 4, rank, encode, embed)

    paths, used = PathBatches(corpus, sounds, config, 4, 0, encode), batches()
    for step in (0, 1, REFRESH - 1, REFRESH, 3 * REFRESH, 1):
        batch, path = used[step], paths[step]
        mean, log_variance = embed(path["path"], path["label"])
        assert same(batch, {"mean": mean, "log_variance": log_variance, "label": path["label"]})
        assert same(batch, batches()[step]) and not same(batch, batches(rank=1)[step])
    resumed = batches()
    resumed.fill(REFRESH + 5)
    assert all(same(a, used[REFRESH + 5 + n]) for n, a in enumerate(islice(loader(resumed, REFRESH + 5, 2), 3)))


@pytest.mark.parametrize("room", [1000, 70, 10])
def test_a_phase_goes_on_with_the_pool_of_the_one_before(room: int, corpus: Corpus, tiny_config: Config) -> None:
    config, sounds, encoded = with_room(tiny_config, room), everything(corpus), list[int]()

    def count(audio: torch.Tensor) -> torch.Tensor:
        encoded.append(len(audio))
        return encode(audio)

    before = PathBatches(corpus, sounds, config, 4, 0, count)
    after, fresh = (EmbeddingBatches(corpus, sounds, config, 8, 0, each, embed) for each in (count, encode))
    pool = before.pool(3)
    encoded.clear()
    after.take_pool(before)
    after.fill(0)
    assert after.pool(0) is pool and same(after[0], fresh[0])
    assert room == 10 or not encoded  # else the next part is drawn meanwhile
    before.fill(0)
    assert before.pool(0) is not pool  # it did not keep what it gave away
    before.fill(REFRESH)
    encoded.clear()
    after.take_pool(before)
    assert same(after[0], fresh[0]) and bool(encoded) == (room == 10)  # where the last pool is not the first


def test_a_pool_of_another_kind_is_not_taken(corpus: Corpus, tiny_config: Config) -> None:
    config, sounds = with_room(tiny_config, 10), everything(corpus)
    louder = replace(config, data=replace(config.data, gain_db=1.0))
    after = PathBatches(corpus, sounds, config, 12, 0, encode)  # whose pool has room for a batch
    after.take_pool(SequenceBatches(corpus, sounds, config, 12, 0))
    for before in (
        PathBatches(corpus, sounds, config, 4, 0, encode),
        PathBatches(corpus, sounds, louder, 12, 0, encode),
    ):
        pool = before.pool(0)
        after.take_pool(before)
        assert after.pool(0) is not pool


def test_no_phase_keeps_its_pool_once_the_next_has_begun(corpus: Corpus, tiny_config: Config) -> None:
    """Even if something keeps its batches: whether the next takes the pool, draws from another, or needs none."""
    config, sounds = with_room(tiny_config, 1000), everything(corpus)

    def embeddings(config: Config = config) -> EmbeddingBatches:
        return EmbeddingBatches(corpus, sounds, config, 4, 0, encode, embed)

    nexts = [embeddings(), embeddings(with_room(config, 70)), SequenceBatches(corpus, sounds, config, 4, 0)]
    for taken, after in zip((True, False, False), nexts, strict=True):
        before = embeddings()
        batch, loaded = before[0], loader(before, 0, 0)
        held = [weakref.ref(before.pool(0).paths), weakref.ref(before.embeddings(0)[0])]
        after.take_pool(before)
        assert [each() is not None for each in held] == [taken, False]
        after.release()
        assert held[0]() is None
        assert same(next(iter(loaded)), batch)  # which computes it anew


def test_loudness_is_the_rms_of_grains_with_silence_behind_the_last() -> None:
    signals = torch.randn(3, 8 * 64, generator=torch.Generator().manual_seed(0)) * torch.linspace(1, 0, 512)
    grains = nn.functional.pad(signals, (0, 3 * 64)).unfold(1, 4 * 64, 64)
    torch.testing.assert_close(grain_loudness(signals, 8), grains.square().mean(-1).sqrt())
    torch.testing.assert_close(grain_loudness(-3 * signals, 8), 3 * grain_loudness(signals, 8))
    assert not grain_loudness(torch.zeros(1, 512), 8).any()


def test_a_pool_knows_how_loud_the_grains_of_its_paths_are(corpus: Corpus, tiny_config: Config) -> None:
    encoded = list[torch.Tensor]()

    def keep(audio: torch.Tensor) -> torch.Tensor:
        encoded.append(audio)
        return encode(audio)

    batches = PathBatches(corpus, everything(corpus), tiny_config, 4, 0, keep)
    batch, places = batches[3], batches.chosen(3)
    assert torch.equal(batch["loudness"], grain_loudness(torch.cat(encoded)[places], 8))


def test_grains_come_as_they_are_and_onsets_start_their_sound(corpus: Corpus, tiny_config: Config) -> None:
    sounds = everything(corpus)
    batch = GrainBatches(corpus, sounds, tiny_config, 40, rank=0)[0]
    number, length = 40 * GRAINS_A_SEQUENCE, tiny_config.audio.grain_length
    assert batch["grain"].shape == (number, length) and batch["grain"].dtype == torch.float32
    assert batch["label"].shape == (number, 1)
    assert 0.06 < batch["onset"].float().mean() < 0.18
    starts = {corpus.read(int(sound), 0, length).tobytes(): int(corpus.labels[sound, 0]) for sound in sounds}
    for grain, onset, label in zip(batch["grain"], batch["onset"], batch["label"], strict=True):
        if onset:
            assert starts[grain.numpy().tobytes()] == label.item()


def test_sequences_are_as_long_as_a_path_and_never_louder(corpus: Corpus, tiny_config: Config) -> None:
    batch = SequenceBatches(corpus, everything(corpus), tiny_config, 16, rank=0)[0]
    assert batch["audio"].shape == (16, tiny_config.audio.path_length * tiny_config.audio.hop_length)
    assert batch["audio"].dtype == torch.float32 and torch.isfinite(batch["audio"]).all()
    assert 0.01 < batch["audio"].abs().max() < 1.1  # the pitch shift may overshoot the peak of 0.9


def test_sequences_without_augmentation_are_slices_up_to_their_polarity(corpus: Corpus, tiny_config: Config) -> None:
    plain = replace(tiny_config, data=replace(tiny_config.data, gain_db=0.0, pitch_semitones=0.0))
    only = np.array([3])
    length = plain.audio.path_length * plain.audio.hop_length
    whole = corpus.read(3, 0, int(corpus.lengths[3]) + length)
    windows = np.lib.stride_tricks.sliding_window_view(whole, length)
    for audio in SequenceBatches(corpus, only, plain, 8, rank=0)[0]["audio"].numpy():
        assert min(np.abs(windows - audio).max(1).min(), np.abs(windows + audio).max(1).min()) < 1e-6


@pytest.mark.parametrize(("balance", "share"), [(0.0, 0.5), (1.0, 0.2)])
def test_balance_decides_how_often_a_class_is_drawn(
    corpus: Corpus, tiny_config: Config, balance: float, share: float
) -> None:
    config = replace(tiny_config, data=replace(tiny_config.data, balance=balance))
    classes = corpus.labels[:, 0]
    sounds = np.concatenate([np.flatnonzero(classes == 0)[:1], np.flatnonzero(classes == 1)])
    batch = GrainBatches(corpus, sounds, config, 100, rank=0)[0]
    assert (batch["label"] == 0).float().mean().item() == pytest.approx(share, abs=0.04)


def test_first_signals_are_starts_spread_over_the_classes(corpus: Corpus, tiny_config: Config) -> None:
    audio, labels = first_signals(corpus, everything(corpus), tiny_config, limit=8)
    assert len(audio) == 8 and sorted(labels[:, 0].tolist()) == list(range(8))
    everyone, _ = first_signals(corpus, everything(corpus), tiny_config)
    np.testing.assert_array_equal(everyone[5], corpus.read(5, 0, audio.shape[1]))


def test_the_first_paths_of_a_pool_are_of_all_classes(corpus: Corpus, tiny_config: Config) -> None:
    """What is computed from some of them is not computed from the first classes only."""
    silent = torch.zeros(tiny_config.audio.path_length, tiny_config.grain.latent_size)
    batches = PathBatches(
        corpus, np.arange(len(corpus.names)), tiny_config, 4, 0, lambda audio: silent.expand(len(audio), -1, -1)
    )
    sounds, weights = batches.pool(0).sounds, batches.pool(0).weights
    assert len(sounds) == 4 * len(corpus.names) and weights.sum() == pytest.approx(1)
    assert len(np.unique(corpus.labels[sounds[: len(sounds) // 2], 0])) == len(corpus.attributes[0].classes)
    assert len(np.unique(corpus.labels[sounds[:12], 0])) > 3


def test_a_pool_too_small_for_all_sounds_sees_all_of_them_in_time(
    corpus: Corpus, tiny_config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Part by part: the oldest makes room, and what is drawn ahead is what would be drawn at once."""
    monkeypatch.setattr("ngs.training.learning.batches.FIRST", 4)
    config, told = with_room(tiny_config, 16), list[tuple[int, int]]()
    batches = PathBatches(corpus, everything(corpus), config, 4, 0, encode)
    batches.fill(0, lambda done, total: told.append((done, total)))
    assert told == [(2, 4), (4, 4)]
    parts = [batches.pool(step).sounds.copy() for step in range(0, 2 * REFRESH, REFRESH // 8)]
    assert [len(part) for part in parts[:8]] == [4, 6, 8, 10, 12, 14, 16, 16]
    assert len(set(parts[6].tolist())) == 16 and set(parts[6]) & set(parts[7]) < set(parts[6])
    assert set(np.concatenate(parts)) == set(range(32))
    last = (2 * REFRESH) - REFRESH // 8
    fresh = PathBatches(corpus, everything(corpus), config, 4, 0, encode)
    assert same(batches[last], fresh[last])
    batches.release()
    fresh.release()


def test_stretches_are_drawn_anew_even_if_all_fit(corpus: Corpus, tiny_config: Config) -> None:
    stretched = replace(corpus, divided=True)
    batches = PathBatches(stretched, everything(corpus), with_room(tiny_config, 1000), 4, 0, encode)
    first = batches.pool(0).paths.clone()
    later = batches.pool(REFRESH).paths
    assert len(first) == len(later) == COPIES * 32
    assert not any((later == path).all((1, 2)).any() for path in first)
    batches.release()


def test_an_error_of_the_thread_that_draws_ahead_is_raised_where_its_part_is_needed(
    corpus: Corpus, tiny_config: Config
) -> None:
    calls = list[int]()

    def fails_later(audio: torch.Tensor) -> torch.Tensor:
        calls.append(len(audio))
        if sum(calls) > 10:
            raise ValueError("no more")
        return encode(audio)

    batches = PathBatches(corpus, everything(corpus), with_room(tiny_config, 10), 4, 0, fails_later)
    batches.fill(0)
    with pytest.raises(ValueError, match="no more"):
        batches.fill(REFRESH)
    batches.release()
