"""Pyo plays exactly the samples of a port; controls are numbers, lists, or pyo objects that are followed."""

from __future__ import annotations

import subprocess
import sys
import weakref
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ngs.pyo_instruments import Number
from ngs.pyo_instruments.players.engine_port import EnginePort
from ngs.pyo_instruments.players.inlet import Inlet
from ngs.pyo_instruments.players.port import Port
from ngs.runtime.arrays import Array
from ngs.runtime.synth.controls import CONTROLS

pyo = pytest.importorskip("pyo")

RATE, BLOCK = 48000, 128


class Noise(Port):
    """Seeded noise; `made` has the blocks so far."""

    def __init__(self, streams: int = 1, mul: Any = 1, add: Any = 0) -> None:
        super().__init__(streams, mul, add)
        self.made: list[Array] = []
        self._rng = np.random.default_rng(7)

    def render(self, out: Array) -> None:
        out[:] = self._rng.uniform(-1, 1, out.shape)
        self.made.append(out.copy())

    @property
    def sound(self) -> Array:
        return np.concatenate(self.made, axis=1).T


def test_pyo_plays_exactly_the_samples_of_a_port(room: Any, master: np.float32) -> None:
    noise = Noise(2).out()
    heard = room.hear(50)
    assert heard.shape == (50 * BLOCK, 2)
    np.testing.assert_array_equal(heard, noise.sound * master)


def test_mul_and_add_are_numbers_lists_or_objects(room: Any, master: np.float32) -> None:
    number, listed, turned_by = Noise(mul=0.5, add=0.25), Noise(mul=[0.5, 0.25]), Noise(mul=pyo.Sig(0.5))
    assert [len(each) for each in (number, listed, turned_by)] == [1, 2, 1]
    for port, wanted in ((number, [0.5]), (listed, [0.5, 0.25]), (turned_by, [0.5])):
        port.out()
        heard = room.hear(3)
        sound = np.concatenate(port.made[-3:], axis=1)[0]
        for channel, factor in enumerate(wanted):
            offset = 0.25 * (port is number)
            np.testing.assert_allclose(heard[:, channel], (factor * sound + offset) * master, atol=1e-6)
        port.stop()
    number.mul = 2.0
    number.out()
    assert np.abs(room.hear(3)[:, 0] - 0.25).max() > 1


def test_a_stopped_port_goes_on_in_silence(room: Any, master: np.float32) -> None:
    noise = Noise().out()
    room.hear(3)
    noise.stop()
    assert not room.hear(3).any()
    noise.out(1)
    heard = room.hear(3)
    np.testing.assert_array_equal(heard[:, 1], noise.sound[-3 * BLOCK :, 0] * master)
    assert not heard[:, 0].any() and len(noise.made) == 9


def test_a_failed_block_is_counted_and_the_next_one_plays(room: Any) -> None:
    noise = Noise().out()
    room.hear(2)
    render, noise.render = noise.render, None  # type: ignore[assignment, method-assign]
    room.hear(2)
    assert room.clock.statistics().failures == 2
    noise.render = render  # type: ignore[method-assign]
    assert room.hear(2).any() and room.clock.statistics().failures == 2


def test_a_port_that_fails_is_silent(room: Any) -> None:
    noise = Noise().out()
    assert room.hear(2).any()
    noise.render = None  # type: ignore[assignment, method-assign]
    assert not room.hear(2).any()


def test_peaks_rise_at_once_and_fall_slowly(room: Any) -> None:
    noise = Noise(2)
    room.hear(4)
    first = noise.peaks()
    np.testing.assert_allclose(first, np.abs(noise.sound).max(axis=0), rtol=0.1)
    noise.render = lambda out: out.fill(0.0)  # type: ignore[method-assign]
    room.hear(375)
    np.testing.assert_allclose(noise.peaks(), np.array(first) * 10 ** (-40 / 20), rtol=0.05)


