"""Sphinx configuration for these pages; `make docs` builds them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

from ngs import __version__

if TYPE_CHECKING:
    from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]

project = "ngs"
copyright = "the authors of ngs, Apache-2.0"
version = release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_click", "sphinx_copybutton"]
exclude_patterns = ["figures/**"]

myst_heading_anchors = 4  # the anchors that repositories make for headings
default_role = "code"  # `name` in the text of --help is code
highlight_language = "none"
smartquotes = False
pygments_style, pygments_dark_style = "tango", "native"
copybutton_selector = "div.highlight-sh pre, div.highlight-python pre, div.highlight-toml pre"

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_type_aliases = {"Array": "Array", "NDArray": "NDArray", "Seed": "Seed"}
autodoc_default_options = {"members": True}
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 90
# Types in signatures that these pages do not document: other libraries, bare names, and internal classes
nitpick_ignore_regex = [
    ("py:.*", r"(numpy|np|pyo|pathlib|collections|click|onnxruntime|torch|typing)\..*"),
    ("py:class", r"\w+"),
    (
        "py:class",
        r"ngs\..*\.(Argument|Attribute|Command|Entry|Files|Filling|LatentUse|LoudnessMap|Node|Sampling|T|Table)",
    ),
    ("py:class", r"ngs\..*\.(\w+Config|\w+Spec|Comparison|LoudnessRange|NeuralGranularModel)"),
]

html_theme = "furo"
html_title = f"ngs {release}"
html_static_path = ["_static"]
html_css_files = ["ngs.css"]
html_show_sphinx = html_show_sourcelink = html_copy_source = False


class LinksToTheRepository(SphinxTransform):
    """Turn links from docs/ to other files of the repository into text with the path as code."""

    default_priority = 5  # before links are resolved

    def apply(self, **_: Any) -> None:
        for link in list(self.document.findall(addnodes.pending_xref)) + list(
            self.document.findall(addnodes.download_reference)
        ):
            target = str(link["reftarget"]).partition("#")[0]
            place = (Path(link.source or self.env.doc2path(self.env.docname)).parent / target).resolve()
            if not place.exists():
                place = place.with_name(f"{place.name}.md")  # a page outside docs/: its suffix is left out
            if not target or not place.exists() or place.is_relative_to(ROOT / "docs"):
                continue
            path = place.relative_to(ROOT).as_posix()
            text = link.astext()
            parts: list[nodes.Node] = [nodes.literal(path, path)]
            if text.strip("/`") not in (path, place.name):
                parts = [*link.children, nodes.Text(" ("), *parts, nodes.Text(")")]
            link.replace_self(parts)


def plain(docstring: str) -> str:
    """A plain docstring as reStructuredText: names in backticks are code, also before a plural s; all else is text."""
    parts = re.split(r"`([^`]+)`", docstring)
    for number, part in enumerate(parts):
        if number % 2:
            parts[number] = f"``{part}``"
        else:
            joined = "\\ " if number and part[:1].isalnum() else ""
            parts[number] = joined + re.sub(r"([*|\\]|_\b)", r"\\\1", part)
    return "".join(parts)


def escape_docstring(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    if not any(line.startswith((":", ">>>")) for line in lines):  # docstrings of pyo objects are reStructuredText
        lines[:] = plain("\n".join(lines)).split("\n")


def readable_signature(
    app: Sphinx, what: str, name: str, obj: object, options: object, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """Remove what Python's inspection leaves in signatures: quotes around types and internal names."""

    def readable(text: str | None) -> str | None:
        if text is None:
            return None
        text = re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", text).replace("<factory>", "...")
        return re.sub(r": '([^']*)'", r": \1", text)

    return readable(signature), readable(returns)


def show_examples(app: Sphinx, context: object, lines: list[str]) -> None:
    """Show as code what --help prints verbatim, after a \\b."""

    def shown() -> Iterator[str]:
        for as_written, group in groupby(lines, lambda line: line.startswith("| ")):
            if not as_written:
                yield from group
                continue
            block = [line.removeprefix("| ") for line in group]
            example = block[0] == "Example:"
            yield from (["Example:", ""] if example else [])
            yield from (f".. code-block:: {'sh' if example else 'text'}", "")
            yield from ("    " + line.removeprefix("  ") for line in (block[1:] if example else block))
            yield ""

    lines[:] = list(shown())


def show_usage(app: Sphinx, context: object, lines: list[str]) -> None:
    lines[:] = [".. code-block:: text", *lines[1:]]


def setup(app: Sphinx) -> None:
    app.add_transform(LinksToTheRepository)
    app.connect("autodoc-process-docstring", escape_docstring)
    app.connect("autodoc-process-signature", readable_signature)
    app.connect("sphinx-click-process-description", show_examples)
    app.connect("sphinx-click-process-usage", show_usage)
