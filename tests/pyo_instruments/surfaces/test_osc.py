"""The OSC server, over real sockets: commands, answers, what subscribers hear, floods."""

from __future__ import annotations

import errno
import ipaddress
import shutil
import socket
import subprocess
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from ngs.pyo_instruments import Choice, Number, Switch, Text, Whole, action, control
from ngs.pyo_instruments.instrument import Instrument
from ngs.pyo_instruments.surfaces import osc, osc_subscribers
from ngs.pyo_instruments.surfaces.midi_map import MapError
from ngs.pyo_instruments.surfaces.notices import Notices
from ngs.pyo_instruments.surfaces.osc import OscServer
from ngs.pyo_instruments.surfaces.osc_access import allowed, subnets
from ngs.pyo_instruments.surfaces.osc_reference import address_table
from ngs.pyo_instruments.surfaces.osc_subscribers import Subscriber
from ngs.pyo_instruments.timing.clock import Clock, LiveClock
from ngs.pyo_instruments.timing.timed_queue import MESSAGES

pyo = pytest.importorskip("pyo")

RATE, BLOCK = 48000, 128
PATIENCE = 20.0  # of a test that waits; no assertion
STATUS = {"cpu": 0.25, "late_blocks": 3, "voices": 12}


class Desk(Instrument):
    """Two tracks that make no sound."""

    counts = {"track": 2, "step": 16}

    def __init__(self, bundle: Any) -> None:
        super().__init__(bundle)
        self.done: list[tuple[int, Any]] = []
        self.step = 0
        self.made = time.time()
        self.sounds(pyo.Sig(0))
        self.done.clear()

    def before_block(self) -> None:
        if self.step:
            self.tell("/position", self.step)
            self.step = 0

    def meters(self) -> list[float]:
        return [0.5, 0.25]

    @control("/level", Number("level", 0, 0.1))
    def setLevel(self, level: float) -> None:
        """How loud."""
        self.done.append((self.clock.now, level))

    @control("/mode", Choice("mode", ("note", "path"), "note"))
    def setMode(self, mode: str) -> None:
        """This | that."""
        self.done.append((self.clock.now, mode))

    @control("/name", Text("name", "[a-z]*", "small letters"))
    def setName(self, name: str) -> None:
        """What it is called."""

    @control("/track/{track}/mute", Switch("mute"))
    def setMute(self, track: int, mute: int) -> None:
        """Silence."""
        self.done.append((self.clock.now, (track, mute)))

    @control("/track/{track}/count", Whole("count", 0, 100))
    def setCount(self, track: int, count: int) -> None:
        """How many."""
        self.done.append((self.clock.now, (track, count)))

    @action("/hit")
    def hit(self) -> None:
        """Now."""
        self.done.append((self.clock.now, "hit"))


class Client:
    """A control surface: one UDP socket."""

    def __init__(self, server: OscServer) -> None:
        self.server = server
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(PATIENCE)
        self.port = self.socket.getsockname()[1]

    def send(self, address: str, *values: Any) -> None:
        self.throw(packet(address, *values).dgram)

    def throw(self, datagram: bytes) -> None:
        self.socket.sendto(datagram, self.server.address)

    def hear(self) -> tuple[str, list[Any]]:
        message = OscMessage(self.socket.recv(65536))
        return message.address, message.params

    def hear_until(self, address: str, *values: Any) -> list[tuple[str, list[Any]]]:
        """Everything that comes before a message, which has these values if any are given."""
        heard: list[tuple[str, list[Any]]] = []
        while True:
            told, arguments = self.hear()
            if told == address and (not values or arguments == pytest.approx(list(values))):
                return heard
            heard.append((told, arguments))

    def settle(self) -> list[tuple[str, list[Any]]]:
        """Wait until the server has read everything that was sent; its answers."""
        self.send("/ping")
        return self.hear_until("/pong")


def packet(address: str, *values: Any) -> OscMessage:
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)
    return builder.build()


def timed(due: float, *messages: OscMessage) -> Any:
    builder = OscBundleBuilder(due)
    for message in messages:
        builder.add_content(message)
    return builder.build()


