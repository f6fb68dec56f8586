"""`ngs play`."""

from __future__ import annotations

import importlib
from typing import Any

import click

from ngs.pyo_instruments.stage.options import OPTIONS, PlayOptions
from ngs.pyo_instruments.stage.perform import perform
from ngs.runtime.console.suggestions import NearestChoice

# name -> (module, class, one line)
INSTRUMENTS: dict[str, tuple[str, str, str]] = {
    "drum-machine": ("drum_machine", "DrumMachine", "8 tracks of 16 steps, a new hit at every step."),
    "drum-and-bass": ("drum_and_bass", "DrumAndBass", "10 tracks for loops, basses, pads and hits."),
    "path-player": ("path_player", "PathPlayer", "Grains along an endless path, or at a place on the map."),
    "resynthesiser": ("resynthesiser", "ResynthesisInstrument", "A file, or the input, with the bundle's grains."),
    "morph": ("morph", "Morph", "The sounds between two sounds, on a slider."),
    "keyboard": ("keyboard", "Keyboard", "MIDI notes: pitches, or drums by the General MIDI map."),
}
LIST = "\n".join(["\b", "Instruments:", *(f"  {name:<14} {text}" for name, (_, _, text) in INSTRUMENTS.items())])


@click.command(short_help="Play an instrument live.", epilog=LIST)
@click.argument("instrument", default="drum-machine", type=NearestChoice(list(INSTRUMENTS)))
def play(instrument: str, **options: Any) -> None:
    """Play INSTRUMENT live, or into a file with --audio offline.

    \b
    Example:
      ngs play drum-machine --audio offline --seconds 4 --record take.wav
    """
    module, name, _ = INSTRUMENTS[instrument]
    kind = getattr(importlib.import_module(f"ngs.pyo_instruments.{module}"), name)
    perform(kind, PlayOptions(**options))


play.params.extend(OPTIONS)
