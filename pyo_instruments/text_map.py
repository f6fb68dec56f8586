"""The latent map as lines of text, for the screen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SHADES = " .:*#"  # from no grain to many
HERE = "O"


class TextMap:
    """A map of places [N, 2], each 0 to 1 from left to right and from bottom to top, `rows` lines of `columns`.

    Places outside are drawn at the edge. `lines` marks one more place.
    """

    def __init__(self, places: NDArray[np.floating], columns: int = 64, rows: int = 16) -> None:
        self._columns, self._rows = columns, rows
        counts = np.zeros((rows, columns), np.int64)
        for x, y in places:
            counts[self._cell(x, y)] += 1
        shade = np.ceil(np.log2(counts + 1)).clip(0, len(SHADES) - 1).astype(int)
        self._ground = ["".join(SHADES[each] for each in row) for row in shade]

    def lines(self, x: float, y: float) -> list[str]:
        """The lines, from the top, with the place x, y marked."""
        row, column = self._cell(x, y)
        marked = list(self._ground)
        marked[row] = f"{marked[row][:column]}{HERE}{marked[row][column + 1 :]}"
        edge = "-" * self._columns
        return [f"+{edge}+", *(f"|{line}|" for line in marked), f"+{edge}+"]

    def _cell(self, x: float, y: float) -> tuple[int, int]:
        across, up = (min(max(each, 0.0), 1.0) for each in (x, y))
        return round((1 - up) * (self._rows - 1)), round(across * (self._columns - 1))
