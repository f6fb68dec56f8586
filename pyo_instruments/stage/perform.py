"""One performance, from options to the last block: what `ngs play` and the scripts of the instruments do."""

from __future__ import annotations

import atexit
import contextlib
import gc
from typing import TYPE_CHECKING, Any

import click

from ngs.pyo_instruments.commands.arguments import Number, Switch, Whole
from ngs.pyo_instruments.stage.endpoints import shown
from ngs.pyo_instruments.stage.options import OPTIONS, PlayOptions
from ngs.runtime.console.guard import guarded

if TYPE_CHECKING:
    from ngs.pyo_instruments.instrument import Instrument
    from ngs.pyo_instruments.stage.stage import Stage
    from ngs.pyo_instruments.surfaces.midi import MidiIn
    from ngs.pyo_instruments.surfaces.notices import Notices


def run(kind: type[Instrument]) -> None:
    """Play an instrument from the command line, with the options of `ngs play`: the last line of its script."""

    def callback(**given: Any) -> None:
        perform(kind, PlayOptions(**given))

    guarded(click.Command(kind.public_name, params=[*OPTIONS], help=kind.__doc__, callback=callback))


def perform(kind: type[Instrument], options: PlayOptions) -> None:
    """Play an instrument as the options say."""
    from ngs.pyo_instruments.stage.server import AudioOutput
    from ngs.pyo_instruments.stage.stage import Stage
    from ngs.pyo_instruments.surfaces.notices import Notices
    from ngs.pyo_instruments.surfaces.osc_reference import address_table
    from ngs.pyo_instruments.surfaces.screen import Screen
    from ngs.pyo_instruments.surfaces.terminal import is_terminal
    from ngs.runtime.bundle.bundle import Bundle

    if options.addresses:
        click.echo(address_table(kind))
        return
    options = options.placed(kind)
    options.check(kind)
    atexit.register(gc.collect)  # free the players before Python ends: soxr would complain
    bundle = Bundle.open(options.bundle, held=options.levels == "held")
    output = AudioOutput(options.audio, options.device, options.sample_rate, options.block)
    with Stage(output, kind, bundle, options.seed, options.files) as stage:
        _set_values(stage, options)
        notices = Notices()
        surfaces, midi = _add_surfaces(stage, options, notices)
        if options.record:
            stage.record(options.record, options.seconds)
        if options.stats:
            stage.save_statistics(options.stats)
        where = f"{options.audio}, {stage.clock.sample_rate} Hz, {stage.clock.block} frames"
        title = f"{kind.public_name} plays {bundle.path.name} ({where})."
        heard = ". ".join([*surfaces, "Ctrl-C ends."])
        instrument = stage.instrument
        head = [title, heard] if is_terminal() else [f"{title} {heard}"]
        screen = Screen(instrument, lambda cursor: [*head, stage.line(), *instrument.screen(cursor)], notices, midi)
        stage.at_end(lambda: _say(f"Played {stage.line()}."))
        stage.play(options.seconds, stage.add(screen).look)


def _set_values(stage: Stage, options: PlayOptions) -> None:
    """Set what is set before the first frame, and begin to log it."""
    instrument = stage.instrument
    instrument.folder = options.folder
    if options.log:
        stage.log(options.log)
    if options.events:
        stage.replay(options.events)
    if options.load:
        instrument.load(options.load)
    for text in options.settings:
        address, equals, value = text.partition("=")
        instrument.do(address, *(_values(instrument, address, value) if equals else []))


def _add_surfaces(stage: Stage, options: PlayOptions, notices: Notices) -> tuple[list[str], MidiIn | None]:
    """Open OSC and MIDI; a few words about each, and the MIDI port if there is one."""
    from ngs.pyo_instruments.surfaces.midi import MidiIn
    from ngs.pyo_instruments.surfaces.midi_map import MidiMap
    from ngs.pyo_instruments.surfaces.osc import OscServer

    instrument, surfaces, midi = stage.instrument, [], None
    if options.midi:
        saved = options.midi_map or options.folder / f"{instrument.public_name}-midi.toml"
        mapping = MidiMap.read(saved, instrument) if saved.is_file() else MidiMap.of(instrument)
        midi = stage.open(MidiIn(instrument, options.midi, mapping, saved, notices))
        surfaces.append(f"MIDI from {midi.name}" + f" by {saved.name}" * saved.is_file())
    if options.osc:
        host, port = options.osc
        server = stage.add(
            OscServer(instrument, port, host, stage.status, options.osc_from, midi.learn if midi else None, notices)
        )
        who = f" for {', '.join(map(str, server.networks))}, without a password" if server.networks else ""
        surfaces.insert(0, f"OSC on {shown(host, port)}{who}")
    return surfaces, midi


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # a closed terminal must not spoil what was recorded
        click.echo(text)


def _values(instrument: Instrument, address: str, text: str) -> list[float | str]:
    """The arguments of a command as they were typed; numbers if it takes numbers."""
    arguments = instrument.find(address)[0].arguments
    parts = text.split(",", len(arguments) - 1) if len(arguments) > 1 else [text]
    numbers = [isinstance(each, Number | Switch | Whole) for each in arguments]
    return [_number(part) if number else part for part, number in zip(parts, [*numbers, False], strict=False)]


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
