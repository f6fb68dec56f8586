"""GrainPlayer plays exactly what a `Synth` plays, `latency` frames later, while controls and paths change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ngs.pyo_instruments import GrainPlayer
from ngs.pyo_instruments.players.grain_player import FADE_SECONDS, LEVEL_STEP, PATH_GRAINS
from ngs.pyo_instruments.timing.clock import PREPARED_SECONDS
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.levels import long_path_levels, path_levels
from ngs.runtime.dsp.paths import KINDS, LOOP_MODES, free_path, map_grid
from ngs.runtime.synth.notes import Note
from ngs.runtime.synth.synth import Synth

pyo = pytest.importorskip("pyo")

RATE, BLOCK = 48000, 128
PREPARED = round(PREPARED_SECONDS * RATE)


def free_note(bundle: Bundle, kind: str, seed: int, index: int, **more: Any) -> Note:
    path = free_path(kind, PATH_GRAINS, (seed, index), bundle.latent_map)
    levels = long_path_levels(bundle, path, bundle.condition({}), LEVEL_STEP)
    return Note(seed=seed, index=index, path=path, levels=levels, onset=False, mode=LOOP_MODES[kind], **more)


@pytest.mark.parametrize("kind", KINDS)
def test_a_free_path_sounds_as_on_a_synth(room: Any, bundle: Bundle, master: np.float32, kind: str) -> None:
    grains = GrainPlayer(bundle, kind, seed=4).out()
    heard = room.hear(60)
    synth = Synth(bundle, RATE, 2, channels=1)
    synth.note_on(free_note(bundle, kind, 4, 1), grains.latency)
    np.testing.assert_array_equal(heard[:, 0], synth.render(60 * BLOCK)[0] * master)
    assert heard[:, 0].std() > 0.01 and not heard[: grains.latency].any()


def test_each_stream_has_its_path_class_and_values(room: Any, bundle: Bundle, master: np.float32) -> None:
    path = np.random.default_rng(0).standard_normal((50, bundle.manifest.latent_size)).astype(np.float32)
    grains = GrainPlayer(bundle, path, choices=["Kick", "Hat"], pitch=[0, 7], gain=0.5).out()
    assert len(grains) == 2
    heard = room.hear(60)
    synth = Synth(bundle, RATE, 4, outputs=2, channels=1)
    for stream, name, pitch in ((1, "Hat", 7), (0, "Kick", 0)):  # in the player's order, or the last bit differs
        controls = {"pitch": pitch, "gain": 0.5}
        note = Note(
            name, index=1 + stream, path=path, style=1, onset=False, mode="loop", output=stream, controls=controls
        )
        synth.note_on(note, grains.latency)
    np.testing.assert_array_equal(heard, synth.render(60 * BLOCK).T * master)


@pytest.mark.parametrize("live", [False, True])
def test_an_object_is_followed_exactly(rooms: Any, bundle: Bundle, master: np.float32, live: bool) -> None:
    with rooms(live=live) as room:
        lfo = pyo.Sine(7, mul=0.4, add=0.5)
        shown = pyo.Sig(lfo).out(1)
        grains = GrainPlayer(bundle, "circle", gain=lfo).out(0)
        turns: dict[int, float] = {}
        turn = grains.turn

        def note(stream: int, gain: float) -> None:
            turns[room.clock.frame] = gain
            turn(stream, gain=gain)

        grains.turn = note  # type: ignore[method-assign]
        heard = room.hear(100)
        pace = round(0.01 * RATE / BLOCK) * BLOCK
        assert list(turns) == list(range(0, 100 * BLOCK, pace))
        values = [turns[frame] for frame in range(pace, 100 * BLOCK, pace)]
        np.testing.assert_array_equal(np.float32(values) * master, heard[pace - 1 : 100 * BLOCK - 1 : pace, 1])
        synth = Synth(bundle, RATE, 2, channels=1)
        synth.note_on(free_note(bundle, "circle", 0, 1, controls={"gain": turns.pop(0)}), grains.latency)
        for frame, gain in turns.items():
            synth.set(1, frame + grains.latency, gain=gain)
        np.testing.assert_array_equal(heard[:, 0], synth.render(100 * BLOCK)[0] * master)
        assert len(shown) == 1 and heard[:, 0].std() > 0.01


@pytest.mark.parametrize("at", [1, BLOCK, 7001])
def test_a_control_changes_at_its_frame_whenever_the_note_begins(
    room: Any, bundle: Bundle, master: np.float32, at: int
) -> None:
    grains = GrainPlayer(bundle, "circle").out()
    room.start()
    room.clock.send(lambda: grains.setGain(0.25), at)
    heard = room.hear(100)[:, 0]
    synth = Synth(bundle, RATE, 2, channels=1)
    first = {"gain": 0.25} if at < BLOCK else {}  # changed before the first block
    synth.note_on(free_note(bundle, "circle", 0, 1, controls=first), grains.latency)
    synth.set(1, at + grains.latency, gain=0.25)
    np.testing.assert_array_equal(heard, synth.render(100 * BLOCK)[0] * master)


def test_a_control_is_heard_after_the_latency_not_before(room: Any, bundle: Bundle) -> None:
    grains = GrainPlayer(bundle, "circle").out()
    room.hear(60)
    grains.gain = 0
    heard = room.hear(60)[:, 0]
    assert grains.latency > BLOCK
    assert heard[: grains.latency].std() > 0.01 and heard[grains.latency - 48 : grains.latency].any()
    assert not heard[grains.latency + 1000 :].any()


def test_a_new_path_fades_in_while_the_old_one_fades_out(room: Any, bundle: Bundle, master: np.float32) -> None:
    grains = GrainPlayer(bundle, "walk").out()
    room.hear(10)
    grains.path = "circle"
    heard = room.hear(240)[:, 0]
    at = 10 * BLOCK + PREPARED  # in the middle of a block: the path begins with that block
    at = at // BLOCK * BLOCK + grains.latency
    synth = Synth(bundle, RATE, 2, channels=1)
    synth.note_on(free_note(bundle, "walk", 0, 1), grains.latency)
    synth.note_off(1, FADE_SECONDS, at)
    synth.note_on(free_note(bundle, "circle", 0, 2), at)
    np.testing.assert_array_equal(heard, synth.render(250 * BLOCK)[0][10 * BLOCK :] * master)


def test_a_change_of_path_does_not_click(room: Any, drums: Bundle) -> None:
    grains = GrainPlayer(drums, "circle", choices="Cowbell", seed=2).out()
    before = room.hear_seconds(0.5)[:, 0]
    grains.path = "linear"
    change = room.hear_seconds(0.6)[:, 0]
    after = room.hear_seconds(0.5)[:, 0]
    steps = [np.abs(np.diff(each, 2)).max() for each in (before, change, after)]
    assert steps[1] < 1.5 * max(steps[0], steps[2]) and np.abs(change).max() < 1
    assert min(each.std() for each in np.split(change[: 6 * 4800], 6)) > 0.2 * before.std()  # no gap


def test_one_stream_changes_alone_each_time_to_a_new_path(room: Any, bundle: Bundle) -> None:
    grains = GrainPlayer(bundle, ["circle", "walk"]).out()
    room.hear(10)
    grains.change(1, path="circle", choices="Hat")
    assert grains.path == ["circle", "circle"] and grains.choices == ["", "Hat"]
    first = grains._playing.copy()
    room.hear(120)
    assert grains._playing[0] == first[0] and grains._playing[1] != first[1]
    grains.change(1)
    room.hear(200)
    assert grains.statistics()["voices"] == 2 and grains.statistics()["failures"] == 0


def test_the_map_is_as_loud_as_its_grains(room: Any, bundle: Bundle) -> None:
    grains = GrainPlayer(bundle, "map", "Hat", freeze=1, position=0.2, morph=0.8).out()
    heard = room.hear(60)
    grid = map_grid(bundle.latent_map)
    levels = path_levels(bundle, grid, bundle.condition("Hat"))
    synth = Synth(bundle, RATE, 2, channels=1)
    turned = {"freeze": 1.0, "position": 0.2, "morph": 0.8}
    note = Note("Hat", 0, 1, path=grid, levels=levels, style=1, onset=False, mode="loop", controls=turned)
    synth.note_on(note, grains.latency)
    wanted = synth.render(60 * BLOCK)[0]
    ratio = heard[:, 0] @ wanted / (wanted @ wanted)
    np.testing.assert_allclose(heard[:, 0], ratio * wanted, atol=1e-5)
    assert ratio > 0.5 and np.ptp(levels) > 0.1


def test_the_map_is_made_once_for_a_bundle(room: Any, tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = list[np.ndarray]()
    monkeypatch.setattr(
        "ngs.runtime.bundle.bundle.map_grid", lambda latent_map: made.append(map_grid(latent_map)) or made[-1]
    )
    bundle = Bundle.open(tiny_bundle)
    assert not made  # opening a bundle takes no longer
    players = [GrainPlayer(bundle, ["map", "map"], choices).out() for choices in ("Hat", "Kick")]
    room.hear(60)
    players[0].choices = "Kick"
    heard = room.hear(240)
    assert len(made) == 1 and heard.any()
    np.testing.assert_array_equal(made[0], map_grid(bundle.latent_map))  # playing has changed nothing in it


def test_a_table_of_paths_is_a_map(room: Any, bundle: Bundle) -> None:
    grid = map_grid(bundle.latent_map)
    grains = GrainPlayer(bundle, grid, freeze=1, position=0.2, morph=0.8).out()
    here = room.hear(100)[-5000:, 0]
    grains.position, grains.morph = 0.9, 0.1
    there = room.hear(100)[-5000:, 0]
    spectra = [np.abs(np.fft.rfft(each)) for each in (here, there)]
    assert np.corrcoef(*spectra)[0, 1] < 0.9 and here.std() > 0.01 < there.std()


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda grains: grains.setPath("zigzag"), "There is no kind of path 'zigzag'; known: linear, "),
        (lambda grains: grains.setPath(np.zeros((3, 5), np.float32)), r"path is \(3, 5\), this bundle needs"),
        (lambda grains: grains.setPath(np.full((3, 4), np.nan, np.float32)), "path holds NaN"),
        (lambda grains: grains.setChoices(["Kick", "Clap"]), "Clap"),
        (lambda grains: grains.change(0, path="zigzag"), "zigzag"),
        (lambda grains: grains.change(0, choices="Clap"), "Clap"),
        (lambda grains: grains.setSpeed(9), "speed is 9.0: choose -8 to 8"),
    ],
)
def test_wrong_values_are_refused_at_once(room: Any, bundle: Bundle, ask: Any, told: str) -> None:
    grains = GrainPlayer(bundle, "walk", choices="Kick").out()
    room.hear(10)
    with pytest.raises(ValueError, match=told):
        ask(grains)
    assert room.hear(120)[-1000:].any()
    assert grains.path == ["walk"] and grains.choices == ["Kick"] and grains.speed == 1
    assert room.clock.statistics().failures == grains.statistics()["failures"] == 0


@pytest.mark.parametrize("how", [{"path": "zigzag"}, {"choices": "Clap"}, {"speed": 9}, {"volume": 1}])
def test_wrong_arguments_are_refused(room: Any, bundle: Bundle, how: Any) -> None:
    with pytest.raises(ValueError):
        GrainPlayer(bundle, **how)
    room.hear(2)
    assert room.clock.statistics().failures == 0


def test_sliders_set_objects_that_controls_follow(room: Any, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyo.PyoObject, "ctrl", lambda *arguments: None)
    grains = GrainPlayer(bundle, gain=pyo.Sig(1))
    grains.ctrl()
    names = [each.name for each in grains._map_list]
    assert names == [
        "speed",
        "freeze",
        "scatter",
        "density",
        "pitch",
        "position",
        "morph",
    ]  # not gain
    for each in grains._map_list:
        getattr(grains, f"set{each.name.capitalize()}")(pyo.Sig(each.max))
    room.hear(10)
    assert all(grains._turned[0][each.name] == each.max for each in grains._map_list)


def test_only_the_last_of_a_flood_of_paths_is_played(rooms: Any, bundle: Bundle) -> None:
    with rooms(live=True) as room:
        grains = GrainPlayer(bundle, "circle").out()
        room.hear(10)
        begun: list[Note] = []
        note_on = grains.engine.note_on
        grains.engine.note_on = lambda note, at: (begun.append(note), note_on(note, at))[1]
        for _ in range(300):
            grains.change(0)
        room.hear_seconds(0.5)
        assert [note.index for note in begun] == [301] and room.clock.statistics().unprepared == 0
