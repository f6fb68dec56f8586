"""Notes: what a synth plays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field as of, fields
from typing import Any

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.state import field
from ngs.runtime.chance import check_seed
from ngs.runtime.synth.controls import check_controls, check_fade
from ngs.runtime.temperature import MOST_TEMPERATURE, TEMPERATURE

KINDS = {"bool": bool, "int": int, "float": float, "str": str}  # of fields
MODES = ("once", "loop", "back-and-forth")


@dataclass(frozen=True, eq=False, repr=False)
class Note:
    """A sound to play.

    `seed` and `index` draw it, as `render.sample` does. Or it is given: by an `embedding` [E], by a `path` of latents
    [T, Z], or by a table [K, T, Z] of paths that `morph` moves through. `choices` are classes by attribute, or a class
    of the first attribute; attributes left open are completed from the corpus.

    A drawn sound is held to the loudness of its class (`ngs.runtime.bundle.levels`), unless `held` is False. A given
    one keeps its own: a path may have `levels`, a factor for each grain, [T] or [K, T].
    """

    choices: Mapping[str, str] | str = of(default_factory=dict)
    seed: int = 0
    index: int = 0  # which of the sounds of the seed
    temperature: float = TEMPERATURE
    embedding: Array | None = None
    path: Array | None = None
    levels: Array | None = None
    style: float = 0.0  # of a path: how far its grains are brought to those of the corpus that have the classes, 0 to 1
    held: bool = True
    onset: bool = True  # False for a path that starts in the middle of sounds: it fades in within 10 ms
    mode: str = "once"  # at the end of the path
    hold: bool = False  # at the end of the path, go on until released; the path of an embedding is continued
    seconds: float | None = None  # after these it is released
    release: float = 0.05  # seconds to fade when `seconds` are over
    controls: Mapping[str, float] = of(default_factory=dict)
    output: int = 0  # of the synth: where the note goes

    def __repr__(self) -> str:
        """What differs from `Note()`; arrays by dtype and shape."""
        told = []
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, np.ndarray):
                told.append(f"{each.name}=<{value.dtype} {value.shape}>")
            elif value != each.default and not (isinstance(value, Mapping) and not value):
                told.append(f"{each.name}={value!r}")
        return f"Note({', '.join(told)})"

    def to_dict(self) -> dict[str, Any]:
        """What differs from `Note()`, as plain JSON values: arrays are lists, which `from_dict` reads to the bit.

        Thread: any. Waits: no. Memory: the lists.
        """
        told = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, Mapping):
                value = {name: part.item() if isinstance(part, np.generic) else part for name, part in value.items()}
            elif isinstance(value, np.ndarray | np.generic):
                value = value.tolist()
            if value != each.default and not (isinstance(value, dict) and not value):
                told[each.name] = value
        return told

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Note:
        """The note that `to_dict` told of. `check` says whether a bundle can play it. Raises ValueError.

        Thread: any. Waits: no. Memory: the arrays.
        """
        if not isinstance(told, Mapping):
            raise ValueError(f"a note is an object, this is {told!r:.80}")
        kinds = {each.name: str(each.type).removesuffix(" | None") for each in fields(cls)}
        values: dict[str, Any] = {}
        for name in told:
            if name not in kinds:
                raise ValueError(f"a note has no {name!r:.80}; known: {', '.join(kinds)}")
            kind = KINDS.get(kinds[name], dict)
            if kinds[name] == "Array":
                values[name] = _array(name, told[name])
            elif name != "choices" or not isinstance(told[name], str):
                values[name] = field(told, name, kind, "note")
            else:
                values[name] = told[name]
        return cls(**values)

    def check(self, bundle: Bundle, outputs: int = 1) -> None:
        """Raise ValueError if the bundle, or a synth with this many outputs, cannot play the note.

        Thread: any. Waits: no. Memory: a little.
        """
        bundle.condition(self.choices)
        check_controls(self.controls)
        check_seed((self.seed, self.index))
        if self.mode not in MODES:
            raise ValueError(f"There is no mode {self.mode!r}; known: {', '.join(MODES)}")
        if not 0 <= self.temperature <= MOST_TEMPERATURE:
            raise ValueError(f"temperature is {self.temperature!r}: choose 0 to {MOST_TEMPERATURE:g}")
        if self.seconds is not None and not 0 < self.seconds < 1e6:
            raise ValueError(f"seconds are {self.seconds!r}: choose above 0")
        if not 0 <= self.style <= 1 or self.style > 0 and (self.path is None or not bundle.manifest.has_style):
            raise ValueError(f"style is {self.style!r}: choose 0 to 1 for a path in a bundle of format 4, else 0")
        check_fade("release", self.release)
        if not isinstance(self.output, int | np.integer) or not 0 <= self.output < outputs:
            raise ValueError(f"output is {self.output!r}: choose {f'0 to {outputs - 1}' if outputs > 1 else '0'}")
        if self.embedding is not None and self.path is not None:
            raise ValueError("a note has an embedding or a path, not both")
        manifest = bundle.manifest
        if self.embedding is not None:
            size = manifest.embedding_size
            _check_array("embedding", self.embedding, np.shape(self.embedding) == (size,), f"({size},)")
        if self.path is not None:
            shape, size = np.shape(self.path), manifest.latent_size
            fits = len(shape) in (2, 3) and shape[-1] == size and 0 not in shape
            _check_array("path", self.path, fits, f"(T, {size}) or (K, T, {size})")
        if self.levels is not None:
            needed = None if self.path is None else np.shape(self.path)[:-1]
            _check_array("levels", self.levels, np.shape(self.levels) == needed, needed or "a path")
            if np.min(self.levels) < 0:
                raise ValueError("levels holds values below 0")


def _array(name: str, value: Any) -> Array:
    try:
        return np.array(value, dtype=np.float32)
    except (ValueError, TypeError, OverflowError):
        raise ValueError(f"{name} is {value!r:.80}: expected lists of numbers, all as long") from None


def _check_array(name: str, value: Array, fits: bool, needed: object) -> None:
    if not fits:
        raise ValueError(f"{name} is {np.shape(value)}, this bundle needs {needed}")
    if not np.isfinite(value).all():
        raise ValueError(f"{name} holds NaN or infinite values")
