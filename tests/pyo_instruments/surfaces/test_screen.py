"""The screen and the keys, on a pseudo-terminal: what is drawn, what keys do, and that the terminal is restored."""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ngs.cli.play import INSTRUMENTS
from ngs.pyo_instruments import Number, Switch, Text, action, control
from ngs.pyo_instruments.commands.key_actions import Nudge, Press, Toggle
from ngs.pyo_instruments.instrument import Instrument
from ngs.pyo_instruments.surfaces.key_cursor import Keys, key_table
from ngs.pyo_instruments.surfaces.screen import Screen
from ngs.pyo_instruments.surfaces.terminal import BEGIN, END, SIZE, names

pyo = pytest.importorskip("pyo")

PATIENCE_SECONDS = 60.0  # for other programs; no assertion
SCRIPT = """
import json, sys, time
from ngs.pyo_instruments import Number, action
from ngs.pyo_instruments.commands.key_actions import Press
from ngs.pyo_instruments.surfaces.notices import Notices
from ngs.pyo_instruments.surfaces.screen import Screen
from ngs.pyo_instruments.stage.posix_signals import Signals

class Desk:
    counts = {"track": 2, "step": 4}
    KEYS = {"x": Press("/track/{track}/step/{step}", (0.7,), "hit"), "!": Press("/bad", (), "fail")}
    done = []

    @action("/track/{track}/step/{step}", Number("level", 0, 1))
    def step(self, track, step, level):
        pass

    def do(self, address, *values):
        if address == "/bad":
            raise ZeroDivisionError("that went wrong")
        self.done.append([address, *values])

desk, looks, mode = Desk(), 0, sys.argv[2]
try:
    lines = lambda cursor: ["a title", f"place {cursor}", "evil \\x1b[31m name", "a long line " * 9]
    notices = Notices()
    if mode == "notice":
        for text in ("one", "two \\x1b[31m"):
            notices.say(text)
    with Signals() as signals, Screen(desk, lines, notices) as screen:
        while looks < 5000:
            signals.check()
            screen.look()
            looks += 1
            if mode == "error" and looks == 3:
                raise ValueError("an error")
            if mode in ("once", "notice") and looks == 3:
                break
            time.sleep(0.01)
finally:
    with open(sys.argv[1], "w") as out:
        json.dump(desk.done, out)
"""


class Desk(Instrument):
    """Records the commands it gets."""

    counts = {"track": 2, "step": 4}
    KEYS = {
        "1": Press("/track/1/hit", (1.0,), "hit a track"), "2": Press("/track/2/hit", (1.0,), "hit a track"),
        " ": Toggle("/play", "start or stop"), "m": Toggle("/track/{track}/mute", "mute this track"),
        "+": Nudge("/tempo", 5, "tempo up"), "-": Nudge("/tempo", -5, "tempo down"),
        "x": Press("/track/{track}/step/{step}", (0.7,), "step: hit"),
        "n": Press("/draw", ("/track/{track}/class",), "draw a new hit"), "b": Press("/nowhere", (), "nothing"),
    }  # fmt: skip

    def __init__(self, bundle: Any) -> None:
        super().__init__(bundle)
        self.sounds(pyo.Sig(0))
        self.done: list[tuple[Any, ...]] = []
        self.log = lambda frame, address, values: self.done.append((address, *values))

    @control("/play", Switch("on", 1))
    def setPlay(self, on: int) -> None:
        """Start or stop."""

    @control("/tempo", Number("tempo", 20, 130, 120))
    def setTempo(self, tempo: float) -> None:
        """Beats a minute."""

    @action("/track/{track}/hit", Number("gain", 0, 2, 1))
    def hit(self, track: int, gain: float) -> None:
        """Play a hit."""

    @action("/track/{track}/step/{step}", Number("level", 0, 1))
    def step(self, track: int, step: int, level: float) -> None:
        """One step."""

    @control("/track/{track}/mute", Switch("mute"))
    def setMute(self, track: int, mute: int) -> None:
        """Silence."""

    @control("/track/{track}/class", Text("class", "[A-Za-z]*", "letters", "Kick"))
    def setClass(self, track: int, name: str) -> None:
        """Its class."""

    @action("/draw", Text("class", "[A-Za-z]*", "letters"))
    def draw(self, name: str) -> None:
        """Draw a new sound."""


