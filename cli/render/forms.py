"""The forms of `ngs render`: reconstruct, resynth, sample, vary, path, morph, loop."""

from __future__ import annotations

from pathlib import Path

import click

from ngs.cli import options
from ngs.cli.render.group import render as render
from ngs.cli.render.job import Job, file_name, form, form_without_class
from ngs.runtime.console.parameters import Number
from ngs.runtime.temperature import TEMPERATURE

SOUND = click.Path(path_type=Path)
BUILT_IN = ("house", "breakbeat", "drum-and-bass", "electro")  # ngs.runtime.offline.patterns has them; --help is quick


@form_without_class
@click.argument("file", type=SOUND)
def reconstruct(job: Job, file: Path) -> None:
    """Take FILE apart into grains and rebuild it.

    This is as close to FILE as the model can get. The result is exactly as long as FILE, so that you can compare the
    two.

    \b
    Example:
      ngs render sample --class Kick -o kick.wav
      ngs render reconstruct kick.wav -o reconstructed.wav
    """
    from ngs.runtime.offline import render

    path = job.path(f"reconstruct-{file_name(file.stem)}.wav")
    job.write(path, render.reconstruct(job.bundle, job.read(file), job.condition(), job.seed))


@form
@click.argument("file", type=SOUND)
@click.option("--style", type=Number(0, 1),
              help="0 is FILE as the model hears it, 1 the bundle's sounds.  [default: 1; 0 in format 3]")  # fmt: skip
def resynth(job: Job, file: Path, style: float | None) -> None:
    """Play FILE with the grains of the bundle's sounds.

    FILE is any sound of any length, such as your voice; the last grains ring out. Each of its grains is replaced by
    those of the sounds trained on that are most like it, of a class if you name one. Loudness and time stay those of
    FILE, and so does the pitch if the bundle's classes are pitches.

    \b
    Example:
      ngs render loop -o loop.wav
      ngs render resynth loop.wav --class Cowbell --style 0.8 -o bells.wav
    """
    from ngs.runtime.offline.render import resynthesise

    path = job.path(f"resynth-{file_name(file.stem)}.wav")
    style = float(job.bundle.manifest.has_style) if style is None else style
    job.write(path, resynthesise(job.bundle, job.read(file), job.condition(), style, job.seed))


@form
@click.option("--count", default=1, show_default=True, type=click.IntRange(1, 100000), help="How many sounds to draw.")
@options.temperature
def sample(job: Job, count: int, temperature: float) -> None:
    """Draw new sounds.

    Without --class the seed draws a class for each sound. Other attributes that you leave open are those of a sound in
    the corpus. With --count above 1, `-o NAME.wav` writes NAME-0.wav, NAME-1.wav and so on, and any other name is a
    folder. Sound number i of a seed is the same whatever --count is.

    \b
    Example:
      ngs render sample --class Kick --count 8 -o kicks/kick.wav
    """
    from ngs.runtime.bundle.seeds import sampled_condition
    from ngs.runtime.offline.render import sample as sample_sound

    conditions = [sampled_condition(job.bundle, job.condition(), (job.seed, index)) for index in range(count)]
    classes = job.bundle.manifest.attributes[0].classes
    chosen = [file_name(classes[job.bundle.first_class(condition) or 0]) for condition in conditions]
    paths = job.paths([f"sample-{name}-{job.seed}" for name in chosen])
    for index, (path, condition) in enumerate(zip(paths, conditions, strict=True)):
        job.write(path, sample_sound(job.bundle, condition, temperature, job.seed, index))


@form
@click.argument("file", type=SOUND)
@click.option("--amount", default=0.3, show_default=True, type=Number(0, 1),
              help="0 is FILE as the model hears it, 1 a new sound.")  # fmt: skip
@click.option("--count", default=1, show_default=True, type=click.IntRange(1, 100000), help="How many variations.")
@options.temperature
def vary(job: Job, file: Path, amount: float, count: int, temperature: float) -> None:
    """Make variations of FILE: new sounds that are near it.

    Name its class with --class, as far as the bundle has one. The model hears as much of FILE as the sounds that it
    makes are long. With --count above 1, files are numbered as those of `ngs render sample`. Variation number i of a
    seed is the same whatever --count is.

    \b
    Example:
      ngs render sample --class Snare -o snare.wav
      ngs render vary snare.wav --class Snare --amount 0.2 --count 8 -o snares
    """
    from ngs.runtime.bundle.seeds import completed
    from ngs.runtime.offline.render import vary as varied

    condition = completed(job.bundle, job.condition(), job.seed) if job.choices else job.condition()
    paths = job.paths([f"vary-{file_name(file.stem)}-{job.seed}"] * count)
    signal = job.read(file)
    for index, path in enumerate(paths):
        job.write(path, varied(job.bundle, signal, condition, amount, temperature, job.seed, index))


