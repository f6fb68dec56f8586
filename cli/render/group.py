"""The command `ngs render`, and how a bundle may stand in front of a form."""

from __future__ import annotations

from pathlib import Path

import click

from ngs.runtime.console.parameters import BUNDLE
from ngs.runtime.console.suggestions import did_you_mean

bundle_option = click.option(
    "--bundle", type=BUNDLE, help="The bundle to play.  [default: the drums that come with ngs]"
)


def one_bundle(first: Path | None, second: Path | None) -> Path | None:
    """The bundle, which may be named in either of two places. Raises UsageError if both name one."""
    if first and second:
        raise click.UsageError(f"Name one bundle: {first} or {second}")
    return first or second


class _Forms(click.Group):
    """The group of the forms. If the first word is not a form, it is the bundle."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        first, *rest = args
        if first not in self.commands and not first.startswith("-"):
            forms = ", ".join(self.commands)
            if not rest or rest[0].startswith("-") and rest[0] not in ctx.help_option_names:
                nearest = did_you_mean(first, self.commands)
                ctx.fail(f"{first!r} is not a form ({forms}).{nearest} If it is a bundle, name a form after it")
            if rest[0] not in self.commands and not rest[0].startswith("-"):
                ctx.fail(f"{rest[0]!r} is not a form ({forms}).{did_you_mean(rest[0], self.commands)}")
            ctx.params["bundle"] = one_bundle(ctx.params["bundle"], BUNDLE.convert(first, None, ctx))
            args = rest
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Forms,
    subcommand_metavar="[BUNDLE] FORM [ARGS]...",
)
@bundle_option
@click.pass_context
def render(ctx: click.Context, bundle: Path | None) -> None:
    """Render sound from BUNDLE to WAV or FLAC files, 24 bit and mono.

    BUNDLE is a .ngs folder or file. Leave it out to play the drums that come with ngs. The same command with the same
    seed always writes the same bytes. `ngs render FORM --help` explains a form.

    \b
    Example:
      ngs render loop -o loop.wav
      ngs render sample --class Kick -o kick.wav
    """
    ctx.obj = bundle
