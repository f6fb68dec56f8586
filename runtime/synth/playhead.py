"""Where a note is on its path of latents, and how it moves there."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ngs.runtime.arrays import Array
from ngs.runtime.synth.notes import Note

LONGEST_PATH = 1 << 14  # grains written for a held note; after that, the last one goes on


class Playhead:
    """Reads the latents of a note's path, between grains if need be.

    The path is the note's own, or is written while it is read: `write` is then called for `grains_needed`.
    `controls` is the voice's mapping of values: speed, freeze and morph are looked up when they are needed.
    """

    def __init__(self, note: Note, path_length: int, controls: Mapping[str, float], position: float) -> None:
        """`path_length`: grains of a path that is written. `position`: 0 to 1."""
        self._note, self._controls = note, controls
        self._blocks: list[Array] = []  # of the path as it is written, as `write` takes them
        self._span = path_length if note.path is None else np.shape(note.path)[-2]
        goes_on = note.hold and note.path is None and note.mode == "once"
        self.length = LONGEST_PATH if goes_on else self._span  # grains
        self.direction = 1.0  # -1 on the way back
        self.jump(position)
        if note.path is not None:
            levels = np.ones(np.shape(note.path)[:-1]) if note.levels is None else note.levels
            path: Array = np.concatenate((note.path, levels[..., None]), axis=-1, dtype=np.float32)  # read in one
            self.write(path if path.ndim == 2 else np.swapaxes(path, 0, 1))

    def jump(self, position: float) -> None:
        """Go to a place from 0, the start, to 1, the end."""
        self.position = position * (self._span - 1)

    @property
    def place(self) -> float:
        """Where it is, from 0, the start, to 1, the end."""
        return min(self.position / (self._span - 1), 1.0) if self._span > 1 else 0.0

    @property
    def grains_needed(self) -> int:
        """How many grains must have been written before the next one can be read."""
        return min(math.ceil(self.position) + 1, self.length)

    @property
    def written(self) -> int:
        """How many grains have been written."""
        return len(self._blocks) * len(self._blocks[0]) if self._blocks else 0

    def write(self, latents: Array) -> None:
        """Append the next grains [g, Z], or with their level in one more place [g, Z + 1] (of a table: [g, K, Z + 1]).

        The same number in every call.
        """
        self._blocks.append(np.array(latents, dtype=np.float32))

    def read(self, latent: Array) -> float:
        """Fill a latent [Z] with what lies at the position. Returns the level there: 1 if the path has none."""
        low = min(int(self.position), self.written - 1)
        share = self.position - low
        grain = self._grain(low)
        if share > 0:
            high = low + 1 if low + 1 < self.written else (0 if self._note.mode == "loop" else low)
            grain = grain + np.float32(share) * (self._grain(high) - grain)
        latent[:] = grain[: len(latent)]
        return float(grain[-1]) if len(grain) > len(latent) else 1.0

    def advance(self) -> bool:
        """Move on by a grain at the speed. Returns whether the path has ended."""
        if self._controls["freeze"] > 0.5:
            return False
        note, last = self._note, self.length - 1
        position, ended = self.position + self.direction * self._controls["speed"], False
        if not 0 <= position <= last:
            if note.mode == "loop":
                position %= self.length
            elif note.mode == "back-and-forth" and last > 0:
                if math.floor(position / last) % 2:
                    self.direction = -self.direction
                position %= 2 * last
                position = min(position, 2 * last - position)
            else:
                position = min(max(position, 0), last)
                ended = note.mode == "once" and not note.hold
        self.position = position
        return ended

    def _grain(self, number: int) -> Array:
        block, place = divmod(number, len(self._blocks[0]))
        grain: Array = self._blocks[block][place]
        return grain if grain.ndim == 1 else self._morphed(grain)

    def _morphed(self, grains: Array) -> Array:
        """The grain at `morph` among the grains [K, Z] of a table that lie beside each other."""
        place = self._controls["morph"] * (len(grains) - 1)
        low = int(place)
        grain: Array = grains[low]
        return grain + np.float32(place - low) * (grains[low + 1] - grain) if place > low else grain