@pytest.fixture
def desk(room: Any, tiny_bundle: Path) -> Iterator[Desk]:
    yield Desk(tiny_bundle)


def pressed(desk: Desk, *keys: str) -> list[tuple[Any, ...]]:
    table = Keys(desk)
    assert [table.press(key) for key in keys] == [""] * len(keys)
    return desk.done


def test_keys_carry_commands_out(desk: Desk) -> None:
    assert pressed(desk, "1", "2", "z") == [("/track/1/hit", 1.0), ("/track/2/hit", 1.0)]


def test_keys_toggle_controls(desk: Desk) -> None:
    assert pressed(desk, " ", " ", "down", "m", "m") == [
        ("/play", 0), ("/play", 1), ("/track/2/mute", 1), ("/track/2/mute", 0),
    ]  # fmt: skip


def test_keys_change_numbers_within_their_range(desk: Desk) -> None:
    assert [value for _, value in pressed(desk, "+", "+", "+", "-")] == [125, 130, 130, 125]


def test_a_value_may_be_taken_from_another_address(desk: Desk) -> None:
    desk.do("/track/2/class", "Snare")
    assert pressed(desk, "n", "up", "n")[1:] == [("/draw", "Kick"), ("/draw", "Snare")]


def test_the_cursor_wraps_and_moves_on_after_a_step(desk: Desk) -> None:
    told = pressed(desk, "x", "x", "right", "x", "x", "left", "left", "down", "x")
    assert [address for address, _ in told] == [
        "/track/1/step/1", "/track/1/step/2", "/track/1/step/4", "/track/1/step/1", "/track/2/step/4",
    ]  # fmt: skip


