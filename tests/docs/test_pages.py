"""All code on all pages runs as it stands, and links lead somewhere in the repository."""

from __future__ import annotations

import re

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from tests.docs.conftest import Play
from tests.docs.pages import PAGES, ROOT, RUN, SHOWN, UNRUN, blocks

PAGES_THAT_RUN = [page for page in PAGES if any(block.kind in RUN for block in blocks(page))]


@pytest.mark.parametrize("page", PAGES_THAT_RUN)
def test_its_code_runs(page: str, play_page: Play) -> None:
    for heard in play_page(page).servers:
        assert 0.02 < heard.peak < 1.5 and heard.statistics.failures == 0, heard


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_what_it_is(page: str) -> None:
    for block in blocks(page):
        assert block.kind in RUN + SHOWN, f"{page}, line {block.line}: {block.kind!r}: choose {', '.join(RUN + SHOWN)}"


def test_what_is_left_out_is_there() -> None:
    for page, starts in UNRUN.items():
        lines = [line for block in blocks(page) if block.kind == "sh" for line in block.text.splitlines()]
        for start in starts:
            assert any(line.startswith(start) for line in lines), f"{page} has no line {start!r}: take it off the list"


def anchors(page: str) -> set[str]:
    """Of a page's headings, as repositories make them."""
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
