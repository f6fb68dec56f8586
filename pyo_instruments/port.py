"""Between numpy and pyo: streams that a pyo object gives, and samples of streams that it is given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyo
from numpy.typing import NDArray

from ngs.pyo_instruments.clock import Clock

Array = NDArray[np.float32]


class Port(pyo.PyoObject):
    """A pyo object whose streams are made in numpy, a block at a time, by `render`.

    Each block is copied into tables of a block's length that `TableScan` reads sample by sample: what pyo plays are the
    very samples.
    """

    def __init__(self, streams: int, mul: Any = 1, add: Any = 0) -> None:
        super().__init__(mul, add)
        self.clock = Clock.current()
        tables = [pyo.DataTable(self.clock.block) for _ in range(streams)]
        self._views = [np.asarray(table.getBuffer()) for table in tables]
        self._buffer = np.zeros((streams, self.clock.block), dtype=np.float32)
        self._scan = pyo.TableScan(tables, mul, add)
        self._base_objs = self._scan.getBaseObjects()
        self.peaks = np.zeros(streams, dtype=np.float32)  # highest since a meter took them
        self.clock.add(self)

    def render(self, out: Array) -> None:
        """Fill `out` float32 [streams, block] with the next samples."""
        raise NotImplementedError

    def process(self) -> None:
        """Make the next block: the clock calls it."""
        self.render(self._buffer)
        for view, row in zip(self._views, self._buffer, strict=True):
            view[:] = row
        np.maximum(self.peaks, self._buffer.max(axis=1), out=self.peaks)
        np.maximum(self.peaks, -self._buffer.min(axis=1), out=self.peaks)

    def take_peaks(self) -> list[float]:
        """Peaks [streams] since they were taken last."""
        peaks = self.peaks.tolist()
        self.peaks[:] = 0.0
        return [float(peak) for peak in peaks]


class Inlet:
    """The samples of pyo streams, a block after they were made."""

    def __init__(self, streams: Any) -> None:
        self._fader = pyo.InputFader(streams)
        count, block = len(self._fader), Clock.current().block
        tables = [pyo.DataTable(block) for _ in range(count)]
        self._fill = pyo.TableFill(self._fader, tables)
        self.views = [np.asarray(table.getBuffer()) for table in tables]

    def __len__(self) -> int:
        return len(self.views)

    def change(self, streams: Any, fade_seconds: float = 0.05) -> None:
        """Listen to other streams, crossfaded."""
        self._fader.setInput(streams, fade_seconds)
