"""The Pure Data patch, without its window: it sends what is moved on it, and shows what it receives."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

PATCH = Path(__file__).parents[2] / "examples" / "pd" / "drum-machine.pd"
PATIENCE = 30.0  # seconds before a test that waits fails
# A second patch: it passes a message such as "track-1-level 0.5;" from a port to the object of that name.
HAND = """#N canvas 0 0 450 300 12;
#X obj 10 10 netreceive -u {port};
#X obj 10 40 list;
#X obj 10 70 t l l;
#X obj 100 100 list split 1;
#X obj 10 100 list split 1;
#X obj 10 130 list trim;
#X obj 10 160 send;
#X connect 0 0 1 0;
#X connect 1 0 2 0;
#X connect 2 0 4 0;
#X connect 2 1 3 0;
#X connect 3 0 6 1;
#X connect 4 1 5 0;
#X connect 5 0 6 0;
"""
MOVES = [
    ("ui-play 0", "/play", 0.0),
    ("ui-tempo 100", "/tempo", 100.0),
    ("ui-bpm 320", "/tempo", 320.0),
    ("ui-swing 0.25", "/swing", 0.25),
    ("ui-level 1.5", "/level", 1.5),
    ("ui-electro bang", "/pattern", "electro"),
    ("track-3-level 0.5", "/track/3/level", 0.5),
    ("track-4-pan -1", "/track/4/pan", -1.0),
    ("track-5-pitch -12", "/track/5/pitch", -12.0),
    ("track-6-mute 1", "/track/6/mute", 1.0),
    ("track-7-class symbol Hat", "/track/7/class", "Hat"),
    ("track-2-hit bang", "/track/2/hit", 1.0),
    ("track-1-step-1 0.8", "/track/1/step/1", 0.8),
    ("track-8-step-16 0", "/track/8/step/16", 0.0),
]


class Surface:
    """Pure Data with the patch, and a way to move its controls."""

    def __init__(self, port: int, hand_port: int, folder: Path) -> None:
        hand = folder / "hand.pd"
        hand.write_text(HAND.format(port=hand_port))
        self.hand_port = hand_port
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        options = ["-nogui", "-noaudio", "-nomidi", "-noprefs", "-nrt", "-stderr"]
        command = ["pd", *options, "-send", f"ngs-connect 127.0.0.1 {port}", str(hand), str(PATCH)]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def move(self, text: str) -> None:
        self.socket.sendto(f"{text};\n".encode(), ("127.0.0.1", self.hand_port))

    def end(self) -> str:
        """The errors that Pure Data printed."""
        self.socket.close()
        self.process.terminate()
        return self.process.communicate(timeout=PATIENCE)[1]


class Desk:
    """Takes the place of ngs: receives what the patch sends, and sends it values."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE)
        self.port = self.socket.getsockname()[1]

    def hear(self) -> tuple[Any, ...]:
        datagram, self.patch = self.socket.recvfrom(65536)
        message = OscMessage(datagram)
        return (message.address, *message.params)

    def hear_until(self, address: str) -> list[tuple[Any, ...]]:
        heard: list[tuple[Any, ...]] = []
        while not heard or heard[-1][0] != address:
            told = self.hear()
            if told != ("/subscribe",) or address == "/subscribe":
                heard.append(told)
        return heard

    def tell(self, address: str, *values: Any) -> None:
        builder = OscMessageBuilder(address)
        for value in values:
            builder.add_arg(value)
        self.socket.sendto(builder.build().dgram, self.patch)


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.socket.close()


@pytest.fixture
def surface(desk: Desk, tmp_path: Path) -> Iterator[Surface]:
    with started(desk.port, tmp_path) as surface:
        desk.hear_until("/subscribe")
        yield surface


class started:
    """Pure Data while a test runs. It must print no error."""

    def __init__(self, port: int, folder: Path) -> None:
        if shutil.which("pd") is None:
            pytest.fail("There is no pd: scripts/test-packages installs it")
        self._surface = Surface(port, free_port(), folder)

    def __enter__(self) -> Surface:
        return self._surface

    def __exit__(self, *exception: object) -> None:
        assert self._surface.end() == ""


