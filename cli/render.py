"""`ngs render [BUNDLE] FORM`: sound from a bundle to WAV or FLAC files."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ngs.runtime.console import BUNDLE, Number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ngs.runtime.bundle.bundle import Bundle

SOUND = click.Path(path_type=Path)
BUILT_IN = (
    "house",
    "breakbeat",
    "drum-and-bass",
    "electro",
)  # of offline.patterns, which --help does without


class _Forms(click.Group):
    """Forms, with the bundle as a word before: a first word that is not a form."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        first, *rest = args
        if first not in self.commands and not first.startswith("-"):
            forms = ", ".join(self.commands)
            if not rest or rest[0].startswith("-") and rest[0] not in ctx.help_option_names:
                ctx.fail(f"{first!r} is not a form ({forms}); as a bundle it needs one after it")
            if rest[0] not in self.commands and not rest[0].startswith("-"):
                ctx.fail(f"{rest[0]!r} is not a form ({forms})")
            ctx.params["bundle"] = _once(ctx.params["bundle"], BUNDLE.convert(first, None, ctx))
            args = rest
        return super().resolve_command(ctx, args)


def _once(bundle: Path | None, other: Path | None) -> Path | None:
    if bundle and other:
        raise click.UsageError(f"Name one bundle: {bundle} or {other}")
    return bundle or other


_bundle = click.option("--bundle", type=BUNDLE, help="The bundle to play.  [default: the drums that come with ngs]")


@click.group(
    cls=_Forms,
    subcommand_metavar="[BUNDLE] FORM [ARGS]...",
    short_help="Render sound from a bundle to a WAV or FLAC file.",
)
@_bundle
@click.pass_context
def render(ctx: click.Context, bundle: Path | None) -> None:
    """Render sound from BUNDLE, a .ngs folder or file, to WAV or FLAC (24 bit, mono).

    Without BUNDLE the drums that come with ngs play. The same command with the same seed writes the same bytes.
    `ngs render FORM --help` says more of a form.

    \b
    Example:
      ngs render loop -o loop.wav
      ngs render sample --class Kick -o kick.wav
    """
    ctx.obj = bundle


@dataclass
class Job:
    """What every form has in common: the opened bundle and the common options."""

    bundle: Bundle
    output: Path | None
    sample_rate: int
    seed: int
    choices: dict[str, str]
    as_json: bool
    files: list[Path] = field(default_factory=list)
    seconds: float = 0.0
    peak: float = 0.0

    def condition(self) -> NDArray[np.float32]:
        return self.bundle.condition(self.choices)

    def read(self, file: Path) -> NDArray[np.float32]:
        from ngs.runtime.dsp.audio_files import read_audio

        return read_audio(file, self.bundle.manifest.sample_rate)

    def path(self, default: str) -> Path:
        """Where the sound goes: --output, a default name in it where it is a folder, or in this folder."""
        from ngs.runtime.dsp.audio_files import audio_format

        path = self.output or Path(default)
        if path.is_dir():
            path = path / default
        audio_format(path)
        return path

    def write(self, path: Path, signal: NDArray[np.float32], sample_rate: int | None = None) -> None:
        """Write a signal at the bundle's rate (or one that is said) at the rate asked for."""
        import numpy as np

        from ngs.runtime.dsp.audio_files import resample, write_audio

        signal = resample(signal, sample_rate or self.bundle.manifest.sample_rate, self.sample_rate)
        if not np.isfinite(signal).all():
            raise ValueError(f"{self.bundle.path} gave NaN or infinite samples: check it with `ngs validate`")
        peak = write_audio(path, signal, self.sample_rate)
        seconds = len(signal) / self.sample_rate
        self.files.append(path)
        self.seconds, self.peak = max(self.seconds, seconds), max(self.peak, peak)
        if not self.as_json:
            provider = self.bundle.provider.upper()
            level = f"peak {20 * math.log10(peak):.1f} dB" if peak > 0 else "silent"
            click.echo(f"Wrote {path}: {seconds:.2f} s, {self.sample_rate} Hz, {level} ({provider})")

    def finish(self) -> None:
        if self.as_json:
            files = [str(path) for path in self.files]
            summary = {"files": files, "sample_rate": self.sample_rate, "seconds": self.seconds, "peak": self.peak}
            click.echo(json.dumps(summary))


