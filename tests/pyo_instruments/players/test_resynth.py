"""Resynth plays exactly what a `Resynthesiser` gives, `latency` frames later."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ngs.pyo_instruments import Resynth
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.resynthesis.resynthesiser import Resynthesiser

pyo = pytest.importorskip("pyo")

RATE, BLOCK = 48000, 128


def source(hertz: Any = 200) -> Any:
    return pyo.Sine(hertz, mul=pyo.LFO(5, mul=0.2, add=0.25))


def given_to(resynth: Resynth) -> list[Array]:
    """The blocks [streams, frames] that its engine gets from now on."""
    given: list[Array] = []
    process = resynth.engine.process

    def note(block: Array, out: Array) -> None:
        given.append(block.copy())
        process(block, out)

    resynth.engine.process = note
    return given


def delayed(sound: Array, count: int) -> Array:
    return np.concatenate((np.zeros(count, np.float32), sound[: len(sound) - count]))


@pytest.mark.parametrize("live", [False, True])
def test_it_is_a_delayed_resynthesiser(rooms: Any, bundle: Bundle, master: np.float32, live: bool) -> None:
    with rooms(live=live) as room:
        played = source()
        dry = pyo.Sig(played).out(1)
        controls = {"scatter": 0.2, "density": 0.9, "gain": 0.5}
        resynth = Resynth(played, bundle, "Snare", seed=3, **controls).out(0)
        blocks = given_to(resynth)
        heard = room.hear(200)
        given = np.concatenate(blocks, axis=1)[0]
        np.testing.assert_array_equal(given[BLOCK:] * master, heard[:-BLOCK, 1])  # one block later
        alone = Resynthesiser(bundle, "Snare", RATE, 3)
        alone.set(**controls)
        wanted = delayed(alone.render(given[None])[0], resynth.latency - BLOCK - alone.latency)
        np.testing.assert_array_equal(heard[:, 0], wanted * master)
        assert resynth.statistics()["late"] == 0 and len(dry) == 1 and heard[:, 0].std() > 0.005


def test_controls_and_classes_change_at_their_frame(room: Any, bundle: Bundle, master: np.float32) -> None:
    resynth = Resynth(source(), bundle, "Snare", seed=3).out()
    blocks = given_to(resynth)
    room.clock.send(lambda: resynth.setGain(0.3), at=7001)
    room.clock.send(lambda: resynth.setChoices("Hat"), at=9003)
    heard = room.hear(150)
    given = np.concatenate(blocks, axis=1)[0]
    alone = Resynthesiser(bundle, "Snare", RATE, 3)
    made = [alone.render(given[None, :7001])[0]]
    alone.set(gain=0.3)
    made.append(alone.render(given[None, 7001:9003])[0])
    alone.condition("Hat")
    made.append(alone.render(given[None, 9003:])[0])
    wanted = delayed(np.concatenate(made), resynth.latency - BLOCK - alone.latency)
    np.testing.assert_array_equal(heard[:, 0], wanted * master)


def test_dry_and_wet_are_equally_late(room: Any, bundle: Bundle, master: np.float32) -> None:
    resynth = Resynth(pyo.Metro(0.1).play(), bundle, bal=0).out()
    given = given_to(resynth)
    heard = room.hear(300)[:, 0]
    onsets = np.flatnonzero(np.concatenate(given, axis=1)[0])
    np.testing.assert_array_equal(np.flatnonzero(heard), onsets[:-1] + resynth.latency - BLOCK)
    assert (heard[heard > 0] == master).all() and len(onsets) == 8


def test_each_stream_is_resynthesised_on_its_own(room: Any, bundle: Bundle, master: np.float32) -> None:
    resynth = Resynth(source([200, 333]), bundle, "Hat", seed=5).out()
    assert len(resynth) == 2
    blocks = given_to(resynth)
    heard = room.hear(100)
    given = np.concatenate(blocks, axis=1)
    for stream in range(2):
        alone = Resynthesiser(bundle, "Hat", RATE, 5 + stream)
        wanted = delayed(alone.render(given[stream : stream + 1])[0], resynth.latency - BLOCK - alone.latency)
        np.testing.assert_allclose(heard[:, stream], wanted * master, atol=1e-5)


def test_the_input_can_be_replaced(room: Any, bundle: Bundle) -> None:
    resynth = Resynth(pyo.Sig(0), bundle, bal=0).out()
    room.hear(50)
    other = source()
    resynth.setInput(other, 0.01)
    assert room.hear(100)[-2000:, 0].std() > 0.05 and resynth.input is other
    resynth.input = pyo.Sig(0)
    assert not room.hear(150)[-2000:].any()


def test_wrong_values_are_refused_at_once(room: Any, bundle: Bundle) -> None:
    resynth = Resynth(source(), bundle, "Hat").out()
    room.hear(2)
    with pytest.raises(ValueError, match="Clap"):
        resynth.choices = "Clap"
    with pytest.raises(ValueError, match="bal is 2.0: choose 0 to 1"):
        resynth.bal = 2
    with pytest.raises(
        ValueError, match="There is no control 'pitch'; known: bal, style, gain, freeze, scatter, density"
    ):
        Resynth(source(), bundle, pitch=1)
    assert (resynth.choices, resynth.bal) == ("Hat", 1)
    room.hear(2)
    assert room.clock.statistics().failures == 0
