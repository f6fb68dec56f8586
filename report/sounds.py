"""The sounds that a report is about, each read once for the evaluation, the examples and the map."""

from __future__ import annotations

from collections.abc import Iterator

from ngs.evaluation.quality.selection import Entry, Progress, Selection, read
from ngs.report.map_grains import chosen
from ngs.runtime.arrays import Array

MAP_SOUNDS = 300


class ReportSounds:
    """Index, entry and signal [n] of the `test` sounds, which stay in memory, and of the `training` sounds.

    There may be many training sounds: they are read one at a time and not kept, except those on the map. `training` is
    None if the test sounds are compared with each other.
    """

    def __init__(
        self, selection: Selection, sample_rate: int, seed: int, remarks: list[str], progress: Progress
    ) -> None:  # fmt: skip
        """Read the test sounds. `remarks` gets a line about files that cannot be used."""
        self._rate, self._remarks, self._progress = sample_rate, remarks, progress
        self._map = chosen([*selection.test, *(selection.training or [])], MAP_SOUNDS, seed)
        self.test = list(read(selection.test, sample_rate, "Reading sounds", remarks, progress))
        self.training = None if selection.training is None else self._read_training(selection.training)
        self._signals = {entry.file.name: signal for _, entry, signal in self.test}

    def on_map(self) -> Iterator[tuple[Entry, Array]]:
        """The sounds of the map, the same number of each class. Call it when all training sounds have been read."""
        for entry in self._map:
            if entry.file.name in self._signals:
                yield entry, self._signals[entry.file.name]

    def _read_training(self, entries: list[Entry]) -> Iterator[tuple[int, Entry, Array]]:
        wanted = {entry.file.name for entry in self._map}
        title = "Reading the training set"
        for index, entry, signal in read(entries, self._rate, title, self._remarks, self._progress):
            if entry.file.name in wanted:
                self._signals[entry.file.name] = signal
            yield index, entry, signal