def test_a_page_that_a_key_closes_while_it_is_drawn(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    class Page:
        def __bool__(self) -> bool:  # the thread that reads the keys comes in between
            screen._learn = None
            return True

        def lines(self, rows: int) -> list[str]:
            return [f"{rows} rows"]

    screen = Screen(desk, lambda cursor: [])
    monkeypatch.setattr(screen, "_learn", Page())
    assert screen._page(7) == ["7 rows"]


def test_without_counts_there_is_no_cursor(desk: Desk, monkeypatch: Any) -> None:
    monkeypatch.setattr(Desk, "counts", {})
    assert pressed(desk, "up", "left", "1") == [("/track/1/hit", 1.0)]


def test_saving_and_loading_keys_answer(desk: Desk, tmp_path: Path) -> None:
    desk.folder = tmp_path
    table, path = Keys(desk), tmp_path / "values.json"
    assert table.press("l") == f"There is no file {path}"
    assert table.press("w") == f"Saved {path}" and path.is_file()
    assert table.press("l") == f"Loaded {path}"


def test_a_refused_key_returns_a_line(desk: Desk) -> None:
    assert "/nowhere" in Keys(desk).press("b")
    assert desk.done == []


def test_help_has_a_line_for_keys_that_do_the_same(desk: Desk) -> None:
    lines = [re.split(r"\s{2,}", line) for line in Keys(desk).help()]
    assert ["1 2", "hit a track"] in lines and ["space", "start or stop"] in lines
    assert ["+", "tempo up"] in lines and ["-", "tempo down"] in lines and ["m", "mute this track"] in lines
    assert ["arrows", "move to another track or step"] in lines and ["w", "save all values"] in lines
    assert not [line for line in lines if line[0] == "b"]  # its address does not exist
    assert len({line.index(text) for line, (_, text) in zip(Keys(desk).help(), lines, strict=True)}) == 1  # a column


@pytest.mark.parametrize(("names", "listed"), [("1234", "1-4"), ("12", "1 2"), ("135", "1 3 5"), ("zs ", "z s space")])
def test_digits_in_a_row_are_listed_as_a_range(monkeypatch: pytest.MonkeyPatch, names: str, listed: str) -> None:
    monkeypatch.setattr(Desk, "KEYS", {name: Toggle("/play", "start or stop") for name in names})
    assert (listed, "start or stop") in key_table(Desk)


@pytest.mark.parametrize(("module", "name"), [home[:2] for home in INSTRUMENTS.values()], ids=INSTRUMENTS)
def test_the_keys_of_an_instrument_fit_a_terminal(module: str, name: str) -> None:
    rows = key_table(getattr(importlib.import_module(f"ngs.pyo_instruments.{module}"), name))
    assert max(len(keys) for keys, _ in rows) + 2 + max(len(label) for _, label in rows) <= SIZE[0]
    assert all(label for _, label in rows)


@pytest.mark.parametrize(
    ("texts", "keys"),
    [
        (["x", "1 "], ["x", "1", " "]),
        (["\x1b[A\x1bOB", "\x1b[C\x1b[D"], ["up", "down", "right", "left"]),
        (["\x1b", "[", "A"], ["up"]),
        (["\x1b[15~x\x1b[1;5Q"], ["x"]),
        (["\x1b", "x"], ["x"]),
    ],
)
def test_keys_are_read_in_whatever_pieces_they_arrive(texts: list[str], keys: list[str]) -> None:
    found, rest = [], ""
    for text in texts:
        more, rest = names(rest + text)
        found += more
    assert found == keys


class Page:
    """A program on a pseudo-terminal."""

    def __init__(self, folder: Path, environment: dict[str, str], mode: str, size: tuple[int, int], owns: bool) -> None:
        self.main, self.other = pty.openpty()
        self.resize(*size)
        self.before = termios.tcgetattr(self.other)
        self.told, self.text = folder / "done.json", ""
        (folder / "script.py").write_text(SCRIPT)

        def own() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [sys.executable, folder / "script.py", self.told, mode], stdin=self.other, stdout=self.other,
            stderr=self.other, env=environment, start_new_session=True, preexec_fn=own if owns else None,
        )  # fmt: skip

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.other, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self.main, text.encode())

    def see(self, text: str) -> None:
        """Wait until something is drawn."""
        end = time.monotonic() + PATIENCE_SECONDS
        while text not in self.text:
            assert time.monotonic() < end and (self.process.poll() is None or self.read()), self.text
            self.read()

    def read(self) -> bool:
        os.set_blocking(self.main, False)
        try:
            self.text += os.read(self.main, 65536).decode()
        except BlockingIOError:
            time.sleep(0.01)
            return False
        return True

    def end(self) -> int:
        """Wait for the end; the terminal must be restored."""
        end = time.monotonic() + PATIENCE_SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < end, self.text
            self.read()
        while self.read():
            pass
        assert termios.tcgetattr(self.other) == self.before
        return self.process.returncode

    @property
    def done(self) -> Any:
        return json.loads(self.told.read_text())

    def drawn(self) -> list[tuple[int, str]]:
        """The row and the text of each line that was drawn."""
        page = self.text.split(BEGIN)[1].split(END)[0]
        return [(int(row), text.split("\x1b")[0]) for row, text in re.findall(r"\x1b\[(\d+)H([^\x1b]*)", page)]


@pytest.fixture
def pages(tmp_path: Path, environment: dict[str, str]) -> Iterator[Callable[..., Page]]:
    with contextlib.ExitStack() as stack:

        def opened(mode: str = "", size: tuple[int, int] = (60, 24), owns: bool = True) -> Page:
            page = Page(tmp_path, environment, mode, size, owns)
            stack.callback(os.close, page.main)
            stack.callback(os.close, page.other)
            stack.callback(page.process.kill)
            return page

        yield opened


def test_keys_play_and_q_ends(pages: Callable[..., Page]) -> None:
    page = pages()
    page.see("place {'track': 0, 'step': 0}")
    page.type("x\x1b[B")
    page.see("place {'track': 1, 'step': 1}")
    page.type("x")
    page.see("place {'track': 1, 'step': 2}")
    page.type("q")
    page.end()
    assert page.done == [["/track/1/step/1", 0.7], ["/track/2/step/2", 0.7]]
    assert page.text.index(BEGIN) < page.text.index("a title") < page.text.index(END)
    assert "evil ?[31m name" in page.text and "\x1b[31m" not in page.text


def test_a_question_mark_shows_the_keys_and_another_hides_them(pages: Callable[..., Page]) -> None:
    page = pages()
    page.see("a title")
    page.type("?")
    page.see("move to another track or step")
    page.text = BEGIN
    page.type("?")
    page.see("a title")
    page.type("q")
    page.end()


