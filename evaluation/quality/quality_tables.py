"""What was measured, as tables and as lines of plain text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ngs.evaluation.quality.by_class import Table
from ngs.evaluation.quality.distances import Measures
from ngs.evaluation.quality.drawn_tables import ALL, drawn_tables
from ngs.evaluation.quality.evaluate import Evaluation
from ngs.evaluation.quality.pairs import Pair
from ngs.evaluation.quality.transfer_tables import transfer_tables
from ngs.evaluation.text_table import Rows, aligned

COLUMNS = {
    "lsd_1024": "LSD 1024", "lsd_2048": "LSD 2048", "multi_scale": "multi-scale", "log_mel": "log-mel",
    "envelope_db": "envelope dB", "level_db": "level dB",
}  # fmt: skip


def evaluation_lines(evaluation: Evaluation) -> list[str]:
    """Every table as lines of text, and the remarks."""
    reference = (
        "each compared with all others"
        if evaluation.reference is None
        else f"reference: {evaluation.reference} training sounds"
    )
    head = f"{evaluation.bundle} on {evaluation.sounds} sounds of {evaluation.data}, {evaluation.sample_rate} Hz"
    lines = [f"{head}; {reference}"]
    for rows in tables(evaluation):
        lines += ["", *aligned(rows)]
    if evaluation.remarks:
        lines += ["", *(f"Remark: {remark}." for remark in evaluation.remarks)]
    return lines


def tables(evaluation: Evaluation) -> list[Rows]:
    """Every table that is not empty; its first row holds the titles of the columns."""
    own = [_distances(evaluation), _means(evaluation), _latents(evaluation)]
    return [*own, *drawn_tables(evaluation), *transfer_tables(evaluation.transfers)]


def pair_lines(pairs: Sequence[Pair]) -> list[str]:
    """A line for the bundle and one for the other system, for each pair."""
    rows = [["", *COLUMNS.values()]]
    for pair in pairs:
        rows.append([f"{Path(pair.input).name}: ours", *_numbers(pair.ours)])
        rows.append([f"{Path(pair.output).name}: the other", *_numbers(pair.other)])
    return aligned(rows)


def _distances(evaluation: Evaluation) -> Rows:
    table = evaluation.reconstruction
    rows = [["Reconstruction", "files", *COLUMNS.values()]]
    rows += [[name, str(table.files[name]), *_numbers(measures)] for name, measures in table.by_class.items()]
    return [*rows, [ALL, str(evaluation.sounds), *_numbers(table.mean_of_classes)]]


def _means(evaluation: Evaluation) -> Rows:
    def both(name: str, table: Table) -> Rows:
        return [
            [name, str(sum(table.files.values())), *_numbers(table.mean_of_classes)],
            ["  mean of files", "", *_numbers(table.mean_of_files)],
        ]

    rows = [["Against baselines (mean of classes)", "files", *COLUMNS.values()]]
    rows += both("reconstruction", evaluation.reconstruction)
    rows += both("through the embedding", evaluation.through_embedding)
    rows += both("nearest grain of other sounds", evaluation.nearest_grain)
    return rows + both("mean sound of the class", evaluation.mean_sound)


def _latents(evaluation: Evaluation) -> Rows:
    rows = [["Latents", "KL nats", "active", "of", "measured on"]]
    grain, embedding = evaluation.grain_latents, evaluation.embedding_latents
    for name, of, use in (("grain", "grains", grain), ("embedding", "sounds", embedding)):
        rows.append([name, f"{use.kl_nats:.1f}", str(use.active), str(use.size), f"{use.count} {of}"])
    return rows


def _numbers(measures: Measures) -> list[str]:
    signed = {"level_db"}
    return [f"{measures[name]:{'+' if name in signed else ''}.3f}" if name in measures else "-" for name in COLUMNS]
