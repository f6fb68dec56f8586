"""One sounding note: where it is on its path, its noise, and the samples that wait to be heard."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from ngs.runtime.bundle import Bundle
from ngs.runtime.grains import OVERLAP, NoiseGrains
from ngs.runtime.notes import CONTROLS, Note
from ngs.runtime.render import completed, drawn_embedding, noise_seed, seeded

Array = NDArray[np.float32]
SMOOTH_SECONDS = 0.01  # in which gain and pan follow
SILENT = 1e-4  # -80 dB: what is quieter for SILENT_HOPS is over
SILENT_HOPS = 16
LONGEST_PATH = 1 << 14  # grains of a held note that are written; after them the last one goes on
OCTAVES = 2  # of the pitch control, either way
RESAMPLER_DELAY = 2  # samples that soxr's stream of variable rate is late (1.4 to 1.7, measured on sines)


class Voice:
    """A note from its first grain to its last sample: the synth decodes its grains, row by row, and mixes it."""

    def __init__(self, bundle: Bundle, note: Note, sample_rate: int, channels: int) -> None:
        manifest = bundle.manifest
        self.note, self.hop, self._rate, self.sample_rate = note, manifest.hop_length, manifest.sample_rate, sample_rate
        self.controls = {name: control.start for name, control in CONTROLS.items()} | dict(note.controls)
        self.condition, self.embedding = bundle.condition(note.choices), note.embedding
        if note.path is None:
            self.condition = completed(bundle, self.condition, note.seed, note.index, 3)
            if self.embedding is None:
                self.embedding = drawn_embedding(bundle, note.temperature, note.seed, note.index)
            self._span = manifest.path_length
            self._path, self.written = np.zeros((self._span, manifest.latent_size), np.float32), 0
        else:
            self._span = self.written = len(note.path)
            self._path = np.array(note.path, dtype=np.float32)
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
        self._fade_in = 0 if note.onset else manifest.sample_rate // 100
        self._resampler: Any = None
        self._skip = 0  # samples of the resampler that were heard before it was there
        longest = math.ceil(3 * self.hop * max(1.0, sample_rate / self._rate) * 2**OCTAVES) + 1024
        self._waiting = np.zeros(longest, dtype=np.float32)
        self._read = self.available = 0
        self._last_hop = np.zeros(self.hop, dtype=np.float32)
        self.pan = Pan(self.controls["gain"], self.controls["pan"], sample_rate, channels)
        self.number = 0  # by which its synth knows it
        self.releasing = self.stolen = self.failed = False
        self._release_at = -1 if note.seconds is None else round(note.seconds * sample_rate)
        self._played = 0
        self._retune()

    # what is heard

    def set(self, values: Mapping[str, float]) -> None:
        """Turn controls, which `check_controls` has seen; what they do is smooth."""
        self.controls |= values
        if "position" in values:
            self.position = self.controls.pop("position") * (self._span - 1)
        if values.keys() & {"gain", "pan"} and not self.releasing:
            self.pan.go(self.controls["gain"], self.controls["pan"])
        if "pitch" in values:
            self._retune()

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
        end = self._read + self.available
        count = min(self.sample_rate // 200, end)
        self._append(self._waiting[end - count : end][::-1] * np.linspace(1, 0, count, dtype=np.float32))

    @property
    def ended(self) -> bool:
        """Whether nothing more is to be heard."""
        return (self.releasing and self.pan.remaining == 0) or (self.exhausted and self.available == 0)

    @property
    def exhausted(self) -> bool:
        """Whether no more grains are to be decoded."""
        return self._tail == 0

    @property
    def horizon(self) -> int:
        """Samples until something happens to it: the end of what is decoded, of a fade, or of its time."""
        count = self.available
        if self.pan.remaining:
            count = min(count, self.pan.remaining)
        if not self.releasing and self._release_at > self._played:
            count = min(count, self._release_at - self._played)
        return count

    def mix(self, out: Array) -> None:
        """Add the next n samples to the channels of `out` [c, n]; n is at most `horizon`."""
        count = out.shape[1]
        self.pan.mix(self._waiting[self._read : self._read + count], out)
        self._read += count
        self.available -= count
        self._played += count
        if self._played == self._release_at and not self.releasing:
            self.release(self.note.release)

    # what is decoded

    @property
    def grains_needed(self) -> int:
        """Grains of an embedding's path that must be written before the next one can be decoded."""
        return min(math.ceil(self.position) + 1, self.length)

    def write(self, latents: Array) -> None:
        """Append the next grains [n, Z] of the path."""
        end = self.written + len(latents)
        if end > len(self._path):
            self._path = np.concatenate((self._path, np.zeros_like(self._path)))
        self._path[self.written : end] = latents
        self.written = end

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
        if self._fade_in > 0:
            audio = self._faded_in(audio)
        self._quiet = self._quiet + 1 if -SILENT < audio.min() and audio.max() < SILENT else 0
        if self._quiet >= SILENT_HOPS and self.note.path is None and not self.note.hold and self._tail != 0:
            audio = audio * np.linspace(1, 0, self.hop, dtype=np.float32)
            self._tail = 0
        if self._resampler is None:
            self._append(audio)
            self._last_hop[:] = audio
        else:
            samples = self._resampler.resample_chunk(audio, last=self.exhausted)
            skipped = min(self._skip, len(samples))
            self._skip -= skipped
            self._append(samples[skipped:])

    def _read_path(self, latent: Array) -> None:
        low = min(int(self.position), self.written - 1)
        share = self.position - low
        latent[:] = self._path[low]
        if share > 0:
            high = low + 1 if low + 1 < self.written else (0 if self.note.mode == "loop" else low)
            latent += np.float32(share) * (self._path[high] - self._path[low])

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
            self._choice = seeded(self.note.seed, self.note.index, 4)
        return self._choice

    def _faded_in(self, audio: Array) -> Array:
        whole = self._rate // 100
        start = whole - self._fade_in
        count = min(self._fade_in, self.hop)
        self._fade_in -= count
        audio = audio.copy()
        audio[:count] *= np.linspace(0, 1, whole, dtype=np.float32)[start : start + count]
        return audio

    def _retune(self) -> None:
        """Resample from now on by the pitch, from the bundle's rate to the host's."""
        rate = self._rate * 2 ** (self.controls["pitch"] / 12)
        if self._resampler is None:
            if rate == self.sample_rate:
                return
            self._resampler = soxr.ResampleStream(
                self._rate * 2**OCTAVES, self.sample_rate, 1, dtype="float32", quality="HQ", vr=True
            )
            self._resampler.set_io_ratio(rate, self.sample_rate, 0)
            if self.grains > self.lead:  # what was already heard gives the filter its past
                heard = len(self._resampler.resample_chunk(self._last_hop))
                self._skip = round(self.hop * self.sample_rate / rate) + RESAMPLER_DELAY - heard
        else:
            self._resampler.set_io_ratio(rate, self.sample_rate, round(SMOOTH_SECONDS * self.sample_rate))

    def _append(self, samples: Array) -> None:
        if self._read:
            self._waiting[: self.available] = self._waiting[self._read : self._read + self.available]
            self._read = 0
        self._waiting[self.available : self.available + len(samples)] = samples
        self.available += len(samples)


