"""The results of gpu.py as text. Speeds are relative to the CPU in the same run."""

from __future__ import annotations

from typing import Any

from ngs.evaluation.text_table import aligned, cell
from ngs.runtime.bundle.golden import TOLERANCE

REFERENCE = {"device": "cpu", "way": "bound"}  # what hops are compared with
Row = dict[str, Any]


def tables(document: Row) -> list[str]:
    """The results as text."""
    lines = []
    for name, part in document["parts"].items():
        said = part["said"].splitlines()
        error = f" ({': '.join([part['error'], *said[-1:]])})" if part["error"] else ""
        good = [row for row in part["rows"] if "error" not in row]
        failed = [row for row in part["rows"] if "error" in row]
        lines += ["", f"{name}: {part['seconds']:.0f} s{error}", *aligned(TABLES[name](good))]
        lines += [", ".join(f"{value}" for value in row.values()) for row in failed]
    return lines[1:]


def parity_table(rows: list[Row]) -> list[list[str]]:
    def judged(row: Row) -> str:
        return "-" if row["from_golden"] is None else "yes" if row["from_golden"] < TOLERANCE else "NO"

    return [["graph, device", "from golden", "from CPU", "passes", "nodes"]] + [
        [f"{row['graph']}, {row['device']}", cell(row["from_golden"], ".1e"), cell(row["from_cpu"], ".1e"), judged(row),
         " ".join(f"{provider} {count}" for provider, count in (row["nodes"] or {}).items())]
        for row in rows
    ]  # fmt: skip


def hop_table(rows: list[Row]) -> list[list[str]]:
    table = []
    for title in dict.fromkeys((row["chain"], row["voices"]) for row in rows):
        group = [row for row in rows if (row["chain"], row["voices"]) == title]
        compared = [row["p50_ms"] for row in group if {**row, **REFERENCE} == row]
        table.append([f"{title[0]}, voices: {title[1]}", "p50 ms", "p99 ms", "real time", "speed", "rms apart", "hops"])
        for row in group:
            speed = compared[0] / row["p50_ms"] if compared else None
            table.append(
                [f"  {row['device']}, {row['way']}", cell(row["p50_ms"], ".3f"), cell(row["p99_ms"], ".3f"),
                 cell(row["real_time"], "x.1f"), cell(speed, "x.2f"), cell(row["difference"], ".1e"), str(row["hops"])]
            )  # fmt: skip
    return table


def offline_table(rows: list[Row]) -> list[list[str]]:
    cpu = {row["style"]: row["real_time"] for row in rows if row["device"] == "cpu"}
    table = [["offline", "sound s", "real time", "an hour s", "speed"]]
    for row in rows:
        speed = row["real_time"] / cpu[row["style"]] if row["style"] in cpu else None
        table.append(
            [f"style {row['style']:g}, {row['device']}", cell(row["seconds"], ".0f"), cell(row["real_time"], "x.1f"),
             cell(row["an_hour"], ".1f"), cell(speed, "x.2f")]
        )  # fmt: skip
    return table


def training_table(rows: list[Row]) -> list[list[str]]:
    cpu = {
        (row["preset"], row["phase"]): row["sequences_a_second"]
        for row in rows
        if (row["device"], row["precision"]) == ("cpu", "32-true")
    }
    table = [["training", "batch", "steps/s", "sequences/s", "speed", "finite"]]
    for row in rows:
        compared = cpu.get((row["preset"], row["phase"]))
        speed = row["sequences_a_second"] / compared if compared else None
        table.append(
            [f"{row['preset']} {row['phase']}, {row['device']} {row['precision']}", str(row["sequences"]),
             cell(row["steps_a_second"]), cell(row["sequences_a_second"], ".1f"), cell(speed, "x.2f"),
             "yes" if row["finite"] else "NO"]
        )  # fmt: skip
    return table


TABLES = {"parity": parity_table, "hop": hop_table, "offline": offline_table, "training": training_table}
