"""A voice: one sounding note, from its first grain to its last sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.levels import held_levels
from ngs.runtime.bundle.seeds import completed, drawn_embedding
from ngs.runtime.dsp.grains import OVERLAP, NoiseGrains
from ngs.runtime.offline.render import FADE_SHARE, SILENT
from ngs.runtime.synth.controls import CONTROLS
from ngs.runtime.synth.fifo import Fifo
from ngs.runtime.synth.grain_chance import GrainChance
from ngs.runtime.synth.notes import Note
from ngs.runtime.synth.pan import Pan
from ngs.runtime.synth.playhead import Playhead

SILENT_HOPS = 16  # after which a sound that plays forwards to its end is over
ECHO_SECONDS = 0.005  # after the end of a voice that failed


class Voice:
    """A note being played: `next_grain` prepares a row of the decoder, `give` takes the decoded hop, `mix` plays it.

    Hops wait in `fifo` until they are mixed at the gains of `pan`.
    """

    def __init__(self, bundle: Bundle, note: Note, sample_rate: int, channels: int) -> None:
        manifest = bundle.manifest
        self.note, self.hop, self._rate, self.sample_rate = note, manifest.hop_length, manifest.sample_rate, sample_rate
        self.controls = {name: control.start for name, control in CONTROLS.items()} | dict(note.controls)
        self.condition, self.embedding = bundle.condition(note.choices), note.embedding
        self._levels: Array | None = None  # of the grains of a drawn sound [T]
        seed = (note.seed, note.index)
        if note.path is None:
            self.condition = completed(bundle, self.condition, seed)
            if self.embedding is None:
                self.embedding = drawn_embedding(bundle, self.condition, note.temperature, seed)
                if note.held:
                    self._levels = held_levels(bundle, self.embedding[None], self.condition[None])[0]
        self.path = Playhead(note, manifest.path_length, self.controls, self.controls.pop("position"))
        self._noise = NoiseGrains(seed, manifest.grain_length)
        self._chance = GrainChance(bundle, seed)
        self.grains = 0  # decoded so far
        self.lead = 0 if note.onset else OVERLAP  # grains before the first that is heard
        self._tail = -1  # silent grains still to come; -1 before the end of the path
        self._quiet = 0  # silent hops in a row
        self._faded_in = manifest.sample_rate // FADE_SHARE if note.onset else 0
        self.fifo = Fifo(self.hop, self._rate, sample_rate)
        self.fifo.tune(self._tuned)
        self.pan = Pan(self.controls["gain"], self.controls["pan"], sample_rate, channels)
        self._rows = slice(note.output * channels, (note.output + 1) * channels)  # of the mix
        self.number: int | None = None  # what its synth calls it
        self.age = 0  # higher for a later one
        self.releasing = self.stolen = self.failed = False
        self._release_at = -1 if note.seconds is None else max(1, round(note.seconds * sample_rate))
        self._played = 0  # samples

    def __repr__(self) -> str:
        state = ("failed", self.failed), ("ended", self.ended), ("stolen", self.stolen), ("releasing", self.releasing)
        told = next((word for word, true in state if true), "sounding")
        return f"<Voice {self.number}: {self.note!r}, {self.grains} grain{'s' * (self.grains != 1)}, {told}>"

    # what is heard

    def set(self, values: Mapping[str, float]) -> None:
        """Turn controls, which `check_controls` has passed."""
        self.controls |= values
        if "position" in values:
            self.path.jump(self.controls.pop("position"))
        if values.keys() & {"gain", "pan"} and not self.releasing:
            self.pan.go(self.controls["gain"], self.controls["pan"])
        if "pitch" in values:
            self.fifo.tune(self._tuned)

    def release(self, seconds: float) -> None:
        """Fade to silence and end. A second release counts only if it is quicker."""
        if not self.releasing or seconds < self.pan.remaining / self.sample_rate:
            self.releasing = True
            self.pan.go(0.0, self.controls["pan"], seconds)

    def steal(self, seconds: float) -> None:
        """Release it to make room for another note."""
        self.stolen = True
        self.release(seconds)

    def fail(self) -> None:
        """End without a click: with an echo of what was heard last."""
        self.failed = True
        self._tail = 0
        self.fifo.echo(round(ECHO_SECONDS * self.sample_rate))

    @property
    def ended(self) -> bool:
        """Whether nothing more will be heard."""
        return (self.releasing and self.pan.remaining == 0) or (
            self.exhausted and self.fifo.available == 0 and self.fifo.pending == 0
        )

    @property
    def lasting(self) -> bool:
        """Whether it sounds until it is released."""
        turned = self.controls
        stands = turned["freeze"] > 0.5 or turned["speed"] == 0
        lasts = self.note.seconds is None and (self.note.hold or self.note.mode != "once" or stands)
        return lasts and not (self.releasing or self.stolen or self.failed or self.exhausted)

    @property
    def now(self) -> Note:
        """The note that begins where the voice is, with the controls as they are turned; on its way back, backwards."""
        speed = self.path.direction * self.controls["speed"]
        return replace(self.note, controls={**self.controls, "position": self.path.place, "speed": speed})

    @property
    def exhausted(self) -> bool:
        """Whether no more grains will be decoded."""
        return self._tail == 0

    @property
    def horizon(self) -> int:
        """Samples until something happens: the end of what is decoded, of a fade, or of the note's time."""
        count = self.fifo.assured
        if self.pan.remaining:
            count = min(count, self.pan.remaining)
        if not self.releasing and self._release_at > self._played:
            count = min(count, self._release_at - self._played)
        return count

    def mix(self, out: Array) -> None:
        """Add the next n samples to the voice's rows of `out` [outputs * channels, n]; n is at most `horizon`."""
        count = out.shape[1]
        self.pan.mix(self.fifo.take(count), out[self._rows])
        self._played += count
        if self._played == self._release_at and not self.releasing:
            self.release(self.note.release)

    # what is decoded

    def write(self, latents: Array) -> None:
        """Write the next grains [g, Z] on the path, with the levels that hold a drawn sound."""
        if self._levels is not None:
            start, last = self.path.written, len(self._levels) - 1
            own = self._levels[np.minimum(np.arange(start, start + len(latents)), last)]
            latents = np.concatenate((latents, own[:, None]), 1)
        self.path.write(latents)

    def next_grain(self, inputs: dict[str, Array], row: int) -> None:
        """Fill a row of the decoder's inputs with the next grain, and move on."""
        latent = inputs["latent"][row]
        level = self.path.read(latent)
        self._chance.scatter(self.grains, latent, self.controls)
        first = self.grains == 0
        if first:
            inputs["condition"][row] = self.condition
        self._noise.move_on(inputs["noise"][row])
        inputs["onset"][row] = first
        silent = self._chance.silences(self.grains, self.controls)
        inputs["level"][row] = 0.0 if silent or self._tail > 0 else level
        self.grains += 1
        if self._tail > 0:
            self._tail -= 1
        elif self.grains > self.lead and self.path.advance():
            self._tail = OVERLAP - 1

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
        """Whether silence means that the sound is over: true of a drawn sound on its way to its end."""
        turned = self.controls
        return (
            self.note.path is None and not self.note.hold and self.note.mode == "once"
            and turned["speed"] > 0 and turned["freeze"] <= 0.5 and turned["density"] == 1
        )  # fmt: skip

    def _fading_in(self, audio: Array) -> Array:
        whole, start = self._rate // FADE_SHARE, self._faded_in
        count = min(whole - start, self.hop)
        self._faded_in += count
        audio = audio.copy()
        audio[:count] *= np.linspace(0, 1, whole, dtype=np.float32)[start : start + count]
        return audio

    @property
    def _tuned(self) -> float:
        """The rate in hertz at which the bundle's samples have the pitch."""
        return float(self._rate * 2 ** (self.controls["pitch"] / 12))
