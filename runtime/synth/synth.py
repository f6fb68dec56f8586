"""A polyphonic synth on a bundle: notes with sample-accurate times in, sound out, in blocks of any size."""

from __future__ import annotations

from collections.abc import Mapping

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.live.schedule import Act, Schedule, check_frame
from ngs.runtime.synth.note_stream import NoteStream
from ngs.runtime.synth.notes import Note
from ngs.runtime.synth.voice import Voice
from ngs.runtime.synth.voice_batch import VoiceBatch

STEAL_SECONDS = 0.005  # how long a stolen voice fades


class Synth(NoteStream):
    """Up to `voices` notes of a bundle at once, at any sample rate.

    The sound depends on the notes, their seeds and their times, never on the size of the blocks.
    One thread uses a synth; `Engine` plays one live.
    """

    latency = 0

    def __init__(
        self, bundle: Bundle, sample_rate: int | None = None, voices: int = 16, outputs: int = 1, channels: int = 2
    ) -> None:
        super().__init__(sample_rate or bundle.manifest.sample_rate, voices, outputs, channels)
        self._batch = VoiceBatch(bundle, 2 * voices, self.sample_rate, channels, outputs)  # stolen voices still fade
        self.reset()

    def reset(self) -> None:
        """Silence at time 0, no events to come, nothing counted.

        Thread: the one that plays. Waits: no. Memory: a little.
        """
        self._batch.clear()
        self._batch.hops = self._batch.failures = 0
        self._batch.last_error = None
        self._schedule = Schedule()
        self.time = 0  # samples played
        self.dropped = 0  # notes not heard or not faded, because too many came at once

    def warm_up(self) -> None:
        """Do what the first notes would have to wait for. Raises BundleError if the bundle cannot be played.

        Thread: the one that plays. Waits: for graphs. Memory: what onnxruntime keeps.
        """
        self._batch.warm_up()

    @property
    def bundle(self) -> Bundle:
        return self._batch.bundle

    @property
    def sounding(self) -> int:
        """Voices that sound, including released ones."""
        return sum(not voice.ended for voice in self._batch.voices)

    @property
    def hops(self) -> int:
        """Calls of the decoder so far."""
        return self._batch.hops

    @property
    def failures(self) -> tuple[int, str]:
        """How many failures so far, and the reason of the last one."""
        return self._batch.failures, self._batch.last_failure

    def lasting(self) -> list[tuple[int, Note]]:
        """The notes that sound until they are released, each as it is now, with their numbers.

        Thread: any. Waits: no. Memory: the notes.
        """
        return [(voice.number, voice.now) for voice in [*self._batch.voices] if voice.number and voice.lasting]

    def process(self, out: Array) -> None:
        """Overwrite `out`, float32 [outputs * channels, n], with the next n samples.

        A failure ends the voices it may concern, and is counted.

        Thread: the one that plays. Waits: for graphs. Memory: what voices take and give back.
        """
        self._check(out)
        out[:] = 0.0
        count = out.shape[1]
        done = attempts = 0
        while done < count:
            try:
                length, attempts = self._segment(out[:, done:]), 0
            except Exception as error:
                length, attempts = 0, attempts + 1
                self._batch.fail_all(error)
                if attempts > 1:  # the echoes fail as well
                    self._batch.clear()
                if attempts > 2:  # and so does silence
                    length = count - done
            done += length
            self.time += length

    def _segment(self, out: Array) -> int:
        """Mix into `out` until something happens or it is full. Returns the samples mixed."""
        for act in self._schedule.due(self.time):
            act()
        self._batch.fill()
        length = self._schedule.free(self.time, out.shape[1])
        for voice in self._batch.voices:
            length = min(length, voice.horizon)
        for voice in self._batch.voices:
            voice.mix(out[:, :length])
        return length

    def _ask(self, at: float | None, act: Act, number: int | None = None) -> None:
        self._schedule.add(self.time if at is None else check_frame(at), act, number)

    def begin(self, note: Note, number: int) -> None:
        self._batch.sweep()  # ended voices make room
        held = [voice for voice in self._batch.voices if not voice.stolen]
        if len(held) >= self.voices:
            victim = min(held, key=lambda voice: (not voice.releasing, voice.age))
            if victim.grains:
                victim.steal(STEAL_SECONDS)
            else:
                self._drop(victim)
        if len(self._batch.voices) == self._batch.rows:
            self._drop(min((v for v in self._batch.voices if v.stolen), key=lambda voice: voice.pan.remaining))
        voice = self._batch.start(note)
        if voice:
            voice.number = number

    def end(self, number: int | None, release: float) -> None:
        self._schedule.cancel(number)
        for voice in self._voices(number):
            voice.release(release)

    def turn(self, number: int | None, values: Mapping[str, float]) -> None:
        for voice in self._voices(number):
            voice.set(values)

    def _voices(self, number: int | None) -> list[Voice]:
        return [voice for voice in self._batch.voices if number in (None, voice.number)]

    def _drop(self, voice: Voice) -> None:
        self.dropped += 1
        self._batch.remove(self._batch.voices.index(voice))
