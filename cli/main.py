"""Entry point of `ngs`. Imports only the command that is called, and shows every error as one line."""

from __future__ import annotations

import importlib

import click

from ngs import __version__
from ngs.runtime.console.guard import guarded

# command -> (module, function, one-line help shown by `ngs --help`)
COMMANDS: dict[str, tuple[str, str, str]] = {
    "hits": ("ngs.cli.hits", "hits", "Make a folder of synthesised drum hits to train on."),
    "train": ("ngs.cli.train", "train", "Train a model on a folder of sounds."),
    "cache": ("ngs.cli.cache", "cache", "List or remove the decoded sounds that training keeps."),
    "export": ("ngs.cli.export", "export", "Turn a trained run into an ONNX bundle."),
    "render": ("ngs.cli.render.forms", "render", "Render sound from a bundle to WAV or FLAC files."),
    "play": ("ngs.cli.play", "play", "Play an instrument live."),
    "info": ("ngs.cli.bundle", "info", "Show what is in a bundle."),
    "validate": ("ngs.cli.bundle", "validate", "Check that a bundle is intact and computes what it should."),
    "evaluate": ("ngs.cli.evaluate", "evaluate", "Measure how good a bundle sounds, beside baselines."),
    "map": ("ngs.cli.map", "latent_map", "Draw a map of the grains of a bundle."),
    "report": ("ngs.cli.report", "report", "Write a web page of sounds and pictures of a bundle."),
    "doctor": ("ngs.cli.doctor", "doctor", "Check this machine: libraries, CUDA, audio, MIDI, JACK."),
    "bench": ("ngs.cli.bench", "bench", "Measure how fast a bundle plays on this machine."),
    "spectrogram": ("ngs.cli.spectrogram", "spectrogram", "Draw the spectrograms of sounds side by side."),
}


class LazyGroup(click.Group):
    """The commands in COMMANDS, each imported when it is called or asked for help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[cmd_name]
        command = getattr(importlib.import_module(module), attribute)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            from ngs.runtime.console.suggestions import did_you_mean

            ctx.fail(f"There is no command {args[0]!r}.{did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="ngs")
def cli() -> None:
    """Neural granular synthesis: sounds in, an instrument out.

    Play the drums that come with ngs at once, or train on a folder of sounds of your own and export a bundle to play.
    `ngs COMMAND --help` explains a command.

    \b
    Example:
      ngs render loop -o loop.wav
      ngs hits sounds --count 20
      ngs train sounds --out runs/mine --minutes 1
      ngs export runs/mine -o mine.ngs
      ngs render mine.ngs loop -o mine.wav
    """


def main() -> None:
    """Run the command line."""
    guarded(cli)
