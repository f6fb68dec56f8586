"""The bundle that players are tested with."""

from __future__ import annotations

from pathlib import Path

import pytest

from ngs.runtime.bundle.bundle import Bundle


@pytest.fixture(scope="session")
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle)
