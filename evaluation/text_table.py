"""Rows of text as aligned lines."""

from __future__ import annotations

from collections.abc import Sequence

Rows = list[list[str]]


def aligned(rows: Sequence[Sequence[str]], first_width: int = 0) -> list[str]:
    """A line for each row: the first column to the left, at least `first_width` wide, the others to the right.

    A row of a single cell is a line of text and widens no column; an empty row is an empty line.
    """
    wide = [row for row in rows if len(row) > 1]
    first = max([first_width, *(len(row[0]) for row in wide)])
    columns = max((len(row) for row in wide), default=1)
    widths = [max(len(row[column]) for row in wide if len(row) > column) for column in range(1, columns)]
    lines = []
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row[1:], widths, strict=False)]
        lines.append("  ".join([row[0].ljust(first), *cells]).rstrip() if row else "")
    return lines


def cell(value: float | None, form: str = ".2f") -> str:
    """A cell; a form that begins with x is a factor. A dash for None."""
    if value is None:
        return "-"
    return f"x{value:{form[1:]}}" if form.startswith("x") else f"{value:{form}}"
