"""Grains along a path, without end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ngs.pyo_instruments.players.port import EnginePort, ahead, turned
from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.pyo_instruments.timing.clock import Clock
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.dsp.paths import KINDS, LOOP_MODES, free_path
from ngs.runtime.synth.controls import CONTROLS
from ngs.runtime.synth.engine import Engine
from ngs.runtime.synth.notes import Note

PATH_GRAINS = 2048  # of a free path, after which it goes back or around
FADE_SECONDS = 0.1  # from one path to the next
PLAYED = ("speed", "freeze", "scatter", "density", "pitch", "position", "morph", "gain")


@turned(**{name: CONTROLS[name].help for name in PLAYED})
class GrainPlayer(EnginePort):
    """Plays grains along paths through the latent space of a bundle, a stream a path, until it is stopped.

    :Parent: :py:class:`PyoObject`

    :Args:

        bundle: Bundle, path or None
            None is the bundle that comes with ngs.
        path: string, array or list of them
            "linear", "back-and-forth", "circle", "spiral" or "walk"; or float32 [T, Z], or a table of K paths [K, T, Z]
            between which `morph` moves.
        choices: string, dict or list of them, optional
            Class that the grains are played as.
        speed, freeze, scatter, density, pitch, position, morph, gain: float, list of floats or PyoObject, optional
            See `ngs.runtime.CONTROLS`.
        seed: int, optional
            Decides free paths and noise.

    >>> s = Server().boot()
    >>> s.start()
    >>> turn = Sine(.05, mul=2)
    >>> grains = GrainPlayer(path=["circle", "walk"], choices=["Cowbell", "Ride"], speed=turn).out()
    """

    def __init__(
        self, bundle: Bundle | str | Path | None = None, path: Any = "circle", choices: Any = "", seed: int = 0,
        mul: Any = 1, add: Any = 0, **controls: Any,
    ) -> None:  # fmt: skip
        self.bundle = bundle if isinstance(bundle, Bundle) else Bundle.open(bundle)
        self._paths = path if isinstance(path, list) else [path]
        self._choices = choices if isinstance(choices, list) else [choices]
        for each in self._choices:
            self._check(choices=each)
        given = {name: CONTROLS[name].start for name in PLAYED} | controls
        widths = [len(value) if isinstance(value, list | pyo.PyoObject) else 1 for value in given.values()]
        count = max(len(self._paths), len(self._choices), *widths)
        self.seed, self._serial = seed, 0
        self._playing: list[int | None] = [None] * count  # numbers of notes
        self._newest = [0] * count  # serial of the note that was asked for last
        self._wanted: dict[int, Note] = {}  # that begin with the next block
        self._turned: list[dict[str, float]] = [{} for _ in range(count)]
        clock = Clock.current()
        engine = Engine(
            self.bundle, clock.sample_rate, voices=2 * count, ahead=ahead(clock), outputs=count, channels=1,
            threaded=clock.live,
        )  # fmt: skip
        super().__init__(engine, mul, add)
        for name, value in given.items():
            self.give(name, value)
        self.setPath(self._paths)

    def setPath(self, x: Any) -> None:
        """Replace the `path`: the new one fades in. Raises ValueError."""
        paths = x if isinstance(x, list) else [x]
        for each in paths:
            self._check(path=each)
        self._paths = paths
        for stream in range(len(self)):
            self.change(stream)

    def setChoices(self, x: Any) -> None:
        """Replace the `choices`: the grains of the new class fade in. Raises ValueError."""
        choices = x if isinstance(x, list) else [x]
        for each in choices:
            self._check(choices=each)
        self._choices = choices
        for stream in range(len(self)):
            self.change(stream)

    path = property(lambda self: self._paths, setPath, doc="Paths, a stream each.")
    choices = property(lambda self: self._choices, setChoices, doc="Classes, a stream each.")

    def change(self, stream: int, path: Any = None, choices: Any = None) -> None:
        """Play another path in a stream, or a new free one of the same kind, or as another class. Raises ValueError."""
        self._check(path, choices)
        if path is not None:
            self._paths = [path if each == stream else self._path(each) for each in range(len(self))]
        if choices is not None:
            self._choices = [choices if each == stream else self._choice(each) for each in range(len(self))]
        chosen, wanted = self._choice(stream), self._path(stream)
        self._serial += 1
        serial = self._newest[stream] = self._serial

        def make() -> Note | None:
            return self._note(wanted, chosen, self.seed + serial) if self._newest[stream] == serial else None

        def use(note: Note | None) -> None:
            if note is not None and self._newest[stream] == serial:  # of a flood, the last
                self._wanted[stream] = note

        self.clock.prepare(make, use)

    def render(self, out: Array) -> None:
        self.follow()
        while self._wanted:
            self._play(*self._wanted.popitem())
        self.engine.process(out)

    def turn(self, stream: int, **controls: float) -> None:
        self._turned[stream] |= controls
        playing = self._playing[stream]
        if playing is not None:
            self.engine.set(playing, self.due, **controls)

    def _check(self, path: Any = None, choices: Any = None) -> None:
        if isinstance(path, str) and path not in KINDS:
            raise ValueError(f"There is no kind of path {path!r}; known: {', '.join(KINDS)}")
        Note(choices or {}, path=None if path is None or isinstance(path, str) else path).check(self.bundle)

    def _note(self, path: Any, choices: Any, seed: int) -> Note:
        mode = "loop"
        if isinstance(path, str):
            latent_map = self.bundle.latent_map
            label = self._label(choices)
            mode, path = LOOP_MODES.get(path, mode), free_path(path, PATH_GRAINS, seed, latent_map, label)
        return Note(choices or {}, seed=seed, path=np.asarray(path, np.float32), onset=False, mode=mode)

    def _label(self, choices: Any) -> int | None:
        """Number of a class of the first attribute."""
        attribute = self.bundle.manifest.attributes[0]
        name = choices.get(attribute.name) if isinstance(choices, Mapping) else choices
        names = [each.lower() for each in attribute.classes]
        return names.index(name.lower()) if name else None

    def _play(self, stream: int, note: Note) -> None:
        at, playing = self.due, self._playing[stream]
        if playing is not None:
            self.engine.note_off(playing, FADE_SECONDS, at)
        controls = dict(self._turned[stream])  # as they are now: the engine looks at them later
        self._playing[stream] = self.engine.note_on(replace(note, output=stream, controls=controls), at)

    def _path(self, stream: int) -> Any:
        return self._paths[stream % len(self._paths)]

    def _choice(self, stream: int) -> Any:
        return self._choices[stream % len(self._choices)]
