"""What somebody may have meant who mistyped a word."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import click


def did_you_mean(word: str, known: Collection[str]) -> str:
    """ " Did you mean 'render'?" for the known word that is nearest, or "" if none is near."""
    from difflib import get_close_matches  # of no use where nothing is mistyped

    near = get_close_matches(word.casefold(), known, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


class NearestChoice(click.Choice[str]):
    """A choice of words that suggests the nearest one for a word that is none of them."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:
        return super().get_invalid_choice_message(value, ctx) + did_you_mean(str(value), self.choices)
