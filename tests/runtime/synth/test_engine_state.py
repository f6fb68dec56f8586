"""What a host stores of an engine sounds again: in another process, with another bundle before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.runtime.waiting import wait_for
from tests.tiny import LATENT

from ngs.runtime import Bundle, BundleError, Engine, EngineBusy, Note
from ngs.runtime.live.schedule import COMMANDS

PATH = np.random.default_rng(3).normal(size=(40, LATENT)).astype(np.float32)
TONE = np.repeat(PATH[:1], 40, axis=0)  # the same anywhere


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle, "cpu")


def engine(bundle: Bundle, **more: Any) -> Engine:
    return Engine(bundle, 8000, 4, 64, 256, threaded=False, **more)


def stored(engine: Engine) -> Any:
    return json.loads(json.dumps(engine.state(), allow_nan=False))


def test_notes_that_would_not_end_are_stored_as_they_are(tiny: Bundle) -> None:
    one = engine(tiny)
    frozen = one.note_on(Note("Kick", seed=3, controls={"position": 0.25, "freeze": 1, "gain": 0.5}))
    loop = one.note_on(Note(path=PATH, mode="loop", onset=False, controls={"speed": 2}))
    one.note_on(Note("Hat"))  # ends by itself
    released = one.note_on(Note("Hat", hold=True))
    one.render(600)
    one.set(frozen, gain=0.25, scatter=0.5)
    one.note_off(released, release=5)
    one.render(600)
    notes = stored(one)["notes"]
    assert [note["number"] for note in notes] == [frozen, loop]
    assert notes[0]["choices"] == "Kick" and notes[0]["seed"] == 3 and "path" not in notes[0]
    told = notes[0]["controls"]
    assert (told["gain"], told["scatter"], told["freeze"]) == (0.25, 0.5, 1)
    assert told["position"] == pytest.approx(0.25) and 0 < notes[1]["controls"]["position"] < 1
    np.testing.assert_array_equal(np.float32(notes[1]["path"]), PATH)


def test_a_note_on_its_way_back_goes_on_backwards(tiny: Bundle) -> None:
    one = engine(tiny)
    one.note_on(Note(path=PATH, mode="back-and-forth", controls={"speed": 0.5, "position": 0.9}))
    places = [0.9]
    while places[-1] >= 0.9:  # to the end and back
        one.render(64)
        places.append(stored(one)["notes"][0]["controls"]["position"])
    assert max(places) > 0.95
    other = engine(tiny)
    other.restore(stored(one))
    other.render(1000)
    (restored,) = stored(other)["notes"]
    assert restored["controls"]["position"] < places[-1] and restored["controls"]["speed"] == -0.5


def test_what_was_stored_sounds_again_in_another_engine(tiny: Bundle, tiny_noise: Path) -> None:
    one = engine(tiny)
    note = Note(path=TONE, mode="loop", seed=7, controls={"gain": 0.5, "freeze": 1, "position": 0.5})
    one.note_on(note)
    one.render(1000)
    state = stored(one)
    fresh = engine(tiny)
    fresh.render(1000)
    fresh.note_on(note)
    expected = fresh.render(5000)
    assert np.abs(expected[:, -1000:]).max() > 0.01
    for bundle in (tiny, Bundle.open(tiny_noise, "cpu")):
        other = engine(bundle)
        other.note_on(Note(path=TONE, mode="loop"), at=0)
        before = other.render(1000)
        assert np.abs(before[:, -100:]).max() > 0.01
        numbers = other.restore(state, fade=0)
        assert other.bundle.sha256 == tiny.sha256 and list(numbers) == [1]
        np.testing.assert_array_equal(other.render(5000)[:, 400:], expected[:, 400:])  # the old note is over
        other.set(numbers[1], gain=0)
        assert not other.render(2000)[:, -500:].any()
        assert other.statistics().failures == 0


def test_a_state_is_restored_while_the_thread_plays(tiny: Bundle) -> None:
    one = engine(tiny)
    one.note_on(Note(path=TONE, mode="loop"))
    one.render(1000)
    with Engine(tiny, 8000) as live:
        numbers = live.restore(stored(one))
        wait_for(lambda: not live._schedule.sent)
        live.process(np.zeros((2, 1024), np.float32))
        wait_for(lambda: live.statistics().voices == 1)
        assert [note["number"] for note in live.state()["notes"]] == list(numbers.values())


@pytest.mark.parametrize("changes", [False, True])
def test_restoring_cancels_what_waits_and_begins_all_notes_at_once(
    changes: bool, tiny: Bundle, tiny_noise: Path
) -> None:  # fmt: skip
    one = engine(tiny)
    one.note_on(Note(path=TONE, mode="loop"))
    one.render(1000)
    state = stored(one)
    state["notes"] = [{**state["notes"][0], "number": number} for number in range(COMMANDS + 1)]
    other = engine(Bundle.open(tiny_noise, "cpu") if changes else tiny)
    other.note_on(Note("Snare"), at=3000)
    other.render(64)
    numbers = other.restore(state)
    assert len(set(numbers.values())) == COMMANDS + 1 and other._schedule.sent == 1
    other.render(1000)
    assert [note["number"] for note in stored(other)["notes"]] == list(numbers.values())[-4:]
    assert other.statistics().dropped == COMMANDS + 1 - 4
    other.all_off(0)
    assert not other.render(5000)[:, 600:].any()
    other.note_on(Note("Snare"), at=other.time + 3000)
    other.render(64)
    other.restore({**state, "notes": []}, tiny_noise if changes else None)
    assert not other.render(5000).any() and (other.bundle.path == tiny_noise) == changes


def test_a_state_that_does_not_fit_changes_nothing(
    tiny: Bundle, tiny_noise: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    one = engine(tiny)
    one.note_on(Note(path=TONE, mode="loop"))
    one.render(1000)
    state = stored(one)
    note = state["notes"][0]
    for wrong, message in (
        ({**state, "ngs": "Pads"}, "a state of 'Pads', not of Engine"),
        ({**state, "notes": None}, "state: notes: expected a list, found None"),
        ({**state, "notes": [3]}, "state: note: number: expected a whole number, found nothing"),
        ({**state, "notes": [{**note, "colour": 1}]}, "a note has no 'colour'"),
        ({**state, "notes": [note, {**note, "output": 1}]}, "output is 1: choose 0"),
        ({**state, "notes": [{**note, "controls": {"gain": 9}}]}, "gain is 9: choose 0 to 4"),
        ({**state, "notes": [{**note, "path": [[1, 2, 3]]}]}, "path is .1, 3., this bundle needs"),
        ({**state, "notes": [{**note, "choices": "Cow"}]}, "no class 'Cow'"),
        ({**state, "bundle": {**state["bundle"], "sha256": "00"}}, "is another one"),
    ):
        with pytest.raises(ValueError, match=message):
            one.restore(wrong)
    with pytest.raises(ValueError, match="fade is -1"):
        one.restore(state, fade=-1)
    with pytest.raises(BundleError, match="does not exist"):
        one.restore(state, tiny_noise.parent / "none.ngs")
    assert not one._schedule.sent and not one._loaded and one.bundle is tiny
    opened: list[Bundle] = []
    monkeypatch.setattr(Note, "check", lambda note, bundle, outputs: opened.append(bundle) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        one.restore(state, tiny_noise)
    assert opened[0].path == tiny_noise and opened[0].closed
    monkeypatch.undo()
    for _ in range(COMMANDS):
        one.set(None, gain=1)
    for bundle in (None, tiny_noise):
        with pytest.raises(EngineBusy):
            one.restore(state, bundle)
    assert one._schedule.sent == COMMANDS and not one._loaded and one.bundle is tiny and not tiny.closed
    one.render(64)
    assert one.restore({**state, "later": "ignored"}, tiny_noise) == {1: 2} and one.bundle.path == tiny_noise
