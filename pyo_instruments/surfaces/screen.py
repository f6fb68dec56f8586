"""The text screen of `ngs play`: what plays, and keys that play it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

from ngs.pyo_instruments.instrument import Instrument
from ngs.pyo_instruments.surfaces.key_cursor import Keys
from ngs.pyo_instruments.surfaces.terminal import Terminal, is_terminal

HINT = "? shows the keys, q ends"


class Screen:
    """Shows lines whenever `look` is called, where stdout is a terminal; elsewhere the first line, once.

    lines is called with the cursor of the keys: a place in what the instrument's addresses count, from 0.

    with Screen(instrument, lambda cursor: [title, *instrument.screen(cursor)]) as screen:
        ...
        screen.look()
    """

    def __init__(self, instrument: Instrument, lines: Callable[[Mapping[str, int]], list[str]]) -> None:
        self._keys, self._lines = Keys(instrument), lines
        self._terminal: Terminal | None = None
        self._message, self._helps = "", False
        self._told = self._ended = False
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Screen:
        if is_terminal():
            self._terminal = self._stack.enter_context(Terminal(self._press))
        return self

    def __exit__(self, *exception: object) -> None:
        self._terminal = None
        self._stack.close()

    def look(self) -> None:
        """Draw anew. Raises KeyboardInterrupt once q was pressed, as Ctrl-C does."""
        if self._ended:
            raise KeyboardInterrupt
        if self._terminal:
            _, rows = self._terminal.size()
            lines = self._keys.help() if self._helps else self._lines(self._keys.cursor)
            self._terminal.draw([*lines[: rows - 1], self._message or HINT])
        elif not self._told:
            self._told = True
            print("\n".join(self._lines(self._keys.cursor)[:1]), flush=True)

    def _press(self, name: str) -> None:
        """In the thread that reads the keys."""
        if name in "qQ":
            self._ended = True
        elif name == "?":
            self._helps = not self._helps
        else:
            try:
                self._message = self._keys.press(name)
            except Exception as error:  # of an instrument of one's own: it would end the thread
                self._message = str(error) or type(error).__name__
