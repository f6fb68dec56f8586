"""The text screen of `ngs play`: what plays, and the keys that play it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ngs.pyo_instruments.surfaces.key_cursor import Keys
from ngs.pyo_instruments.surfaces.terminal import Terminal, is_terminal
from ngs.runtime.errors import reason

if TYPE_CHECKING:
    from ngs.pyo_instruments.instrument import Instrument

HINT = "? shows the keys, q quits"


class Screen:
    """Shows lines whenever `look` is called if stdout is a terminal; otherwise prints the first line, once.

    lines: called with the cursor, a place in each of the instrument's `counts`, from 0.

    with Screen(instrument, lambda cursor: [title, *instrument.screen(cursor)]) as screen:
        ...
        screen.look()
    """

    def __init__(self, instrument: Instrument, lines: Callable[[Mapping[str, int]], list[str]]) -> None:
        self._keys, self._lines = Keys(instrument), lines
        self._terminal: Terminal | None = None
        self._message = ""  # of the key pressed last
        self._shows_keys = self._printed = self._ended = False
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Screen:
        if is_terminal():
            self._terminal = self._stack.enter_context(Terminal(self._press))
        return self

    def __exit__(self, *exception: object) -> None:
        self._terminal = None
        self._stack.close()

    def look(self) -> None:
        """Draw what has changed. Raises KeyboardInterrupt once q was pressed, as Ctrl-C does."""
        if self._ended:
            raise KeyboardInterrupt
        if self._terminal:
            _, rows = self._terminal.size()
            lines = self._keys.help() if self._shows_keys else self._lines(self._keys.cursor)
            self._terminal.draw([*lines[: rows - 1], self._message or HINT])
        elif not self._printed:
            self._printed = True
            print("\n".join(self._lines(self._keys.cursor)[:1]), flush=True)

    def _press(self, name: str) -> None:
        """Called by the thread that reads the keys."""
        if name in "qQ":
            self._ended = True
        elif name == "?":
            self._shows_keys = not self._shows_keys
        else:
            try:
                self._message = self._keys.press(name)
            except Exception as error:  # a user's instrument may raise anything; it would end the thread
                self._message = reason(error)
