"""`ngs play`."""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
from collections.abc import Sequence
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
@click.option(
    "--sample-rate",
    default=48000,
    show_default=True,
    type=click.IntRange(8000, 192000),
    help="In Hz; JACK has its own.",
)
@click.option(
    "--block", default=128, show_default=True, type=click.IntRange(16, 4096), help="Frames; JACK has its own."
)
@click.option("--osc", type=click.IntRange(1, 65535), metavar="PORT", help="Take OSC on this port of this computer.")
@click.option("--midi", metavar="NAME", help="Take MIDI: part of the name of a port, or jack, virtual.")
@click.option("--midi-map", type=EXISTING, help="What controllers do, a TOML file.  [default: the instrument's]")
@click.option("--record", type=FILE, help="Record what is heard: a .wav or .flac file.")
@click.option("--seconds", type=Number(0.01, 1e6), help="Stop after so long.")
@click.option("--file", "files", multiple=True, type=EXISTING, help="A sound for the instrument: resynthesiser, morph.")
@click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Decides every sound.")
@click.option("--set", "settings", multiple=True, metavar="ADDRESS=VALUE", help="Set a control first: /tempo=140.")
@click.option("--load", type=EXISTING, help="Values that were saved, a JSON file.")
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default=".", help="Where values and hits are saved."
)
@click.option("--log", type=FILE, help="Write every command from outside, with its frame.")
@click.option("--events", type=EXISTING, help="Play such a file again, to the sample; --load, --set add to its start.")
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
    osc: int | None, midi: str | None, midi_map: Path | None, record: Path | None, seconds: float | None,
    files: tuple[Path, ...], seed: int, settings: tuple[str, ...], load: Path | None, folder: Path, log: Path | None,
    events: Path | None, stats: Path | None, addresses: bool,
) -> None:  # fmt: skip
    """Set the stage for an instrument and let it play."""
    from ngs.pyo_instruments.midi import MidiIn
    from ngs.pyo_instruments.midi_map import MidiMap
    from ngs.pyo_instruments.osc import OscServer, address_table
    from ngs.pyo_instruments.screen import Screen
    from ngs.pyo_instruments.stage import Sound, Stage
    from ngs.runtime.bundle import Bundle

    if addresses:
        click.echo(address_table(kind))
        return
    if audio == "offline" and (record is None or seconds is None):
        raise click.UsageError("--audio offline needs --record FILE and --seconds SECONDS")
    if audio == "offline" and (osc or midi):
        raise click.UsageError("--osc and --midi are for what plays live: with --audio offline, --events FILE")
    if audio == "offline" and kind.listens and not files:
        raise click.UsageError(f"offline {kind.__name__} has nothing to listen to: give --file SOUND")
    if device and audio != "portaudio":
        raise click.UsageError("--device is for sound cards: --audio portaudio")
    _keep_apart((record, log, stats), (bundle, *files, load, events, midi_map))
    atexit.register(gc.collect)  # what plays is to go before Python ends, whatever holds what: soxr would complain
    opened = Bundle.open(bundle)
    with Stage(Sound(audio, device, sample_rate, block), kind, opened, seed, files) as stage:
        instrument = stage.instrument
        instrument.folder = folder
        if log:
            stage.log(log)
        if events:
            stage.replay(events)
        if load:
            instrument.load(load)
        for text in settings:
            address, equals, value = text.partition("=")
            instrument.do(address, *(_values(instrument, address, value) if equals else []))
        surfaces = []
        if osc:
            stage.add(OscServer(instrument, osc, status=stage.status))
            surfaces.append(f"OSC on 127.0.0.1:{osc}")
        if midi:
            mapping = MidiMap.read(midi_map, instrument) if midi_map else MidiMap.of(instrument)
            surfaces.append(f"MIDI from {stage.open(MidiIn(instrument, midi, mapping)).name}")
        if record:
            stage.record(record, seconds)
        if stats:
            stage.tell(stats)
        where = f"{stage.clock.sample_rate} Hz, {stage.clock.block} frames"
        title = f"{kind.__name__} plays {opened.path.name} ({audio}, {where}). {'. '.join([*surfaces, 'Ctrl-C ends.'])}"
        screen = Screen(instrument, lambda cursor: [title, stage.line(), *instrument.screen(cursor)])
        stage.at_end(lambda: _say(f"Played {stage.line()}."))
        stage.play(seconds, stage.add(screen).look)


def _keep_apart(written: Sequence[Path | None], read: Sequence[Path | None]) -> None:
    """Raise UsageError where a file would be written over that is read, or written twice."""
    outputs = [path.resolve() for path in written if path]
    inputs = [path.resolve() for path in read if path]
    for number, path in enumerate(outputs):
        if path in inputs:
            raise click.UsageError(f"{path} is read: write to another file")
        if path in outputs[:number]:
            raise click.UsageError(f"{path} would be written twice: name two files")


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # the terminal is closed: what was played matters more
        click.echo(text)


def _values(instrument: Instrument, address: str, text: str) -> list[float | str]:
    """The arguments of a command, as they are typed: numbers where it takes such."""
    from ngs.pyo_instruments import commands

    arguments = instrument.find(address)[0].arguments
    parts = text.split(",", len(arguments) - 1) if len(arguments) > 1 else [text]
    numbers = [isinstance(each, commands.Number | commands.Switch | commands.Whole) for each in arguments]
    return [_number(part) if number else part for part, number in zip(parts, [*numbers, False], strict=False)]


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
