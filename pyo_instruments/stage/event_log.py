"""Files of commands: a head, then all that came from outside, with its frame, a line each; written and read again."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ngs.pyo_instruments.commands.command import CommandError, Value
from ngs.pyo_instruments.instrument import Instrument
from ngs.runtime.atomic import close_replaced, replaced


class Event(NamedTuple):
    """A command of a file."""

    frame: int
    address: str
    values: list[Value]
    line: int = 1  # of the file


class EventLog:
    """Writes commands to a file while it plays: `take` is for the clock, the rest for another thread.

    A full disk ends the file after its last whole line, and nothing else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lost = 0  # commands that could not be written
        self._waiting: deque[tuple[int, str, tuple[Value, ...]]] = deque()
        self._written = self._bytes = 0
        self._full = False

    def open(self) -> None:
        """Raises OSError where no file can be made."""
        with contextlib.ExitStack() as stack:
            beside = stack.enter_context(replaced(self.path))
            try:
                self._file = stack.enter_context(beside.open("wb", buffering=0))
            except OSError as error:
                raise OSError(f"{self.path} cannot be written: {error.strerror}") from error
            self._stack = stack.pop_all()

    def begin(self, head: Mapping[str, Any], start: Sequence[tuple[str, Sequence[Value]]]) -> None:
        """Write the head, which tells what decides the sound: of that, the commands before the first frame."""
        told = [{"address": address, "values": list(values)} for address, values in start]
        self._line({**head, "start": told})

    def take(self, frame: int, address: str, values: tuple[Value, ...]) -> None:
        """A listener of an instrument."""
        self._waiting.append((frame, address, values))

    def write(self) -> None:
        """Write what waits. Raises nothing."""
        while self._waiting:
            frame, address, values = self._waiting.popleft()
            if self._line({"frame": frame, "address": address, "values": list(values)}):
                self._written += 1
            else:
                self.lost += 1

    def close(self, keep: bool = True) -> None:
        """Finish the file, or leave none. Raises OSError where some of it is lost."""
        self.write()
        close_replaced(self._stack, keep)
        if keep and self._full:
            raise OSError(
                f"{self.path} holds the first {self._written} commands only, and lacks {self.lost}: "
                "the disk is full, or cannot be written"
            )

    def _line(self, told: Mapping[str, Any]) -> bool:
        """Whether it could be written."""
        if self._full:  # no gaps
            return False
        text = json.dumps(told).encode() + b"\n"
        try:
            if self._file.write(text) < len(text):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            self._full = True
            with contextlib.suppress(OSError):
                self._file.truncate(self._bytes)
            return False
        self._bytes += len(text)
        return True


def read_events(path: Path) -> tuple[dict[str, Any], list[Event], list[Event]]:
    """Head, commands before the first frame, and events by their frames, of a file of `EventLog`.

    Raises CommandError with the line's number, OSError.
    """
    events: list[Event] = []
    start: list[Event] = []
    head: dict[str, Any] = {}
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        try:
            told = json.loads(line)
            if number == 1:
                head = dict(told)
                start = [Event(0, str(each["address"]), list(each["values"])) for each in head.pop("start", [])]
            else:
                events.append(Event(int(told["frame"]), str(told["address"]), list(told["values"]), number))
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise CommandError(
                f"{path}, line {number}: expected frame, address and values as `--log` writes them"
            ) from error
    return head, start, sorted(events, key=lambda event: event.frame)


def check(path: Path, events: Sequence[Event], instrument: Instrument) -> None:
    """Raise CommandError, with the line's number, for what an instrument does not take."""
    for event in events:
        try:
            for command in instrument.find(event.address):
                command.read(event.values)
                if command.at_once:
                    raise CommandError(f"{command.address} reads or writes a file: it has no frame")
        except CommandError as error:
            raise CommandError(f"{path}, line {event.line}: {error}") from error
