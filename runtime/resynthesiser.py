"""Streaming resynthesis: any signal in, the same played with a bundle's grains out, at a constant latency."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from ngs.runtime.bundle import Bundle
from ngs.runtime.grains import NoiseGrains, hann, onset_window
from ngs.runtime.graph_stream import GraphStream
from ngs.runtime.render import seeded

Array = NDArray[np.float32]
PIECE = 32  # samples that a resampler is given at a time, whatever the host's blocks are
SETTLING_HOPS = 40  # after which the resamplers' delays have shown all they do, but for
MARGIN = 8  # samples: in 400 000 samples at eight pairs of rates it was 1


class Resynthesiser:
    """A mono stream through encoder and decoder: `render.resynthesise` block by block.

    latency: samples by which the output is later than the input, constant for every block size. At the bundle's rate
    one less than a grain: a grain is heard from its first sample on when its last one has come in.
    """

    def __init__(
        self, bundle: Bundle, choices: Mapping[str, str] | None = None, sample_rate: int | None = None, seed: int = 0
    ) -> None:
        manifest = bundle.manifest
        self.sample_rate = sample_rate or manifest.sample_rate
        if not 1000 <= self.sample_rate <= 384000:
            raise ValueError(f"sample_rate is {sample_rate} Hz: choose 1000 to 384000")
        self._bundle, self._seed, self._rate = bundle, seed, manifest.sample_rate
        self._hop, self._length = manifest.hop_length, manifest.grain_length
        self._encoder, self._decoder = GraphStream(bundle, "encoder", 1), GraphStream(bundle, "decoder_stream", 1)
        window, onset = hann(self._length), onset_window(self._length)
        self._window, self._onset = window, onset * np.sqrt(np.sum(window**2) / np.sum(onset**2)).astype(np.float32)
        self.freeze = False  # whether the last grain goes on
        self.condition(choices or {})
        self.scatter(0.0)
        self.mix(1.0)
        self.latency = self._length - 1
        if self.sample_rate != self._rate:
            self.latency = self._measured_latency()
        self.reset()

    def reset(self) -> None:
        """As it was made: the next sample is the first of a sound. What was set stays set."""
        self._in, self._out = _Rate(self.sample_rate, self._rate), _Rate(self._rate, self.sample_rate)
        self._arrived, self._fill = np.zeros(self._length, np.float32), 0
        self._noise = NoiseGrains(self._seed, self._length)
        self._chance = seeded(self._seed, 4)
        self._grains = 0
        self._wet, self._dry = _Delay(self.latency), _Delay(self.latency)
        self._level = self._mix

    def condition(self, choices: Mapping[str, str]) -> None:
        """Play with the grains of these classes from the next grain on. Raises ValueError."""
        self._condition = self._bundle.condition(choices)

    def scatter(self, amount: float) -> None:
        """How far grains stray from what comes in, 0 to 4; 1: as the corpus is spread. Raises ValueError."""
        if not 0 <= amount <= 4:
            raise ValueError(f"scatter is {amount!r}: choose 0 to 4")
        self._scatter = np.float32(amount)

    def mix(self, wet: float) -> None:
        """Share of the resynthesis, 0 to 1, the rest is the input at the same latency; smooth. Raises ValueError."""
        if not 0 <= wet <= 1:
            raise ValueError(f"mix is {wet!r}: choose 0 to 1")
        self._mix = float(wet)

    def process(self, block: Array) -> Array:
        """A block [n] of any size to as many samples, float32 [n], `latency` later. NaN counts as silence."""
        block = np.nan_to_num(np.asarray(block, dtype=np.float32), posinf=0.0, neginf=0.0)
        if block.ndim != 1:
            raise ValueError(f"the block is {block.shape}: one channel, [n]")
        self._dry.put(block)
        for samples in self._in.convert(block):
            self._feed(samples)
        wet, dry = self._wet.get(len(block)), self._dry.get(len(block))
        if self._level == self._mix:
            return np.float32(self._mix) * wet + np.float32(1 - self._mix) * dry
        step = 1 / (0.01 * self.sample_rate)
        way = self._mix - self._level
        levels = self._level + np.sign(way) * np.minimum(step * np.arange(1, len(block) + 1), abs(way))
        if len(block):
            self._level = float(levels[-1])
        mixed: Array = (levels * wet + (1 - levels) * dry).astype(np.float32)
        return mixed

    def _feed(self, samples: Array) -> None:
        """Take samples at the bundle's rate; play a hop whenever a grain is complete."""
        while len(samples):
            count = min(len(samples), self._length - self._fill)
            self._arrived[self._fill : self._fill + count] = samples[:count]
            self._fill += count
            samples = samples[count:]
            if self._fill == self._length:
                for heard in self._out.convert(self._hop_of(self._arrived)):
                    self._wet.put(heard)
                self._arrived[: -self._hop] = self._arrived[self._hop :]
                self._fill -= self._hop

    def _hop_of(self, grain: Array) -> Array:
        first, given = self._grains == 0, self._decoder.inputs
        if first or not self.freeze:
            np.multiply(grain, self._onset if first else self._window, out=self._encoder.inputs["grain"][0])
            self._encoder.step(0, 1)
        given["latent"][0] = self._encoder.outputs["mean"][0]
        if self._scatter:
            normal = self._chance.standard_normal(len(self._bundle.latent_spread), dtype=np.float32)
            given["latent"][0] += self._scatter * (normal @ self._bundle.latent_spread)
        given["condition"][0] = self._condition
        self._noise.move_on(given["noise"][0])
        given["onset"][0], given["level"][0] = first, 1.0
        self._decoder.step(0, 1)
        self._grains += 1
        audio: Array = self._decoder.outputs["audio"][0]
        return audio

    def _measured_latency(self) -> int:
        """How far the output can fall behind, found by sending silence through the resamplers and counting."""
        into, out = _Rate(self.sample_rate, self._rate), _Rate(self._rate, self.sample_rate)
        silence, hop = np.zeros(1, np.float32), np.zeros(self._hop, np.float32)
        arrived = hops = made = behind = 0
        for sample in range(1, SETTLING_HOPS * self._hop * self.sample_rate // self._rate + self._length):
            arrived += sum(map(len, into.convert(silence)))
            while self._length + hops * self._hop <= arrived:
                made += sum(map(len, out.convert(hop)))
                hops += 1
            behind = max(behind, sample - made)
        return behind + MARGIN


class _Rate:
    """A resampler that is fed pieces of one size, so that what it does never depends on the host's blocks."""

    def __init__(self, source: int, target: int) -> None:
        self._stream: Any = None
        if source != target:
            self._stream = soxr.ResampleStream(source, target, 1, dtype="float32", quality="HQ", vr=True)
        self._piece, self._count = np.zeros(PIECE, np.float32), 0

    def convert(self, samples: Array) -> list[Array]:
        """What comes out of the next samples, in parts."""
        if self._stream is None:
            return [samples]
        parts = []
        while len(samples):
            count = min(len(samples), PIECE - self._count)
            self._piece[self._count : self._count + count] = samples[:count]
            self._count += count
            samples = samples[count:]
            if self._count == PIECE:
                parts.append(self._stream.resample_chunk(self._piece))
                self._count = 0
        return parts


class _Delay:
    """A queue that starts with so many zeros."""

    def __init__(self, zeros: int) -> None:
        self._parts, self._first, self._zeros = deque[Array](), 0, zeros

    def put(self, samples: Array) -> None:
        if len(samples):
            self._parts.append(samples.copy())

    def get(self, count: int) -> Array:
        """The next samples; they must be there."""
        out = np.zeros(count, dtype=np.float32)
        done = min(count, self._zeros)
        self._zeros -= done
        while done < count:
            part = self._parts[0][self._first : self._first + count - done]
            out[done : done + len(part)] = part
            done += len(part)
            self._first += len(part)
            if self._first == len(self._parts[0]):
                self._parts.popleft()
                self._first = 0
        return out
