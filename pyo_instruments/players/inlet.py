"""Sound from pyo to numpy, and the tables it passes through."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np

from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.pyo_instruments.timing.clock import Clock
from ngs.runtime.arrays import Array
from ngs.runtime.dsp.audio_files import read_audio


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
    """`count` tables of `length` frames, and their memory as float32 arrays."""
    tables = [never_freed(pyo.DataTable(length)) for _ in range(count)]
    return tables, [np.asarray(table.getBuffer()) for table in tables]


def loop_of(path: str | Path, mul: Any = 1) -> pyo.TableScan:
    """A sound file, played over and over. Raises AudioError."""
    sound = read_audio(Path(path), Clock.current().sample_rate)
    ((table,), (view,)) = tables_of(1, len(sound))
    view[:] = sound
    return pyo.TableScan(table, mul=mul)


def never_freed(table: pyo.PyoTableObject) -> pyo.PyoTableObject:
    """The table, which from now on lives as long as the process.

    pyo 1.1 frees the memory of a table when its last Python name goes, even while other objects still read it. If
    the garbage collector takes a cycle apart and comes to the table first, the interpreter crashes.
    """
    for base in table.getBaseObjects():
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(base))
    return table