@pytest.fixture
def audio(request: Any) -> Iterator[Any]:
    """A manual server: its clock is offline, so that commands act before the next block, or live, to test time tags."""
    server = pyo.Server(sr=RATE, nchnls=2, buffersize=BLOCK, duplex=0, audio="manual", verbosity=0).boot()
    clock = LiveClock(server._server) if getattr(request, "param", "") == "live" else Clock.of(server)
    server.start()
    yield server
    server.stop()
    clock.close()
    server.shutdown()


@pytest.fixture
def desk(audio: Any, tiny_bundle: Path) -> Desk:
    desk = Desk(tiny_bundle)
    while desk.clock.frame == 0:  # the server is quiet at first
        audio.process()
    return desk


@pytest.fixture
def notices() -> Notices:
    return Notices()


@pytest.fixture
def server(desk: Desk, notices: Notices) -> Iterator[OscServer]:
    with OscServer(desk, 0, status=lambda: STATUS, notices=notices) as server:
        yield server


@pytest.fixture
def connect(server: OscServer) -> Iterator[Callable[[], Client]]:
    clients: list[Client] = []

    def make() -> Client:
        clients.append(Client(server))
        return clients[-1]

    yield make
    for client in clients:
        client.socket.close()


@pytest.fixture
def client(connect: Callable[[], Client]) -> Client:
    return connect()


# commands


@pytest.mark.parametrize(
    ("address", "value", "kept"),
    [
        ("/level", 0.1, 0.1),  # the end of its range, which 32 bits would miss
        ("/level", 0, 0.0),
        ("/mode", "PATH", "path"),
        ("/track/2/mute", True, 1),
        ("/track/2/count", 7.0, 7),
    ],
)
def test_a_message_is_a_command(client: Client, desk: Desk, audio: Any, address: str, value: Any, kept: Any) -> None:
    client.send(address, value)
    assert client.settle() == []  # what is right is not answered
    audio.process()
    assert desk.values[address] == (kept,)


def test_false_switches_off(client: Client, desk: Desk, audio: Any) -> None:
    client.send("/track/1/mute", 1)
    client.send("/track/1/mute", False)
    client.settle()
    audio.process()
    assert [what for _, what in desk.done] == [(0, 1), (0, 0)]


def test_a_pattern_reaches_every_matching_address(client: Client, desk: Desk, audio: Any) -> None:
    client.send("/track/*/mute", 1)
    client.settle()
    audio.process()
    assert [what for _, what in desk.done] == [(0, 1), (1, 1)]


@pytest.mark.parametrize("value", [1.0, 1, 0.3, -1, True])
def test_a_button_that_sends_a_number_does_what_needs_none(client: Client, desk: Desk, audio: Any, value: Any) -> None:
    client.send("/hit", value)
    assert client.settle() == []
    audio.process()
    assert [what for _, what in desk.done] == ["hit"]


@pytest.mark.parametrize("value", [0.0, 0, -0.0, False])
def test_a_button_that_is_released_does_nothing(client: Client, desk: Desk, audio: Any, value: Any) -> None:
    for address in ("/hit", "/h*", "/subscribe", "/unsubscribe"):
        client.send(address, value)
    assert client.settle() == []
    audio.process()
    assert desk.done == [] and heard_all(client) == []


def test_a_button_may_subscribe(client: Client) -> None:
    client.send("/subscribe", 1.0)
    client.hear_until("/mode", "note")
    client.send("/unsubscribe", 1.0)
    client.settle()
    assert heard_all(client) == []


@pytest.mark.parametrize(
    ("datagram", "kept"),
    [
        (b"/level\0\0\x3d\xcc\xcc\xcd", ("/level", 0.1)),  # no type tags: a float
        (b"/mode\0\0\0path\0\0\0\0", ("/mode", "path")),  # a text
        (b"/track/*/count\0\0\0\0\0\x07", ("/track/2/count", 7)),  # a whole number
        (b"/mode\0\0\0,S\0\0path\0\0\0\0", ("/mode", "path")),
        (b"/level\0\0,[f]\0\0\0\0\x3d\xcc\xcc\xcd", ("/level", 0.1)),
        (b"/track/1/mute\0\0\0,T\0\0", ("/track/1/mute", 1)),
    ],
)
def test_every_dialect_is_a_command(client: Client, desk: Desk, audio: Any, datagram: bytes, kept: Any) -> None:
    client.throw(datagram)
    assert client.settle() == []
    audio.process()
    assert desk.values[kept[0]] == kept[1:]