def test_what_is_moved_is_sent(desk: Desk, surface: Surface) -> None:
    for text, address, value in MOVES:
        surface.move(text)
        surface.move("track-1-hit bang")
        assert desk.hear_until("/track/1/hit") == [(address, pytest.approx(value)), ("/track/1/hit", 1.0)]


def test_what_it_receives_is_shown_and_not_sent_back(desk: Desk, surface: Surface) -> None:
    told: list[tuple[Any, ...]] = [
        ("/play", 1), ("/tempo", 90.0), ("/swing", 0.125), ("/level", 0.75), ("/position", 7),
        ("/status", 0.31, 2, 11.0), ("/error", "/track/1/level", "level is 9.0: choose 0 to 2"), ("/pong",),
        ("/meters", 0.5, 0.25), ("/track/2/class", "Closed Hat"), ("/track/2/mute", 1), ("/track/2/fresh", 0),
        ("/track/2/pattern", "x...oX.........x"), ("/track/2/pan", 0.5), ("/track/2/pitch", 7.0),
        ("/track/2/level", 1.25),
    ]  # fmt: skip
    for message in told:
        desk.tell(*message)
    sent: tuple[Any, ...] = ()
    while sent != ("/track/2/level", 1.25):  # the last one: everything has arrived by then
        surface.move("track-2-level bang")
        [sent] = desk.hear_until("/track/2/level")
    hand = ["ui-tempo", "ui-swing", "ui-level", "track-2-class", "track-2-pan", "track-2-pitch", "track-2-new"]
    toggles = ["ui-play", "track-2-mute", *(f"track-2-step-{step}" for step in (1, 2, 5, 6, 7, 16))]  # these toggle
    for name in (*hand, *toggles, "track-1-hit"):
        surface.move(f"{name} bang")
    assert [each for each in desk.hear_until("/track/1/hit") if each[0] != "/track/2/level"] == [
        ("/tempo", 90.0), ("/swing", 0.125), ("/level", 0.75), ("/track/2/class", "Closed Hat"), ("/track/2/pan", 0.5),
        ("/track/2/pitch", 7.0), ("/sample_note", "Closed Hat"), ("/play", 0.0), ("/track/2/mute", 0.0),
        ("/track/2/step/1", 0.0), ("/track/2/step/2", pytest.approx(0.8)), ("/track/2/step/5", 0.0),
        ("/track/2/step/6", 0.0), ("/track/2/step/7", pytest.approx(0.8)), ("/track/2/step/16", 0.0),
        ("/track/1/hit", 1.0),
    ]  # fmt: skip


def test_the_patch_controls_the_drum_machine(tiny_bundle: Path, tmp_path: Path) -> None:
    pyo = pytest.importorskip("pyo")
    from ngs.pyo_instruments.drum_machine import DrumMachine
    from ngs.pyo_instruments.surfaces.osc import OscServer
    from ngs.pyo_instruments.timing.clock import Clock

    audio = pyo.Server(sr=48000, nchnls=2, buffersize=128, duplex=0, audio="manual", verbosity=0).boot()
    try:
        clock = Clock.of(audio)
        machine = DrumMachine(tiny_bundle)
        audio.start()
        with OscServer(machine, 0) as server, started(server.address[1], tmp_path) as surface:
            wanted = {address: value for _, address, value in MOVES if address in machine.commands}
            wanted = {address: value for address, value in wanted.items() if machine.commands[address].kept}
            ended = time.monotonic() + PATIENCE
            while any(machine.values[each] != (value,) for each, value in wanted.items()) and time.monotonic() < ended:
                for text, _, _ in MOVES:  # lost while the patch is not open yet
                    surface.move(text)
                time.sleep(0.1)
                for _ in range(4):
                    audio.process()
            assert {address: machine.values[address] for address in wanted} == {
                address: (value,) for address, value in wanted.items()
            }
            assert machine.values["/track/1/pattern"][0][0] == "x"
            surface.move("track-1-level 9")  # the patch receives the error and shows it
            time.sleep(0.1)
        assert len(wanted) == 9 and clock.statistics().failures == 0, clock.statistics().last_failure
    finally:
        audio.stop()
        audio.shutdown()
