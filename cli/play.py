"""`ngs play`."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ngs.cli.parameters import BUNDLE, Number

if TYPE_CHECKING:
    from ngs.pyo_instruments import Instrument

# name -> (module, class, one line)
INSTRUMENTS: dict[str, tuple[str, str, str]] = {
    "drum-machine": ("drum_machine", "DrumMachine", "8 tracks of 16 steps, a fresh hit at every step."),
    "drum-and-bass": ("drum_and_bass", "DrumAndBass", "10 tracks for loops, basses, pads and hits."),
    "path-player": ("path_player", "PathPlayer", "Grains along a path, without end, or at a place on the map."),
    "resynthesiser": ("resynthesiser", "Resynthesiser", "What comes in, or a file, with the bundle's grains."),
    "morph": ("morph", "Morph", "The sounds between two sounds, on a slider."),
    "keyboard": ("keyboard", "Keyboard", "MIDI notes: pitches, or drums as General MIDI has them."),
}
FILE = click.Path(dir_okay=False, path_type=Path)
EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(short_help="Play an instrument live.")
@click.argument("instrument", default="drum-machine", type=click.Choice(list(INSTRUMENTS)))
@click.option("--bundle", type=BUNDLE, help="A bundle.  [default: the drums that come with ngs]")
@click.option("--audio", default="portaudio", show_default=True, type=click.Choice(["portaudio", "jack", "offline"]))
@click.option("--device", help="Part of the name of a sound card, or its number (`ngs doctor` lists them).")
@click.option("--sample-rate", default=48000, show_default=True, type=click.IntRange(8000, 192000), help="In Hz.")
@click.option("--block", default=128, show_default=True, type=click.IntRange(16, 4096), help="Frames at a time.")
@click.option("--record", type=FILE, help="Record what is heard: a .wav or .flac file.")
@click.option("--seconds", type=Number(0.01, 1e6), help="Stop after so long.")
@click.option("--file", "files", multiple=True, type=EXISTING, help="A sound for the instrument: resynthesiser, morph.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Decides every sound.")
@click.option("--set", "settings", multiple=True, metavar="ADDRESS=VALUE", help="Set a control first: /tempo=140.")
@click.option("--load", type=EXISTING, help="Values that were saved, a JSON file.")
@click.option("--log", type=FILE, help="Write every command from outside, with its frame.")
@click.option("--events", type=EXISTING, help="Play the commands of such a file again, to the sample.")
@click.option("--stats", type=FILE, help="Write what happened: late blocks, worst times; a JSON file.")
@click.option("--addresses", is_flag=True, help="List the OSC addresses of the instrument, and end.")
def play(instrument: str, **options: Any) -> None:
    """Play INSTRUMENT live, or into a file with --audio offline.

    \b
    Example:
      ngs play drum-machine --audio offline --seconds 4 --record take.wav
    """
    module, name, _ = INSTRUMENTS[instrument]
    perform(getattr(importlib.import_module(f"ngs.pyo_instruments.{module}"), name), **options)


def run(kind: type[Instrument]) -> None:
    """The same for an instrument of your own: the end of its script."""
    from ngs.cli.main import guarded

    parameters = [parameter for parameter in play.params if parameter.name != "instrument"]
    text = f"{kind.__doc__ or kind.__name__}"
    guarded(click.Command(kind.__name__, params=parameters, help=text, callback=lambda **given: perform(kind, **given)))


def perform(
    kind: type[Instrument], bundle: Path | None, audio: str, device: str | None, sample_rate: int, block: int,
    record: Path | None, seconds: float | None, files: tuple[Path, ...], seed: int, settings: tuple[str, ...],
    load: Path | None, log: Path | None, events: Path | None, stats: Path | None, addresses: bool,
) -> None:  # fmt: skip
    """Set the stage for an instrument and let it play."""
    from ngs.pyo_instruments.commands import declarations
    from ngs.pyo_instruments.recorder import replaced
    from ngs.pyo_instruments.stage import Sound, Stage, booted
    from ngs.runtime.bundle import Bundle

    if addresses:
        for row in (declared.row(kind.counts) for declared in declarations(kind)):
            click.echo("\t".join(row))
        return
    if audio == "offline" and (record is None or seconds is None):
        raise click.UsageError("--audio offline needs --record FILE and --seconds SECONDS")
    opened = Bundle.open(bundle)
    server = booted(Sound(audio, device, sample_rate, block), kind.listens and not files)
    instrument = kind(opened, seed, files)
    with Stage(server, instrument) as stage:
        if log:
            stage.log(log)
        if record:
            stage.record(record, seconds)
        if load:
            instrument.load(load)
        for text in settings:
            address, equals, value = text.partition("=")
            instrument.do(address, *([_value(value)] if equals else []))
        if events:
            stage.replay(events)
        try:
            stage.play(seconds)
        finally:
            if stats:
                with replaced(stats) as beside:
                    beside.write_text(json.dumps(stage.statistics(), indent=1) + "\n")


def _value(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
