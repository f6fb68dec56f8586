"""Writes the page of a report: HTML that opens from disk, and its style, script and map beside it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ngs.report import svg
from ngs.report.page_model import PageMap, PageTable, PlayerRow, ReportPage

SOURCE = Path(__file__).with_name("page")
MOST_COLUMNS, MOST_WITH_PATH = 5, 2  # players beside each other; those with a path are wider
NUMBER = re.compile(r"[-+x\u2212]?\d[\d.,]*\s*(%|dB|s|ms)?|[-\u2013]?")


def write_page(page: ReportPage, folder: Path) -> None:
    """Write index.html, style.css, page.js and map.js into the folder that holds the page's sounds and pictures."""
    environment = Environment(
        loader=FileSystemLoader(SOURCE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"line": svg.line, "minus": lambda number: f"{number:.1f}".replace("-", "\u2212")}
    environment.globals |= {
        "svg": svg,
        "columns": _columns,
        "numeric": _numeric,
        "points_of": _points_of,
        "points": list(zip(page.map.x, page.map.y, strict=True)),
    }
    html = environment.get_template("index.html.j2").render(page=page)
    (folder / "index.html").write_text(html, encoding="utf-8")
    (folder / "map.js").write_text(_map_script(page.map), encoding="ascii")
    for name in ("style.css", "page.js"):
        shutil.copyfile(SOURCE / name, folder / name)


def _map_script(of: PageMap) -> str:
    """The map's data as a script, because a page on disk cannot fetch files. Contours and paths are in the HTML."""
    data = {
        "classes": of.classes, "x": of.x, "y": of.y, "labels": of.labels, "owners": of.owners, "times": of.times,
        "files": of.files, "grains": of.grains, "grainSeconds": of.grain_seconds,
    }  # fmt: skip
    return f"globalThis.ngsMap = {json.dumps(data, separators=(',', ':'))};\n"


def _points_of(of: PageMap, label: int) -> list[tuple[float, float]]:
    return [(x, y) for x, y, own in zip(of.x, of.y, of.labels, strict=True) if own == label]


def _columns(row: PlayerRow) -> int:
    """How many players stand beside each other at most, so that all lines of a row are about equally long."""
    most = MOST_WITH_PATH if any(player.path for player in row.players) else MOST_COLUMNS
    lines = max(-(-len(row.players) // most), 1)
    return max(-(-len(row.players) // lines), 1)


def _numeric(table: PageTable) -> list[bool]:
    """For each column, whether it holds nothing but numbers."""
    return [all(NUMBER.fullmatch(cell.strip()) for cell in column) for column in zip(*table.rows, strict=True)]