def test_a_deleted_port_is_freed_and_its_readers_play_silence(room: Any) -> None:
    noise = Noise()
    half = (noise * 0.5).out()
    assert room.hear(3).any()
    gone = weakref.ref(noise)
    del noise
    assert gone() is None
    assert not room.hear(3).any() and len(half) == 1


def test_python_survives_reference_cycles_of_ports_and_readers() -> None:
    """Pyo frees the samples of a table while others read them, which crashes Python. Ours are never freed."""
    program = """
import gc, numpy as np
from ngs.pyo_instruments.timing.clock import Clock
from ngs.pyo_instruments import Number
from ngs.pyo_instruments.players.engine_port import EnginePort
from ngs.pyo_instruments.players.inlet import Inlet
from ngs.pyo_instruments.players.port import Port
import pyo
class Zeros(Port):
    def render(self, out): out[:] = 0
server = pyo.Server(sr=48000, buffersize=128, duplex=0, audio="manual", verbosity=0).boot()
clock = Clock.of(server)
server.start()
for _ in range(50):
    port = Zeros(2)
    inlet = Inlet(port)
    port.itself = [port, inlet, pyo.Sig(port)]
    for _ in range(20): server.process()
    del port, inlet
    gc.collect()
    waste = [{"a": [1] * 50} for _ in range(2000)]
assert not any(each() for each in clock._nodes)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_a_process_may_boot_more_servers_than_pyo_has_at_a_time(rooms: Any) -> None:
    """Tables keep their server, and pyo has 256: so tables that nobody holds are used again."""
    for _ in range(300):
        with rooms() as room:
            port = Noise(2).out()
            assert room.hear(2).any()
            del port


def test_a_table_that_somebody_holds_is_not_used_again(rooms: Any) -> None:
    def memory(port: Noise) -> set[int]:
        return {view.ctypes.data for view in port._views}

    with rooms():
        port = Noise(3)
        assert not memory(port) & memory(Noise(3)), "both play on one server"
    with rooms():
        assert not memory(port) & memory(Noise(3)), "the first is still there"


# inlets


def test_an_inlet_has_exactly_the_samples_one_block_later(room: Any, master: np.float32) -> None:
    sines = pyo.Sine([100, 333]).out()
    inlet = Inlet(sines)
    heard, taken = [], []
    room.hear(1)
    for _ in range(20):
        taken.append(np.stack(inlet.views, axis=1))
        heard.append(room.hear(1))
    assert len(inlet) == 2 and np.concatenate(taken).std() > 0.5
    np.testing.assert_array_equal(np.concatenate(taken[1:]) * master, np.concatenate(heard[:-1]))


def test_an_inlet_crossfades_to_other_streams(room: Any) -> None:
    inlet = Inlet(pyo.Sig(0.25))
    room.hear(2)
    inlet.change(pyo.Sig(-0.5), 0.01)
    levels = []
    for _ in range(10):
        room.hear(1)
        levels.append(inlet.views[0].copy())
    path = np.concatenate(levels)
    assert path[0] > 0.2 and np.allclose(path[-BLOCK:], -0.5, atol=1e-6)
    assert np.abs(np.diff(path)).max() < 0.05  # a square-root fade, not a step of 0.75


def test_an_inlet_finds_triggers(room: Any) -> None:
    inlet = Inlet(pyo.Metro(0.01).play() * 0.5)
    found = []
    for block in range(20):
        room.hear(1)
        found += [(block * BLOCK + offset, gain) for offset, gain in inlet.triggers(1)]
    assert len(found) >= 4 and {gain for _, gain in found} == {0.5}
    assert all(abs(later - earlier - 480) <= 1 for (earlier, _), (later, _) in zip(found, found[1:], strict=False))


# ports of engines


class FakeEngine:
    """Plays silence."""

    channels, outputs, latency = 1, 2, 100

    def __init__(self) -> None:
        self.started = self.stopped = 0

    def start(self) -> None:
        self.started += 1

    def stop(self) -> None:
        self.stopped += 1

    def read(self, out: Array) -> None:
        out[:] = 0


class Turning(EnginePort):
    controls = {
        "gain": replace(CONTROLS["gain"], help="How loud."),
        "pitch": replace(CONTROLS["pitch"], help="How high."),
    }

    def __init__(self, **controls: Any) -> None:
        self.turns: list[tuple[int, int, dict[str, float]]] = []
        super().__init__(FakeEngine(), **controls)

    def turn(self, output: int, **controls: float) -> None:
        self.turns.append((self.clock.now, output, controls))


def test_a_control_is_a_number_or_a_list_and_is_set_in_three_ways(room: Any) -> None:
    port = Turning(gain=0.5, pitch=[1, 2])
    assert port.turns == [(0, 0, {"gain": 0.5}), (0, 1, {"gain": 0.5}), (0, 0, {"pitch": 1}), (0, 1, {"pitch": 2})]
    port.turns.clear()
    room.hear(2)
    port.setGain(0.25)
    port.pitch = [3]
    port.give("gain", [1, 2, 3])
    assert port.turns == []
    room.hear(1)
    wanted = [{"gain": 0.25}, {"gain": 0.25}, {"pitch": 3}, {"pitch": 3}, {"gain": 1}, {"gain": 2}]
    assert port.turns == [(2 * BLOCK, number % 2, each) for number, each in enumerate(wanted)]
    assert port.gain == [1, 2, 3] and port.pitch == [3]
    assert Turning.setGain.__doc__ == "Replace the `gain`: How loud." and Turning.pitch.__doc__ == "How high."


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("gain", 5, "gain is 5.0: choose 0 to 4"),
        ("pitch", [0, 30], "pitch is 30.0: choose -24 to 24"),
        ("gain", float("nan"), "gain is nan"),
        ("gain", "loud", "could not convert string to float: 'loud'"),
        ("volume", 1, "There is no control 'volume'; known: gain, pitch"),
    ],
)
def test_wrong_values_are_refused_at_once(room: Any, name: str, value: Any, told: str) -> None:
    port = Turning(gain=1)
    port.turns.clear()
    with pytest.raises(ValueError, match=told):
        port.give(name, value)
    room.hear(2)
    assert port.turns == [] and port.gain == 1


def test_an_object_is_followed_every_10_ms_within_the_range(room: Any) -> None:
    port = Turning(gain=1)
    port.turns.clear()
    port.gain = pyo.Phasor([20, 50], mul=6, add=-1)
    room.hear(200)
    frames = [now for now, stream, _ in port.turns if stream == 0]
    pace = round(0.01 * RATE / BLOCK) * BLOCK
    assert frames == sorted(set(frames)) and all(frame % pace == 0 for frame in frames)
    for stream in range(2):
        turns = {now: each["gain"] for now, number, each in port.turns if number == stream}
        assert min(turns.values()) == 0 and max(turns.values()) == 4
        assert 30 < len(turns) <= 200 * BLOCK // pace + 1
    port.gain = 0.5
    room.hear(20)
    assert port.turns[-2:] == [(200 * BLOCK, 0, {"gain": 0.5}), (200 * BLOCK, 1, {"gain": 0.5})]


def test_a_constant_object_sets_a_control_once(room: Any) -> None:
    port = Turning()
    port.turns.clear()
    port.gain = pyo.Sig(0.75)
    room.hear(50)
    assert [each for _, _, each in port.turns][-2:] == 2 * [{"gain": 0.75}] and len(port.turns) <= 4


def test_the_engine_starts_and_stops_with_the_port(room: Any) -> None:
    port = Turning()
    engine = port.engine
    assert (engine.started, engine.stopped) == (1, 0) and port.latency == 100 + BLOCK
    del port
    assert engine.stopped == 1


def test_a_control_is_the_argument_of_a_command() -> None:
    assert Turning.number("pitch") == Number("pitch", -24, 24, 0, "semitones")
    assert Turning.number("gain", name="level", high=2) == Number("level", 0, 2, 1)
