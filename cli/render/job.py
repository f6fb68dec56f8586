"""What all forms of `ngs render` have in common: the bundle, the common options, reading and writing files."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ngs.cli import options
from ngs.cli.render.group import bundle_option, one_bundle, render
from ngs.runtime.console.parameters import NEW_FILE, in_folder
from ngs.runtime.errors import one_line, printable
from ngs.runtime.spelling import composed, on_disk

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ngs.runtime.bundle.bundle import Bundle

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]
CLASS_OPTIONS: tuple[Decorator, ...] = (
    click.option("--class", "class_name", metavar="NAME", help="Class of the bundle's first attribute, such as Kick."),
    click.option("--condition", "conditions", multiple=True, metavar="ATTRIBUTE=CLASS",
                 help="Class of any attribute. Repeatable."),
)  # fmt: skip
COMMON_OPTIONS: tuple[Decorator, ...] = (
    bundle_option,
    click.option("--output", "-o", type=NEW_FILE,
                 help="A .wav or .flac file, or a folder.  [default: a name in this folder]"),
    click.option("--sample-rate", type=click.IntRange(1000, 384000), help="In Hz.  [default: the bundle's]"),
    options.seed,
    *CLASS_OPTIONS,
    options.provider,
    options.levels,
    click.option("--json", "as_json", is_flag=True, help="Print files, sample rate, seconds and peak as JSON."),
)  # fmt: skip


@dataclass
class Job:
    """One call of `ngs render`: the opened bundle and the common options."""

    bundle: Bundle
    output: Path | None
    sample_rate: int
    seed: int
    choices: dict[str, str]  # classes by attribute
    as_json: bool
    files: list[Path] = field(default_factory=list)
    seconds: float = 0.0
    peak: float = 0.0

    def condition(self) -> NDArray[np.float32]:
        """The condition [C] of the classes that were asked for."""
        return self.bundle.condition(self.choices)

    def read(self, file: Path) -> NDArray[np.float32]:
        """A sound file as a signal [n] at the bundle's sample rate. Says what is odd about it. Raises AudioError."""
        from ngs.runtime.dsp.audio_files import read_audio

        return read_audio(on_disk(file), self.bundle.manifest.sample_rate, _remark)

    def path(self, default: str) -> Path:
        """Where to write: --output, or the default name in it if it is a folder. Raises AudioError."""
        from ngs.runtime.dsp.audio_files import audio_format

        path = in_folder(self.output or Path(default), default)
        audio_format(path)
        return path

    def paths(self, defaults: Sequence[str]) -> list[Path]:
        """Where to write several sounds, with default names without an ending; more than one are numbered.

        An --output without an ending is a folder, which is made if there are several. Raises AudioError.
        """
        if len(defaults) == 1:
            return [self.path(f"{defaults[0]}.wav")]
        if self.output is not None and not self.output.suffix:
            self.output.mkdir(parents=True, exist_ok=True)
        paths = [self.path(f"{default}-{index}.wav") for index, default in enumerate(defaults)]
        return [
            path.with_name(f"{path.stem}-{index}{path.suffix}") if path == self.output else path
            for index, path in enumerate(paths)
        ]

    def write(self, path: Path, signal: NDArray[np.float32], sample_rate: int | None = None) -> None:
        """Write a signal at the sample rate asked for; `sample_rate` is what it has, by default the bundle's."""
        import numpy as np

        from ngs.runtime.dsp.audio_files import resample, write_audio
        from ngs.runtime.dsp.sound_reader import SILENT, is_silent

        signal = resample(signal, sample_rate or self.bundle.manifest.sample_rate, self.sample_rate)
        if not np.isfinite(signal).all():
            raise ValueError(f"{self.bundle.path} gave NaN or infinite samples: check it with `ngs validate`")
        peak = write_audio(path, signal, self.sample_rate)
        seconds = len(signal) / self.sample_rate
        self.files.append(path)
        self.seconds, self.peak = max(self.seconds, seconds), max(self.peak, peak)
        if is_silent(signal):
            _remark(f"{path} {SILENT}")
        if not self.as_json:
            provider = self.bundle.provider.upper()
            level = f"peak {20 * math.log10(peak):.1f} dB" if peak > 0 else "silent"
            click.echo(f"Wrote {printable(str(path))}: {seconds:.2f} s, {self.sample_rate} Hz, {level} ({provider})")

    def finish(self) -> None:
        """Print the summary of --json."""
        if self.as_json:
            files = [str(path) for path in self.files]
            summary = {"files": files, "sample_rate": self.sample_rate, "seconds": self.seconds, "peak": self.peak}
            click.echo(json.dumps(summary))


def _remark(line: str) -> None:
    click.echo(f"Remark: {one_line(line)}", err=True)


def form(function: Callable[..., None], common: Sequence[Decorator] = COMMON_OPTIONS) -> click.Command:
    """Make a form of `ngs render` from a function of a Job. Decorators of its own options stand below this one."""

    @click.pass_context
    def run(
        ctx: click.Context, /, bundle: Path | None, output: Path | None, sample_rate: int | None, seed: int,
        provider: str, levels: str, as_json: bool, class_name: str | None = None, conditions: tuple[str, ...] = (),
        **own: Any,
    ) -> None:  # fmt: skip
        from ngs.runtime.bundle.bundle import Bundle

        opened = Bundle.open(one_bundle(ctx.obj, bundle), provider, held=levels == "held")
        choices = _choices(opened, class_name, conditions)
        opened.condition(choices)  # an unknown name is refused before any work
        job = Job(opened, output, sample_rate or opened.manifest.sample_rate, seed, choices, as_json)
        function(job, **own)
        job.finish()

    run.__doc__ = function.__doc__
    command: Callable[..., Any] = run
    for option in reversed(common):
        command = option(command)
    own_parameters = list(getattr(function, "__click_params__", []))
    made = click.command(name=function.__name__)(command)
    made.params = [*reversed(own_parameters), *made.params]
    render.add_command(made)
    return made


def form_without_class(function: Callable[..., None]) -> click.Command:
    """A form whose sound no class changes."""
    return form(function, [option for option in COMMON_OPTIONS if option not in CLASS_OPTIONS])


def _choices(bundle: Bundle, class_name: str | None, conditions: tuple[str, ...]) -> dict[str, str]:
    """Classes by attribute, of --class and --condition."""
    attributes = bundle.manifest.attributes
    choices = {attributes[0].name: class_name} if class_name is not None else {}
    names = {attribute.name.lower(): attribute.name for attribute in attributes}
    for text in conditions:
        attribute, equals, chosen = text.partition("=")
        if not (attribute and equals and chosen):
            raise click.UsageError(f"--condition {text!r}: write ATTRIBUTE=CLASS")
        choices[names.get(attribute.lower(), attribute)] = chosen
    return choices


def file_name(text: str) -> str:
    """Text from a bundle or the user, fit to be a part of a file name."""
    return re.sub(r"[^\w.-]+", "_", composed(text)) or "_"
