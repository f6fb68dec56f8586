"""Accents: "é" is one character or two (NFC, NFD), and keyboards, tablets and file systems differ in which."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path


def composed(text: str) -> str:
    """The text with accents as parts of their letters (NFC)."""
    return unicodedata.normalize("NFC", text)


def on_disk(path: Path) -> Path:
    """The path as the file system spells it, where only accents are written in another way; else the path itself."""
    if os.path.lexists(path) or path.parent == path:
        return path
    folder = on_disk(path.parent)
    if os.path.lexists(folder / path.name):
        return folder / path.name
    wanted = composed(path.name)
    try:
        entries = [] if wanted.isascii() else sorted(os.listdir(folder))
    except (OSError, ValueError):
        return path
    return next((folder / entry for entry in entries if composed(entry) == wanted), path)
