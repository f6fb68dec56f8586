"""Endless streams of grains along paths through the latent space."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ngs.pyo_instruments.players.engine_port import EnginePort, engine_for, select
from ngs.pyo_instruments.players.port import listed, open_bundle
from ngs.pyo_instruments.quiet_pyo import pyo
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.levels import long_path_levels, path_levels
from ngs.runtime.bundle.style import path_style
from ngs.runtime.dsp.paths import KINDS, LOOP_MODES, free_path
from ngs.runtime.synth.notes import Note

MAP = "map"
PATH_GRAINS = 2048  # length of a free path, before it turns back or around
LEVEL_STEP = 8  # grains; all of them would take longer than a change may
FADE_SECONDS = 0.1  # from one path to the next


class GrainPlayer(EnginePort):
    """Plays grains along paths through the latent space, one stream per path, until it is stopped.

    :Parent: :py:class:`PyoObject`

    :Args:

        bundle: Bundle, path or None
            None is the bundle that comes with ngs.
        path: string, array or list of them
            "linear", "back-and-forth", "circle", "spiral" or "walk", as loud as the grains that it passes; "map", the
            whole latent map, on which `position` is x and `morph` is y; float32 [T, Z]; or a table of K paths
            [K, T, Z], between which `morph` moves.
        choices: string, dict or list of them, optional
            Class of the grains: those of the corpus that have it and are most like those on the path. None is the
            path itself.
        speed, freeze, scatter, density, pitch, position, morph, gain: float, list of floats or PyoObject, optional
            See `ngs.runtime.CONTROLS`.
        seed: int, optional
            The same seed gives the same free paths and the same noise.

    >>> s = Server().boot()
    >>> s.start()
    >>> speed = Sine(.05, mul=2)
    >>> grains = GrainPlayer(path=["circle", "walk"], choices=["Cowbell", "Ride"], speed=speed).out()
    """

    controls = select("speed", "freeze", "scatter", "density", "pitch", "position", "morph", "gain")

    def __init__(
        self, bundle: Bundle | str | Path | None = None, path: Any = "circle", choices: Any = "", seed: int = 0,
        mul: Any = 1, add: Any = 0, **controls: Any,
    ) -> None:  # fmt: skip
        self.bundle, self.seed = open_bundle(bundle), seed
        self._paths, self._choices = listed(path), listed(choices)
        for each in self._choices:
            self._check(choices=each)
        widths = [len(value) for value in controls.values() if isinstance(value, list | pyo.PyoObject)]
        count = max(len(self._paths), len(self._choices), *widths)
        self._playing: list[int | None] = [None] * count  # numbers of the engine's notes
        self._wanted: dict[int, Note] = {}  # notes that begin with the next block, by stream
        self._turned: list[dict[str, float]] = [{} for _ in range(count)]
        super().__init__(engine_for(self.bundle, 2 * count, outputs=count, channels=1), mul, add, **controls)
        self.setPath(self._paths)

    def setPath(self, x: Any) -> None:
        """Replace the `path`: the new one fades in. Raises ValueError."""
        paths = listed(x)
        for each in paths:
            self._check(path=each)
        self._paths = paths
        self._change_all()

    def setChoices(self, x: Any) -> None:
        """Replace the `choices`: grains of the new class fade in. Raises ValueError."""
        choices = listed(x)
        for each in choices:
            self._check(choices=each)
        self._choices = choices
        self._change_all()

    path = property(lambda self: self._paths, setPath, doc="The path of each stream.")
    choices = property(lambda self: self._choices, setChoices, doc="The class of each stream.")

    def change(self, stream: int, path: Any = None, choices: Any = None) -> None:
        """Give one stream another path or class; without either, another free path of the same kind.

        Raises ValueError.
        """
        self._check(path, choices)
        if path is not None:
            self._paths = [path if each == stream else self._path(each) for each in range(self._outputs)]
        if choices is not None:
            self._choices = [choices if each == stream else self._choice(each) for each in range(self._outputs)]
        chosen, wanted = self._choice(stream), self._path(stream)
        self.prepare(
            stream,
            lambda serial: self._note(wanted, chosen, serial),
            lambda note: self._wanted.__setitem__(stream, note),
        )

    def render(self, out: Array) -> None:
        self.follow()
        while self._wanted:
            self._play(*self._wanted.popitem())
        self.engine.process(out)

    def turn(self, output: int, **controls: float) -> None:
        self._turned[output] |= controls
        playing = self._playing[output]
        if playing is not None:
            self.engine.set(playing, self.due, **controls)

    def _change_all(self) -> None:
        for stream in range(self._outputs):
            self.change(stream)

    def _check(self, path: Any = None, choices: Any = None) -> None:
        if isinstance(path, str) and path not in (*KINDS, MAP):
            raise ValueError(f"There is no kind of path {path!r}; known: {', '.join((*KINDS, MAP))}")
        Note(choices or {}, path=None if path is None or isinstance(path, str) else path).check(self.bundle)

    def _note(self, path: Any, choices: Any, index: int) -> Note:
        mode, levels, condition = "loop", None, self.bundle.condition(choices or {})
        if isinstance(path, str):
            mode, label, seed = LOOP_MODES.get(path, mode), self.bundle.first_class(condition), (self.seed, index)
            if path == MAP:
                path = self.bundle.map_grid
                levels = path_levels(self.bundle, path, condition)
            else:
                path = free_path(path, PATH_GRAINS, seed, self.bundle.latent_map, label)
                levels = long_path_levels(self.bundle, path, condition, LEVEL_STEP)
        path = np.asarray(path, np.float32)
        style = path_style(self.bundle, condition)
        return Note(choices or {}, self.seed, index, path=path, levels=levels, style=style, onset=False, mode=mode)

    def _play(self, stream: int, note: Note) -> None:
        at, playing = self.due, self._playing[stream]
        if playing is not None:
            self.engine.note_off(playing, FADE_SECONDS, at)
        controls = dict(self._turned[stream])  # a copy: the engine reads it later
        self._playing[stream] = self.engine.note_on(replace(note, output=stream, controls=controls), at)

    def _path(self, stream: int) -> Any:
        return self._paths[stream % len(self._paths)]

    def _choice(self, stream: int) -> Any:
        return self._choices[stream % len(self._choices)]