def form(function: Callable[..., None]) -> click.Command:
    """Make a form of `render` from a function of a Job and its own options, which stand below this decorator."""

    @click.pass_context
    def run(
        ctx: click.Context, /, bundle: Path | None, output: Path | None, sample_rate: int | None, seed: int,
        provider: str, class_name: str | None, conditions: tuple[str, ...], as_json: bool, **own: Any,
    ) -> None:  # fmt: skip
        from ngs.runtime.bundle.bundle import Bundle

        opened = Bundle.open(_once(ctx.obj, bundle), provider)
        manifest = opened.manifest
        names = {condition.name.lower(): condition.name for condition in manifest.attributes}
        choices = {manifest.attributes[0].name: class_name} if class_name is not None else {}
        for text in conditions:
            attribute, equals, chosen = text.partition("=")
            if not (attribute and equals and chosen):
                raise click.UsageError(f"--condition {text!r}: write ATTRIBUTE=CLASS")
            choices[names.get(attribute.lower(), attribute)] = chosen
        opened.condition(choices)  # a wrong name is said before any work
        job = Job(opened, output, sample_rate or manifest.sample_rate, seed, choices, as_json)
        function(job, **own)
        job.finish()

    run.__doc__ = function.__doc__
    common = (
        _bundle,
        click.option("--output", "-o", type=SOUND, help="A .wav or .flac file, or a folder.  [default: ./NAME.wav]"),
        click.option("--sample-rate", type=click.IntRange(1000, 384000), help="In Hz.  [default: the bundle's]"),
        click.option("--seed", default=0, show_default=True, type=click.IntRange(0), help="Decides everything random."),
        click.option("--class", "class_name", metavar="NAME", help="Class of the bundle's first attribute."),
        click.option("--condition", "conditions", multiple=True, metavar="ATTRIBUTE=CLASS", help="For any attribute."),
        click.option("--provider", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda"])),
        click.option("--json", "as_json", is_flag=True, help="Print files, rate, seconds and peak as JSON."),
    )
    command: Callable[..., Any] = run
    for option in reversed(common):
        command = option(command)
    own_parameters = list(getattr(function, "__click_params__", []))
    made = click.command(name=function.__name__)(command)
    made.params = [*reversed(own_parameters), *made.params]
    render.add_command(made)
    return made


@form
@click.argument("file", type=SOUND)
def reconstruct(job: Job, file: Path) -> None:
    """Take FILE apart into grains and put it together again, as near to it as the model gets.

    The result has the length of FILE, at the bundle's rate sample for sample, to compare the two. The class is
    left unspecified unless it is given.

    \b
    Example:
      ngs render sample --class Kick -o kick.wav
      ngs render reconstruct kick.wav -o reconstructed.wav
    """
    from ngs.runtime.offline.render import resynthesise

    path = job.path(f"reconstruct-{file.stem}.wav")
    job.write(path, resynthesise(job.bundle, job.read(file), job.condition(), job.seed))


@form
@click.argument("file", type=SOUND)
def resynth(job: Job, file: Path) -> None:
    """Play FILE, any sound of any length, with the bundle's grains; the last ones ring out.

    A class that is given leans the grains towards it; what FILE sounds like mostly decides.

    \b
    Example:
      ngs render loop -o loop.wav
      ngs render resynth loop.wav --class Snare -o snares.wav
    """
    from ngs.runtime.offline.render import decode, encode

    path = job.path(f"resynth-{file.stem}.wav")
    job.write(path, decode(job.bundle, encode(job.bundle, job.read(file)), job.condition(), job.seed))


@form
@click.option("--count", default=1, show_default=True, type=click.IntRange(1, 100000), help="How many sounds.")
@click.option("--temperature", default=0.7, show_default=True, type=Number(0, 10),
              help="0: the most typical sound; 1: as varied as what was learnt; more: stranger.")  # fmt: skip
def sample(job: Job, count: int, temperature: float) -> None:
    """Draw new sounds. Without --class each sound has one drawn by the seed; so has what else is left open, as some
    sound learnt has it.

    With --count above 1, --output NAME.wav gives NAME-0.wav, NAME-1.wav, ...; any other --output is a folder. Sound
    number i of a seed is the same for every --count.

    \b
    Example:
      ngs render sample --class Kick --count 8 -o kicks/kick.wav
    """
    from ngs.runtime.bundle.seeds import Stream, completed, seeded
    from ngs.runtime.offline.render import sample as sample_sound

    classes = job.bundle.manifest.attributes[0].classes
    if count > 1 and job.output is not None and not job.output.suffix:
        job.output.mkdir(parents=True, exist_ok=True)
    todo = []
    for index in range(count):
        condition = job.condition()
        if not condition.any():
            condition[int(seeded(job.seed, index, Stream.CLASS).integers(len(classes)))] = 1.0
        condition = completed(job.bundle, condition, job.seed, index)
        chosen = plain(classes[int(condition[: len(classes)].argmax())])
        path = job.path(f"sample-{chosen}-{job.seed}{f'-{index}' if count > 1 else ''}.wav")
        if path == job.output and count > 1:
            path = path.with_name(f"{path.stem}-{index}{path.suffix}")
        todo.append((path, condition))
    for index, (path, condition) in enumerate(todo):
        job.write(path, sample_sound(job.bundle, condition, temperature, job.seed, index))


@form
@click.option("--kind", default="linear", show_default=True, help="linear, back-and-forth, circle, spiral or walk.")
@click.option("--seconds", default=4.0, show_default=True, type=Number(0, 3600, min_open=True))
def path(job: Job, kind: str, seconds: float) -> None:
    """Follow a path through the grains of the sounds learnt; the seed decides which.

    \b
    Example:
      ngs render path --kind circle --seconds 8 --class Hat -o circle.wav
    """
    from ngs.runtime.dsp.paths import free_path
    from ngs.runtime.offline.render import grains_for, play_path

    output = job.path(f"path-{plain(kind)}-{job.seed}.wav")
    condition = job.condition()
    first = condition[: len(job.bundle.manifest.attributes[0].classes)]
    label = int(first.argmax()) if first.any() else None
    latents = free_path(kind, grains_for(seconds, job.bundle), job.seed, job.bundle.latent_map, label)
    job.write(output, play_path(job.bundle, latents, condition, job.seed))


@form
@click.option("--from", "start", required=True, metavar="SEED|FILE", help="A seed of `sample`, or a sound file.")
@click.option("--to", "end", required=True, metavar="SEED|FILE", help="As --from.")
@click.option("--steps", default=8, show_default=True, type=click.IntRange(2, 1000), help="Sounds, both ends included.")
def morph(job: Job, start: str, end: str, steps: int) -> None:
    """Turn one sound into another: STEPS sounds, one after another in one file.

    An end is a seed, which draws an embedding at temperature 1, or a sound file, which is
    cropped or followed by silence to the length the model knows.

    \b
    Example:
      ngs render morph --from 1 --to 2 --steps 6 --class Kick -o morph.wav
    """
    import numpy as np

    from ngs.runtime.bundle.seeds import completed, sample_embeddings
    from ngs.runtime.offline.render import decode_embeddings, embed, interpolate

    output = job.path(f"morph-{plain(Path(start).stem)}-{plain(Path(end).stem)}.wav")
    condition = completed(job.bundle, job.condition(), job.seed) if job.choices else job.condition()
    ends = [
        sample_embeddings(job.bundle, 1, 1.0, int(text))[0]
        if text.isascii() and text.isdigit()
        else embed(job.bundle, job.read(Path(text)), condition)
        for text in (start, end)
    ]
    embeddings = interpolate(ends[0], ends[1], steps)
    conditions = np.repeat(condition[None], steps, axis=0)
    # one seed for all: what changes is the sound, not its noise
    job.write(output, np.concatenate(decode_embeddings(job.bundle, embeddings, conditions, [job.seed] * steps)))


@form
@click.option("--pattern", default=BUILT_IN[0], show_default=True, metavar="NAME|FILE",
              help=f"A text file, or one of {', '.join(BUILT_IN)}.")  # fmt: skip
@click.option("--bpm", default=120.0, show_default=True, type=Number(20, 400), help="Beats a minute.")
@click.option("--bars", default=2, show_default=True, type=click.IntRange(1, 256), help="Bars of 16 steps.")
@click.option("--temperature", default=0.7, show_default=True, type=Number(0, 10), help="As of `sample`.")
def loop(job: Job, pattern: str, bpm: float, bars: int, temperature: float) -> None:
    """Play a drum pattern with a fresh hit at every step. The file is exactly that many bars long.

    A pattern file has a line for each class, with 16 steps: x a hit, X an accent, o a soft one, . a rest.

    \b
      Kick   X...x...X...x..o
      Snare  ....X.......X...

    \b
    Example:
      ngs render loop --pattern breakbeat --bpm 124 --bars 4 --seed 3 -o loop.wav
    """
    from ngs.runtime.offline.loop import render_loop
    from ngs.runtime.offline.patterns import load_pattern

    output = job.path(f"loop-{plain(Path(pattern).stem)}-{job.seed}.wav")
    attribute = job.bundle.manifest.attributes[0]
    if attribute.name in job.choices:
        raise click.UsageError(f"The pattern names the {attribute.name} of each hit: leave it out")
    tracks = load_pattern(pattern, attribute.classes)
    mix = render_loop(job.bundle, tracks, bpm, bars, job.seed, job.sample_rate, temperature, job.choices)
    job.write(output, mix, job.sample_rate)


def plain(name: str) -> str:
    """A name from a bundle or the user as part of a file name."""
    return re.sub(r"[^\w.-]+", "_", name) or "_"
