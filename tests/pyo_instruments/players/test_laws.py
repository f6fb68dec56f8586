"""The laws that every player obeys: live equals offline, sliders have setters, threads end with their player."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from ngs.pyo_instruments import GrainPlayer, HitPlayer, Morpher, NotePlayer, Resynth
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle

pyo = pytest.importorskip("pyo")

Score = Sequence[tuple[int, Callable[[Any], object]]]  # frame and change


def grains(bundle: Bundle, **more: Any) -> GrainPlayer:
    density = pyo.Sine(3, mul=0.5, add=0.5)
    return GrainPlayer(bundle, ["circle", "walk"], scatter=[0.1, 0.4], density=density, seed=9, **more)


def hits(bundle: Bundle, **more: Any) -> HitPlayer:
    return HitPlayer(bundle, ["Kick", "Snare", "Hat"], trig=pyo.Metro(0.0501).play(), seed=5, **more)


def morpher(bundle: Bundle, **more: Any) -> Morpher:
    return Morpher(bundle, period=0.11, morph=pyo.Sine(1, mul=0.5, add=0.5), **more)


def notes(bundle: Bundle, **more: Any) -> NotePlayer:
    return NotePlayer(bundle, pan=pyo.Sine(2), seed=3, **more)


def resynth(bundle: Bundle, **more: Any) -> Resynth:
    signal = pyo.Sine([150, 271], mul=pyo.LFO(5, mul=0.2, add=0.25))
    return Resynth(signal, bundle, "Kick", bal=pyo.Sine(2, mul=0.5, add=0.5), **more)


@dataclass(frozen=True)
class Case:
    """A player, changes to it within a second, and what it should have."""

    make: Callable[..., Any]
    score: Score
    sliders: list[str]  # for the controls that `make` gives no object
    bad: set[str]  # statistics that should be 0
    streams: int = 2


ENGINE = {"failures", "late", "late_events", "skipped", "dropped"}
CASES = {
    "GrainPlayer": Case(
        grains,
        [
            (3001, lambda player: player.setPitch([3, -5])),
            (6000, lambda player: player.setPath(["spiral", "linear"])),
            (9001, lambda player: player.setSpeed(-2)),
            (20000, lambda player: player.setChoices("Hat")),
            (30011, lambda player: player.setFreeze([0, 1])),
            (36000, lambda player: player.setGain(pyo.Sig(0.3))),
        ],
        ["speed", "freeze", "scatter", "pitch", "position", "morph", "gain"],
        ENGINE,
    ),
    "HitPlayer": Case(
        hits,
        [
            (3000, lambda player: player.setPitch([0, 5, -7])),
            (9001, lambda player: player.setTemperature(1.4)),
            (9002, lambda player: player.set(1, source="path")),
            (14000, lambda player: player.setDecay([0.05, 0, 0])),
            (18000, lambda player: player.setFresh(0)),
            (30000, lambda player: player.resample(2)),
            (33000, lambda player: player.setClasses(["Hat", "Kick", "Snare"])),
            (34567, lambda player: player.hit(1, 0.3)),
        ],
        ["temperature", "pitch", "decay"],
        {"failures", "stale", "dropped"},
        streams=3,
    ),
    "Morpher": Case(
        morpher,
        [
            (3001, lambda player: player.setPitch(5)),
            (9001, lambda player: player.setStart(7)),
            (12001, lambda player: player.play_note(0.4)),
            (20000, lambda player: player.setChoices("Snare")),
            (25000, lambda player: player.setPan(-0.5)),
            (36001, lambda player: player.setPeriod(0.05)),
        ],
        ["speed", "scatter", "density", "pitch", "pan", "gain"],
        ENGINE,
    ),
    "NotePlayer": Case(
        notes,
        [
            (0, lambda player: player.note_on(1, "Kick", 0.7)),
            (3001, lambda player: player.note_on(2, "Hat", 0.5, 7)),
            (9001, lambda player: player.bend(-2)),
            (12345, lambda player: player.setScatter(0.5)),
            (20000, lambda player: player.note_off(1)),
            (30000, lambda player: player.setGain(0.3)),
            (36001, lambda player: player.note_on(2, "Snare", 1.0)),
        ],
        ["scatter", "density", "gain"],
        ENGINE,
    ),
    "Resynth": Case(
        resynth,
        [
            (3001, lambda player: player.setScatter(0.5)),
            (9001, lambda player: player.setChoices("Hat")),
            (20000, lambda player: player.setFreeze(1)),
            (26001, lambda player: player.setFreeze(0)),
            (30000, lambda player: player.setGain(0.3)),
            (36001, lambda player: player.setBal(0.5)),
        ],
        ["style", "gain", "freeze", "scatter", "density"],
        {"failures", "late", "skipped"},
    ),
}

every_player = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def played(room: Any, bundle: Bundle, case: Case) -> Array:
    """A second of a player, with the changes of its score."""
    player = case.make(bundle)
    mixed = player.mix(2).out()
    for at, act in case.score:
        room.clock.send(lambda act=act: act(player), at)
    heard = room.hear_seconds(1)
    told = player.statistics()
    assert room.clock.statistics().failures == room.clock.statistics().unprepared == 0 and len(mixed) == 2
    assert {name: told[name] for name in case.bad} == dict.fromkeys(case.bad, 0)
    return np.asarray(heard)


@every_player
def test_live_equals_offline(rooms: Any, bundle: Bundle, case: Case) -> None:
    sounds = []
    for live in (False, True):
        with rooms(live=live) as room:
            sounds.append(played(room, bundle, case))
    assert np.abs(sounds[0]).max() > 0.1
    np.testing.assert_array_equal(sounds[0], sounds[1])


@every_player
def test_sliders_have_setters(room: Any, bundle: Bundle, case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyo.PyoObject, "ctrl", lambda *arguments: None)
    player = case.make(bundle)
    player.ctrl()
    assert [each.name for each in player._map_list] == case.sliders
    for each in player._map_list:
        getattr(player, f"set{each.name.capitalize()}")(each.max)
        assert getattr(player, each.name) == each.max
    room.hear(10)
    assert room.clock.statistics().failures == 0


@every_player
@pytest.mark.parametrize("live", [False, True])
def test_a_thread_ends_with_its_player(rooms: Any, bundle: Bundle, case: Case, live: bool) -> None:
    with rooms(live=live) as room:
        others = set(threading.enumerate())
        player = case.make(bundle).out()
        room.hear(20)
        threads, gone = set(threading.enumerate()) - others, weakref.ref(player)
        assert len(threads) == live
        del player
        assert gone() is None and not any(thread.is_alive() for thread in threads)
        assert not room.hear(5).any() and room.clock.statistics().failures == 0
        assert room.clock.players() == {}


@every_player
def test_a_list_of_factors_adds_channels_not_streams(room: Any, bundle: Bundle, case: Case) -> None:
    player = case.make(bundle, mul=[0.5] * (case.streams + 1))
    assert len(player) == case.streams + 1 and len(player.peaks()) == case.streams
    for name in case.sliders:
        setattr(player, name, player.controls[name].low)
    room.hear(10)
    assert room.clock.statistics().failures == 0
