"""TODO."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.pyo_instruments.timing.clock import Clock
from ngs.runtime.arrays import Array


class Inlet:
    """The samples of pyo streams, a block after they were made."""

    def __init__(self, streams: Any) -> None:
        self._fader = pyo.InputFader(streams)
        tables, self.views = block_tables(len(self._fader), Clock.current().block)
        self._fill = pyo.TableFill(self._fader, tables)

    def __len__(self) -> int:
        return len(self.views)

    def change(self, streams: Any, fade_seconds: float = 0.05) -> None:
        """Listen to other streams, crossfaded."""
        self._fader.setInput(streams, fade_seconds)


def lasting(table: pyo.PyoTableObject) -> pyo.PyoTableObject:
    """A table that is never freed.

    pyo 1.1 frees the samples of a table with its last name in Python, while others may still play them, or let them
    go: Python ends there where a cycle is collected, tables first.
    """
    for base in table.getBaseObjects():
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(base))
    return table


def block_tables(count: int, block: int) -> tuple[list[pyo.DataTable], list[Array]]:
    """Tables of a block, and their samples as arrays."""
    tables = [lasting(pyo.DataTable(block)) for _ in range(count)]
    return tables, [np.asarray(table.getBuffer()) for table in tables]
