"""pyo, imported without its banner about WxPython. All of ngs imports pyo from here."""

from __future__ import annotations

import contextlib
import io

with contextlib.redirect_stdout(io.StringIO()):
    import pyo

__all__ = ["pyo"]