@pytest.mark.parametrize("datagram", [b"/hit\0\0\0\0,I\0\0", b"/hit\0\0\0\0\0\0\0\1", b"/hit\0\0\0\0,[]\0"])
def test_an_impulse_does_what_needs_no_arguments(client: Client, desk: Desk, audio: Any, datagram: bytes) -> None:
    client.throw(datagram)
    assert client.settle() == []
    audio.process()
    assert [what for _, what in desk.done] == ["hit"]


def test_two_clients_play_at_once(connect: Callable[[], Client], desk: Desk, audio: Any) -> None:
    clients = [connect(), connect()]
    for count in range(1, 40):
        for track, client in enumerate(clients, 1):
            client.send(f"/track/{track}/count", count)
    for client in clients:
        assert client.settle() == []
    for _ in range(20):
        audio.process()
    counts = {track: [what[1] for _, what in desk.done if what[0] == track] for track in (0, 1)}
    assert counts == {0: list(range(1, 40)), 1: list(range(1, 40))}  # none is lost, each in its order


def test_oscsend_is_understood(server: OscServer, client: Client, desk: Desk, audio: Any) -> None:
    if shutil.which("oscsend") is None:
        pytest.fail("There is no oscsend: scripts/test-packages installs it")
    for arguments in (
        ["/level", "f", "0.05"],
        ["/mode", "s", "path"],
        ["/track/1/mute", "T"],
        ["/track/1/count", "i", "9"],
    ):
        subprocess.run(["oscsend", "127.0.0.1", str(server.address[1]), *arguments], check=True)
    client.settle()
    audio.process()
    assert [what for _, what in desk.done] == [0.05, "path", (0, 1), (0, 9)]


# time tags


@pytest.mark.parametrize("audio", ["live"], indirect=True)
def test_a_bundle_is_carried_out_at_its_time(client: Client, desk: Desk, audio: Any) -> None:
    frame, first = desk.clock.frame, time.time() + 0.3
    second = first + 1000 / RATE
    client.throw(timed(0, timed(second, packet("/level", 0.05)), timed(first, packet("/hit"))).dgram)
    client.settle()
    after = time.time()
    for _ in range(2000):
        audio.process()
    (hit, hit_name), (level, _) = desk.done
    assert hit_name == "hit"
    assert (first - after) * RATE - 1 <= hit - frame <= (first - desk.made) * RATE + 1  # it ticked in between
    assert level - hit == pytest.approx(1000, abs=BLOCK)


@pytest.mark.parametrize("audio", ["live"], indirect=True)
def test_a_late_message_is_carried_out_now(client: Client, desk: Desk, audio: Any) -> None:
    frame = desk.clock.frame
    client.throw(timed(time.time() - 5, packet("/hit")).dgram)
    client.send("/level", 0.05)
    client.settle()
    after = time.time()
    for _ in range(2000):
        audio.process()
    (hit, name), (level, _) = desk.done
    assert name == "hit" and frame <= hit <= level <= frame + (after - desk.made) * RATE + 1  # it ticked in between


def test_a_time_tag_may_be_a_minute_ahead(client: Client, desk: Desk, audio: Any) -> None:
    client.throw(timed(time.time() + 59, packet("/hit")).dgram)
    client.throw(timed(time.time() + 3600, packet("/hit")).dgram)
    [(address, [where, text])] = client.settle()
    assert (address, where) == ("/error", "/hit") and "choose 60 at most" in text


# errors


