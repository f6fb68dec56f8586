"""What a probe finds, and what probes look with."""

from __future__ import annotations

import ctypes
import importlib.metadata
import textwrap
from dataclasses import dataclass, field
from typing import Any

STATUSES = OK, NOTE, MISSING, BROKEN = "ok", "note", "missing", "broken"


@dataclass(frozen=True)
class Finding:
    status: str  # one of STATUSES; broken only where rendering needs it
    found: str  # one line, or several where things are listed
    advice: str = ""  # what to do about it
    details: dict[str, Any] = field(default_factory=dict)  # for --json


def installed_version(package: str) -> str | None:
    """Version of an installed package; None where it is not installed. Does not import it."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def one_line(error: BaseException) -> str:
    """What an exception says, or its name, in one line."""
    return textwrap.shorten(str(error), 300) or type(error).__name__


def why_not_loaded(library: str) -> str:
    """Load a shared library; what is wrong where that fails, else nothing. Later libraries find its symbols."""
    try:
        ctypes.CDLL(library, ctypes.RTLD_GLOBAL)
    except OSError as error:
        return one_line(error)
    return ""
