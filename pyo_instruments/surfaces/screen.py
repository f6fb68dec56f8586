"""The text screen of `ngs play`: what plays, and the keys that play it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from ngs.pyo_instruments.surfaces.key_cursor import LEARN, Keys
from ngs.pyo_instruments.surfaces.learn_page import LearnPage
from ngs.pyo_instruments.surfaces.notices import Notices
from ngs.pyo_instruments.surfaces.terminal import Terminal, is_terminal
from ngs.runtime.errors import printable, reason

if TYPE_CHECKING:
    from ngs.pyo_instruments.instrument import Instrument
    from ngs.pyo_instruments.surfaces.midi import MidiIn

HINT = "? shows the keys, q quits"


class Screen:
    """Shows lines whenever `look` is called if stdout is a terminal; otherwise prints the first line, once.

    lines: called with the cursor, a place in each of the instrument's `counts`, from 0. notices: shown above the last
    line, or printed. midi: the port whose knobs can be learned.

    with Screen(instrument, lambda cursor: [title, *instrument.screen(cursor)]) as screen:
        ...
        screen.look()
    """

    def __init__(
        self, instrument: Instrument, lines: Callable[[Mapping[str, int]], list[str]], notices: Notices | None = None,
        midi: MidiIn | None = None,
    ) -> None:  # fmt: skip
        self._instrument, self._keys, self._lines = instrument, Keys(instrument), lines
        self._notices, self._midi = notices or Notices(), midi
        self._learn: LearnPage | None = None
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
            notice = self._notices.shown()
            last = [*([notice] if notice else []), self._message or HINT]
            room = max(rows - len(last), 0)
            self._terminal.draw([*self._page(room)[:room], *last])
            return
        texts = [] if self._printed else self._lines(self._keys.cursor)[:1]
        self._printed = True
        for text in [*texts, *self._notices.printed()]:
            with contextlib.suppress(OSError):  # a closed pipe must not end the sound
                print(printable(text), flush=True)

    def _page(self, rows: int) -> list[str]:
        page = self._learn  # the thread that reads the keys may close it
        if page:
            return page.lines(rows)
        return self._keys.help() if self._shows_keys else self._lines(self._keys.cursor)

    def _press(self, name: str) -> None:
        """Called by the thread that reads the keys."""
        if name in "qQ":
            self._ended = True
        elif name == "?":
            self._shows_keys = not self._shows_keys
        else:
            try:
                if name == LEARN:
                    self._message = self._turn_page()
                else:
                    self._message = (self._learn or self._keys).press(name) or ""
            except Exception as error:  # a user's instrument may raise anything; it would end the thread
                self._message = reason(error)

    def _turn_page(self) -> str:
        """Open or close the page on which knobs are learned."""
        if self._midi is None:
            return "there is no MIDI port: start with --midi NAME"
        if self._learn:
            self._learn.close()
            self._learn = None
        else:
            self._learn = LearnPage(self._instrument, self._midi, self._keys.cursor)
        return ""
