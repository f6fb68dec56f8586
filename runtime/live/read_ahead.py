"""How far a thread is ahead of a host, and how much the host may ask for at once in return."""

from __future__ import annotations

import operator
from dataclasses import dataclass

import numpy as np

COMMON_BLOCK = 1024  # samples: few hosts ask for more at once
MOST_AHEAD = 1 << 20  # samples


@dataclass(frozen=True)
class ReadAhead:
    """Both in samples. `check` refuses what the thread could not have ready."""

    max_block: int
    ahead: int

    def check(self, count: int) -> None:
        """Raise ValueError if a host asks for more samples at once than was agreed."""
        if count > self.max_block:
            raise ValueError(
                f"the host asks for {count} samples at once, and this engine is made for {self.max_block}: make it "
                f"with max_block={count}, or process {self.max_block} at a time"
            )


def read_ahead(max_block: int | None, ahead: int | None, reserve: int, work: int, least: int) -> ReadAhead:
    """What a host and an engine agree on.

    If `ahead` is left open, it is `max_block` (or 1024) and `work`. If only `max_block` is, it is what `ahead` allows:
    all but `reserve`. least: samples that `ahead` must have in any case. Raises ValueError.
    """
    if max_block is not None:
        if not isinstance(max_block, int | np.integer) or not 1 <= max_block <= MOST_AHEAD // 2:
            raise ValueError(f"max_block is {max_block!r}: choose a whole number, 1 to {MOST_AHEAD // 2}")
        max_block = int(max_block)
    if ahead is None:
        most = COMMON_BLOCK if max_block is None else max_block
        return ReadAhead(most, most + work)
    ahead = operator.index(ahead)
    least = max(least, 0 if max_block is None else max_block + reserve)
    if not least <= ahead <= MOST_AHEAD:
        raise ValueError(f"ahead is {ahead}: choose {least} to {MOST_AHEAD} samples")
    return ReadAhead(max(1, ahead - reserve) if max_block is None else max_block, ahead)
