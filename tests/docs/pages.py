"""What a page shows as code, and what of it no test can run."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")), "examples/README.md")
RUN = ("sh", "python")
SHOWN = ("text", "json", "toml")  # output, files, drawings

# page -> start of a line that is left out -> why; a line that no page has any more is an error
UNRUN: dict[str, dict[str, str]] = {
    "docs/contributing.md": {".ci/run": "runs all that there is"},
    "examples/README.md": {
        "python examples/jack_host.py runtime/drums.ngs": "ends when it is told to; tests/examples/test_jack_host.py",
        "python examples/jack_host.py --demo": "needs a JACK server; tests/examples/test_jack_host.py",
        "cd examples/web && npm ci": "a server that does not end; tests/examples/test_web_host.py",
    },
}


class Block(NamedTuple):
    kind: str  # the word after the fence; "indented" without one
    text: str
    line: int  # of the page, where it begins


def blocks(page: str) -> list[Block]:
    """The code of a page. What Sphinx fills in, `{name}`, is none."""
    tokens = MarkdownIt().parse((ROOT / page).read_text())
    found = []
    for token in tokens:
        if token.type in ("fence", "code_block") and token.map:
            kind = token.info.strip() if token.type == "fence" else "indented"
            if not kind.startswith("{"):
                found.append(Block(kind, token.content, token.map[0] + 1))
    return found


def runnable(page: str, text: str) -> str:
    """The lines of a block that a test runs."""
    left_out = tuple(UNRUN.get(page, ()))
    return "".join(line for line in text.splitlines(keepends=True) if not (left_out and line.startswith(left_out)))
