"""Live instruments: pyo objects that play bundles, and instruments built from them.

`commands` declares what an instrument can be asked to do, `surfaces` asks it (OSC, MIDI, keys, screen), `timing` keeps
time, `players` are the pyo objects, `stage` is where an instrument plays. The scripts beside them are the instruments.
Importing this package imports nothing else: each name below loads its module on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ngs.runtime.lazy import lazy_face

if TYPE_CHECKING:
    from ngs.pyo_instruments.commands.arguments import (
        Choice as Choice,
        ClassName as ClassName,
        CommandError as CommandError,
        Number as Number,
        Switch as Switch,
        Text as Text,
        Whole as Whole,
    )
    from ngs.pyo_instruments.commands.command import action as action, control as control, request as request
    from ngs.pyo_instruments.instrument import Instrument as Instrument
    from ngs.pyo_instruments.players.grain_player import GrainPlayer as GrainPlayer
    from ngs.pyo_instruments.players.hit_player import HitPlayer as HitPlayer
    from ngs.pyo_instruments.players.morpher import Morpher as Morpher
    from ngs.pyo_instruments.players.note_player import NotePlayer as NotePlayer
    from ngs.pyo_instruments.players.resynth import Resynth as Resynth
    from ngs.pyo_instruments.sequenced import Sequenced as Sequenced
    from ngs.pyo_instruments.stage.perform import run as run
    from ngs.pyo_instruments.timing.clock import Clock as Clock

_HOMES = {
    "ngs.pyo_instruments.commands.arguments": "Choice ClassName CommandError Number Switch Text Whole",
    "ngs.pyo_instruments.commands.command": "action control request",
    "ngs.pyo_instruments.instrument": "Instrument",
    "ngs.pyo_instruments.players.grain_player": "GrainPlayer",
    "ngs.pyo_instruments.players.hit_player": "HitPlayer",
    "ngs.pyo_instruments.players.morpher": "Morpher",
    "ngs.pyo_instruments.players.note_player": "NotePlayer",
    "ngs.pyo_instruments.players.resynth": "Resynth",
    "ngs.pyo_instruments.sequenced": "Sequenced",
    "ngs.pyo_instruments.stage.perform": "run",
    "ngs.pyo_instruments.timing.clock": "Clock",
}
__all__ = [name for names in _HOMES.values() for name in names.split()]

if not TYPE_CHECKING:  # else every attribute would pass for one that exists
    __getattr__, __dir__ = lazy_face(__name__, _HOMES)
