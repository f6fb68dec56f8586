"""Voices as the rows of one batch: one call of the decoder makes a hop of each."""

from __future__ import annotations

import itertools

import numpy as np

from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.bundle.graph_stream import GraphStream, SoundStream, StyleStream
from ngs.runtime.errors import reason
from ngs.runtime.synth.notes import Note
from ngs.runtime.synth.voice import Voice


class VoiceBatch:
    """At most `rows` voices of one bundle. A voice may fail, the batch goes on; `failures` counts them."""

    def __init__(self, bundle: Bundle, rows: int, sample_rate: int, channels: int, outputs: int = 1) -> None:
        self.bundle, self.rows, self.sample_rate = bundle, rows, sample_rate
        self._channels, self._outputs = channels, outputs
        self.voices: list[Voice] = []
        self.hops = self.failures = 0
        self.last_error: Exception | None = None
        self._ages = itertools.count()
        self._decoder = SoundStream(bundle, rows)
        self._writer = GraphStream(bundle, "embedding_step", rows)
        self._style = StyleStream(bundle, rows) if bundle.manifest.has_style else None

    def start(self, note: Note) -> Voice | None:
        """Add a voice, for which a row must be free. Returns None if that fails."""
        try:
            note.check(self.bundle, self._outputs)  # the bundle may have changed since it was asked for
            voice = Voice(self.bundle, note, self.sample_rate, self._channels)
        except Exception as error:
            self.failed(error)
            return None
        row = len(self.voices)
        voice.age = next(self._ages)
        self.voices.append(voice)
        if voice.embedding is not None:
            self._writer.clear(row)
            self._writer.inputs["embedding"][row] = voice.embedding
            self._writer.inputs["condition"][row] = voice.condition
        return voice

    def remove(self, row: int) -> None:
        """Take a voice out. The last row moves to its place."""
        last = len(self.voices) - 1
        if row < last:
            self._decoder.move(last, row)
            self._writer.move(last, row)
            self.voices[row] = self.voices[last]
        self.voices.pop()

    def sweep(self) -> None:
        """Take out the voices that have ended."""
        for row in range(len(self.voices) - 1, -1, -1):
            if self.voices[row].ended:
                self.remove(row)

    def clear(self) -> None:
        """Take out all voices, at once."""
        self.voices.clear()

    def fail_all(self, error: Exception) -> None:
        """End every voice without a click, after an error that any of them may have caused."""
        self.failed(error)
        for voice in self.voices:
            voice.fail()

    def fill(self) -> None:
        """Decode until every voice has samples available, and take out those that have ended.

        New voices are decoded by themselves, at once. When another voice has run dry, all with less than a hop left are
        decoded with it: voices whose hops are not aligned still share a call.
        """
        while True:
            self.sweep()
            for voice in self.voices:
                if voice.fifo.available == 0:
                    voice.fifo.fetch(voice.exhausted)
            empty = [row for row, voice in enumerate(self.voices) if voice.fifo.available == 0]
            if not empty:
                return
            fresh = [row for row in empty if self.voices[row].grains <= self.voices[row].lead]
            wanted = fresh or [
                row for row, voice in enumerate(self.voices) if not voice.exhausted and voice.fifo.pending < voice.hop
            ]
            for start, stop in _runs(wanted):
                self._decode(start, stop)

    def warm_up(self) -> None:
        """Run everything once before anything sounds. Raises BundleError if that fails."""
        self._decoder.warm_up()
        self._writer.warm_up()
        if self._style is not None:
            self._style.warm_up()
        self.start(Note(controls={"scatter": 1.0, "density": 0.5}))
        self.fill()
        self.clear()
        self.hops = 0
        if isinstance(self.last_error, BundleError):
            raise self.last_error
        if self.last_error:
            raise BundleError(f"{self.bundle.path} cannot be played ({reason(self.last_error)})") from self.last_error

    def _decode(self, start: int, stop: int) -> None:
        """Decode the next hop of the voices in rows start .. stop - 1. A voice that fails ends."""
        self._write_paths(start, stop)
        for row, voice in enumerate(self.voices[start:stop], start):
            try:
                voice.next_grain(self._decoder.inputs, row)
            except Exception as error:
                self.failed(error)
                voice.fail()
        self._bring_to_style(start, stop)
        self._step(self._decoder, start, stop)
        audio = self._decoder.outputs["audio"]
        sums = audio[start:stop].sum(axis=1)
        for row, voice in enumerate(self.voices[start:stop], start):
            if voice.failed:
                continue
            if np.isfinite(sums[row - start]):
                voice.give(audio[row])
            else:
                self.failed(BundleError(f"{self.bundle.path} gave NaN or infinite samples: see `ngs validate`"))
                voice.fail()
        self.hops += 1

    def _write_paths(self, start: int, stop: int) -> None:
        """Write on the paths of embeddings as far as the next hop needs them."""
        while True:
            short = [
                row
                for row, voice in enumerate(self.voices[start:stop], start)
                if voice.embedding is not None and voice.path.written < voice.path.grains_needed and not voice.failed
            ]
            if not short:
                return
            for first, last in _runs(short):
                self._step(self._writer, first, last)
                for row in range(first, last):
                    if not self.voices[row].failed:
                        self.voices[row].write(self._writer.outputs["path"][row])

    def _bring_to_style(self, start: int, stop: int) -> None:
        """Bring the next grains of the voices that have a style to the corpus."""
        if self._style is None:
            return
        self._style.still(self._decoder, start, stop)
        rows = [row for row in range(start, stop) if self.voices[row].note.style > 0 and not self.voices[row].failed]
        for row in rows:
            self._style.take(self._decoder, row, self.voices[row].note.style)
        for first, last in _runs(rows):
            self._step(self._style, first, last)
            self._style.give(self._decoder, first, last)

    def _step(self, stream: GraphStream, start: int, stop: int) -> None:
        """Run rows of a graph. If that fails, run them one by one: the voices whose rows fail then end."""
        try:
            stream.step(start, stop)
        except BundleError as error:
            if stop - start > 1:
                for row in range(start, stop):
                    self._step(stream, row, row + 1)
            elif not self.voices[start].failed:
                self.failed(error)
                self.voices[start].fail()

    @property
    def last_failure(self) -> str:
        """The reason of the last failure, or an empty string."""
        error = self.last_error
        return reason(error) if error else ""

    def failed(self, error: Exception) -> None:
        """Count a failure."""
        self.failures += 1
        self.last_error = error


def _runs(rows: list[int]) -> list[tuple[int, int]]:
    """Sorted rows as runs start .. stop - 1."""
    runs: list[tuple[int, int]] = []
    for row in rows:
        if runs and runs[-1][1] == row:
            runs[-1] = runs[-1][0], row + 1
        else:
            runs.append((row, row + 1))
    return runs
