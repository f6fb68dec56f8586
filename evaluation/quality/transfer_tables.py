"""Other sounds, played by the grains of the corpus, as a table."""

from __future__ import annotations

from ngs.evaluation.quality.distances import Measures
from ngs.evaluation.quality.transfers import Transfers
from ngs.evaluation.text_table import Rows, cell

COLUMNS = {  # measure: title, format
    "domain_db": ("domain dB", ".2f"), "flutter": ("flutter", "x.2f"), "heard": ("heard as it", ".2f"),
    "real": ("real ones", ".2f"), "envelope": ("envelope", ".2f"), "log_mel": ("log-mel", ".2f"),
    "cents": ("cents", ".0f"), "voiced": ("voiced", ".2f"),
}  # fmt: skip


def transfer_tables(transfers: Transfers | None) -> list[Rows]:
    """The table, unless there are no transfers; its first row holds the titles of the columns."""
    if transfers is None:
        return []
    known = {name for one in transfers.played for name in one.measures} | ({"real"} if transfers.heard else set())
    columns = {measure: column for measure, column in COLUMNS.items() if measure in known}

    def cells(measures: Measures) -> list[str]:
        return [cell(measures.get(measure), form) for measure, (_, form) in columns.items()]

    rows = [["Other sounds, played", "style", "class", *(title for title, _ in columns.values())]]
    rows.append(["real sounds", "-", "-", *cells(transfers.real)])
    for name, itself in transfers.sounds.items():
        rows.append([f"{name} itself", "-", "-", *cells(itself)])
        for one in transfers.played:
            if one.sound == name:
                real = {"real": transfers.heard[one.chosen]} if one.chosen in transfers.heard else {}
                rows.append([name, f"{one.style:g}", one.chosen or "-", *cells(one.measures | real)])
    for group, measures in transfers.mean.items():
        style, _, chosen = group.removeprefix("style ").partition(", ")
        rows.append(["mean of sounds", style, chosen or "-", *cells(measures)])
    return [rows]