def test_a_failing_key_shows_a_message_and_the_next_one_plays(pages: Callable[..., Page]) -> None:
    page = pages()
    page.see("q quits")
    page.type("!")
    page.see("that went wrong")
    page.type("xq")
    page.end()
    assert page.done == [["/track/1/step/1", 0.7]]


@pytest.mark.parametrize("way", ["Ctrl-C", "SIGTERM", "error", "once"])
def test_the_terminal_is_restored_however_it_ends(pages: Callable[..., Page], way: str) -> None:
    page = pages(way)
    page.see("q quits")
    if way == "Ctrl-C":
        page.type("\x1a\x03")  # Ctrl-Z first, which would stop it
    elif way == "SIGTERM":
        page.process.send_signal(signal.SIGTERM)
    status = page.end()
    assert status == {"Ctrl-C": -signal.SIGINT, "SIGTERM": 128 + signal.SIGTERM, "error": 1, "once": 0}[way]
    shown, after = page.text.split(END)
    assert "Traceback" not in shown and ("ValueError: an error" in after) == (way == "error")


def test_a_window_that_is_closed_ends_it(pages: Callable[..., Page]) -> None:
    page = pages()
    page.see("q quits")
    page.type("x")
    page.see("'step': 1")
    hung = os.dup(page.other)  # what the fixture closes
    os.dup2(hung, page.main)  # the last of its descriptors on our side
    os.close(hung)
    assert page.process.wait(PATIENCE_SECONDS) == 128 + signal.SIGHUP
    assert page.done == [["/track/1/step/1", 0.7]]


def test_under_nohup_it_outlives_its_terminal(pages: Callable[..., Page]) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        page = pages()
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    page.see("q quits")
    page.process.send_signal(signal.SIGHUP)
    page.type("x")
    page.see("'step': 1")
    page.type("q")
    assert page.end() == -signal.SIGINT


def test_a_notice_is_shown_above_the_last_line(pages: Callable[..., Page]) -> None:
    page = pages("notice", size=(40, 5))
    page.end()
    assert page.drawn() == [
        (1, "a title"), (2, "place {'track': 0, 'step': 0}"), (3, "evil ?[31m name"), (4, "two ?[31m"),
        (5, "? shows the keys, q quits"),
    ]  # fmt: skip


def test_without_a_terminal_notices_are_printed(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, tmp_path / "script.py", tmp_path / "done.json", "notice"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert (result.returncode, result.stdout, result.stderr) == (0, "a title\none\ntwo ?[31m\n", "")


def test_a_small_window_shows_what_fits(pages: Callable[..., Page]) -> None:
    page = pages(size=(10, 3))
    page.see("? shows th")
    page.type("q")
    page.end()
    assert page.drawn() == [(1, "a title"), (2, "place {'tr"), (3, "? shows th")]


def test_a_resized_window_is_redrawn(pages: Callable[..., Page]) -> None:
    page = pages(size=(10, 3))
    page.see("? shows th")
    page.resize(40, 5)
    page.see("? shows the keys, q quits")
    page.type("q")
    page.end()
    assert page.drawn()[3:] == [
        (1, "a title"), (2, "place {'track': 0, 'step': 0}"), (3, "evil ?[31m name"), (4, ("a long line " * 4)[:40]),
        (5, "? shows the keys, q quits"),
    ]  # fmt: skip


def test_only_changed_lines_are_redrawn(pages: Callable[..., Page]) -> None:
    page = pages()
    page.see("q quits")
    page.type("\x1b[C")
    page.see("'step': 1")
    page.type("q")
    page.end()
    assert [row for row, _ in page.drawn()] == [1, 2, 3, 4, 5, 2]


def test_a_terminal_of_another_program_is_left_alone(pages: Callable[..., Page]) -> None:
    page = pages("once", owns=False)
    assert page.end() == 0
    assert page.text == "a title\r\n"


def test_without_a_terminal_one_line_is_printed(tmp_path: Path, environment: dict[str, str]) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, tmp_path / "script.py", tmp_path / "done.json", "once"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert (result.returncode, result.stdout, result.stderr) == (0, "a title\n", "")
