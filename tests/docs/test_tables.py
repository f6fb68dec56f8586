"""The tables in the documentation that repeat the code are up to date."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from tests.docs.pages import ROOT

SCRIPT: dict[str, Any] = runpy.run_path(str(ROOT / "scripts" / "doc-tables"))


@pytest.mark.parametrize("page", SCRIPT["pages"](), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_tables_are_those_of_the_code(page: Path) -> None:
    text = page.read_text()
    assert text == SCRIPT["renewed"](text), "run scripts/doc-tables"


def test_every_table_is_on_a_page() -> None:
    named = {name for page in SCRIPT["pages"]() for _, name, _ in SCRIPT["MARKED"].findall(page.read_text())}
    assert named == set(SCRIPT["TABLES"])
