"""Event logs: JSON Lines with a head, then every command from outside with its frame. They can be replayed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ngs.pyo_instruments.commands.arguments import CommandError, Value
from ngs.runtime.atomic import close_replaced, replaced

if TYPE_CHECKING:
    from ngs.pyo_instruments.instrument import Instrument


class Event(NamedTuple):
    """A command in a log."""

    frame: int
    address: str
    values: list[Value]
    line: int = 1  # in the file


class EventLog:
    """Writes commands to a file. The clock calls `take`, another thread everything else.

    If the disk is full, the file ends after its last complete line, and playing goes on.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lost = 0  # commands that could not be written
        self._waiting: deque[tuple[int, str, tuple[Value, ...]]] = deque()
        self._written = self._bytes = 0
        self._full = False

    def open(self) -> None:
        """Raises OSError if the file cannot be made."""
        with contextlib.ExitStack() as stack:
            beside = stack.enter_context(replaced(self.path))
            try:
                self._file = stack.enter_context(beside.open("wb", buffering=0))
            except OSError as error:
                raise OSError(f"{self.path} cannot be written: {error.strerror}") from error
            self._stack = stack.pop_all()

    def begin(self, head: Mapping[str, Any], start: Sequence[tuple[str, Sequence[Value]]]) -> None:
        """Write the first line: `head`, and the commands before the first frame."""
        told = [{"address": address, "values": list(values)} for address, values in start]
        self._line({**head, "start": told})

    def take(self, frame: int, address: str, values: tuple[Value, ...]) -> None:
        """Note a command; a listener of the instrument."""
        self._waiting.append((frame, address, values))

    def write(self) -> None:
        """Write the commands noted so far; raises nothing."""
        while self._waiting:
            frame, address, values = self._waiting.popleft()
            if self._line({"frame": frame, "address": address, "values": list(values)}):
                self._written += 1
            else:
                self.lost += 1

    def close(self, keep: bool = True) -> None:
        """Finish the file, or drop it. Raises OSError if some commands are lost."""
        self.write()
        close_replaced(self._stack, keep)
        if keep and self._full:
            raise OSError(
                f"{self.path} holds the first {self._written} commands only, and lacks {self.lost}: "
                "the disk is full, or cannot be written"
            )

    def _line(self, told: Mapping[str, Any]) -> bool:
        """Write a line; whether that was possible."""
        if self._full:  # a log must not have gaps
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
    """The head of a log, its commands before the first frame, and its events in the order of their frames.

    Raises OSError, and CommandError with the number of the line that is wrong.
    """
    events: list[Event] = []
    start: list[Event] = []
    head: dict[str, Any] = {}
    for number, line in enumerate(path.read_text("utf-8-sig", errors="replace").splitlines(), 1):
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
    """Raise CommandError, with the number of the line, for an event that an instrument does not accept."""
    for event in events:
        try:
            for command in instrument.find(event.address):
                command.read(event.values)
                if command.at_once:
                    raise CommandError(f"{command.address} reads or writes a file: it cannot be replayed")
        except CommandError as error:
            raise CommandError(f"{path}, line {event.line}: {error}") from error
