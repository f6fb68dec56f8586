"""The page of the screen on which knobs and pads are bound to commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ngs.pyo_instruments.commands.arguments import CommandError
from ngs.pyo_instruments.commands.command import Declaration, declarations
from ngs.pyo_instruments.commands.key_actions import at
from ngs.pyo_instruments.surfaces.midi_map import Key, MapError, check_bindable

if TYPE_CHECKING:
    from ngs.pyo_instruments.instrument import Instrument
    from ngs.pyo_instruments.surfaces.midi import MidiIn

HEAD = "MIDI learn: up, down, enter, then turn a knob or hit a pad. M ends"
MOVES = {"up": -1, "down": 1}
ENTER = "\n\r"


class LearnPage:
    """A list of what a knob can be bound to, for the track under the screen's cursor."""

    def __init__(self, instrument: Instrument, midi: MidiIn, cursor: dict[str, int]) -> None:
        self._midi, self._cursor, self._counts = midi, cursor, instrument.counts
        self._declared = [each for each in declarations(type(instrument)) if self._bindable(each, instrument)]
        self._place = 0

    def close(self) -> None:
        """Bind nothing any more."""
        self._midi.learn("")

    def press(self, name: str) -> str:
        """Carry out a key: up and down choose, left and right go to another track. Returns a line that says more."""
        if name in MOVES:
            self._place = (self._place + MOVES[name]) % len(self._declared)
        elif name in ("left", "right") and self._cursor:
            first = next(iter(self._cursor))
            self._cursor[first] = (self._cursor[first] + (1 if name == "right" else -1)) % self._counts[first]
        elif name in ENTER:
            address = self._address(self._declared[self._place])
            self._midi.learn(address)
            return f"turn a knob, or hit a pad, for {address}"
        return ""

    def lines(self, rows: int) -> list[str]:
        """The page, in `rows` lines at most."""
        room = max(rows - 1, 1)
        first = min(max(self._place - room // 2, 0), max(len(self._declared) - room, 0))
        shown = self._declared[first : first + room]
        return [HEAD, *(self._line(each, first + number == self._place) for number, each in enumerate(shown))]

    def _line(self, declared: Declaration, chosen: bool) -> str:
        address = self._address(declared)
        found = {"control": self._midi.map.controls, "note": self._midi.map.notes}
        bound = [f"{what} {_shown(key)}" for what, of in found.items() for key in of if of[key].address == address]
        waits = "..." if address == self._midi.learning else ", ".join(bound)
        return f"{'>' if chosen else ' '} {address:<22} {waits:<14}  {declared.help}"

    def _address(self, declared: Declaration) -> str:
        return at(declared.address, self._cursor)

    def _bindable(self, declared: Declaration, instrument: Instrument) -> bool:
        try:
            check_bindable(self._address(declared), instrument.commands)
        except (MapError, CommandError):
            return False
        return True


def _shown(key: Key) -> str:
    channel, number = key
    return str(number) if channel is None else f"{channel}:{number}"
