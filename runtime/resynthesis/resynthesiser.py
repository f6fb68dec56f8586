"""Streaming resynthesis of one channel."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.bundle.graph_stream import GraphStream, SoundStream, StyleStream
from ngs.runtime.dsp.grains import NoiseGrains, analysis_windows
from ngs.runtime.errors import reason
from ngs.runtime.live.resampling import PieceResampler
from ngs.runtime.live.stream import Effect
from ngs.runtime.resynthesis.wet_dry import Levels, WetDry
from ngs.runtime.synth.controls import RESYNTHESIS_CONTROLS, check_controls, check_sample_rate
from ngs.runtime.synth.fifo import echo_of
from ngs.runtime.synth.grain_chance import GrainChance

SETTLING_HOPS = 40  # after these, the delay of the resamplers grows by less than the margin
MARGIN = 8  # samples (measured: 1, over 400 000 samples at eight pairs of rates)
LOUDEST = 16.0  # input is clipped here, 24 dB above full scale


class Resynthesiser(Effect):
    """One channel, played with grains of the corpus: `render.resynthesise` block by block. Blocks are [1, n].

    latency: at the bundle's rate, a grain less one sample: the first sample of a grain can be played when the last one
    has come in. `at_least` asks for more.
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
        self._encoder, self._decoder = GraphStream(bundle, "encoder", 1), SoundStream(bundle, 1)
        self._style = StyleStream(bundle, 1) if manifest.has_style else None
        self._windows = analysis_windows(self._length)
        self.controls = {name: control.start for name, control in RESYNTHESIS_CONTROLS.items()}
        self.failures, self.last_failure = 0, ""
        self.condition(choices or {})
        needed = self._length - 1
        if self.sample_rate != self._rate:
            needed = _measured_latency(self.sample_rate, self._rate, self._hop, self._length)
        self.latency = max(needed, at_least)
        self.reset()

    @property
    def rows(self) -> int:
        return 1

    def reset(self) -> None:
        """Start again: the next sample is the first of a sound. Controls and classes stay.

        Thread: the one that plays. Waits: no. Memory: the buffers.
        """
        self._in = PieceResampler(self.sample_rate, self._rate)
        self._out = PieceResampler(self._rate, self.sample_rate)
        self._arrived, self._fill = np.zeros(self._length, np.float32), 0
        self._noise, self._chance = NoiseGrains(self._seed, self._length), GrainChance(self.bundle, self._seed)
        self._grains, self._last = 0, np.zeros(self._hop, np.float32)
        self._mix = WetDry(self.latency, self._levels, self.sample_rate)

    def _facts(self) -> list[str]:
        return [self.bundle.path.name, f"{self.sample_rate} Hz", *super()._facts()]

    def warm_up(self) -> None:
        """Do what the first grain would have to wait for. Raises BundleError if the bundle cannot be run.

        Thread: the one that plays. Waits: for files and graphs. Memory: what onnxruntime keeps.
        """
        self._encoder.warm_up()
        self._decoder.warm_up()
        if self._style is not None:
            self._style.warm_up()
        _ = self.bundle.latent_spread  # reads a file

    def condition(self, choices: Mapping[str, str] | str) -> None:
        """Play grains of these classes from the next grain on. Raises ValueError.

        Thread: the one that plays. Waits: no. Memory: a little.
        """
        self._condition = self.bundle.condition(choices)
        self.choices = choices

    def set(self, **controls: float) -> None:
        """Turn controls (`RESYNTHESIS_CONTROLS`); levels change smoothly, all else from grain to grain.

        A bundle of format 3 has style 0 only, whatever is set. Raises ValueError.

        Thread: the one that plays. Waits: no. Memory: a little.
        """
        self.controls |= check_controls(controls, RESYNTHESIS_CONTROLS)

    def process(self, given: Array, out: Array) -> None:
        """Play a block, float32 [1, n], `latency` later. NaN counts as silence, and what is too loud is clipped.

        A failure is heard as a fade, and counted. Raises ValueError for a wrong shape or dtype.

        Thread: the one that plays. Waits: for graphs. Memory: some arrays of a block and a hop.
        """
        self._check_pair(given, out)
        block = np.clip(np.nan_to_num(given[0], posinf=0.0, neginf=0.0), -LOUDEST, LOUDEST)
        self._mix.dry.put(block)
        for samples in self._in.convert(block):
            self._feed(samples)
        self._mix.mix(self._levels, out[0])

    @property
    def _levels(self) -> Levels:
        gain, mix = self.controls["gain"], self.controls["mix"]
        return gain * mix, gain * (1 - mix)

    def _feed(self, samples: Array) -> None:
        """Take samples at the bundle's rate, and play a hop whenever a grain is complete."""
        while len(samples):
            count = min(len(samples), self._length - self._fill)
            self._arrived[self._fill : self._fill + count] = samples[:count]
            self._fill += count
            samples = samples[count:]
            if self._fill == self._length:
                for heard in self._out.convert(self._hop_of(self._arrived)):
                    self._mix.wet.put(heard)
                self._arrived[: -self._hop] = self._arrived[self._hop :]
                self._fill -= self._hop

    def _hop_of(self, grain: Array) -> Array:
        """The next hop. If that fails: an echo of the last one, then silence, until a new sound begins."""
        try:
            audio = self._decoded(grain)
            if np.isfinite(audio).all():
                self._last[:] = audio
                return audio
            raise BundleError(f"{self.bundle.path} gave NaN or infinite samples: see `ngs validate`")
        except BundleError as error:
            self.failures, self.last_failure = self.failures + 1, reason(error)
            self._grains = 0
            echo = echo_of(self._last)
            self._last[:] = 0.0
            return echo

    def _decoded(self, grain: Array) -> Array:
        first, given = self._grains == 0, self._decoder.inputs
        if first or self.controls["freeze"] <= 0.5:
            np.multiply(grain, self._windows[0 if first else 1], out=self._encoder.inputs["grain"][0])
            if "onset" in self._encoder.inputs:
                self._encoder.inputs["onset"][0] = first
            self._encoder.step(0, 1)
        given["latent"][0] = self._encoder.outputs["mean"][0]
        self._chance.scatter(self._grains, given["latent"][0], self.controls)
        given["condition"][0] = self._condition
        given["level"][0] = not self._chance.silences(self._grains, self.controls)
        self._bring_to_style()
        self._noise.move_on(given["noise"][0])
        given["onset"][0] = first
        self._decoder.step(0, 1)
        self._grains += 1
        audio: Array = self._decoder.outputs["audio"][0]
        return audio

    def _bring_to_style(self) -> None:
        """Bring the decoder's next grain to the corpus."""
        if self._style is None:
            return
        self._style.still(self._decoder, 0, 1)
        if self.controls["style"] > 0:
            self._style.take(self._decoder, 0, self.controls["style"])
            self._style.step(0, 1)
            self._style.give(self._decoder, 0, 1)


@cache
def _measured_latency(sample_rate: int, rate: int, hop_length: int, grain_length: int) -> int:
    """How far the output can fall behind the input: silence is sent through the resamplers, and counted."""
    into, out = PieceResampler(sample_rate, rate), PieceResampler(rate, sample_rate)
    silence, hop = np.zeros(1, np.float32), np.zeros(hop_length, np.float32)
    arrived = hops = made = behind = 0
    for sample in range(1, SETTLING_HOPS * hop_length * sample_rate // rate + grain_length):
        arrived += sum(map(len, into.convert(silence)))
        while grain_length + hops * hop_length <= arrived:
            made += sum(map(len, out.convert(hop)))
            hops += 1
        behind = max(behind, sample - made)
    return behind + MARGIN
