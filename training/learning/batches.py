"""Batches as pure functions of (seed, step): a resumed run draws what the interrupted one would have drawn.

The batch of step n on rank r comes from a counter-based generator keyed with (seed, r, n). Nothing else decides it,
so the number of worker processes does not matter either.

Shapes: B sequences in a batch, N grains or paths, L grain length, T path length, Z latent size, E embedding size,
A attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import numpy as np
import soxr
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Sampler

from ngs.corpus.cache import Corpus
from ngs.training.config import Config

GRAINS_A_SEQUENCE = 16  # single grains that take the place of a sequence in the spectral phase
ONSET_SHARE = 0.12  # share of single grains that are the first of a sound
COPIES = 4  # of each sound in a pool of paths, each with an augmentation of its own
REFRESH = 2000  # steps after which a pool too small for all sounds is drawn anew
ENCODED_AT_ONCE = 32  # signals
EMBEDDED_AT_ONCE = 256  # paths

Batch = dict[str, Tensor]
Encode = Callable[[Tensor], Tensor]  # signals [B, n] to latent paths [B, T, Z]
Embed = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # paths [B, T, Z], labels [B, A] to mean, log-variance [B, E]


class CounterBatches(Dataset[Batch]):
    """Base: `self[step]` is the batch of that step, the same whenever it is asked for."""

    in_memory = False  # whether drawing takes so little time that worker processes would only cost memory

    def __init__(self, corpus: Corpus, sounds: np.ndarray, config: Config, batch_size: int, rank: int) -> None:
        self.corpus, self.config, self.batch_size, self.rank = corpus, config, batch_size, rank
        self.sounds = sounds
        self.cumulative = np.cumsum(balanced_weights(corpus.labels[sounds, 0], config.data.balance))

    def fill(self, step: int) -> None:
        """Compute now what the batches from a step on are drawn from; they would do it themselves later."""

    def take_pool(self, before: CounterBatches) -> None:
        """Take over the pool of the batches of the phase before, if these batches would be drawn from the same one.

        The others are left without a pool in any case: the loader of their phase may keep hold of them.
        """
        before.release()

    def release(self) -> None:
        """Forget what batches are drawn from; who asks for one computes it anew."""

    def rng(self, step: int) -> np.random.Generator:
        """The generator of a step."""
        key = np.array([self.config.seed, (self.rank << 40) + step], dtype=np.uint64)
        return np.random.Generator(np.random.Philox(key=key))

    def draw_sounds(self, rng: np.random.Generator, number: int) -> np.ndarray:
        """Indices [number] of sounds in the corpus, with the balance that the configuration asks for."""
        places = np.searchsorted(self.cumulative, rng.random(number), side="right")
        return self.sounds[np.minimum(places, len(self.sounds) - 1)]


def balanced_weights(classes: np.ndarray, balance: float) -> np.ndarray:
    """Probabilities [N] with which sounds of classes [N] are drawn."""
    _, inverse, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    weights = (sizes.astype(float) ** (balance - 1))[inverse]
    probabilities: np.ndarray = weights / weights.sum()
    return probabilities


class GrainBatches(CounterBatches):
    """Single grains for the spectral phase: grain [N, L] (not windowed), onset [N], label [N, A] (-1: unknown)."""

    def __getitem__(self, step: int) -> Batch:
        rng = self.rng(step)
        number = self.batch_size * GRAINS_A_SEQUENCE
        length = self.config.audio.grain_length
        sounds = self.draw_sounds(rng, number)
        lengths = self.corpus.lengths[sounds]
        # a grain may begin as late as a hop before the end of a sound, so that decays into silence are learned too
        last = np.maximum(lengths - self.config.audio.hop_length, 1)
        starts = (rng.random(number) * last).astype(np.int64)
        onset = rng.random(number) < ONSET_SHARE
        starts[onset] = 0
        return {
            "grain": torch.from_numpy(self.corpus.gather(sounds, starts, length)),
            "onset": torch.from_numpy(onset),
            "label": torch.from_numpy(self.corpus.labels[sounds]),
        }


class SequenceBatches(CounterBatches):
    """Signals of T grains: audio [B, T * hop], label [B, A]; augmented in gain, polarity and pitch.

    Silence follows a short sound. A long one starts at its onset in half of the draws, else anywhere.
    """

    def __getitem__(self, step: int) -> Batch:
        rng = self.rng(step)
        sounds = self.draw_sounds(rng, self.batch_size)
        audio = np.stack([self.draw(rng, int(sound)) for sound in sounds])
        return {"audio": torch.from_numpy(audio), "label": torch.from_numpy(self.corpus.labels[sounds])}

    def draw(self, rng: np.random.Generator, sound: int) -> np.ndarray:
        """One augmented signal [T * hop] of a sound."""
        data, audio = self.config.data, self.config.audio
        length = audio.path_length * audio.hop_length
        ratio = 2.0 ** (rng.uniform(-data.pitch_semitones, data.pitch_semitones) / 12)
        spare = max(int(self.corpus.lengths[sound]) - int(length * ratio), 0)
        anywhere, place = rng.random() < 0.5, rng.random()
        signal = self.corpus.read(sound, int(place * spare) if anywhere else 0, int(length * ratio) + 1)
        if data.pitch_semitones > 0:
            signal = soxr.resample(signal, ratio, 1.0, quality="MQ")
        signal = np.pad(signal[:length], (0, max(length - len(signal), 0)))
        gain = 10 ** (-rng.uniform(0, data.gain_db) / 20) * rng.choice((-1.0, 1.0))
        augmented: np.ndarray = (signal * gain).astype(np.float32)
        return augmented


@dataclass(frozen=True)
class PathPool:
    """Paths that batches are drawn from."""

    paths: Tensor  # [N, T, Z]
    loudness: Tensor  # RMS of each grain [N, T]
    sounds: np.ndarray  # [N], indices in the corpus
    weights: np.ndarray  # [N], the probability of each


class PathBatches(CounterBatches):
    """Latent paths of a frozen grain VAE: path [B, T, Z], loudness [B, T], label [B, A], from a pool in memory.

    The pool holds augmented copies of every sound, encoded once. If the memory is too small for that, it holds some of
    the sounds, and others every REFRESH steps. The pool, too, is a pure function of seed and step.
    """

    in_memory = True

    def __init__(
        self, corpus: Corpus, sounds: np.ndarray, config: Config, batch_size: int, rank: int, encode: Encode
    ) -> None:
        super().__init__(corpus, sounds, config, batch_size, rank)
        self.signals = SequenceBatches(corpus, sounds, config, batch_size, rank)
        self.encode = encode
        size = 4 * config.audio.path_length * config.grain.latent_size
        self.room = max(int(config.embedding.pool_mb * 2**20 / size), batch_size)
        self._pool: tuple[int, PathPool] | None = None

    def fill(self, step: int) -> None:
        self.pool(step)

    def take_pool(self, before: CounterBatches) -> None:
        # paths are drawn only while the grain VAE is frozen: if both phases draw them, it is the same in both
        if isinstance(before, PathBatches) and (self.config, self.room) == (before.config, before.room):
            self._pool = before._pool
        before.release()

    def release(self) -> None:
        self._pool = None

    def pool(self, step: int) -> PathPool:
        """What the batch of a step is drawn from."""
        age = self.age(step)
        if self._pool is None or self._pool[0] != age:
            self._pool = None  # makes room for the new one
            self._pool = age, self._new_pool(age)
        return self._pool[1]

    def age(self, step: int) -> int:
        """The number of the pool that the batch of a step is drawn from."""
        return step // REFRESH if len(self.sounds) > self.room else 0

    def _new_pool(self, age: int) -> PathPool:
        key = np.array([self.config.seed, (1 << 63) + age], dtype=np.uint64)  # the same on every process
        rng = np.random.Generator(np.random.Philox(key=key))
        copies = min(COPIES, self.room // len(self.sounds))
        sounds = rng.permutation(np.tile(self.sounds, max(copies, 1)))[: self.room]
        weights = balanced_weights(self.corpus.labels[sounds, 0], self.config.data.balance)
        length, size = self.config.audio.path_length, self.config.grain.latent_size
        paths, loudness = torch.empty(len(sounds), length, size), torch.empty(len(sounds), length)
        for at in range(0, len(sounds), ENCODED_AT_ONCE):
            part = sounds[at : at + ENCODED_AT_ONCE]
            signals = torch.from_numpy(np.stack([self.signals.draw(rng, int(sound)) for sound in part]))
            paths[at : at + len(part)] = self.encode(signals)
            loudness[at : at + len(part)] = grain_loudness(signals, length)
        return PathPool(paths, loudness, sounds, weights)

    def chosen(self, step: int) -> np.ndarray:
        """The places in the pool [B] of the batch of a step."""
        pool = self.pool(step)
        return self.rng(step).choice(len(pool.sounds), self.batch_size, p=pool.weights)

    def __getitem__(self, step: int) -> Batch:
        pool, chosen = self.pool(step), self.chosen(step)
        label = torch.from_numpy(self.corpus.labels[pool.sounds[chosen]])
        return {"path": pool.paths[chosen], "loudness": pool.loudness[chosen], "label": label}


def grain_loudness(signals: Tensor, grains: int) -> Tensor:
    """RMS of the grains of signals [B, T * hop], which overlap by three quarters: [B, T]."""
    power = signals.reshape(len(signals), grains, -1).square().mean(-1)
    around = nn.functional.pad(power, (0, 3)).unfold(1, 4, 1).mean(-1)
    return around.sqrt()


class EmbeddingBatches(PathBatches):
    """Embeddings of paths by a frozen embedding: mean, log_variance [B, E], label [B, A]."""

    def __init__(
        self, corpus: Corpus, sounds: np.ndarray, config: Config, batch_size: int, rank: int, encode: Encode,
        embed: Embed,
    ) -> None:  # fmt: skip
        super().__init__(corpus, sounds, config, batch_size, rank, encode)
        self.embed = embed
        self._embeddings: tuple[int, Tensor, Tensor] | None = None

    def embeddings(self, step: int) -> tuple[Tensor, Tensor]:
        """Mean and log-variance [N, E] of the pool that the batch of a step is drawn from."""
        age = self.age(step)
        if self._embeddings is None or self._embeddings[0] != age:
            pool = self.pool(step)
            labels = torch.from_numpy(self.corpus.labels[pool.sounds])
            pairs = zip(torch.split(pool.paths, EMBEDDED_AT_ONCE), torch.split(labels, EMBEDDED_AT_ONCE), strict=True)
            means, log_variances = zip(*(self.embed(*pair) for pair in pairs), strict=True)
            self._embeddings = age, torch.cat(means), torch.cat(log_variances)
        return self._embeddings[1:]

    def release(self) -> None:
        super().release()
        self._embeddings = None

    def __getitem__(self, step: int) -> Batch:
        chosen, (mean, log_variance) = self.chosen(step), self.embeddings(step)
        label = torch.from_numpy(self.corpus.labels[self.pool(step).sounds[chosen]])
        return {"mean": mean[chosen], "log_variance": log_variance[chosen], "label": label}


class _StepSampler(Sampler[int]):
    """Counts steps from `start`, without end."""

    def __init__(self, start: int) -> None:
        self.start = start

    def __iter__(self) -> Iterator[int]:
        return count(self.start)


def loader(batches: CounterBatches, start: int, workers: int) -> DataLoader[Batch]:
    """An endless loader of batches from step `start` on; `workers` processes draw them."""
    if batches.in_memory:
        workers = 0
    return DataLoader(
        batches,
        batch_size=None,
        sampler=_StepSampler(start),
        num_workers=workers,
        persistent_workers=workers > 0,
        prefetch_factor=4 if workers else None,
    )


def first_signals(corpus: Corpus, sounds: np.ndarray, config: Config, limit: int = 64) -> tuple[Tensor, Tensor]:
    """The starts of at most `limit` sounds, spread over the classes: audio [B, T * hop], label [B, A]."""
    if len(sounds) > limit:
        by_class = sounds[np.argsort(corpus.labels[sounds, 0], kind="stable")]
        sounds = by_class[np.linspace(0, len(by_class) - 1, limit).astype(int)]
    length = config.audio.path_length * config.audio.hop_length
    audio = np.stack([corpus.read(int(sound), 0, length) for sound in sounds])
    return torch.from_numpy(audio), torch.from_numpy(corpus.labels[sounds])