class Pan:
    """Gains of the two sides, which follow what they are told in straight lines: no zipper noise, no click."""

    def __init__(self, gain: float, pan: float, sample_rate: int, channels: int) -> None:
        """`channels`: 2, or 1, which hears no pan."""
        self._sample_rate, self._channels = sample_rate, channels
        self._end = self._start = self._sides(gain, pan)
        self._length, self.remaining = 1, 0  # samples of the line, in all and still to come

    def go(self, gain: float, pan: float, seconds: float = SMOOTH_SECONDS) -> None:
        """Head for a gain and a pan, there in so many seconds (or 2 ms at least)."""
        self._start = self._now()
        self._end = self._sides(gain, pan)
        self._length = self.remaining = max(round(seconds * self._sample_rate), self._sample_rate // 500, 1)

    def mix(self, samples: Array, out: Array) -> None:
        """Add samples [n] to the channels of `out` [c, n]; n is at most `remaining` where that is above 0."""
        for side in range(self._channels):
            if self.remaining:
                done = self._length - self.remaining
                share = np.arange(done + 1, done + len(samples) + 1, dtype=np.float32) / np.float32(self._length)
                gains = self._start[side] + share * (self._end[side] - self._start[side])
                out[side] += samples * gains
            elif self._end[side]:
                out[side] += samples * self._end[side]
        self.remaining = max(0, self.remaining - len(samples))

    def _now(self) -> list[np.float32]:
        share = np.float32(1 - self.remaining / self._length)
        return [start + share * (end - start) for start, end in zip(self._start, self._end, strict=True)]

    def _sides(self, gain: float, pan: float) -> list[np.float32]:
        angle = (pan + 1) * math.pi / 4
        return (
            [np.float32(gain * side) for side in (math.cos(angle), math.sin(angle))]
            if self._channels == 2
            else [np.float32(gain)]
        )
