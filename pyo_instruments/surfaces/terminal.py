"""A terminal as a page that is redrawn in place, and its keys as they are pressed."""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Sequence

from ngs.runtime.errors import printable

BEGIN = "\x1b[?1049h\x1b[?25l\x1b[2J"  # the alternate page, without a cursor
END = "\x1b[?25h\x1b[?1049l"
SIZE = (80, 24)  # of a terminal that does not know its own
ARROWS = {"A": "up", "B": "down", "C": "right", "D": "left"}
KEY = re.compile(r"\x1b(?:\[[0-9;?]*[@-~]|O[A-Z])|[\s\S]")
UNFINISHED = re.compile(r"\x1b(?:\[[0-9;?]*|O)?\Z")
POLL_SECONDS = 0.01  # on Windows


def is_terminal() -> bool:
    """Whether stdout is a terminal, and this program is in its foreground."""
    return sys.stdout.isatty() and _foreground(sys.stdout.fileno())


class Terminal:
    """The terminal of stdout; when the context is left, it is as it was before.

    press: called in a thread with each key: a character, or "up", "down", "left", "right".
    """

    def __init__(self, press: Callable[[str], None]) -> None:
        self._press = press
        self._shown: list[str] = []
        self._size = (0, 0)
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Terminal:
        with contextlib.ExitStack() as stack:
            stack.callback(self._write, END)
            self._write(BEGIN)
            if sys.stdin.isatty():
                stack.enter_context(_keys(self._press))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        try:
            columns, lines = os.get_terminal_size(sys.stdout.fileno())
        except OSError:  # the window is closed
            return SIZE
        return (columns, lines) if columns and lines else SIZE

    def draw(self, lines: Sequence[str]) -> None:
        """Show as many lines as fit; only those that have changed are written."""
        columns, rows = size = self.size()
        page = [printable(line)[:columns] for line in lines[:rows]]
        if size != self._size:
            self._size, self._shown = size, []
            self._write("\x1b[2J")
        page += [""] * (len(self._shown) - len(page))
        changed = [
            f"\x1b[{row + 1}H{line}\x1b[K" if len(line) < columns else f"\x1b[{row + 1}H{line}"
            for row, line in enumerate(page)
            if row >= len(self._shown) or line != self._shown[row]
        ]
        self._shown = page
        if changed:
            self._write("".join(changed))

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError):  # the window is closed
            sys.stdout.buffer.write(text.encode(sys.stdout.encoding, "replace"))
            sys.stdout.buffer.flush()


def names(text: str) -> tuple[list[str], str]:
    """The keys in what a terminal sends, and the rest of the text if a key is still incomplete."""
    rest = UNFINISHED.search(text)
    whole = text[: rest.start()] if rest else text
    found = [ARROWS.get(each[-1], "") if each[0] == "\x1b" else each for each in KEY.findall(whole)]
    return [each for each in found if each], rest[0] if rest else ""


if sys.platform == "win32":
    import ctypes
    import msvcrt

    CODES = {"H": "up", "P": "down", "M": "right", "K": "left"}

    def _foreground(number: int) -> bool:
        """Also turns on the console's escape sequences."""
        kernel, mode = ctypes.windll.kernel32, ctypes.c_ulong()
        handle = msvcrt.get_osfhandle(number)
        return bool(kernel.GetConsoleMode(handle, ctypes.byref(mode)) and kernel.SetConsoleMode(handle, mode.value | 4))

    @contextlib.contextmanager
    def _keys(press: Callable[[str], None]) -> Iterator[None]:
        """Report keys as they are pressed."""
        over = threading.Event()

        def read() -> None:
            while not over.wait(POLL_SECONDS):
                while msvcrt.kbhit():
                    key = msvcrt.getwch()
                    name = CODES.get(msvcrt.getwch(), "") if key in "\0\xe0" else key
                    if name:
                        press(name)

        thread = threading.Thread(target=read, name="ngs keys", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

else:
    import select
    import termios
    import tty

    def _foreground(number: int) -> bool:
        try:
            return os.tcgetpgrp(number) == os.getpgrp()  # drawing from the background would stop the program
        except OSError:  # not this program's terminal
            return False

    @contextlib.contextmanager
    def _keys(press: Callable[[str], None]) -> Iterator[None]:
        """Report keys as they are pressed. Ctrl-C interrupts as usual, Ctrl-Z does nothing."""
        number = sys.stdin.fileno()
        before = termios.tcgetattr(number)
        woken, wake = os.pipe()

        def read() -> None:
            rest = ""
            while True:
                ready, _, _ = select.select([number, woken], [], [])
                if woken in ready:
                    return
                text = ""
                with contextlib.suppress(OSError):  # the window is closed
                    text = os.read(number, 1024).decode(errors="ignore")
                if not text:
                    return
                found, rest = names(rest + text)
                for name in found:
                    press(name)

        thread = threading.Thread(target=read, name="ngs keys", daemon=True)
        try:
            tty.setcbreak(number)
            mode = termios.tcgetattr(number)
            mode[6][termios.VSUSP] = bytes([os.fpathconf(number, "PC_VDISABLE") & 255])
            termios.tcsetattr(number, termios.TCSANOW, mode)
            thread.start()
            yield
        finally:
            os.write(wake, b".")
            if thread.ident:
                thread.join()
            with contextlib.suppress(termios.error):  # the window is closed
                termios.tcsetattr(number, termios.TCSAFLUSH, before)
            os.close(woken)
            os.close(wake)
