"""TODO."""

from __future__ import annotations

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.synth.controls import check_controls, check_release, check_sample_rate
from ngs.runtime.synth.notes import Note
from ngs.runtime.synth.voice_bank import VoiceBank


class GrainStream:
    """One note, mono, in blocks of any size; zeros after its end."""

    latency = 0

    def __init__(self, bundle: Bundle, note: Note, sample_rate: int | None = None) -> None:
        note.check(bundle)
        rate = check_sample_rate(sample_rate or bundle.manifest.sample_rate)
        self._note, self._bank = note, VoiceBank(bundle, 1, rate, channels=1)
        self.reset()

    def reset(self) -> None:
        """Start again, at the first grain."""
        self._bank.clear()
        self._bank.start(self._note)

    @property
    def ended(self) -> bool:
        """Whether nothing more is to be heard."""
        return all(voice.ended for voice in self._bank.voices)

    @property
    def failures(self) -> tuple[int, str]:
        """What failed so far, and why the last time."""
        return self._bank.failures, self._bank.last_failure

    def set(self, **controls: float) -> None:
        """Turn controls (`notes.CONTROLS`); pan is not heard. Raises ValueError."""
        values = check_controls(controls)
        for voice in self._bank.voices:
            voice.set(values)

    def release(self, seconds: float = 0.05) -> None:
        """Fade it and end."""
        for voice in self._bank.voices:
            voice.release(check_release(seconds))

    def process(self, count: int) -> Array:
        """The next samples, float32 [count]."""
        out = np.zeros((1, count), dtype=np.float32)
        done = 0
        while done < count:
            self._bank.fill()
            if not self._bank.voices:
                break
            voice = self._bank.voices[0]
            length = min(count - done, voice.horizon)
            voice.mix(out[:, done : done + length])
            done += length
        mono: Array = out[0]
        return mono
