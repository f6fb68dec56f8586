"""The page on which knobs are learned, and the key that opens it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import mido
import pytest

from ngs.pyo_instruments.surfaces.learn_page import HEAD
from ngs.pyo_instruments.surfaces.midi import MidiIn
from ngs.pyo_instruments.surfaces.midi_map import MidiMap
from ngs.pyo_instruments.surfaces.notices import Notices
from ngs.pyo_instruments.surfaces.screen import Screen

pytest.importorskip("pyo")

from ngs.pyo_instruments.drum_machine import DrumMachine  # noqa: E402


class Player:
    """A drum machine with a screen and a MIDI port, and somebody who presses keys and turns knobs."""

    def __init__(self, bundle: Path, folder: Path) -> None:
        self.machine, self.notices = DrumMachine(bundle), Notices()
        self.path = folder / "drum-machine-midi.toml"
        self.midi = MidiIn(self.machine, None, MidiMap.of(self.machine), self.path, self.notices)
        self.screen = Screen(self.machine, lambda cursor: ["the title", str(cursor)], self.notices, self.midi)

    def press(self, *keys: str) -> None:
        for name in keys:
            self.screen._press(name)

    def page(self, rows: int = 40) -> list[str]:
        return self.screen._page(rows)

    def chosen(self) -> list[str]:
        """The address that is chosen, and what it is bound to."""
        [line] = [line for line in self.page(10) if line.startswith(">")]
        return re.split(r"\s{2,}", line[2:])[:2]

    def go_to(self, address: str) -> None:
        for _ in self.page():
            if self.chosen()[0] == address:
                return
            self.press("down")
        raise AssertionError(f"{address} is not on the page")


@pytest.fixture
def player(room: Any, tiny_bundle: Path, tmp_path: Path) -> Player:
    return Player(tiny_bundle, tmp_path)


def turn(player: Player, number: int, value: int) -> None:
    player.midi.take(mido.Message("control_change", control=number, value=value))


def test_a_key_opens_a_page_from_which_a_knob_is_bound(player: Player) -> None:
    assert player.page()[0] == "the title"
    player.press("M")
    assert player.page()[0] == HEAD
    player.go_to("/swing")
    assert player.chosen() == ["/swing", "control 17"]
    player.press("\n")
    assert player.screen._message == "turn a knob, or hit a pad, for /swing" and player.chosen() == ["/swing", "..."]
    turn(player, 95, 5)
    assert player.notices.printed() == [f"MIDI: control 1:95 is /swing, saved in {player.path}"]
    assert player.chosen() == ["/swing", "control 17, control 1:95"]
    player.press("M")
    assert player.page()[0] == "the title"
    turn(player, 95, 127)
    assert player.machine.values["/swing"] == (0.5,)
    again = MidiMap.read(player.path, player.machine)
    assert again.controls.keys() - MidiMap.of(player.machine).controls.keys() == {(1, 95)}


def test_the_page_is_of_the_track_under_the_cursor(player: Player) -> None:
    player.press("M")
    player.go_to("/track/1/level")
    player.press("right", "right")
    assert player.chosen()[0] == "/track/3/level"
    player.press("left", "left", "left")
    assert player.chosen()[0] == "/track/8/level"


def test_what_a_knob_cannot_set_is_not_on_the_page(player: Player) -> None:
    player.press("M")
    told = "\n".join(player.page())
    assert " /note " not in told and " /save " not in told and "/pattern " in told and "/track/1/resample" in told


def test_the_chosen_line_is_always_on_the_page(player: Player) -> None:
    player.press("M")
    for _ in range(60):
        player.press("up")
        assert len(player.page(6)) <= 6 and player.chosen()


def test_a_page_that_is_closed_learns_nothing(player: Player) -> None:
    player.press("M", "\n", "M")
    assert player.midi.learning == ""
    turn(player, 95, 5)
    assert player.notices.printed() == [] and not player.path.exists()


def test_without_a_port_the_key_says_so(room: Any, tiny_bundle: Path) -> None:
    screen = Screen(DrumMachine(tiny_bundle), lambda cursor: [])
    screen._press("M")
    assert screen._message == "there is no MIDI port: start with --midi NAME" and screen._page(9) == []