@pytest.mark.parametrize(
    ("address", "values", "text"),
    [
        ("/nowhere", (1,), "There is no address /nowhere"),
        ("/track/9/mute", (1,), "There is no address /track/9/mute"),
        ("/track/[/mute", (1,), "There is no address /track/[/mute"),
        ("/level", (0.2,), "level is 0.2: choose 0 to 0.1"),
        ("/level", (float("nan"),), "choose 0 to 0.1"),
        ("/level", ("loud",), "level is 'loud'"),
        ("/level", (), "takes 1 argument (level), not 0"),
        ("/level", (0.1, 0.1), "not 2"),
        ("/level", (b"1234",), "type 'b' are not accepted"),
        ("/hit", (float("nan"),), "takes no arguments, not 1"),
        ("/hit", ("now",), "takes no arguments, not 1"),
        ("/hit", (1, 1), "takes no arguments, not 2"),
        ("/subscribe", ("x",), "choose a whole number, 1 to 65535"),
        ("/midi/learn", ("/level",), "start with --midi NAME"),
        ("/mode", ("note\nor\tpath",), "choose one of note, path"),
        ("/track/1/count", (1.5,), "whole number"),
        ("/track/1/mute", (2,), "choose 1 (on) or 0 (off)"),
        ("/subscribe", (1, 2), "not 2 arguments"),
        ("/subscribe", (70000,), "choose a whole number, 1 to 65535"),
    ],
)
def test_a_wrong_message_is_answered_with_an_error(
    client: Client, address: str, values: tuple[Any, ...], text: str
) -> None:
    client.send(address, *values)
    [(told, [where, said])] = client.settle()
    assert (told, where) == ("/error", address) and text in said and "\n" not in said


@pytest.mark.parametrize(
    "datagram",
    [
        b"", b"\0" * 64, b"#bundle\0", b"/level\0\0,i\0\0", b"/a\0\0" * 4000, b"/level\0\0,N\0\0", b"/level\0\0,I\0\0",
        b"/level\0\0abcdefgh", b"/level\0\0,[f\0\0\0\0\0", b"/subscribe\0\0ab\0\0", b"/midi/learn\0abc",
    ],
)  # fmt: skip
def test_no_packet_disturbs_the_server(client: Client, desk: Desk, audio: Any, datagram: bytes) -> None:
    client.throw(datagram)
    assert [address for address, _ in client.settle()] == ["/error"]
    client.send("/level", 0.05)
    client.settle()
    audio.process()
    assert desk.level == 0.05


def test_errors_about_long_texts_are_short(client: Client) -> None:
    client.send("/name", "x" * 4000 + "!")
    client.send("/" + "y" * 4000, 1)
    for _, (where, text) in client.settle():
        assert len(where) <= 240 and len(text) <= 240


def test_errors_are_rate_limited(client: Client) -> None:
    begun = int(time.monotonic())
    for _ in range(150):
        client.send("/nowhere")
        time.sleep(0.0001)
    errors = client.settle()
    assert 20 <= len(errors) <= 20 * (int(time.monotonic()) - begun + 1)


