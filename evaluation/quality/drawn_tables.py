"""What a bundle makes beside real sounds, as tables: class, loudness, levels, crispness, what tells it, novelty."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ngs.evaluation.quality.compared import Compared, Comparison
from ngs.evaluation.quality.evaluate import Evaluation
from ngs.evaluation.quality.levels import BANDS, TIMES
from ngs.evaluation.quality.profiles import MADE, PAIRED
from ngs.evaluation.text_table import Rows, cell

ALL = "mean of classes"
TITLES = {"real": "real", "reconstructed": "reconstr.", "through_embedding": "embedding", "sampled": "sampled"}
LEVELS = (*TIMES, *(f"loud_{band}" for band in BANDS))


def drawn_tables(evaluation: Evaluation) -> list[Rows]:
    """Every table that is not empty; its first row holds the titles of the columns."""
    sections = (_agreement, _loudness, _levels, _crispness, _beside_real, _told_by, _novelty)
    return [rows for section in sections if (rows := section(evaluation))]


def _agreement(evaluation: Evaluation) -> Rows:
    agreed = evaluation.sampling.agreement
    if agreed is None:
        return []
    rows = [["Named as their class", *TITLES.values(), "samples taken for"]]
    for name in _names(agreed.by_class.values()):
        shares = [cell(agreed.by_class.get(kind, {}).get(name)) for kind in TITLES]
        rows.append([name, *shares, agreed.taken_for.get(name, "-")])
    ratio = "" if agreed.ratio is None else f"ratio {agreed.ratio:.2f}"
    return [*rows, [ALL, *(cell(agreed.mean.get(kind)) for kind in TITLES), ratio]]


def _loudness(evaluation: Evaluation) -> Rows:
    def cells(one: Compared) -> list[str]:
        real, sampled = ([cell(of.get(kind), ".1f") for of in (one.median, one.spread)] for kind in ("real", "sampled"))
        return [*real, *(cell(one.difference.get(kind), "+.1f") for kind in PAIRED), *sampled,
                cell(one.difference.get("sampled"), "+.1f")]  # fmt: skip

    header = ["Loudness, LUFS", "real", "spread", "reconstr.", "embedding", "sampled", "spread", "difference"]
    return [header, *_by_class(evaluation.compared["loudness"], cells)]


def _levels(evaluation: Evaluation) -> Rows:
    tables = [evaluation.levels[kind] for kind in PAIRED]
    titles = [f"{TITLES[kind]}: {time}" if time == LEVELS[0] else time.removeprefix("loud_")
              for kind in PAIRED for time in LEVELS]  # fmt: skip
    rows = [["Level against the original, dB", *titles]]
    for name in (*_names(table.by_class for table in tables), ALL):
        measures = [table.mean_of_classes if name == ALL else table.by_class[name] for table in tables]
        rows.append([name, *(cell(of.get(level), "+.1f") for of in measures for level in LEVELS)])
    return rows


def _crispness(evaluation: Evaluation) -> Rows:
    def differences(one: Compared) -> list[str]:
        return [cell(one.median.get("real"), ".1f"), *(cell(one.difference.get(kind), "+.1f") for kind in MADE)]

    def ratios(one: Compared) -> list[str]:
        return [cell(one.median.get("real"), ".0f"), *(cell(one.ratio.get(kind), "x.2f") for kind in MADE)]

    shown = {"attack_ms": ("attack ms", differences), "decay_ms": ("decay ms", ratios),
             "crest_db": ("crest dB", differences)}  # fmt: skip
    header, rows = ["Crispness beside real sounds"], Rows()
    for number, (title, cells) in shown.items():
        header += [f"{title}: real", *(TITLES[kind] for kind in MADE)]
        part = _by_class(evaluation.compared[number], cells)
        rows = [[*row, *more[1:]] for row, more in zip(rows, part, strict=True)] if rows else part
    return [header, *rows]


def _beside_real(evaluation: Evaluation) -> Rows:
    told, frechet = evaluation.sampling.told_apart, evaluation.sampling.frechet
    names = _names([frechet, *(one.by_class for one in told.values())])
    if not names:
        return []
    rows = [["Told from real sounds", *TITLES.values(), "Frechet", "real halves", "ratio"]]
    for name in names:
        found, areas = frechet.get(name), [told[kind].by_class.get(name) if kind in told else None for kind in TITLES]
        distances = [found.distance, found.floor, found.ratio] if found else [None] * 3
        rows.append([name, *map(cell, [*areas, *distances])])
    means = [_mean(getattr(one, field) for one in frechet.values()) for field in ("distance", "floor", "ratio")]
    return [*rows, [ALL, *map(cell, [*(told[kind].mean if kind in told else None for kind in TITLES), *means])]]


def _told_by(evaluation: Evaluation) -> Rows:
    told = evaluation.sampling.told_apart
    rows = [["What tells them from real sounds", "mean", "goes by", "share", "they have"]]
    for kind in TITLES:
        if one := told.get(kind):
            rows.append([
                TITLES[kind], cell(one.mean), one.goes_by, f"{one.share:.0%}", "more" if one.more else "less"
            ])  # fmt: skip
    return rows if told else []


def _novelty(evaluation: Evaluation) -> Rows:
    sampled, real = (evaluation.sampling.novelty.get(kind, {}) for kind in ("sampled", "real"))
    if not sampled:
        return []
    rows = [["Novelty", "sampled", "least", "of", "nearest to", "real", "least"]]
    for name in sampled:
        one, other = sampled[name], real.get(name)
        rows.append([
            name, cell(one.median), cell(one.least), one.sound, one.nearest,
            *map(cell, (other.median, other.least) if other else (None, None)),
        ])  # fmt: skip
    ours, theirs = (
        [_mean(getattr(one, field) for one in kind.values()) for field in ("median", "least")]
        for kind in (sampled, real)
    )
    return [*rows, [ALL, *map(cell, ours), "", "", *map(cell, theirs)]]


def _by_class(comparison: Comparison, cells: Callable[[Compared], list[str]]) -> Rows:
    rows = [[name, *cells(one)] for name, one in comparison.by_class.items()]
    return [*rows, [ALL, *cells(comparison.mean_of_classes)]]


def _names(tables: Iterable[Iterable[str]]) -> list[str]:
    return sorted({name for table in tables for name in table})


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
