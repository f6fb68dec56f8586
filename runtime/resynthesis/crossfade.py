"""Resynthesisers side by side, one per channel, and the crossfade from one bundle's to another's."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.errors import reason
from ngs.runtime.live.stream import Effect
from ngs.runtime.resynthesis.resynthesiser import Resynthesiser

Choices = Mapping[str, str] | str


class ResynthesiserBank(Effect):
    """A resynthesiser per channel, with seeds `seed`, `seed` + 1 and so on. A channel that fails is silent for a block.

    `at_least`: samples of latency.
    """

    def __init__(
        self, bundle: Bundle, choices: Choices, sample_rate: int, seed: int, channels: int, at_least: int = 0
    ) -> None:
        self.streams = [
            Resynthesiser(bundle, choices, sample_rate, seed + channel, at_least) for channel in range(channels)
        ]
        self.latency = self.streams[0].latency
        self._failures, self._last_failure = 0, ""

    @property
    def rows(self) -> int:
        return len(self.streams)

    def reset(self) -> None:
        for stream in self.streams:
            stream.reset()

    def warm_up(self) -> None:
        """Do what the first grains would have to wait for. Raises BundleError."""
        for stream in self.streams:
            stream.warm_up()

    def process(self, given: Array, out: Array) -> None:
        for channel, stream in enumerate(self.streams):
            row = slice(channel, channel + 1)
            try:
                stream.process(given[row], out[row])
            except Exception as error:
                self._failures, self._last_failure = self._failures + 1, reason(error)
                out[row] = 0.0
                stream.reset()

    @property
    def failures(self) -> tuple[int, str]:
        """How many failures so far, and the reason of the last one."""
        reasons = [self._last_failure, *(stream.last_failure for stream in self.streams)]
        return self._failures + sum(stream.failures for stream in self.streams), next(filter(None, reasons), "")


class Crossfade(Effect):
    """A bank that plays, and the change to others, one after another. Of several changes that wait, the last counts."""

    def __init__(self, bank: ResynthesiserBank, block: int) -> None:
        """`block`: the most samples processed at once."""
        self._now, self.latency = bank, bank.latency
        self._coming: list[
            tuple[ResynthesiserBank, int]
        ] = []  # the next bank and one that waits, with fades in samples
        self._heard = 0  # samples that the next bank has heard
        self._other = np.zeros((bank.rows, block), np.float32)
        self._gone, self._last_failure = 0, ""  # failures of banks that are gone
        self.retired: list[ResynthesiserBank] = []  # to be freed by another thread than the one that plays

    @property
    def rows(self) -> int:
        return self._now.rows

    def process(self, given: Array, out: Array) -> None:
        self._now.process(given, out)
        if not self._coming:
            return
        bank, fade = self._coming[0]
        count = out.shape[1]
        other = self._other[:, :count]
        bank.process(given, other)
        since = np.arange(self._heard + 1, self._heard + count + 1) - bank.latency
        share = np.clip(since / fade, 0, 1).astype(np.float32)
        out *= 1 - share
        out += share * other
        self._heard += count
        if self._heard >= bank.latency + fade:
            self._follow()

    def change(self, bank: ResynthesiserBank, fade: int) -> None:
        """Go to another bank in `fade` samples, as soon as it has heard its latency. It takes over the controls."""
        for stream, old in zip(bank.streams, self._now.streams, strict=True):
            stream.set(**old.controls)
        if len(self._coming) > 1:
            self.retired.append(self._coming.pop()[0])
        self._coming.append((bank, fade))

    def reset(self) -> None:
        """Start again, with the last bank."""
        while self._coming:
            self._follow()
        self._now.reset()

    def warm_up(self) -> None:
        """Do what the first grains would have to wait for. Raises BundleError."""
        self._now.warm_up()

    def each(self, act: Callable[[Resynthesiser], None]) -> None:
        """Do something to every resynthesiser, also to those that wait."""
        for bank in self._banks:
            for stream in bank.streams:
                act(stream)

    @property
    def failures(self) -> tuple[int, str]:
        """How many failures so far, and the reason of the last one."""
        counts, reasons = zip(*(bank.failures for bank in self._banks), strict=True)
        return self._gone + sum(counts), next(filter(None, reasons), self._last_failure)

    @property
    def _banks(self) -> list[ResynthesiserBank]:
        return [self._now, *(bank for bank, _ in self._coming)]

    def _follow(self) -> None:
        count, why = self._now.failures
        self._gone, self._last_failure = self._gone + count, why or self._last_failure
        self.retired.append(self._now)
        self._now, self._heard = self._coming.pop(0)[0], 0
        self.latency = self._now.latency
