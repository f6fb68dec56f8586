"""Streaming resynthesis: any signal in, the same played with a bundle's grains out, at a constant latency."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.graph_stream import GraphStream
from ngs.runtime.bundle.manifest import BundleError
from ngs.runtime.bundle.seeds import Stream, seeded
from ngs.runtime.dsp.grains import NoiseGrains, analysis_windows
from ngs.runtime.synth.controls import RESYNTHESIS_CONTROLS, check_controls, check_sample_rate
from ngs.runtime.synth.pan import SMOOTH_SECONDS

PIECE = 32  # samples that a resampler is given at a time, whatever the host's blocks are
SETTLING_HOPS = 40  # after which the resamplers' delays have shown all they do, but for
LOUDEST = 16.0  # 24 dB above full scale: what is louder is no sound
MARGIN = 8  # samples: in 400 000 samples at eight pairs of rates it was 1


class Resynthesiser:
    """A mono stream through encoder and decoder: `render.resynthesise` block by block.

    latency: samples by which the output is later than the input, constant for every block size. At the bundle's rate
    one less than a grain: a grain is heard from its first sample on when its last one has come in. It can be made
    longer by asking for so many samples `at_least`.
    """

    def __init__(
        self,
        bundle: Bundle,
        choices: Mapping[str, str] | str | None = None,
        sample_rate: int | None = None,
        seed: int = 0,
        at_least: int = 0,
    ) -> None:
        manifest = bundle.manifest
        self.sample_rate = check_sample_rate(sample_rate or manifest.sample_rate)
        self.bundle, self._seed, self._rate = bundle, seed, manifest.sample_rate
        self._hop, self._length = manifest.hop_length, manifest.grain_length
        self._encoder, self._decoder = GraphStream(bundle, "encoder", 1), GraphStream(bundle, "decoder_stream", 1)
        self._windows = analysis_windows(self._length)
        self.controls = {name: control.start for name, control in RESYNTHESIS_CONTROLS.items()}
        self.failures, self.last_failure = 0, ""
        self.condition(choices or {})
        needed = self._length - 1
        if self.sample_rate != self._rate:
            needed = _measured_latency(self.sample_rate, self._rate, self._hop, self._length)
        self.latency = max(needed, at_least)
        self.reset()

    def reset(self) -> None:
        """As it was made: the next sample is the first of a sound. What was set stays set."""
        self._in, self._out = _Rate(self.sample_rate, self._rate), _Rate(self._rate, self.sample_rate)
        self._arrived, self._fill = np.zeros(self._length, np.float32), 0
        self._noise = NoiseGrains(self._seed, self._length)
        self._chance = seeded(self._seed, Stream.GRAINS)
        self._grains, self._last = 0, np.zeros(self._hop, np.float32)
        self._wet, self._dry = _Delay(self.latency), _Delay(self.latency)
        self._levels = _Levels(self._wanted_levels, self.sample_rate)

    def warm_up(self) -> None:
        """Do what the first grain would have to wait for. Raises BundleError where the bundle cannot be run."""
        self._encoder.warm_up()
        self._decoder.warm_up()
        _ = self.bundle.latent_spread  # is read from a file

    def condition(self, choices: Mapping[str, str] | str) -> None:
        """Play with the grains of these classes from the next grain on. Raises ValueError."""
        self._condition = self.bundle.condition(choices)

    def set(self, **controls: float) -> None:
        """Turn controls (`notes.RESYNTHESIS_CONTROLS`); what they do is smooth. Raises ValueError."""
        self.controls |= check_controls(controls, RESYNTHESIS_CONTROLS)

    def process(self, block: Array) -> Array:
        """A block [n] of any size to as many samples, float32 [n], `latency` later. NaN counts as silence."""
        block = np.asarray(block, dtype=np.float32)
        if block.ndim != 1:
            raise ValueError(f"the block is {block.shape}: one channel, [n]")
        block = np.clip(np.nan_to_num(block, posinf=0.0, neginf=0.0), -LOUDEST, LOUDEST)
        self._dry.put(block)
        for samples in self._in.convert(block):
            self._feed(samples)
        levels = self._levels.follow(self._wanted_levels, len(block))
        mixed: Array = levels[0] * self._wet.get(len(block)) + levels[1] * self._dry.get(len(block))
        return mixed

    @property
    def _wanted_levels(self) -> tuple[float, float]:
        gain, mix = self.controls["gain"], self.controls["mix"]
        return gain * mix, gain * (1 - mix)

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
        """The next hop; where that fails what was heard last, backwards and fading, silence, and then a new sound."""
        try:
            audio = self._decoded(grain)
            if np.isfinite(audio).all():
                self._last[:] = audio
                return audio
            raise BundleError(f"{self.bundle.path} gave NaN or infinite samples: see `ngs validate`")
        except BundleError as error:
            self.failures, self.last_failure = self.failures + 1, str(error)
            self._grains = 0
            echo: Array = self._last[::-1] * np.linspace(1, 0, self._hop, dtype=np.float32)
            self._last[:] = 0.0
            return echo

    def _decoded(self, grain: Array) -> Array:
        first, given = self._grains == 0, self._decoder.inputs
        if first or self.controls["freeze"] <= 0.5:
            np.multiply(grain, self._windows[0 if first else 1], out=self._encoder.inputs["grain"][0])
            self._encoder.step(0, 1)
        given["latent"][0] = self._encoder.outputs["mean"][0]
        scatter = np.float32(self.controls["scatter"])
        if scatter > 0:
            normal = self._chance.standard_normal(len(self.bundle.latent_spread), dtype=np.float32)
            given["latent"][0] += scatter * (normal @ self.bundle.latent_spread)
        given["condition"][0] = self._condition
        self._noise.move_on(given["noise"][0])
        dropped = self.controls["density"] < 1 and self._chance.random() >= self.controls["density"]
        given["onset"][0], given["level"][0] = first, not dropped
        self._decoder.step(0, 1)
        self._grains += 1
        audio: Array = self._decoder.outputs["audio"][0]
        return audio


class _Levels:
    """Levels of wet and dry by the sample, 10 ms from one to the next, whatever the blocks are."""

    def __init__(self, levels: tuple[float, float], sample_rate: int) -> None:
        self._start = self._end = np.array(levels)[:, None]
        self._step, self._done = 1 / (SMOOTH_SECONDS * sample_rate), 0  # samples since the start of the line

    def follow(self, levels: tuple[float, float], count: int) -> Array:
        """[2, count], or [2, 1] where they stand still."""
        wanted = np.array(levels)[:, None]
        if (wanted != self._end).any():
            self._start, self._end, self._done = self._line(np.array([self._done])), wanted, 0
        if (self._step * self._done >= np.abs(self._end - self._start)).all():
            return self._end.astype(np.float32)
        self._done += count
        return self._line(np.arange(self._done - count + 1, self._done + 1)).astype(np.float32)

    def _line(self, samples: NDArray[np.int64]) -> NDArray[np.float64]:
        """The levels so many samples after the start of the line."""
        way, gone = self._end - self._start, self._step * samples
        line: NDArray[np.float64] = np.where(gone < np.abs(way), self._start + np.sign(way) * gone, self._end)
        return line


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


@cache
def _measured_latency(sample_rate: int, rate: int, hop_length: int, grain_length: int) -> int:
    """How far the output can fall behind, found by sending silence through the resamplers and counting."""
    into, out = _Rate(sample_rate, rate), _Rate(rate, sample_rate)
    silence, hop = np.zeros(1, np.float32), np.zeros(hop_length, np.float32)
    arrived = hops = made = behind = 0
    for sample in range(1, SETTLING_HOPS * hop_length * sample_rate // rate + grain_length):
        arrived += sum(map(len, into.convert(silence)))
        while grain_length + hops * hop_length <= arrived:
            made += sum(map(len, out.convert(hop)))
            hops += 1
        behind = max(behind, sample - made)
    return behind + MARGIN
