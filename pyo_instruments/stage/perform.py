"""What `ngs play` and the scripts of the instruments do: options, surfaces, recordings, around one performance."""

from __future__ import annotations

import atexit
import contextlib
import gc
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ngs.runtime.console import BUNDLE, Number, guarded

if TYPE_CHECKING:
    from ngs.pyo_instruments.instrument import Instrument

FILE = click.Path(dir_okay=False, path_type=Path)
EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)
OPTIONS = (
    click.Option(["--bundle"], type=BUNDLE, help="A bundle.  [default: the drums that come with ngs]"),
    click.Option(
        ["--audio"], default="portaudio", show_default=True, type=click.Choice(["portaudio", "jack", "offline"])
    ),
    click.Option(["--device"], help="Part of the name of a sound card, or its number (`ngs doctor` lists them)."),
    click.Option(
        ["--sample-rate"],
        default=48000,
        show_default=True,
        type=click.IntRange(8000, 192000),
        help="In Hz; JACK has its own.",
    ),
    click.Option(
        ["--block"], default=128, show_default=True, type=click.IntRange(16, 4096), help="Frames; JACK has its own."
    ),
    click.Option(
        ["--osc"], type=click.IntRange(1, 65535), metavar="PORT", help="Take OSC on this port of this computer."
    ),
    click.Option(["--midi"], metavar="NAME", help="Take MIDI: part of the name of a port, or jack, virtual."),
    click.Option(["--midi-map"], type=EXISTING, help="What controllers do, a TOML file.  [default: the instrument's]"),
    click.Option(["--record"], type=FILE, help="Record what is heard: a .wav or .flac file."),
    click.Option(["--seconds"], type=Number(0.01, 1e6), help="Stop after so long."),
    click.Option(
        ["--file", "files"], multiple=True, type=EXISTING, help="A sound for the instrument: resynthesiser, morph."
    ),
    click.Option(["--seed"], default=0, show_default=True, type=click.IntRange(0), help="Decides every sound."),
    click.Option(
        ["--set", "settings"], multiple=True, metavar="ADDRESS=VALUE", help="Set a control first: /tempo=140."
    ),
    click.Option(["--load"], type=EXISTING, help="Values that were saved, a JSON file."),
    click.Option(
        ["--folder"],
        type=click.Path(file_okay=False, path_type=Path),
        default=".",
        help="Where values and hits are saved.",
    ),
    click.Option(["--log"], type=FILE, help="Write every command from outside, with its frame."),
    click.Option(
        ["--events"], type=EXISTING, help="Play such a file again, to the sample; --load, --set add to its start."
    ),
    click.Option(["--stats"], type=FILE, help="Write what happened: late blocks, worst times; a JSON file."),
    click.Option(["--addresses"], is_flag=True, help="List the OSC addresses of the instrument, and end."),
)


def run(kind: type[Instrument]) -> None:
    """Play an instrument from the command line, with the options of `ngs play`: the end of its script."""

    def callback(**given: Any) -> None:
        perform(kind, **given)

    guarded(click.Command(kind.__name__, params=[*OPTIONS], help=kind.__doc__, callback=callback))


def perform(
    kind: type[Instrument], bundle: Path | None, audio: str, device: str | None, sample_rate: int, block: int,
    osc: int | None, midi: str | None, midi_map: Path | None, record: Path | None, seconds: float | None,
    files: tuple[Path, ...], seed: int, settings: tuple[str, ...], load: Path | None, folder: Path, log: Path | None,
    events: Path | None, stats: Path | None, addresses: bool,
) -> None:  # fmt: skip
    """Set the stage for an instrument and let it play."""
    from ngs.pyo_instruments.stage.stage import Sound, Stage
    from ngs.pyo_instruments.surfaces.midi import MidiIn
    from ngs.pyo_instruments.surfaces.midi_map import MidiMap
    from ngs.pyo_instruments.surfaces.osc import OscServer, address_table
    from ngs.pyo_instruments.surfaces.screen import Screen
    from ngs.runtime.bundle.bundle import Bundle

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
    from ngs.pyo_instruments.commands import command as kinds

    arguments = instrument.find(address)[0].arguments
    parts = text.split(",", len(arguments) - 1) if len(arguments) > 1 else [text]
    numbers = [isinstance(each, kinds.Number | kinds.Switch | kinds.Whole) for each in arguments]
    return [_number(part) if number else part for part, number in zip(parts, [*numbers, False], strict=False)]


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
