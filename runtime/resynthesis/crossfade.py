"""The crossfade from one bundle's resynthesisers to another's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.live.stream import Effect
from ngs.runtime.resynthesis.resynthesiser import Resynthesiser
from ngs.runtime.resynthesis.resynthesiser_bank import ResynthesiserBank


class Crossfade(Effect):
    """Plays a bank and fades to others, one after another. Of several that wait, the last counts."""

    def __init__(self, bank: ResynthesiserBank, block: int) -> None:
        """`block`: the most samples worked on at once."""
        self._now, self.latency = bank, bank.latency
        # the next bank and one that waits, each with its fade in samples
        self._coming: list[tuple[ResynthesiserBank, int]] = []
        self._heard = 0  # samples that the next bank has heard
        self._other = np.zeros((bank.rows, block), np.float32)
        self._gone, self._last_failure = 0, ""  # failures of banks that are gone
        self.retired: list[ResynthesiserBank] = []  # to be freed by another thread than the one that plays

    @property
    def rows(self) -> int:
        return self._now.rows

    def process(self, given: Array, out: Array) -> None:
        self._check_pair(given, out)
        block = self._other.shape[1]
        for start in range(0, out.shape[1], block):
            piece = slice(start, start + block)
            self._process(given[:, piece], out[:, piece])

    def _process(self, given: Array, out: Array) -> None:
        if not self._coming:
            self._now.process(given, out)
            return
        bank, fade = self._coming[0]
        count = out.shape[1]
        other = self._other[:, :count]
        bank.process(given, other)  # first, because `out` may be `given`
        self._now.process(given, out)
        since = np.arange(self._heard + 1, self._heard + count + 1) - bank.latency
        share = np.clip(since / fade, 0, 1).astype(np.float32)
        out *= 1 - share
        out += share * other
        self._heard += count
        if self._heard >= bank.latency + fade:
            self._follow()

    def change(self, bank: ResynthesiserBank, fade: int) -> None:
        """Fade to another bank, which takes over the controls, in `fade` samples. The fade begins after its latency."""
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
        """Do something to every resynthesiser, those that wait included."""
        for bank in self._banks:
            for stream in bank.streams:
                act(stream)

    @property
    def failures(self) -> tuple[int, str]:
        """How many failures so far, and the reason of the last one."""
        counts, reasons = zip(*(bank.failures for bank in self._banks), strict=True)
        return self._gone + sum(counts), next(filter(None, reasons), self._last_failure)

    def forget_failures(self) -> None:
        """Count failures from zero."""
        self._gone, self._last_failure = 0, ""
        for bank in self._banks:
            bank.forget_failures()

    @property
    def last(self) -> Resynthesiser:
        """The first channel of what will be heard last."""
        return self._banks[-1].streams[0]

    @property
    def _banks(self) -> list[ResynthesiserBank]:
        return [self._now, *(bank for bank, _ in self._coming)]

    def _follow(self) -> None:
        count, why = self._now.failures
        self._gone, self._last_failure = self._gone + count, why or self._last_failure
        self.retired.append(self._now)
        self._now, self._heard = self._coming.pop(0)[0], 0
        self.latency = self._now.latency
