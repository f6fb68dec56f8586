"""Measures of single sounds, gathered by class."""

from __future__ import annotations

from dataclasses import dataclass

from ngs.evaluation.quality.distances import Measures, mean_measures


@dataclass(frozen=True)
class Table:
    """Measures by class, and their means over classes and over files. Empty if there was nothing to compare."""

    files: dict[str, int]
    by_class: dict[str, Measures]
    mean_of_classes: Measures
    mean_of_files: Measures


class Rows:
    """Measures of single sounds; a sound may lack some."""

    def __init__(self) -> None:
        self.rows: dict[str, list[Measures]] = {}

    def add(self, name: str, measures: Measures) -> None:
        """Add a sound of the class `name`."""
        self.rows.setdefault(name, []).append(measures)

    def table(self) -> Table:
        """The means of everything that was added."""
        by_class = {name: mean_measures(rows) for name, rows in sorted(self.rows.items())}
        everything = [row for rows in self.rows.values() for row in rows]
        counts = {name: len(self.rows[name]) for name in by_class}
        return Table(counts, by_class, mean_measures(list(by_class.values())), mean_measures(everything))
