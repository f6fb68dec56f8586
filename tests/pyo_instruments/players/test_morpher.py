"""Morpher plays its two sounds at the ends of `morph`, at the sample of a trigger or periodically."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from ngs.pyo_instruments import Morpher
from ngs.pyo_instruments.timing.clock import PREPARED_SECONDS
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.levels import held_levels
from ngs.runtime.bundle.seeds import drawn_embedding
from ngs.runtime.dsp.audio_files import AudioError
from ngs.runtime.offline.render import embed
from ngs.runtime.synth.notes import Note
from ngs.runtime.synth.synth import Synth

pyo = pytest.importorskip("pyo")

RATE, BLOCK = 48000, 128
PREPARED = round(PREPARED_SECONDS * RATE)


def sound(
    bundle: Bundle, embedding: Array, name: str, index: int, length: int, at: int = 0, gain: float = 1,
    held: bool = True,
) -> Array:  # fmt: skip
    """An embedding as a synth plays it, float32 [length, 2]; held to its loudness if it is drawn."""
    condition = bundle.condition(name or {})
    path = bundle.run("embedding_decoder", embedding=embedding[None], condition=condition[None])[0][0]
    level = held_levels(bundle, embedding[None], condition[None])[0] if held else 1.0
    levels = np.full(len(path), level, np.float32)
    synth = Synth(bundle, RATE, 2)
    synth.note_on(Note(name or {}, index=index, path=path, levels=levels, controls={"gain": gain}), at)
    return synth.render(length).T


def drawn(bundle: Bundle, name: str, seed: int) -> Array:
    return drawn_embedding(bundle, bundle.condition(name), 1.0, seed)


@pytest.mark.parametrize(("morph", "number"), [(0, 11), (1, 12)])
def test_the_ends_are_the_two_sounds(room: Any, bundle: Bundle, morph: int, number: int) -> None:
    morpher = Morpher(bundle, 11, 12, "Kick", morph=morph).out()
    morpher.play_note(0.5)
    heard = room.hear(80)
    wanted = sound(
        bundle,
        drawn(bundle, "Kick", number),
        "Kick",
        1,
        80 * BLOCK,
        morpher.latency,
        0.5,
    )
    np.testing.assert_allclose(heard, wanted, atol=2e-6)
    assert wanted.std() > 0.01


def test_an_end_can_be_a_file_or_an_embedding(room: Any, bundle: Bundle, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 4000).astype(np.float32)
    soundfile.write(tmp_path / "noise.wav", noise, 8000, subtype="FLOAT")
    given = np.random.default_rng(1).standard_normal(bundle.manifest.embedding_size).astype(np.float32)
    morpher = Morpher(bundle, str(tmp_path / "noise.wav"), given, "Hat", morph=0).out()
    for index, (morph, end) in enumerate(((0, embed(bundle, noise, bundle.condition("Hat"))), (1, given)), 1):
        morpher.morph = morph
        room.hear(20)
        morpher.play_note()
        wanted = sound(bundle, end, "Hat", index, 80 * BLOCK, morpher.latency, held=False)
        np.testing.assert_allclose(room.hear(80), wanted, atol=2e-6)
        room.hear(20)


def test_a_trigger_sounds_at_its_sample(room: Any, bundle: Bundle) -> None:
    metro = pyo.Metro(0.3).play()
    click = pyo.Sig(metro)
    marked = click.out(1)
    morpher = Morpher(bundle, 1, 2, "Kick", trig=metro, morph=0, pan=-1).out(0)
    heard = room.hear(300)
    onsets = np.flatnonzero(heard[:, 1])
    assert len(onsets) == 2 and len(marked) == 1
    for index, at in enumerate(onsets, 1):
        start = at + BLOCK + morpher.latency
        alone = sound(bundle, drawn(bundle, "Kick", 1), "Kick", index, 6000)[:, 0] * np.sqrt(2)
        np.testing.assert_allclose(heard[start : start + 6000, 0], alone, atol=1e-5)
        assert not heard[start - 100 : start, 0].any()


def test_a_period_is_exact_to_the_sample(room: Any, bundle: Bundle) -> None:
    morpher = Morpher(bundle, period=0.2501).out()
    heard = room.hear_seconds(1.2)[:, 0]
    loud = np.flatnonzero(heard)
    starts = loud[np.flatnonzero(np.diff(loud, prepend=-5000) > 1000)]
    np.testing.assert_array_equal(np.diff(starts), [12005] * (len(starts) - 1))
    assert len(starts) == 5 and morpher._count == 5
    morpher.period = 0
    room.hear_seconds(1)
    assert morpher._count == 5
    morpher.period = 0.1
    room.hear(1)
    assert morpher._count == 6  # at once


def test_a_control_changes_at_its_frame(room: Any, bundle: Bundle) -> None:
    morpher = Morpher(bundle, 1, 2, "Kick", morph=0).out()
    morpher.play_note()
    room.clock.send(lambda: morpher.setPan(-1), at=0)  # at once, before the first block
    room.start()
    room.clock.send(lambda: morpher.setGain(0.1), at=1001)
    heard = room.hear(60)
    path, levels = morpher._played.path[0], morpher._played.levels[0]
    synth = Synth(bundle, RATE, 2)
    synth.note_on(Note("Kick", index=1, path=path, levels=levels), morpher.latency)
    synth.set(1, morpher.latency, pan=-1)
    synth.set(1, morpher.latency + 1001, gain=0.1)
    np.testing.assert_allclose(heard, synth.render(60 * BLOCK).T, atol=2e-6)
    assert not heard[morpher.latency + 3000 :, 1].any() and heard[:, 0].std() > 0.01


def test_a_new_end_is_heard_when_it_is_prepared(room: Any, bundle: Bundle) -> None:
    morpher = Morpher(bundle, 1, 2, "Kick", morph=0).out()
    room.hear(10)
    morpher.start, morpher.choices = 5, "Hat"
    room.hear(PREPARED // BLOCK + 2)
    morpher.play_note()
    wanted = sound(bundle, drawn(bundle, "Hat", 5), "Hat", 1, 80 * BLOCK, morpher.latency)
    np.testing.assert_allclose(room.hear(80), wanted, atol=2e-6)
    assert (morpher.start, morpher.end, morpher.choices) == (5, 2, "Hat")


def test_wrong_values_are_refused_at_once(room: Any, bundle: Bundle, tmp_path: Path) -> None:
    morpher = Morpher(bundle, 1, 2, "Kick").out()
    room.hear(10)
    with pytest.raises(AudioError, match="none.wav"):
        morpher.start = str(tmp_path / "none.wav")
    with pytest.raises(ValueError, match="Clap"):
        morpher.choices = "Clap"
    with pytest.raises(ValueError, match=r"an embedding is 4 numbers, not \(3,\)"):
        morpher.end = np.zeros(3, np.float32)
    with pytest.raises(ValueError, match="a drawn sound has a number from 0, not -1"):
        morpher.start = -1
    with pytest.raises(ValueError, match="morph is 2.0"):
        morpher.morph = 2
    assert (morpher.start, morpher.end, morpher.choices) == (1, 2, "Kick")
    morpher.end = 3
    morpher.play_note()
    assert room.hear(200).any() and room.clock.statistics().failures == 0


def test_a_shorter_period_begins_at_once(room: Any, bundle: Bundle) -> None:
    morpher = Morpher(bundle, period=10).out()
    room.hear_seconds(1)
    morpher.period = 0.2
    played: list[int] = []
    play = morpher._play
    morpher._play = lambda gain, offset: (played.append(room.clock.frame + offset), play(gain, offset))[1]  # type: ignore[method-assign]
    room.hear_seconds(1)
    assert len(played) == 5 and set(np.diff(played)) == {round(0.2 * RATE)}
