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
from ngs.training.learning.part_ahead import Part, PartAhead

GRAINS_A_SEQUENCE = 16  # single grains that take the place of a sequence in the spectral phase
ONSET_SHARE = 0.12  # share of single grains that are the first of a sound
COPIES = 4  # of each sound in a pool of paths, each with an augmentation of its own
REFRESH = 2000  # steps in which a pool that is renewed is drawn anew once,
PARTS = 8  # in so many parts
FIRST = 2048  # paths that such a pool holds before the first step, at least
ENCODED_AT_ONCE = 32  # signals
EMBEDDED_AT_ONCE = 256  # paths

Batch = dict[str, Tensor]
Progress = Callable[[int, int], None]
Encode = Callable[[Tensor], Tensor]  # signals [B, n] to latent paths [B, T, Z]
Embed = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]  # paths [B, T, Z], labels [B, A] to mean, log-variance [B, E]


class CounterBatches(Dataset[Batch]):
    """Base: `self[step]` is the batch of that step, the same whenever it is asked for."""

    in_memory = False  # whether drawing takes so little time that worker processes would only cost memory

    def __init__(self, corpus: Corpus, sounds: np.ndarray, config: Config, batch_size: int, rank: int) -> None:
        self.corpus, self.config, self.batch_size, self.rank = corpus, config, batch_size, rank
        self.sounds = sounds
        self.cumulative = np.cumsum(balanced_weights(corpus.labels[sounds, 0], config.data.balance))

    def fill(self, step: int, progress: Progress = lambda done, total: None) -> None:
        """Compute now what the batches from a step on are drawn from; they would do it themselves later.

        `progress` is called with (done, total) paths.
        """

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

    The pool holds augmented copies of every sound, encoded once. If the memory is too small for that, or if there are
    stretches of long sounds, the pool is a window on an endless row of sounds, in which each comes again and again:
    every few steps the next part takes the place of the oldest, drawn by another thread meanwhile. The pool, too, is a
    pure function of seed and step.
    """

    in_memory = True
    whole_at_first = False  # whether a pool that is renewed is full before the first step

    def __init__(
        self, corpus: Corpus, sounds: np.ndarray, config: Config, batch_size: int, rank: int, encode: Encode
    ) -> None:
        super().__init__(corpus, sounds, config, batch_size, rank)
        self.signals = SequenceBatches(corpus, sounds, config, batch_size, rank)
        self.encode = encode
        size = 4 * config.audio.path_length * config.grain.latent_size
        self.room = max(int(config.embedding.pool_mb * 2**20 / size), batch_size)
        self.renewed = len(sounds) > self.room or corpus.divided
        held = min(max(min(COPIES, self.room // len(sounds)), 1) * len(sounds), self.room)
        self.part = -(-held // PARTS) if self.renewed else held  # paths that are drawn at a time
        self.parts = held // self.part  # that the pool has room for
        self.at_first = self.parts if self.whole_at_first else min(-(-FIRST // self.part), self.parts)
        self._held: list[int] = []  # the number of the part at each place
        self._paths, self._loudness = torch.empty(0), torch.empty(0)
        self._sounds = np.zeros(0, np.int64)
        self._pool: PathPool | None = None
        self._ahead: PartAhead | None = None

    def fill(self, step: int, progress: Progress = lambda done, total: None) -> None:
        self.pool(step, progress)

    def take_pool(self, before: CounterBatches) -> None:
        # paths are drawn only while the grain VAE is frozen: if both phases draw them, it is the same in both
        if isinstance(before, PathBatches) and (self.config, self.part, self.parts) == (
            before.config, before.part, before.parts,
        ):  # fmt: skip
            self._held, self._pool = before._held, before._pool
            self._paths, self._loudness, self._sounds = before._paths, before._loudness, before._sounds
        before.release()

    def release(self) -> None:
        if self._ahead:
            self._ahead.abandon()
        self._ahead = self._pool = None
        self._held = []
        self._paths, self._loudness, self._sounds = torch.empty(0), torch.empty(0), np.zeros(0, np.int64)

    def pool(self, step: int, progress: Progress = lambda done, total: None) -> PathPool:
        """What the batch of a step is drawn from; `progress` is called with (done, total) if paths are drawn now."""
        wanted = self.numbers(step)
        if self._held != self._places(wanted):
            self._renew(wanted, progress)
        if self._pool is None:
            count = len(self._held) * self.part
            sounds = self._sounds[:count].copy()
            weights = balanced_weights(self.corpus.labels[sounds, 0], self.config.data.balance)
            self._pool = PathPool(self._paths[:count], self._loudness[:count], sounds, weights)
        return self._pool

    def numbers(self, step: int) -> range:
        """The numbers of the parts that the batch of a step is drawn from."""
        stop = self.at_first + (step * self.parts // REFRESH if self.renewed else 0)
        return range(max(stop - self.parts, 0), stop)

    def _places(self, numbers: range) -> list[int]:
        """Parts in the order of their places: number n has the place n modulo the number of parts."""
        return sorted(numbers, key=lambda number: number % self.parts)

    def _renew(self, numbers: range, progress: Progress) -> None:
        """Put the parts that are missing in their places."""
        if not len(self._paths):
            length, size, held = self.config.audio.path_length, self.config.grain.latent_size, self.parts * self.part
            self._paths, self._loudness = torch.empty(held, length, size), torch.empty(held, length)
            self._sounds = np.zeros(held, np.int64)
        missing = [number for number in numbers if number not in self._held]
        self._pool = None
        for done, number in enumerate(missing):

            def moved_on(drawn: int, before: int = done * self.part) -> None:
                progress(before + drawn, len(missing) * self.part)

            at = number % self.parts * self.part
            rows = slice(at, at + self.part)
            if not self.renewed:
                self._sounds[rows] = self._draw(number, self._paths[rows], self._loudness[rows], moved_on)
                continue
            if not self._ahead or self._ahead.number != number:
                self._draw_ahead(number, moved_on)
            assert self._ahead
            self._paths[rows], self._loudness[rows], self._sounds[rows] = self._ahead.result()
        self._held = self._places(numbers)
        if self.renewed:
            self._draw_ahead(numbers.stop)

    def _draw_ahead(self, number: int, progress: Callable[[int], None] = lambda drawn: None) -> None:
        if self._ahead:
            self._ahead.abandon()
        # what is needed at once is drawn there too, as the number of threads may change the last bits
        self._ahead = PartAhead(number, self._drawn, progress)

    def _drawn(self, number: int, moved_on: Callable[[int], None]) -> Part:
        """A part by itself."""
        length, size = self.config.audio.path_length, self.config.grain.latent_size
        paths, loudness = torch.empty(self.part, length, size), torch.empty(self.part, length)
        return paths, loudness, self._draw(number, paths, loudness, moved_on)

    def _draw(self, number: int, paths: Tensor, loudness: Tensor, moved_on: Callable[[int], None]) -> np.ndarray:
        """Draw a part into paths [n, T, Z] and loudness [n, T]; its sounds [n]. `moved_on` gets how many are done."""
        rng, sounds = self._part_sounds(number)
        for at in range(0, len(sounds), ENCODED_AT_ONCE):
            some = sounds[at : at + ENCODED_AT_ONCE]
            signals = torch.from_numpy(np.stack([self.signals.draw(rng, int(sound)) for sound in some]))
            paths[at : at + len(some)] = self.encode(signals)
            loudness[at : at + len(some)] = grain_loudness(signals, loudness.shape[1])
            moved_on(at + len(some))
        return sounds

    def _part_sounds(self, number: int) -> tuple[np.random.Generator, np.ndarray]:
        """The generator and the sounds [n] of a part, the same on every process."""
        if not self.renewed:
            rng = self._generator(0, 0)
            return rng, rng.permutation(np.tile(self.sounds, self.part // len(self.sounds)))
        places = np.arange(number * self.part, (number + 1) * self.part)
        rounds, at = places // len(self.sounds), places % len(self.sounds)
        orders = {turn: self._generator(1, turn).permutation(self.sounds) for turn in np.unique(rounds).tolist()}
        sounds = np.array([orders[turn][place] for turn, place in zip(rounds.tolist(), at.tolist(), strict=True)])
        return self._generator(2, number), sounds

    def _generator(self, purpose: int, number: int) -> np.random.Generator:
        key = np.array([self.config.seed, (1 << 63) + (purpose << 60) + number], dtype=np.uint64)
        return np.random.Generator(np.random.Philox(key=key))

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

    whole_at_first = True  # what is known of each class is fitted to them

    def __init__(
        self, corpus: Corpus, sounds: np.ndarray, config: Config, batch_size: int, rank: int, encode: Encode,
        embed: Embed,
    ) -> None:  # fmt: skip
        super().__init__(corpus, sounds, config, batch_size, rank, encode)
        self.embed = embed
        self._embeddings: dict[int, tuple[Tensor, Tensor]] = {}  # of each part, by its number
        self._embedded: tuple[Tensor, Tensor] | None = None

    def embeddings(self, step: int) -> tuple[Tensor, Tensor]:
        """Mean and log-variance [N, E] of the pool that the batch of a step is drawn from."""
        pool = self.pool(step)
        if self._embedded is None or list(self._embeddings) != self._held:
            rows = {number: slice(at * self.part, (at + 1) * self.part) for at, number in enumerate(self._held)}
            self._embeddings = {
                number: self._embeddings.get(number) or self._embed(pool.paths[part], pool.sounds[part])
                for number, part in rows.items()
            }
            means, log_variances = zip(*self._embeddings.values(), strict=True)
            self._embedded = torch.cat(means), torch.cat(log_variances)
        return self._embedded

    def _embed(self, paths: Tensor, sounds: np.ndarray) -> tuple[Tensor, Tensor]:
        labels = torch.from_numpy(self.corpus.labels[sounds])
        pairs = zip(torch.split(paths, EMBEDDED_AT_ONCE), torch.split(labels, EMBEDDED_AT_ONCE), strict=True)
        means, log_variances = zip(*(self.embed(*pair) for pair in pairs), strict=True)
        return torch.cat(means), torch.cat(log_variances)

    def release(self) -> None:
        super().release()
        self._embeddings, self._embedded = {}, None

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
