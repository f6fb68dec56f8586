"""The folder of a report: what may be replaced."""

from __future__ import annotations

import re
from pathlib import Path

from ngs.corpus.words import listing

GENERATOR = re.compile(r'<meta name="generator" content="ngs [^"]*, report">')
PARTS = {"index.html", "style.css", "page.js", "map.js", "audio", "pictures"}


def check_output(output: Path, data: Path) -> None:
    """Raise ValueError if `output` holds anything but a report, or lies in `data`, the folder of sounds."""
    if output.is_relative_to(data.resolve()):
        raise ValueError(
            f"{output} lies among the sounds, and would be taken for sounds the next time: name another folder"
        )
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    page = output / "index.html"
    if not (page.is_file() and GENERATOR.search(page.read_text(encoding="utf-8", errors="replace")[:2000])):
        raise ValueError(f"{output} is there and is not a report: name another folder, or remove it")
    others = sorted({entry.name for entry in output.iterdir()} - PARTS)
    if others:
        raise ValueError(f"{output} holds more than a report, which would be lost: {listing(others)}; move it away")
