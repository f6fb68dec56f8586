"""The code on the pages, and the lines of it that no test can run."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")), "examples/README.md")
RUN = ("sh", "python")
SHOWN = ("text", "json", "toml")  # output, files

# page -> start of a line that is left out -> why. A line that is on no page is an error.
UNRUN: dict[str, dict[str, str]] = {
    "docs/contributing.md": {
        ".ci/run": "runs every test, this one too",
        "git worktree": "takes minutes",
        "python -m build": "tests/test_wheel.py",
    },
    "examples/README.md": {
        "python examples/jack_host.py runtime/drums.ngs": "plays until it is stopped; tests/examples/test_jack_host.py",
        "python examples/jack_host.py --demo": "needs a JACK server; tests/examples/test_jack_host.py",
        "python examples/sounddevice_host.py": "needs a sound card; tests/examples/test_sounddevice_host.py",
        "cd examples/web && npm ci": "a server; tests/examples/test_web_host.py",
    },
}


class Block(NamedTuple):
    kind: str  # the word after the fence; "indented" without one
    text: str
    line: int  # where it begins on the page


def blocks(page: str) -> list[Block]:
    """The code blocks of a page, without the directives of Sphinx (`{name}`)."""
    tokens = MarkdownIt().parse((ROOT / page).read_text())
    found = []
    for token in tokens:
        if token.type in ("fence", "code_block") and token.map:
            kind = token.info.strip() if token.type == "fence" else "indented"
            if not kind.startswith("{"):
                found.append(Block(kind, token.content, token.map[0] + 1))
    return found


def runnable(page: str, text: str) -> str:
    """The lines of a shell block that a test runs."""
    left_out = tuple(UNRUN.get(page, ()))
    return "".join(line for line in text.splitlines(keepends=True) if not (left_out and line.startswith(left_out)))
