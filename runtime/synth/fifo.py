"""Decoded samples on their way from the bundle's rate to the host's."""

from __future__ import annotations

from typing import Any

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.live.resampling import variable_rate_stream
from ngs.runtime.synth.controls import CONTROLS

PIECE = 128  # samples resampled at a time; a change of rate is heard after the current piece
SLEW_SECONDS = 0.01  # how long a change of rate takes
SETTLED_SECONDS = 0.25  # from a change of rate until soxr's filters hold back a constant number (measured: 20 ms)
HIGHEST = 2 ** (CONTROLS["pitch"].high / 12)  # factor of the rate
RESAMPLER_DELAY = 2  # samples of delay of a variable-rate stream (measured on sines: 1.4 to 1.7)


def echo_of(samples: Array) -> Array:
    """Samples [n] backwards and fading out: what hides a sudden end."""
    echo: Array = samples[::-1] * np.linspace(1, 0, len(samples), dtype=np.float32)
    return echo


class Fifo:
    """Samples in at a rate that may change, samples out at `sample_rate`. They are resampled as late as possible.

    Equal rates pass through, bit for bit, until the rate first changes.
    """

    def __init__(self, hop: int, rate: float, sample_rate: int) -> None:
        self._hop, self._most, self._sample_rate = hop, rate * HIGHEST, sample_rate
        self._rate, self._unsettled = rate, 0  # samples until the delay is constant
        self._raw = np.zeros(6 * hop, dtype=np.float32)
        self._start = self._end = 0  # of the pending samples; the hop before them is kept
        self._resampler: Any = None
        self._piece, self._read, self._skip = np.zeros(0, dtype=np.float32), 0, 0

    @property
    def pending(self) -> int:
        """Samples that came in and were not resampled yet (without a resampler: not taken yet)."""
        return self._end - self._start

    @property
    def available(self) -> int:
        """Samples ready to be taken."""
        return self.pending if self._resampler is None else len(self._piece) - self._read

    @property
    def assured(self) -> int:
        """Samples that can be taken without a further hop, at least.

        These are the available ones and what all pieces but the last two will make. After a change of rate the delay
        of the filters varies for a while; until it is constant, no piece is counted on.
        """
        pieces = self.pending // PIECE - 2
        if self._resampler is None or pieces <= 0 or self._unsettled:
            return self.available
        return self.available + max(0, int(pieces * PIECE * self._sample_rate / self._rate) - self._skip)

    def tune(self, rate: float) -> None:
        """Read what is pending, and what comes, at another rate; the change is smooth."""
        self._rate = rate
        if self._resampler is not None:
            self._resampler.set_io_ratio(rate, self._sample_rate, round(SLEW_SECONDS * self._sample_rate))
            self._unsettled = round(SETTLED_SECONDS * self._sample_rate)
        elif rate != self._sample_rate:
            self._resampler = variable_rate_stream(self._most, self._sample_rate)
            self._resampler.set_io_ratio(rate, self._sample_rate, 0)
            past = self._raw[max(0, self._start - self._hop) : self._start]
            if len(past):  # fills the filter with what was heard
                heard = len(self._resampler.resample_chunk(past))
                self._skip = round(len(past) * self._sample_rate / rate) + RESAMPLER_DELAY - heard

    def put(self, samples: Array) -> None:
        """Append a hop. At most four may be pending."""
        if self._end + len(samples) > len(self._raw):
            kept = max(0, self._start - self._hop)
            self._raw[: self._end - kept] = self._raw[kept : self._end]
            self._start, self._end = self._start - kept, self._end - kept
        self._raw[self._end : self._end + len(samples)] = samples
        self._end += len(samples)

    def fetch(self, last: bool) -> None:
        """Resample until something is available or nothing is pending. `last`: nothing more will be put in."""
        while self._resampler is not None and self.available == 0 and self.pending:
            piece = self._raw[self._start : min(self._start + PIECE, self._end)]
            self._start += len(piece)
            made = self._resampler.resample_chunk(piece, last=last and self.pending == 0)
            skipped = min(self._skip, len(made))
            self._skip -= skipped
            self._piece, self._read = made, skipped

    def take(self, count: int) -> Array:
        """The next samples, which must be assured; a view if they are contiguous."""
        if self._resampler is None:
            self._start += count
            return self._raw[self._start - count : self._start]
        parts = [self._taken(count)]
        left = count - len(parts[0])
        while left and self.pending:
            self.fetch(last=False)
            parts.append(self._taken(left))
            left -= len(parts[-1])
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _taken(self, most: int) -> Array:
        part = self._piece[self._read : self._read + most]
        self._read += len(part)
        self._unsettled = max(0, self._unsettled - len(part))
        return part

    def echo(self, count: int) -> None:
        """End with an echo of `count` samples (a hop at most) after what is available."""
        count = min(count, self._hop)
        recent = self._raw[max(0, self._end - count) : self._end] if self._resampler is None else self._piece[-count:]
        faded = echo_of(recent)
        if self._resampler is None:
            self.put(faded)
        else:
            self._piece, self._read = np.concatenate((self._piece[self._read :], faded)), 0
            self._start = self._end
