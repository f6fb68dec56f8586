"""Resynthesisers side by side, one a channel, that can all be faded to another bundle's."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.resynthesis.resynthesiser import Resynthesiser

Choices = Mapping[str, str] | str


class Row:
    """A bundle's resynthesisers, of seeds `seed`, `seed` + 1 and so on. What fails is a block of a channel: silence."""

    def __init__(
        self, bundle: Bundle, choices: Choices, sample_rate: int, seed: int, channels: int, at_least: int = 0
    ) -> None:
        """at_least: samples of latency."""
        self.streams = [
            Resynthesiser(bundle, choices, sample_rate, seed + channel, at_least) for channel in range(channels)
        ]
        self.latency = self.streams[0].latency
        self._failures, self._last_failure = 0, ""

    def process(self, given: Array, made: Array) -> None:
        """The next samples [channels, n] to as many."""
        for stream, source, target in zip(self.streams, given, made, strict=True):
            try:
                target[:] = stream.process(source)
            except Exception as error:
                self._failures, self._last_failure = self._failures + 1, str(error) or type(error).__name__
                target[:] = 0.0
                stream.reset()

    @property
    def failures(self) -> tuple[int, str]:
        """What failed so far, and why the last time."""
        reasons = [self._last_failure, *(stream.last_failure for stream in self.streams)]
        return self._failures + sum(stream.failures for stream in self.streams), next(filter(None, reasons), "")


class ResynthesiserBank:
    """A row that plays, and the change to another one. A change waits for the one before it, the last of several."""

    def __init__(self, row: Row, block: int) -> None:
        """block: samples that are played at once, at most."""
        self._now = row
        self._coming: list[tuple[Row, int]] = []  # the next row and the one that waits, and the samples of their fades
        self._heard = 0  # samples by the next row
        self._other = np.zeros((len(row.streams), block), np.float32)
        self._gone, self._last_failure = 0, ""  # failures of rows that are gone
        self.retired: list[Row] = []  # to be freed by another thread than the one that plays

    def process(self, given: Array, made: Array) -> None:
        """The next samples [channels, n] to as many."""
        self._now.process(given, made)
        if not self._coming:
            return
        row, fade = self._coming[0]
        count = made.shape[1]
        other = self._other[:, :count]
        row.process(given, other)
        since = np.arange(self._heard + 1, self._heard + count + 1) - row.latency
        share = np.clip(since / fade, 0, 1).astype(np.float32)
        made *= 1 - share
        made += share * other
        self._heard += count
        if self._heard >= row.latency + fade:
            self._follow()

    def change(self, row: Row, fade: int) -> None:
        """Go to another row in `fade` samples, from when it has listened for its latency; controls are handed on."""
        for stream, old in zip(row.streams, self._now.streams, strict=True):
            stream.set(**old.controls)
        if len(self._coming) > 1:
            self.retired.append(self._coming.pop()[0])
        self._coming.append((row, fade))

    def reset(self) -> None:
        """The next sample is the first of a sound; a change is over."""
        while self._coming:
            self._follow()
        for stream in self._now.streams:
            stream.reset()

    def each(self, act: Callable[[Resynthesiser], None]) -> None:
        """Do something to every resynthesiser, those that wait too."""
        for row in self._rows:
            for stream in row.streams:
                act(stream)

    @property
    def failures(self) -> tuple[int, str]:
        """What failed so far, and why the last time."""
        counts, reasons = zip(*(row.failures for row in self._rows), strict=True)
        return self._gone + sum(counts), next(filter(None, reasons), self._last_failure)

    @property
    def _rows(self) -> list[Row]:
        return [self._now, *(row for row, _ in self._coming)]

    def _follow(self) -> None:
        count, reason = self._now.failures
        self._gone, self._last_failure = self._gone + count, reason or self._last_failure
        self.retired.append(self._now)
        self._now, self._heard = self._coming.pop(0)[0], 0
