"""Resynthesisers side by side, one per channel."""

from __future__ import annotations

from collections.abc import Mapping

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
        self._check_pair(given, out)
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

    def forget_failures(self) -> None:
        """Count failures from zero."""
        self._failures, self._last_failure = 0, ""
        for stream in self.streams:
            stream.failures, stream.last_failure = 0, ""
