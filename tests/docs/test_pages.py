"""All code on all pages runs as it is printed, and every link leads to a place in the repository."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from tests.docs.conftest import Play
from tests.docs.pages import PAGES, ROOT, RUN, SHOWN, UNRUN, blocks

PAGES_THAT_RUN = [page for page in PAGES if any(block.kind in RUN for block in blocks(page))]


@pytest.mark.parametrize("page", PAGES_THAT_RUN)
def test_the_code_of_a_page_runs(page: str, play_page: Play) -> None:
    for heard in play_page(page).servers:
        assert 0.02 < heard.peak < 1.5 and heard.statistics.failures == 0, heard


@pytest.mark.parametrize("page", PAGES)
def test_every_block_has_a_known_language(page: str) -> None:
    for block in blocks(page):
        assert block.kind in RUN + SHOWN, f"{page}, line {block.line}: {block.kind!r}: choose {', '.join(RUN + SHOWN)}"


def test_lines_that_are_left_out_are_on_the_page() -> None:
    for page, starts in UNRUN.items():
        lines = [line for block in blocks(page) if block.kind == "sh" for line in block.text.splitlines()]
        for start in starts:
            assert any(line.startswith(start) for line in lines), f"{page} has no line {start!r}: take it off the list"


def anchors(page: str) -> set[str]:
    """The anchors that repositories make of a page's headings."""
    tokens = MarkdownIt().parse((ROOT / page).read_text())
    titles = [after.content for token, after in zip(tokens, tokens[1:], strict=False) if token.type == "heading_open"]
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def targets(tokens: list[Token]) -> list[str]:
    found = []
    for token in tokens:
        found += targets(token.children or [])
        address = token.attrGet("href") or token.attrGet("src")
        if address and "://" not in str(address):
            found.append(str(address))
    return found


@pytest.mark.parametrize("page", [*PAGES, "CHANGELOG.md"])
def test_links_lead_somewhere(page: str) -> None:
    for address in targets(MarkdownIt().enable("table").parse((ROOT / page).read_text())):
        file, _, anchor = address.partition("#")
        path = (ROOT / page).parent / file if file else ROOT / page
        assert path.exists(), address
        if anchor:
            assert anchor in anchors(path.resolve().relative_to(ROOT).as_posix()), address
