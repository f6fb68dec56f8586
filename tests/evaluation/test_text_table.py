"""Rows of text become aligned lines."""

from __future__ import annotations

from ngs.evaluation.text_table import aligned


def test_columns_are_aligned() -> None:
    rows = [["title", "a", "long"], ["x", "1.25", "2"], ["a line of text, longer than any column"], [], ["y", "3"]]
    assert aligned(rows) == [
        "title     a  long",
        "x      1.25     2",
        "a line of text, longer than any column",
        "",
        "y         3",
    ]
    assert aligned([["a", "b"]], first_width=4) == ["a     b"]
    assert aligned([["only text"]]) == ["only text"] and aligned([]) == []
