"""The options of `ngs play`, which the scripts of the instruments share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ngs.pyo_instruments.stage.endpoints import Endpoint, Subnet
from ngs.pyo_instruments.surfaces.osc_access import Network, subnets
from ngs.runtime.console.parameters import BUNDLE, FILE, NEW_FILE, Number, in_folder

if TYPE_CHECKING:
    from ngs.pyo_instruments.instrument import Instrument

FOLDER = click.Path(file_okay=False, path_type=Path)


def _option(*names: str, **how: Any) -> click.Option:
    return click.Option(names, show_default="default" in how, **how)


OPTIONS = (
    _option("--bundle", type=BUNDLE, help="The bundle to play.  [default: the drums that come with ngs]"),
    _option(
        "--audio",
        default="portaudio",
        type=click.Choice(["portaudio", "jack", "offline"]),
        help="A sound card, a JACK server, or only a file, made as fast as possible.",
    ),
    _option("--device", help="The sound card: part of its name, or its number (`ngs doctor` lists them)."),
    _option("--sample-rate", default=48000, type=click.IntRange(8000, 192000), help="In Hz. JACK sets its own."),
    _option("--block", default=128, type=click.IntRange(16, 4096), help="Frames per block. JACK sets its own."),
    _option("--osc", type=Endpoint(), metavar="[HOST:]PORT",
            help="Listen to OSC on this port: of this computer alone, or for others at the address HOST."),
    _option("--osc-from", multiple=True, type=Subnet(), metavar="SUBNET",
            help="Whose OSC a HOST takes, beside this computer's: 192.168.1.0/24.  [default: the HOST's own /24]"),
    _option("--midi", metavar="NAME", help="Listen to a MIDI port: part of its name, or jack, or virtual."),
    _option("--midi-map", type=FILE,
            help="What MIDI controllers do, a TOML file; learned ones are saved there.  "
                 "[default: INSTRUMENT-midi.toml in --folder if it is there, else the instrument's]"),
    _option("--record", type=NEW_FILE, help="Record to a .wav or .flac file, or into a folder."),
    _option("--seconds", type=Number(0.01, 1e6), help="Stop after this time."),
    _option("--file", "files", multiple=True, type=FILE, help="A sound to play: one in resynthesiser, two in morph."),
    _option("--seed", default=0, type=click.IntRange(0), help="Seed of every random choice."),
    _option("--levels", default="held", type=click.Choice(["held", "raw"]),
            help="Drawn sounds and free paths: as loud as the corpus, or as they are decoded."),
    _option("--set", "settings", multiple=True, metavar="ADDRESS=VALUE", help="Set a control first: /tempo=140."),
    _option("--load", type=FILE, help="Load saved values, a JSON file."),
    _option("--folder", type=FOLDER, default=".", help="Where values and hits are saved."),
    _option("--log", type=NEW_FILE, help="Log every command from outside, with its frame."),
    _option("--events", type=FILE, help="Replay such a log, to the sample. --load and --set add to its start."),
    _option("--stats", type=NEW_FILE, help="Write statistics to a JSON file: late blocks, longest times."),
    _option("--addresses", is_flag=True, help="List the instrument's OSC addresses and exit."),
)  # fmt: skip


@dataclass(frozen=True)
class PlayOptions:
    """The values of `OPTIONS`."""

    bundle: Path | None
    audio: str
    device: str | None
    sample_rate: int
    block: int
    osc: tuple[str, int] | None  # host and port
    osc_from: tuple[Network, ...]
    midi: str | None
    midi_map: Path | None
    record: Path | None
    seconds: float | None
    files: tuple[Path, ...]
    seed: int
    levels: str
    settings: tuple[str, ...]
    load: Path | None
    folder: Path
    log: Path | None
    events: Path | None
    stats: Path | None
    addresses: bool

    def placed(self, kind: type[Instrument]) -> PlayOptions:
        """The options with the names of files in place of the folders to write them to."""
        name = kind.public_name
        return replace(
            self,
            record=self.record and in_folder(self.record, f"{name}.wav"),
            log=self.log and in_folder(self.log, f"{name}-log.jsonl"),
            stats=self.stats and in_folder(self.stats, f"{name}-stats.json"),
        )

    def check(self, kind: type[Instrument]) -> None:
        """Raise UsageError for options that do not go together."""
        if self.audio == "offline":
            if self.record is None or self.seconds is None:
                raise click.UsageError("--audio offline needs --record FILE and --seconds SECONDS")
            if self.osc or self.midi:
                raise click.UsageError("--osc and --midi play live only: with --audio offline, use --events FILE")
            if kind.listens and not self.files:
                raise click.UsageError(f"offline {kind.public_name} has nothing to listen to: give --file SOUND")
        if self.osc_from and not self.osc:
            raise click.UsageError("--osc-from is for --osc HOST:PORT")
        if self.osc:
            try:
                subnets(self.osc[0], self.osc_from)
            except ValueError as error:
                raise click.UsageError(f"--osc: {error}") from None
        if self.device and self.audio != "portaudio":
            raise click.UsageError("--device is for sound cards: --audio portaudio")
        _keep_apart(
            (self.record, self.log, self.stats), (self.bundle, *self.files, self.load, self.events, self.midi_map)
        )


def _keep_apart(written: Sequence[Path | None], read: Sequence[Path | None]) -> None:
    """Raise UsageError if a file would overwrite one that is read, or be written twice."""
    outputs = [path.resolve() for path in written if path]
    inputs = [path.resolve() for path in read if path]
    for number, path in enumerate(outputs):
        if path in inputs:
            raise click.UsageError(f"{path} is read: write to another file")
        if path in outputs[:number]:
            raise click.UsageError(f"{path} would be written twice: name two files")
