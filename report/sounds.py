"""The sounds that a report is about, each read once for the evaluation, the examples and the map."""

from __future__ import annotations

from collections.abc import Iterator

from ngs.evaluation.quality.selection import Entry, Progress, Selection, read
from ngs.report.map_grains import chosen
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle

MAP_SOUNDS = 300


class ReportSounds:
    """Test sounds stay in memory. Training sounds, which may be many, pass by once; those of the map are kept."""

    def __init__(
        self, bundle: Bundle, selection: Selection, seed: int, remarks: list[str], progress: Progress
    ) -> None:  # fmt: skip
        """Reads the test sounds. `remarks` gets a line for each file that cannot be used."""
        self._rate, self._training, self._remarks, self._progress = (
            bundle.manifest.sample_rate, selection.training, remarks, progress,
        )  # fmt: skip
        self._map = chosen([*selection.test, *(selection.training or [])], MAP_SOUNDS, seed)
        self._map_paths = {entry.file.path for entry in self._map}
        self.test = list(read(selection.test, self._rate, "Reading sounds", remarks, progress))
        self._signals = {entry.file.path: signal for _, entry, signal in self.test}

    def training(self) -> Iterator[tuple[int, Entry, Array]] | None:
        """Index, entry and signal of each training sound; None where the test sounds are the reference themselves."""
        if self._training is None:
            return None
        return self._pass(self._training)

    def _pass(self, entries: list[Entry]) -> Iterator[tuple[int, Entry, Array]]:
        for index, entry, signal in read(
            entries, self._rate, "Reading the training set", self._remarks, self._progress
        ):
            if entry.file.path in self._map_paths:
                self._signals[entry.file.path] = signal
            yield index, entry, signal

    def of_the_map(self) -> Iterator[tuple[Entry, Array]]:
        """As many of each class; complete once the training sounds have passed."""
        for entry in self._map:
            if entry.file.path in self._signals:
                yield entry, self._signals[entry.file.path]
