"""The messages that docs/troubleshooting.md quotes are those of the code."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT

FOLDERS = ("cli", "corpus", "evaluation", "export", "pyo_instruments", "runtime", "training")
# between what a message always says
FILLED_IN = r"; |: |\.\.\.|'\w+'|\b(?:NAME|DATA|FILE|RUN|N|class|nan)\b|\b\d+\b|\b1e-03\b|\w+\.(?:onnx|json)"


def test_quoted_messages_are_there() -> None:
    text = (ROOT / "docs" / "troubleshooting.md").read_text()
    quoted = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE) + re.findall(r"^- \*(`.*?`)\*", text, re.MULTILINE)
    messages = [message for cell in quoted for message in re.findall(r"`([^`]+)`", cell)]
    assert len(messages) >= 30
    source = "".join(path.read_text() for folder in FOLDERS for path in (ROOT / folder).rglob("*.py"))
    source = re.sub(r'"\s*f?"|`', "", source)  # strings that go on in the next line
    for message in messages:
        fragments = [each.strip(" :,;()") for each in re.split(FILLED_IN, message)]
        long = [each for each in fragments if len(each) > 8]
        assert long, message
        for each in long:
            assert each in source, f"{message}: no {each!r}"
