"""Sound from pyo to numpy, and the tables it passes through."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.pyo_instruments.timing.clock import Clock
from ngs.runtime.arrays import Array
from ngs.runtime.dsp.audio_files import read_audio

ONLY_KEPT = 2  # references to a table that nobody holds: the list's, and that of the question


class Inlet:
    """What pyo streams play, one block after pyo made it.

    views: an array float32 [block] for each stream, overwritten with every block.
    """

    def __init__(self, streams: Any) -> None:
        self._fader = pyo.InputFader(streams)
        tables, self.views = tables_of(len(self._fader), Clock.current().block)
        self._fill = pyo.TableFill(self._fader, tables)

    def __len__(self) -> int:
        return len(self.views)

    def change(self, streams: Any, fade_seconds: float = 0.05) -> None:
        """Crossfade to other streams."""
        self._fader.setInput(streams, fade_seconds)

    def triggers(self, stream: int) -> list[tuple[int, float]]:
        """Offset and value of each trigger in the current block."""
        view = self.views[stream % len(self)]
        return [(int(offset), float(view[offset])) for offset in np.flatnonzero(view)]


def tables_of(count: int, length: int) -> tuple[list[pyo.DataTable], list[Array]]:
    """`count` tables of `length` samples, and their memory as float32 arrays.

    They live as long as the process: pyo 1.1 frees the samples of a table when its last Python name goes, even while
    other objects still read them, and Python crashes. A table keeps its server, and a process can have 256 of them, so
    tables that nobody holds any more are used again once their server has been shut down.
    """
    server = Clock.current().server
    found = [_unused_table(length) or _new_table(length) for _ in range(count)]
    for kept in found:
        kept.server = server
        kept.samples[:] = 0.0
    return [kept.table for kept in found], [kept.samples for kept in found]


@dataclass
class _KeptTable:
    table: pyo.DataTable
    samples: Array
    server: Any = None  # pyo's C object; None while it is being handed out


_kept: list[_KeptTable] = []


def _unused_table(length: int) -> _KeptTable | None:
    for kept in _kept:
        idle = kept.server is not None and not kept.server.getIsBooted()
        if idle and len(kept.samples) == length and sys.getrefcount(kept.table) <= ONLY_KEPT:
            kept.server = None
            return kept
    return None


def _new_table(length: int) -> _KeptTable:
    table = pyo.DataTable(length)
    for base in table.getBaseObjects():
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(base))  # the order at the end of the process is not ours
    _kept.append(_KeptTable(table, np.asarray(table.getBuffer())))
    return _kept[-1]


def loop_of(path: str | Path, mul: Any = 1) -> pyo.TableScan:
    """A sound file, played over and over. Raises AudioError."""
    sound = read_audio(Path(path), Clock.current().sample_rate)
    ((table,), (view,)) = tables_of(1, len(sound))
    view[:] = sound
    return pyo.TableScan(table, mul=mul)