@form
@click.option("--kind", default="linear", show_default=True, help="linear, back-and-forth, circle, spiral or walk.")
@click.option("--seconds", default=4.0, show_default=True, type=Number(0, 3600, min_open=True),
              help="How long the sound is.")  # fmt: skip
def path(job: Job, kind: str, seconds: float) -> None:
    """Follow a path through the grains of the corpus. The seed decides where it goes.

    With --class it stays among the grains of that class.

    \b
    Example:
      ngs render path --kind circle --seconds 8 --class Hat -o circle.wav
    """
    from ngs.runtime.bundle.levels import path_levels
    from ngs.runtime.bundle.style import path_style
    from ngs.runtime.dsp.paths import free_path
    from ngs.runtime.offline.render import grains_for, play_path

    output = job.path(f"path-{file_name(kind)}-{job.seed}.wav")
    condition = job.condition()
    label = job.bundle.first_class(condition)
    latents = free_path(kind, grains_for(seconds, job.bundle), job.seed, job.bundle.latent_map, label)
    levels = path_levels(job.bundle, latents, condition)
    style = path_style(job.bundle, condition)
    job.write(output, play_path(job.bundle, latents, condition, job.seed, levels, style))


@form
@click.option("--from", "start", required=True, metavar="SEED|FILE", help="The first sound: a seed, or a sound file.")
@click.option("--to", "end", required=True, metavar="SEED|FILE", help="The last sound, as --from.")
@click.option(
    "--steps", default=8, show_default=True, type=click.IntRange(2, 1000), help="How many sounds, ends included."
)
def morph(job: Job, start: str, end: str, steps: int) -> None:
    """Turn one sound into another in steps. The sounds follow one another in one file.

    Either end is a seed, which draws a sound as `ngs render sample` does, or a sound file, of which the model hears as
    much as the sounds that it makes are long.

    \b
    Example:
      ngs render morph --from 1 --to 2 --steps 6 --class Kick -o morph.wav
    """
    import numpy as np

    from ngs.runtime.bundle.levels import morph_levels
    from ngs.runtime.bundle.prior import embeddings_between
    from ngs.runtime.bundle.seeds import completed, drawn_embedding
    from ngs.runtime.offline.render import decode_embeddings, embed

    output = job.path(f"morph-{file_name(Path(start).stem)}-{file_name(Path(end).stem)}.wav")
    condition = completed(job.bundle, job.condition(), job.seed) if job.choices else job.condition()
    from_seed = start.isascii() and start.isdigit(), end.isascii() and end.isdigit()
    ends = [
        drawn_embedding(job.bundle, condition, TEMPERATURE, int(text))
        if drawn
        else embed(job.bundle, job.read(Path(text)), condition)
        for text, drawn in zip((start, end), from_seed, strict=True)
    ]
    conditions = np.repeat(condition[None], steps, axis=0)
    embeddings = embeddings_between(job.bundle, ends[0], ends[1], conditions)
    # one seed for all: the sound changes, its noise does not
    levels = morph_levels(job.bundle, embeddings, conditions, from_seed)
    job.write(output, np.concatenate(decode_embeddings(job.bundle, embeddings, conditions, [job.seed] * steps, levels)))


@form
@click.option("--pattern", default=BUILT_IN[0], show_default=True, metavar="NAME|FILE",
              help=f"{', '.join(BUILT_IN)}, or a text file.")  # fmt: skip
@click.option("--bpm", default=120.0, show_default=True, type=Number(20, 400), help="Beats per minute.")
@click.option("--bars", default=2, show_default=True, type=click.IntRange(1, 256), help="How many bars of 16 steps.")
@options.temperature
def loop(job: Job, pattern: str, bpm: float, bars: int, temperature: float) -> None:
    """Play a drum pattern, with a fresh hit at every step. The file lasts exactly --bars bars.

    A pattern file has a line for each class, with 16 steps: x is a hit, X an accent, o a soft hit, . a rest.

    \b
      Kick   X...x...X...x..o
      Snare  ....X.......X...

    \b
    Example:
      ngs render loop --pattern breakbeat --bpm 124 --bars 4 --seed 3 -o loop.wav
    """
    from ngs.runtime.offline.loop import render_loop
    from ngs.runtime.offline.patterns import load_pattern

    output = job.path(f"loop-{file_name(Path(pattern).stem)}-{job.seed}.wav")
    attribute = job.bundle.manifest.attributes[0]
    if attribute.name in job.choices:
        raise click.UsageError(f"The pattern decides the {attribute.name} of each hit: leave it out")
    tracks = load_pattern(pattern, attribute.classes)
    mix = render_loop(job.bundle, tracks, bpm, bars, job.seed, job.sample_rate, temperature, job.choices)
    job.write(output, mix, job.sample_rate)
