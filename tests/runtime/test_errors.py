"""What an exception says is one printable line of a bounded length."""

from __future__ import annotations

import pytest

from ngs.runtime.errors import LONGEST, one_line, reason


@pytest.mark.parametrize(
    ("text", "line"),
    [("a\n\n  b\r\nc", "a b c"), ("two  spaces", "two  spaces"), ("\x1b[31mred", "?[31mred"), ("", "")],
)
def test_a_text_in_one_line(text: str, line: str) -> None:
    assert one_line(text) == line


def test_an_error_that_says_nothing_is_named() -> None:
    assert reason(MemoryError()) == "MemoryError"
    assert reason(ValueError("\n")) == "ValueError"


def test_a_reason_is_the_first_line() -> None:
    assert reason(ValueError("\nfirst\nsecond")) == "first"


def test_a_long_reason_is_cut_visibly() -> None:
    assert reason(ValueError("a" * LONGEST)) == "a" * LONGEST
    assert reason(ValueError("a" * (LONGEST + 1))) == "a" * (LONGEST - 3) + "..."
