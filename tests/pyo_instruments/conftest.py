"""A pyo server whose blocks the tests ask for, with its clock."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.tiny import tiny_arrays, tiny_graphs, tiny_manifest

from ngs.pyo_instruments.timing.clock import Clock, LiveClock
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.manifest import Attribute
from ngs.runtime.bundle.writer import write_bundle
from ngs.runtime.resynthesis.resynthesis_engine import ResynthesisEngine

pyo = pytest.importorskip("pyo")

RATE, BLOCK = 48000, 128
PITCHES = ("C4", "A4", "C5")
PATIENCE_SECONDS = 60.0  # for threads; no assertion


class Room:
    """A server that makes a block when it is told to.

    live: it has a live clock, and threads make the sound; each block waits until they have done what they can, so that
    nothing is late.
    """

    def __init__(self, rate: int = RATE, live: bool = False, settled: bool = True, block: int = BLOCK) -> None:
        self.server = pyo.Server(sr=rate, nchnls=2, buffersize=block, duplex=0, audio="manual", verbosity=0).boot()
        self.clock = LiveClock(self.server._server) if live else Clock.of(self.server)
        self._settled = settled

    def hear(self, blocks: int) -> Array:
        """What so many blocks sound like, float32 [frames, 2]."""
        heard: list[Array] = []

        def take(block: Array) -> None:
            heard.append(block.copy())

        self.start()
        self.clock.taps.append(take)
        end = self.clock.frame + blocks * self.clock.block
        while self.clock.frame < end:
            self.settle()
            self.server.process()
        self.clock.taps.remove(take)
        take(self.clock._output)
        return np.concatenate(heard[len(heard) - blocks :])

    def hear_seconds(self, seconds: float) -> Array:
        return self.hear(round(seconds * self.clock.sample_rate / self.clock.block))

    def start(self) -> None:
        if not self.server.getIsStarted():
            self.server.start()

    def settle(self) -> None:
        """Wait for the threads of the players."""
        if not (isinstance(self.clock, LiveClock) and self._settled):
            return
        end = time.monotonic() + PATIENCE_SECONDS
        self.clock._preparer.ask(lambda: None).result(PATIENCE_SECONDS)  # after all that was asked for before
        while not all(_done(reference()) for reference in self.clock._nodes):
            assert time.monotonic() < end, "the threads do not come to an end"
            time.sleep(0.0002)

    def close(self) -> None:
        self.server.stop()
        self.clock.close()
        self.server.shutdown()


def _done(node: Any) -> bool:
    """Whether a player's thread has done what it can before the next block."""
    engine, pads = getattr(node, "engine", None), getattr(node, "pads", None)
    if pads is not None:
        return all(store.missing(pads.ready) is None for store in pads._stores)
    if isinstance(engine, ResynthesisEngine):
        return not engine._schedule.sent and bool(engine._out.written == engine._in.written + engine.ahead)
    return engine is None or bool(not engine._schedule.sent and engine._ring.filled + engine.block > engine.latency)


@pytest.fixture
def rooms() -> Callable[..., contextlib.AbstractContextManager[Room]]:
    """Opens rooms, one after the other."""

    @contextlib.contextmanager
    def opened(**how: Any) -> Iterator[Room]:
        room = Room(**how)
        try:
            yield room
        finally:
            room.close()

    return opened


@pytest.fixture
def room(rooms: Callable[..., contextlib.AbstractContextManager[Room]]) -> Iterator[Room]:
    with rooms() as room:
        yield room


@pytest.fixture(scope="session")
def master() -> np.float32:
    """What a server's fade-in ends at: a factor just below 1, by some -120 dB, on everything that is heard."""
    room = Room()
    sig = pyo.Sig(1).out()
    heard = room.hear(500)[:, 0]
    room.close()
    assert sig and (heard == heard[0]).all() and abs(heard[0] - 1) < 1e-5
    return np.float32(heard[0])


@pytest.fixture(scope="session")
def drums() -> Bundle:
    """The bundle that comes with ngs."""
    return Bundle.open()


@pytest.fixture(scope="session")
def pitched(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle whose classes are pitches."""
    graphs, path = tiny_graphs(), tmp_path_factory.mktemp("bundle") / "pitched.ngs"
    write_bundle(
        path, replace(tiny_manifest(), attributes=(Attribute("pitch", PITCHES),)), graphs, tiny_arrays(graphs), False
    )
    return Bundle.open(path)