def test_the_player_is_told_of_refused_messages_now_and_then(
    client: Client, notices: Notices, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = 0.0
    clock = {**vars(time), "monotonic": lambda: time.monotonic() + ahead}
    monkeypatch.setattr(osc, "time", SimpleNamespace(**clock))
    monkeypatch.setattr(osc, "NOTICE_SECONDS", 1000.0)
    client.send("/level", 7)
    wait_for(notices.shown)
    assert notices.printed() == ["OSC from 127.0.0.1 refused: /level: level is 7: choose 0 to 0.1"]
    for number in range(100):
        client.send(f"/no\x1b[31m/{number}")
        client.settle()
    assert notices.printed() == []
    ahead = 1000.0
    wait_for(lambda: "/99;" in notices.shown())
    [told] = notices.printed()
    assert "There is no address /no?[31m/99;" in told and told.endswith("(99 more)")


def wait_for(met: Callable[[], Any]) -> None:
    end = time.monotonic() + PATIENCE
    while not met():
        assert time.monotonic() < end, "nothing comes"
        time.sleep(0.01)


def test_a_failure_does_not_end_the_server(client: Client, server: OscServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(datagram: bytes) -> Any:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(osc, "read", fail)
    client.send("/level", 0.05)
    wait_for(lambda: server.statistics().failures)
    monkeypatch.undo()
    assert client.settle() == [] and "a mistake of ours" in server.statistics().last_failure


def test_a_network_that_is_gone_for_a_while_does_not_end_the_server(
    client: Client, server: OscServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = server._socket

    class Gone:
        def recvfrom(self, size: int) -> Any:
            raise OSError(errno.ENETDOWN, "Network is down")

    monkeypatch.setattr(server, "_socket", Gone())
    client.send("/hit")
    wait_for(lambda: server.statistics().failures)
    monkeypatch.setattr(server, "_socket", whole)
    assert client.settle() == []


def test_knobs_are_learned_by_a_message(desk: Desk, audio: Any) -> None:
    asked: list[str] = []

    def learn(address: str) -> None:
        if address == "/bad":
            raise MapError("there is no address '/bad'")
        asked.append(address)

    with OscServer(desk, 0, learn=learn) as server:
        client = Client(server)
        client.send("/midi/learn", "/level")
        client.send("/midi/learn", "")
        assert client.settle() == [] and asked == ["/level", ""]
        client.send("/midi/learn", "/bad")
        client.send("/midi/learn", 1)
        assert [text for _, (_, text) in client.settle()] == [
            "there is no address '/bad'", '/midi/learn takes an address such as "/level", or "" for none'
        ]  # fmt: skip
        client.socket.close()


def test_a_server_that_does_not_tick_says_so(client: Client, desk: Desk) -> None:
    for _ in range(MESSAGES):
        desk.do("/hit")
    client.send("/hit")
    [(_, (where, text))] = client.settle()
    assert where == "/hit" and "commands wait already" in text


# what subscribers hear


def test_a_subscriber_hears_every_value_and_what_changes(client: Client, desk: Desk, audio: Any) -> None:
    client.send("/subscribe")
    state = dict(client.hear() for _ in range(len(desk.values)))
    assert state == {address: pytest.approx(list(values)) for address, values in desk.values.items()}
    desk.setMute(1, 1)
    desk.step = 5
    audio.process()
    client.hear_until("/track/2/mute", 1)
    client.hear_until("/position", 5)
    client.hear_until("/meters", 0.5, 0.25)
    client.hear_until("/status", 0.25, 3, 12)


def test_another_port_of_the_same_host_may_hear(connect: Callable[[], Client], desk: Desk, audio: Any) -> None:
    surface, screen = connect(), connect()
    surface.send("/subscribe", screen.port)
    screen.hear_until("/mode", "note")
    assert surface.settle() == []
    surface.send("/unsubscribe", float(screen.port))
    surface.settle()
    heard_all(screen)
    desk.setMode("path")
    audio.process()
    assert heard_all(screen) == []


def heard_all(client: Client) -> list[tuple[str, list[Any]]]:
    """Everything that comes, until nothing comes for a while."""
    client.socket.settimeout(0.2)
    heard: list[tuple[str, list[Any]]] = []
    try:
        while True:
            heard.append(client.hear())
    except TimeoutError:
        return heard
    finally:
        client.socket.settimeout(PATIENCE)


def test_a_subscription_ends_and_is_renewed(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(osc_subscribers, "SUBSCRIPTION_SECONDS", 0.1)
    client.send("/subscribe")
    client.hear_until("/mode")
    heard_all(client)  # ends, as nothing comes any more
    client.send("/subscribe")
    client.hear_until("/mode")


def test_there_are_at_most_eight_subscribers(connect: Callable[[], Client], desk: Desk, audio: Any) -> None:
    clients = [connect() for _ in range(9)]
    for client in [*clients[:8], clients[0]]:
        client.send("/subscribe")
        client.hear_until("/mode")
    clients[8].send("/subscribe")
    [(_, (where, text))] = clients[8].settle()
    assert where == "/subscribe" and "8 subscribers already" in text
    clients[3].send("/unsubscribe")
    clients[3].settle()
    clients[8].send("/subscribe")
    clients[8].hear_until("/mode")


def test_a_vanished_client_does_not_disturb_others(connect: Callable[[], Client], desk: Desk, audio: Any) -> None:
    gone, stays = connect(), connect()
    for client in (gone, stays):
        client.send("/subscribe")
        client.settle()
    gone.socket.close()
    for count in range(1, 20):
        desk.setCount(0, count)
        audio.process()
        stays.hear_until("/track/1/count", count)


def test_a_moving_fader_does_not_hear_its_own_value() -> None:
    subscriber = Subscriber(("127.0.0.1", 1), 60.0, touched={"/level": 10.0})
    subscriber.pending = {"/level": (0.5,), "/mode": ("note",)}
    assert subscriber.ready(10.1) == [("/mode", ("note",))]
    assert subscriber.ready(10.3) == [("/level", (0.5,))]
    assert subscriber.ready(10.4) == []


def test_a_moved_fader_hears_the_final_value(connect: Callable[[], Client], audio: Any) -> None:
    mover, other = connect(), connect()
    for client in (mover, other):
        client.send("/subscribe")
        client.settle()
    for value in (0.01, 0.02, 0.03):
        mover.send("/level", value)
    mover.settle()
    audio.process()
    for client in (mover, other):
        client.hear_until("/level", 0.03)


def test_after_too_many_changes_all_values_are_sent(
    connect: Callable[[], Client], desk: Desk, audio: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect()
    client.send("/subscribe")
    client.hear_until("/name")
    desk.setMode("path")  # lost among so many
    audio.process()
    for number in range(osc.CHANGES + 10):
        desk.tell("/position", number % 16)
    client.hear_until("/mode", "path")


# floods


def test_a_flood_is_survived_without_using_memory(client: Client, desk: Desk, audio: Any) -> None:
    datagrams = [packet("/track/1/count", number % 100).dgram for number in range(100)]
    datagrams += [packet(f"/no/{number}").dgram for number in range(20)] + [b"#bundle\0rubbish"]
    tracemalloc.start()
    flooding = threading.Thread(target=lambda: [client.throw(each) for _ in range(1000) for each in datagrams])
    flooding.start()
    blocks = 0
    while flooding.is_alive():
        audio.process()
        blocks += 1
        time.sleep(BLOCK / RATE)  # leaves Python to the others
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert blocks > 10 and peak < 20e6
    ended = time.monotonic() + PATIENCE
    while desk.level != 0.05 and time.monotonic() < ended:  # some are lost in what is left of it
        client.send("/level", 0.05)
        time.sleep(0.02)
        audio.process()
    assert desk.level == 0.05 and client.settle()[0][0] == "/error"
    assert desk.clock.statistics().failures == 0


# who is heard


def test_at_first_only_this_computer_is_heard(server: OscServer) -> None:
    assert server.networks == () and server.address[0] == "127.0.0.1"
    assert allowed("127.0.0.2", ()) and allowed("::1", ()) and not allowed("192.168.1.7", ())


@pytest.mark.parametrize(
    ("host", "named", "taken"),
    [
        ("192.168.1.5", [], ["192.168.1.0/24"]),
        ("169.254.3.4", [], ["169.254.3.0/24"]),
        ("::ffff:192.168.1.5", [], ["192.168.1.0/24"]),
        ("::ffff:127.0.0.1", [], []),
        ("fd00:1:2:3::5", [], ["fd00:1:2:3::/64"]),
        ("192.168.1.5", ["10.0.0.0/8", "192.168.2.7/32"], ["10.0.0.0/8", "192.168.2.7/32"]),
        ("0.0.0.0", ["192.168.1.0/24"], ["192.168.1.0/24"]),
        ("127.0.0.1", [], []),
        ("::1", [], []),
    ],
)
def test_subnets_are_those_named_or_the_hosts_own(host: str, named: list[str], taken: list[str]) -> None:
    assert [str(each) for each in subnets(host, [ipaddress.ip_network(each) for each in named])] == taken


@pytest.mark.parametrize(
    ("host", "named", "text"),
    [
        ("0.0.0.0", [], "open to any network: name those that may play, --osc-from"),
        ("::", [], "open to any network"),
        ("8.8.8.8", [], "open to any network"),
        ("::ffff:8.8.8.8", [], "open to any network"),
        ("localhost", [], "'localhost' is no IP address: give one of this computer, such as 127.0.0.1"),
        ("127.0.0.1", ["10.0.0.0/8"], "no other computer reaches 127.0.0.1"),
    ],
)
def test_an_open_door_needs_a_name(desk: Desk, host: str, named: list[str], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        OscServer(desk, 0, host, networks=[ipaddress.ip_network(each) for each in named])


@pytest.mark.parametrize(
    ("source", "heard"),
    [
        ("192.168.1.77", True), ("192.168.2.77", False), ("10.0.0.1", False), ("127.0.0.1", True), ("::1", True),
        ("::ffff:192.168.1.77", True), ("::ffff:10.0.0.1", False), ("fe80::1%eth0", False),
    ],
)  # fmt: skip
def test_only_the_subnets_named_are_heard(source: str, heard: bool) -> None:
    assert allowed(source, (ipaddress.IPv4Network("192.168.1.0/24"),)) == heard


def test_a_stranger_changes_nothing_and_hears_nothing_and_is_shown(
    desk: Desk, audio: Any, notices: Notices, monkeypatch: pytest.MonkeyPatch
) -> None:
    with OscServer(desk, 0, "0.0.0.0", networks=[ipaddress.ip_network("192.0.2.0/24")], notices=notices) as server:
        server.address = ("127.0.0.1", server.address[1])
        monkeypatch.setattr(osc, "allowed", lambda host, networks: host != "127.0.0.1" and allowed(host, networks))
        client = Client(server)
        client.send("/level", 0.05)
        client.send("/subscribe")
        wait_for(notices.shown)
        audio.process()
        assert desk.level == 0 and heard_all(client) == [] and server.statistics().messages == 0
        assert notices.shown().startswith("OSC from 127.0.0.1 refused: it is not in 192.0.2.0/24; --osc-from names")
        client.socket.close()


def test_an_address_of_version_6_plays(desk: Desk, audio: Any) -> None:
    with (
        OscServer(desk, 0, "::1") as server,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as surface,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as screen,
    ):
        for each in (surface, screen):
            each.bind(("::1", 0))
            each.settimeout(PATIENCE)
        surface.sendto(packet("/subscribe", screen.getsockname()[1]).dgram, server.address)
        assert OscMessage(screen.recv(65536)).address in desk.values
        surface.sendto(packet("/nowhere").dgram, server.address)
        assert OscMessage(surface.recv(65536)).address == "/error"


# the port


def test_a_port_in_use_is_refused(server: OscServer, desk: Desk) -> None:
    port = server.address[1]
    with pytest.raises(OSError, match=f"^Port {port} is taken: choose another with --osc PORT$"):
        OscServer(desk, port).start()


def test_a_port_out_of_range_is_refused(desk: Desk) -> None:
    with pytest.raises(OSError, match="^There is no port 70000: choose another with --osc PORT, 1024 to 65535$"):
        OscServer(desk, 70000).start()


def test_a_reserved_port_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    class Forbidden(socket.socket):
        def bind(self, address: Any) -> None:  # as Linux does, but for root
            raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(osc.socket, "socket", Forbidden)
    with pytest.raises(
        OSError, match="^Port 80 is reserved for the system: choose another with --osc PORT, 1024 or above$"
    ):
        OscServer(desk, 80).start()


def test_a_foreign_host_is_refused(desk: Desk) -> None:
    with pytest.raises(OSError, match="^192.0.2.1 is not an address of this computer"):
        OscServer(desk, 0, host="192.0.2.1").start()


def test_after_its_end_nothing_is_left(desk: Desk, audio: Any) -> None:
    server = OscServer(desk, 0)
    for _ in range(2):
        with server:
            assert len(desk.listeners) == 1
        assert desk.listeners == [] and not [each for each in threading.enumerate() if each.name == "osc"]
    with OscServer(desk, server.address[1]):
        pass
    server.stop()


# the table


def test_the_table_names_every_address() -> None:
    table = address_table(Desk)
    lines = table.splitlines()
    for address in (
        "/level",
        "/track/<track>/mute",
        "/hit",
        "/subscribe",
        "/unsubscribe",
        "/ping",
        "/position",
        "/meters",
    ):
        assert sum(line.startswith(f"| `{address}` |") for line in lines) == 1
    assert "| `/level` | level: number, 0 to 0.1 | How loud. |" in lines
    assert r"This \| that." in table
    assert all(line.replace(r"\|", "").count("|") == 4 for line in lines if line)
