"""Live instruments: pyo objects that play bundles, and instruments made of them that OSC and MIDI control."""

from __future__ import annotations

import contextlib
import io

with contextlib.redirect_stdout(io.StringIO()):  # a banner about wxPython
    import pyo  # noqa: F401

from ngs.pyo_instruments.clock import Clock
from ngs.pyo_instruments.commands import (
    Choice,
    ClassName,
    CommandError,
    Number,
    Switch,
    Text,
    Whole,
    action,
    control,
    request,
)  # fmt: skip
from ngs.pyo_instruments.grain_player import GrainPlayer
from ngs.pyo_instruments.hit_player import HitPlayer
from ngs.pyo_instruments.instrument import Instrument
from ngs.pyo_instruments.morpher import Morpher
from ngs.pyo_instruments.note_player import NotePlayer
from ngs.pyo_instruments.resynth import Resynth
from ngs.pyo_instruments.sequenced import Sequenced

__all__ = [
    "Choice", "ClassName", "Clock", "CommandError", "GrainPlayer", "HitPlayer", "Instrument", "Morpher", "NotePlayer",
    "Number", "Resynth", "Sequenced", "Switch", "Text", "Whole", "action", "control", "request",
]  # fmt: skip
