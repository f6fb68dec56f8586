"""One sounding note: where it is on its path, its noise, and the samples that wait to be heard."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.seeds import Stream, completed, drawn_embedding, noise_seed, seeded
from ngs.runtime.dsp.grains import OVERLAP, NoiseGrains
from ngs.runtime.offline.render import FADE_SHARE, SILENT
from ngs.runtime.synth.controls import CONTROLS
from ngs.runtime.synth.fifo import Fifo
from ngs.runtime.synth.notes import Note
from ngs.runtime.synth.pan import Pan

SILENT_HOPS = 16  # after which a sound that plays forwards to its end is over
LONGEST_PATH = 1 << 14  # grains of a held note that are written; after them the last one goes on
ECHO_SECONDS = 0.005  # of a voice that failed


class Voice:
    """A note from its first grain to its last sample: the synth decodes its grains, row by row, and mixes it."""

    def __init__(self, bundle: Bundle, note: Note, sample_rate: int, channels: int) -> None:
        manifest = bundle.manifest
        self.note, self.hop, self._rate, self.sample_rate = note, manifest.hop_length, manifest.sample_rate, sample_rate
        self.controls = {name: control.start for name, control in CONTROLS.items()} | dict(note.controls)
        self.condition, self.embedding = bundle.condition(note.choices), note.embedding
        self._blocks: list[Array] = []  # of the path, as they are written: [g, Z] each; of a table [T, K, Z]
        if note.path is None:
            self.condition = completed(bundle, self.condition, note.seed, note.index)
            if self.embedding is None:
                self.embedding = drawn_embedding(bundle, note.temperature, note.seed, note.index)
            self._span = manifest.path_length
        else:
            self._span = np.shape(note.path)[-2]
            self.write(note.path if np.ndim(note.path) == 2 else np.swapaxes(note.path, 0, 1))
        goes_on = note.hold and note.path is None and note.mode == "once"
        self.length = LONGEST_PATH if goes_on else self._span  # of the path in grains
        self.position = self.controls.pop("position") * (self._span - 1)
        self._direction = 1.0
        self._noise = NoiseGrains(noise_seed(note.seed, note.index), manifest.grain_length)
        self._choice: np.random.Generator | None = None
        self._spread = bundle.latent_spread
        self.grains = 0  # so far
        self.lead = 0 if note.onset else OVERLAP  # grains that are not heard
        self._tail = -1  # silent grains still to come; -1: the path goes on
        self._quiet = 0
        self._faded_in = manifest.sample_rate // FADE_SHARE if note.onset else 0
        self.fifo = Fifo(self.hop, self._rate, sample_rate)
        self.fifo.tune(self._tuned)
        self.pan = Pan(self.controls["gain"], self.controls["pan"], sample_rate, channels)
        self._rows = slice(note.output * channels, (note.output + 1) * channels)  # of what is mixed
        self.number: int | None = None  # by which its synth knows it
        self.age = 0  # that of a later one is higher
        self.releasing = self.stolen = self.failed = False
        self._release_at = -1 if note.seconds is None else max(1, round(note.seconds * sample_rate))
        self._played = 0

    # what is heard

    def set(self, values: Mapping[str, float]) -> None:
        """Turn controls, which `check_controls` has seen; what they do is smooth."""
        self.controls |= values
        if "position" in values:
            self.position = self.controls.pop("position") * (self._span - 1)
        if values.keys() & {"gain", "pan"} and not self.releasing:
            self.pan.go(self.controls["gain"], self.controls["pan"])
        if "pitch" in values:
            self.fifo.tune(self._tuned)

    def release(self, seconds: float) -> None:
        """Fade to silence and end; a second release can only be quicker."""
        if not self.releasing or seconds < self.pan.remaining / self.sample_rate:
            self.releasing = True
            self.pan.go(0.0, self.controls["pan"], seconds)

    def steal(self, seconds: float) -> None:
        """Release it for another note's sake."""
        self.stolen = True
        self.release(seconds)

    def fail(self) -> None:
        """End without a click: what was heard last, backwards, fading."""
        self.failed = True
        self._tail = 0
        self.fifo.echo(round(ECHO_SECONDS * self.sample_rate))

    @property
    def ended(self) -> bool:
        """Whether nothing more is to be heard."""
        return (self.releasing and self.pan.remaining == 0) or (
            self.exhausted and self.fifo.available == 0 and self.fifo.pending == 0
        )

    @property
    def exhausted(self) -> bool:
        """Whether no more grains are to be decoded."""
        return self._tail == 0

    @property
    def horizon(self) -> int:
        """Samples until something happens to it: the end of what is decoded, of a fade, or of its time."""
        count = self.fifo.assured
        if self.pan.remaining:
            count = min(count, self.pan.remaining)
        if not self.releasing and self._release_at > self._played:
            count = min(count, self._release_at - self._played)
        return count

    def mix(self, out: Array) -> None:
        """Add the next n samples to its rows of `out` [outputs * channels, n]; n is at most `horizon`."""
        count = out.shape[1]
        self.pan.mix(self.fifo.take(count), out[self._rows])
        self._played += count
        if self._played == self._release_at and not self.releasing:
            self.release(self.note.release)

    # what is decoded

    @property
    def grains_needed(self) -> int:
        """Grains of an embedding's path that must be written before the next one can be decoded."""
        return min(math.ceil(self.position) + 1, self.length)

    @property
    def written(self) -> int:
        """Grains of the path that are there."""
        return len(self._blocks) * len(self._blocks[0]) if self._blocks else 0

    def write(self, latents: Array) -> None:
        """Append the next grains [g, Z] of the path (of a table: [g, K, Z]), as many each time."""
        self._blocks.append(np.array(latents, dtype=np.float32))

    def next_grain(self, inputs: dict[str, Array], row: int) -> None:
        """Fill a row of a decoder's inputs with the next grain and move on."""
        latent = inputs["latent"][row]
        self._read_path(latent)
        scatter = np.float32(self.controls["scatter"])
        if scatter > 0:
            latent += scatter * (self._chance.standard_normal(len(self._spread), dtype=np.float32) @ self._spread)
        first = self.grains == 0
        if first:
            inputs["condition"][row] = self.condition
        self._noise.move_on(inputs["noise"][row])
        inputs["onset"][row] = first
        dropped = self.controls["density"] < 1 and self._chance.random() >= self.controls["density"]
        inputs["level"][row] = 0.0 if dropped or self._tail > 0 else 1.0
        self.grains += 1
        if self._tail > 0:
            self._tail -= 1
        elif self.grains > self.lead:
            self._advance()

    def give(self, audio: Array) -> None:
        """Take a decoded hop [hop]."""
        if self.grains <= self.lead:
            return
        if self._faded_in < self._rate // FADE_SHARE:
            audio = self._fading_in(audio)
        if self._ends_in_silence:
            self._quiet = self._quiet + 1 if -SILENT < audio.min() and audio.max() < SILENT else 0
            if self._quiet >= SILENT_HOPS and self._tail != 0:
                audio = audio * np.linspace(1, 0, self.hop, dtype=np.float32)
                self._tail = 0
        self.fifo.put(audio)

    @property
    def _ends_in_silence(self) -> bool:
        """Whether silence now means that no more is to come: a drawn sound on its way to its end."""
        turned = self.controls
        return (
            self.note.path is None and not self.note.hold and self.note.mode == "once"
            and turned["speed"] > 0 and turned["freeze"] <= 0.5 and turned["density"] == 1
        )  # fmt: skip

    def _read_path(self, latent: Array) -> None:
        low = min(int(self.position), self.written - 1)
        share = self.position - low
        latent[:] = self._grain(low)
        if share > 0:
            high = low + 1 if low + 1 < self.written else (0 if self.note.mode == "loop" else low)
            latent += np.float32(share) * (self._grain(high) - self._grain(low))

    def _grain(self, number: int) -> Array:
        block, place = divmod(number, len(self._blocks[0]))
        grain: Array = self._blocks[block][place]
        return grain if grain.ndim == 1 else self._morphed(grain)

    def _morphed(self, grains: Array) -> Array:
        """Of grains [K, Z] beside each other in a table, the one at `morph`."""
        place = self.controls["morph"] * (len(grains) - 1)
        low = int(place)
        grain: Array = grains[low]
        return grain + np.float32(place - low) * (grains[low + 1] - grain) if place > low else grain

    def _advance(self) -> None:
        if self.controls["freeze"] > 0.5:
            return
        position = self.position + self._direction * self.controls["speed"]
        last = self.length - 1
        if not 0 <= position <= last:
            if self.note.mode == "loop":
                position %= self.length
            elif self.note.mode == "back-and-forth" and last > 0:
                if math.floor(position / last) % 2:
                    self._direction = -self._direction
                position %= 2 * last
                position = min(position, 2 * last - position)
            elif self.note.hold or self.note.mode != "once":
                position = min(max(position, 0), last)
            else:
                position, self._tail = min(max(position, 0), last), OVERLAP - 1
        self.position = position

    @property
    def _chance(self) -> np.random.Generator:
        if self._choice is None:
            self._choice = seeded(self.note.seed, self.note.index, Stream.GRAINS)
        return self._choice

    def _fading_in(self, audio: Array) -> Array:
        whole, start = self._rate // FADE_SHARE, self._faded_in
        count = min(whole - start, self.hop)
        self._faded_in += count
        audio = audio.copy()
        audio[:count] *= np.linspace(0, 1, whole, dtype=np.float32)[start : start + count]
        return audio

    @property
    def _tuned(self) -> float:
        """The rate that makes the bundle's samples sound at the pitch."""
        return float(self._rate * 2 ** (self.controls["pitch"] / 12))
