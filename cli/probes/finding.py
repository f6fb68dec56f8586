"""The result of a probe, and helpers that probes share."""

from __future__ import annotations

import ctypes
import importlib.metadata
from dataclasses import dataclass, field
from typing import Any

from ngs.runtime.errors import reason

STATUSES = OK, NOTE, MISSING, BROKEN = "ok", "note", "missing", "broken"


@dataclass(frozen=True)
class Finding:
    status: str  # one of STATUSES; broken only if rendering needs it
    found: str  # one line, or several for a list
    advice: str = ""  # what to do about it
    details: dict[str, Any] = field(default_factory=dict)  # for --json


def installed_version(package: str) -> str | None:
    """The version of a package, or None if it is not installed. Does not import it."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def why_not_loaded(library: str) -> str:
    """Load a shared library, so that later ones find its symbols. Returns why that failed, or an empty string."""
    try:
        ctypes.CDLL(library, ctypes.RTLD_GLOBAL)
    except OSError as error:
        return reason(error)
    return ""
