"""NotePlayer plays exactly what a `Synth` plays, `latency` frames later: held, bent and released."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ngs.pyo_instruments import NotePlayer
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.synth.notes import Note
from ngs.runtime.synth.synth import Synth

pyo = pytest.importorskip("pyo")

RATE, BLOCK = 48000, 128
HELD = Note("Kick", hold=True)


def test_a_note_is_held_bent_and_released_as_on_a_synth(room: Any, bundle: Bundle, master: np.float32) -> None:
    notes = NotePlayer(bundle, release=0.3, seed=2).out()
    room.clock.send(lambda: notes.note_on(60, "Kick", 0.5, 2), at=1000)
    room.clock.send(lambda: notes.bend(1.5), at=9001)
    room.clock.send(lambda: notes.note_off(60), at=20007)
    heard = room.hear_seconds(0.9)
    synth, delay = Synth(bundle, RATE, 16), notes.latency
    controls = {"scatter": 0.0, "density": 1.0, "pan": 0.0, "gain": 0.5, "pitch": 2.0}
    synth.note_on(replace(HELD, seed=2, index=1, controls=controls), 1000 + delay)
    synth.set(1, 9001 + delay, pitch=3.5)
    synth.note_off(1, 0.3, 20007 + delay)
    np.testing.assert_array_equal(heard, synth.render(len(heard)).T * master)
    assert heard[15000:20000].std() > 0.01 and not heard[20007 + delay + 14400 :].any()


def test_keys_are_released_one_by_one(room: Any, bundle: Bundle) -> None:
    notes = NotePlayer(bundle, release=0.05).out()
    for key in (1, 2, 3):
        notes.note_on(key, "Hat")
    room.hear(100)
    assert notes.statistics()["voices"] == 3
    notes.note_off(2)
    notes.note_off(7)  # was never played
    room.hear(100)
    assert notes.statistics()["voices"] == 2
    notes.note_on(1, "Kick")  # replaces the note on the same key
    room.hear(100)
    assert notes.statistics()["voices"] == 2
    notes.note_off(1), notes.note_off(3)
    room.hear(100)
    assert notes.statistics()["voices"] == 0 and not room.hear(10).any()
    assert room.clock.statistics().failures == notes.statistics()["failures"] == 0


def test_one_note_too_many_replaces_the_oldest(room: Any, bundle: Bundle) -> None:
    notes = NotePlayer(bundle, voices=2).out()
    for key in range(3):
        notes.note_on(key, "Hat")
        room.hear(50)
    assert notes.statistics()["voices"] == 2 and room.hear(20).any()
    for key in range(3):
        notes.note_off(key)
    room.hear(150)
    assert notes.statistics()["voices"] == 0 and room.clock.statistics().failures == 0


def test_a_bend_applies_to_later_notes_and_stops_at_two_octaves(room: Any, bundle: Bundle, master: np.float32) -> None:
    notes = NotePlayer(bundle).out()
    notes.bend(20)
    notes.note_on(1, "Kick", pitch=10)
    heard = room.hear(60)
    synth = Synth(bundle, RATE, 16)
    controls = {"scatter": 0.0, "density": 1.0, "pan": 0.0, "gain": 1.0, "pitch": 24.0}
    synth.note_on(replace(HELD, index=1, controls=controls), notes.latency)
    np.testing.assert_array_equal(heard, synth.render(60 * BLOCK).T * master)
    notes.bend(-24)
    room.hear(1)
    assert room.clock.statistics().failures == 0


def test_the_gain_scales_velocities_up_to_its_maximum(room: Any, bundle: Bundle) -> None:
    notes = NotePlayer(bundle).out()
    notes.note_on(1, "Kick", gain=0.5)
    quiet = room.hear(100)[-6000:].std()
    notes.gain = 0.5
    quieter = room.hear(100)[-6000:].std()
    assert 0.3 < quieter / quiet < 0.7
    notes.note_on(2, "Kick", gain=4)
    room.hear(2)
    notes.gain = 4
    room.hear(10)
    assert room.clock.statistics().failures == notes.statistics()["failures"] == 0


def test_pan_changes_notes_that_sound(room: Any, bundle: Bundle) -> None:
    notes = NotePlayer(bundle, pan=-1).out()
    notes.note_on(1, "Kick")
    left = room.hear(80)[-3000:]
    notes.pan = 1
    right = room.hear(80)[-3000:]
    assert left[:, 0].std() > 0.01 and not left[:, 1].any()
    assert right[:, 1].std() > 0.01 and np.abs(right[:, 0]).max() < 1e-9


def test_wrong_values_are_refused_at_once(room: Any, bundle: Bundle) -> None:
    notes = NotePlayer(bundle)
    with pytest.raises(ValueError, match="Clap"):
        notes.note_on(1, "Clap")
    with pytest.raises(ValueError, match="scatter is 5.0: choose 0 to 4"):
        notes.scatter = 5
    for name in ("volume", "speed"):
        with pytest.raises(ValueError, match=f"There is no control '{name}'; known: scatter, density, pan, gain"):
            NotePlayer(bundle, **{name: 1})
