"""What a synth plays depends on the notes alone, not on blocks or on earlier notes, and never clicks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr
from tests.runtime.laws import BLOCKS, chunked_equals_whole_and_reset_equals_fresh, in_blocks, silence_stays_silent
from tests.tiny import HOP, LATENT, PATH, write_tiny

from ngs.runtime import Bundle, Note, Synth
from ngs.runtime.arrays import Array
from ngs.runtime.bundle.fields import BundleError
from ngs.runtime.offline.render import decode, play_path, sample
from ngs.runtime.synth.voice import Voice

RATES = (16000, 22050, 44100)
SECOND = 1.0


@pytest.fixture(
    scope="module",
    params=[*((rate, "locked", 4) for rate in RATES), (22050, "noise", 4), (22050, "locked", 3)],
    ids=lambda made: "{} {} format {}".format(*made),
)
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    rate, excitation, version = request.param
    path = tmp_path_factory.mktemp("bundle") / "a.ngs"
    return Bundle.open(write_tiny(path, False, excitation, rate, version), "cpu")


@pytest.fixture(scope="module")
def tiny(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle, "cpu")


def playing(bundle: Bundle, note: Note, sample_rate: int | None = None) -> Synth:
    """A synth of one mono voice, with a note at its first sample."""
    synth = Synth(bundle, sample_rate, voices=1, channels=1)
    synth.note_on(note)
    return synth


def mono(bundle: Bundle, note: Note, count: int) -> Array:
    """The first samples of a note, [count]."""
    return playing(bundle, note).render(count)[0]


def busy(synth: Synth) -> None:
    """Notes of all kinds, more than there are voices, with moving controls."""
    path = np.random.default_rng(1).normal(size=(20, LATENT)).astype(np.float32)
    rng = np.random.default_rng(2)
    table = rng.normal(size=(3, 20, LATENT)).astype(np.float32)
    kinds = (
        Note({"class": "Kick"}), Note({"class": "Hat"}, hold=True), Note(path=path, mode="loop", onset=False),
        Note(path=path, mode="back-and-forth", controls={"speed": -1.5, "position": 0.7}), Note(seconds=0.02),
        Note(path=table, mode="loop", controls={"morph": 0.3}),
    )  # fmt: skip
    for index in range(30):
        at = int(rng.integers(0, 4000))
        note = replace(kinds[index % len(kinds)], seed=index)
        number = synth.note_on(note, at)
        synth.set(number, at + 211, gain=rng.uniform(0, 2), pan=rng.uniform(-1, 1), pitch=rng.uniform(-9, 9))
        synth.set(number, at + 500, scatter=0.5, density=0.7, speed=0.3, freeze=float(index % 2), position=0.2, morph=1)
        synth.note_off(number, rng.uniform(0, 0.05), at + 1500)
    synth.all_off(0.01, 5800)


@pytest.mark.parametrize("rate", ["its own", 48000])
def test_chunked_equals_whole_and_reset_equals_fresh(bundle: Bundle, rate: Any) -> None:
    made = []

    def make() -> Synth:
        made.append(Synth(bundle, None if rate == "its own" else rate, voices=5))
        return made[-1]

    whole = chunked_equals_whole_and_reset_equals_fresh(make, 7000, busy)
    assert np.abs(whole[:, :6000]).max() > 0.05 and not whole[:, -200:].any()
    assert all(synth.failures == (0, "") and synth.dropped == 0 for synth in made)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_note_equals_the_sound_that_sample_renders(bundle: Bundle, block: int) -> None:
    note = Note({"class": "Snare"}, seed=7, index=2, temperature=0.9)
    offline = sample(bundle, bundle.condition({"class": "Snare"}), 0.9, 7, 2)
    synth = Synth(bundle, voices=1, channels=1)
    synth.note_on(note)
    live = in_blocks(synth, len(offline) + 500, block)[0]
    faded = len(offline) - HOP // 2  # the end of the file has a short fade
    np.testing.assert_allclose(live[:faded], offline[:faded], atol=1e-5)
    assert not synth.sounding and not live[(PATH + 3) * HOP :].any()


def test_a_note_of_the_shipped_bundle_equals_the_sound_that_sample_renders() -> None:
    bundle = Bundle.open(provider="cpu")
    offline = sample(bundle, bundle.condition({"class": "Snare"}), 1.0, 3, 0)
    live = mono(bundle, Note({"class": "Snare"}, seed=3), len(offline))
    assert np.abs(offline).max() > 0.1
    faded = len(offline) - bundle.manifest.hop_length // 2
    np.testing.assert_allclose(live[:faded], offline[:faded], atol=1e-4)


def test_a_path_equals_the_rendered_one(bundle: Bundle) -> None:
    path = np.random.default_rng(0).normal(size=(30, LATENT)).astype(np.float32)
    condition = bundle.condition({"class": "Hat"})
    for onset, render in ((True, decode), (False, play_path)):
        note = Note({"class": "Hat"}, path=path, onset=onset)
        stream = playing(bundle, note)
        offline = render(bundle, path, condition, (note.seed, note.index))
        np.testing.assert_allclose(stream.render(len(offline))[0], offline, atol=1e-5)
        assert not stream.render(100).any() and not stream.sounding


@pytest.mark.parametrize("style", [0.4, 1.0])
def test_a_path_with_a_style_equals_the_rendered_one(tiny: Bundle, style: float) -> None:
    path = np.random.default_rng(0).normal(size=(30, LATENT)).astype(np.float32)
    condition, levels = tiny.condition("Hat"), np.linspace(0.2, 1.5, 30, dtype=np.float32)
    note = Note("Hat", path=path, levels=levels, style=style, onset=False)
    offline = play_path(tiny, path, condition, (note.seed, note.index), levels, style)
    np.testing.assert_allclose(playing(tiny, note).render(len(offline))[0], offline, atol=1e-5)
    plain = play_path(tiny, path, condition, (note.seed, note.index), levels)
    assert np.abs(offline - plain).max() > 0.01


def test_notes_with_and_without_a_style_sound_the_same_together_and_alone(tiny: Bundle) -> None:
    path = np.random.default_rng(0).normal(size=(20, LATENT)).astype(np.float32)
    styles = (0.0, 0.5, 0.0, 1.0, 0.7)
    notes = [(Note("Hat", index, path=path, style=style), 10 * index) for index, style in enumerate(styles)]

    def played(some: list[tuple[Note, int]]) -> Array:
        synth = Synth(tiny)
        for note, at in some:
            synth.note_on(note, at)
        return synth.render(2000)

    alone = sum((played([one]) for one in notes), np.zeros((2, 2000), np.float32))
    np.testing.assert_allclose(played(notes), alone, atol=1e-6)


@pytest.mark.parametrize("rate", [8000, 48000])
def test_a_note_starts_at_its_sample(tiny: Bundle, rate: int) -> None:
    def played(at: int) -> Array:
        synth = Synth(tiny, rate)
        assert synth.latency == 0
        synth.note_on(Note({"class": "Kick"}), at)
        return synth.render(3000)

    first = played(0)
    assert np.abs(first[:, :4]).max() > 1e-4
    for at in (1, 100, 777):
        later = played(at)
        assert not later[:, :at].any()
        np.testing.assert_array_equal(later[:, at:], first[:, : 3000 - at])


def test_notes_sound_the_same_together_and_alone(tiny: Bundle) -> None:
    notes = [(Note({"class": name}, seed=index), 37 * index) for index, name in enumerate(("Kick", "Snare", "Hat") * 3)]

    def played(some: list[tuple[Note, int]]) -> Array:
        synth = Synth(tiny, 11025)
        for note, at in some:
            synth.note_on(note, at)
        return synth.render(2500)

    alone = sum((played([one]) for one in notes), np.zeros((2, 2500), np.float32))
    np.testing.assert_allclose(played(notes), alone, atol=1e-6)


def test_another_rate_or_pitch_is_the_sound_resampled(tiny: Bundle) -> None:
    path = np.repeat(np.random.default_rng(3).normal(size=(1, LATENT)).astype(np.float32), 60, axis=0)
    plain = mono(tiny, Note(path=path), 4000)
    for rate, pitch in ((8000, 5.0), (8000, -12.0), (48000, 0.0), (22050, 12.0), (6000, 0.0)):
        stream = playing(tiny, Note(path=path, controls={"pitch": pitch}), rate)
        found = stream.render(rate // 4)[0]
        expected = soxr.resample(plain, 8000 * 2 ** (pitch / 12), rate)[: len(found)]
        # may differ: a constant delay below two samples, and what is close to the Nyquist frequency
        middle = slice(rate // 20, len(expected) - rate // 20)
        spectra = [
            np.abs(np.fft.rfft(x[middle] * np.hanning(len(x[middle])))) for x in (found[: len(expected)], expected)
        ]
        below = slice(int(0.9 * len(spectra[0]) * min(1, 8000 * 2 ** (pitch / 12) / rate)))
        difference = np.linalg.norm((spectra[0] - spectra[1])[below])
        assert difference < 0.05 * np.linalg.norm(spectra[1][below]), (rate, pitch)


def test_a_pitch_bend_does_not_click(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a sine, which is smooth everywhere else: decoded grains of the tiny bundle are noise."""
    sine = 0.5 * np.sin(np.arange(200 * HOP, dtype=np.float32) / 6).reshape(200, HOP)
    monkeypatch.setattr(Voice, "give", lambda voice, audio: voice.fifo.put(sine[voice.grains - 1]))
    path = np.zeros((200, LATENT), np.float32)
    plain = mono(tiny, Note(path=path), 8000)
    synth = Synth(tiny)
    number = synth.note_on(Note(path=path, controls={"pan": -1}))
    for at, pitch in ((2000, 0.01), (4000, 3.0), (6000, -2.0)):
        synth.set(number, at, pitch=pitch)
    bent = synth.render(8000)[0]
    np.testing.assert_allclose(bent[:2000], plain[:2000], atol=1e-6)
    steps = np.abs(np.diff(bent)) / np.abs(np.diff(plain)).max()
    assert steps[2100:].max() < 1.01 * 2 ** (3 / 12)
    # 0.01 semitones: the resampler takes over with an error below half a sample
    assert steps[:2100].max() < 1.5
    shifts = [np.linalg.norm(bent[2000:2100] - plain[2000 + shift : 2100 + shift]) for shift in range(-3, 4)]
    assert np.argmin(shifts) == 3


def test_controls_move_along_the_path(tiny: Bundle) -> None:
    path = np.random.default_rng(4).normal(size=(24, LATENT)).astype(np.float32)
    played = lambda path, **controls: mono(tiny, Note(path=path, controls=controls), 24 * HOP)  # noqa: E731
    still = np.repeat(path[:1], 24, axis=0)
    halves = np.stack(
        [path[int(i / 2)] + (i % 2) / 2 * (path[int(i / 2) + i % 2] - path[int(i / 2)]) for i in range(24)]
    )
    for found, expected in (
        (played(path, freeze=1), still),
        (played(path, speed=0), still),
        (played(path, speed=-1, position=1), path[::-1]),
        (played(path, speed=0.5), halves.astype(np.float32)),
        (played(path, speed=0, position=0.5), np.repeat(0.5 * (path[11:12] + path[12:13]), 24, axis=0)),
    ):
        np.testing.assert_allclose(found, played(expected.copy()), atol=1e-5)
    assert not played(path, density=0).any()
    strayed = played(path, scatter=0.5)
    assert 0.01 < np.abs(strayed - played(path)).max()
    np.testing.assert_array_equal(strayed, played(path, scatter=0.5))


def test_morph_moves_through_a_table_of_paths(tiny: Bundle) -> None:
    table = np.random.default_rng(4).normal(size=(4, 24, LATENT)).astype(np.float32)
    played = lambda path, **controls: mono(tiny, Note(path=path, controls=controls), 24 * HOP)  # noqa: E731
    for morph, expected in (
        (0, table[0]), (1, table[3]), (1 / 3, table[1]), (0.5, 0.5 * (table[1] + table[2])),
        (0.9, 0.3 * table[2] + 0.7 * table[3]),
    ):  # fmt: skip
        np.testing.assert_allclose(played(table, morph=morph), played(expected), atol=1e-5)
    np.testing.assert_array_equal(played(table[:1], morph=0.7), played(table[0]))
    np.testing.assert_array_equal(played(table[0], morph=0.7), played(table[0]))
    drawn = [mono(tiny, Note("Kick", controls={"morph": morph}), 2000) for morph in (0, 1)]
    np.testing.assert_array_equal(*drawn)


def test_morph_turns_while_the_note_sounds(tiny: Bundle) -> None:
    first, second = np.random.default_rng(4).normal(size=(2, 24, LATENT)).astype(np.float32)
    stream = playing(tiny, Note(path=np.stack((first, second))))
    sound = [stream.render(10 * HOP)[0]]
    stream.set(None, morph=1)
    sound.append(stream.render(14 * HOP)[0])
    expected = mono(tiny, Note(path=np.concatenate((first[:10], second[10:]))), 24 * HOP)
    np.testing.assert_allclose(np.concatenate(sound), expected, atol=1e-5)


def test_a_frozen_table_is_a_surface(tiny: Bundle) -> None:
    """Position and morph find places between the nodes, from the start and when they are turned."""
    table = np.random.default_rng(4).normal(size=(5, 9, LATENT)).astype(np.float32)
    x, y = 8 * 0.37, 4 * 0.61
    above, below = (table[row, 2] + (x - 2) * (table[row, 3] - table[row, 2]) for row in (2, 3))
    latents = np.repeat(np.stack((table[0, 0], above + (y - 2) * (below - above))), (6, 10), axis=0)
    stream = playing(tiny, Note(path=table, controls={"freeze": 1}))
    sound = [stream.render(6 * HOP)[0]]
    stream.set(None, position=0.37, morph=0.61)
    sound.append(stream.render(10 * HOP)[0])
    expected = mono(tiny, Note(path=latents.astype(np.float32)), 16 * HOP)
    np.testing.assert_allclose(np.concatenate(sound), expected, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 2])
def test_each_output_is_the_mix_of_its_notes(tiny: Bundle, channels: int) -> None:
    notes = [Note(name, seed=index, controls={"pan": 0.5}) for index, name in enumerate(("Kick", "Snare", "Hat") * 3)]
    synth = Synth(tiny, 11025, voices=9, outputs=3, channels=channels)
    for index, note in enumerate(notes):
        synth.note_on(replace(note, output=index % 3), 101 * index)
    heard = synth.render(3000)
    assert heard.shape == (3 * channels, 3000)
    for output in range(3):
        alone = Synth(tiny, 11025, voices=9, channels=channels)
        for index, note in list(enumerate(notes))[output::3]:
            alone.note_on(note, 101 * index)
        rows = heard[output * channels : (output + 1) * channels]
        np.testing.assert_allclose(rows, alone.render(3000), atol=1e-6)
        assert np.abs(rows).max() > 0.01


def test_one_channel_has_no_pan(tiny: Bundle) -> None:
    heard = [mono(tiny, Note("Kick", controls={"gain": 0.7, "pan": pan}), 3000) for pan in (-1, 0)]
    np.testing.assert_array_equal(*heard)


def test_an_output_that_does_not_exist_is_refused(tiny: Bundle) -> None:
    synth = Synth(tiny, outputs=2)
    with pytest.raises(ValueError, match="output is 2: choose 0 to 1"):
        synth.note_on(Note(output=2))
    synth.begin(Note(output=2), 1)
    assert not synth.render(500).any() and synth.failures == (1, "output is 2: choose 0 to 1")


@pytest.mark.parametrize("mode", ["loop", "back-and-forth"])
def test_a_path_is_played_again_and_again(tiny: Bundle, mode: str) -> None:
    path = np.random.default_rng(4).normal(size=(6, LATENT)).astype(np.float32)
    once = [0, 1, 2, 3, 4, 5] if mode == "loop" else [0, 1, 2, 3, 4, 5, 4, 3, 2, 1]
    endless = playing(tiny, Note(path=path, mode=mode))
    expected = mono(tiny, Note(path=path[(once * 6)[:36]]), 36 * HOP)
    np.testing.assert_allclose(endless.render(36 * HOP)[0], expected, atol=1e-6)
    assert np.abs(endless.render(100_000)[0, -HOP:]).max() > 0.01 and endless.sounding


def test_a_held_note_goes_on_until_it_is_released(tiny: Bundle) -> None:
    synth = Synth(tiny)
    number = synth.note_on(Note({"class": "Kick"}, hold=True))
    sound = synth.render(40 * PATH * HOP)
    assert np.abs(sound[:, -HOP:]).max() > 1e-3 and synth.sounding == 1
    plain = mono(tiny, Note({"class": "Kick"}), PATH * HOP)
    np.testing.assert_allclose(sound[0, : PATH * HOP], plain * np.cos(np.pi / 4), atol=1e-6)
    synth.note_off(number, release=0.1)
    faded = synth.render(1000)
    assert np.abs(faded[:, :400]).max() > 1e-3 and not faded[:, 800:].any() and synth.sounding == 0
    synth.note_off(number)  # it has ended: no error
    synth.set(number, gain=2.0)
    assert not synth.render(100).any()


def test_notes_that_have_not_begun_are_cancelled(tiny: Bundle) -> None:
    synth = Synth(tiny)
    first, second = [synth.note_on(Note({"class": "Kick"}), at) for at in (1000, 2000)]
    synth.note_off(first, at=500)
    assert not synth.render(2000).any()
    assert synth.render(1000).any()
    synth.note_on(Note({"class": "Kick"}), 4000)
    synth.all_off(release=0.01)
    synth.render(500)
    assert not synth.render(3000).any() and second != first


def test_a_note_of_another_bundle_fails_alone(tiny: Bundle, tmp_path: Path) -> None:
    synth = Synth(tiny)
    synth.note_on(Note({"class": "Kick"}, hold=True))
    note = Note(embedding=np.zeros(5, np.float32))
    synth._schedule.add(500, lambda: synth.begin(note, 9))  # as after a change of bundle
    assert synth.render(3000)[:, 2000:].any()
    assert synth.sounding == 1 and synth.failures == (1, "embedding is (5,), this bundle needs (4,)")


@pytest.mark.parametrize("mode", ["loop", "back-and-forth"])
def test_a_held_loop_backwards_stays_within_the_sound(tiny: Bundle, mode: str) -> None:
    stream = playing(tiny, Note({"class": "Kick"}, mode=mode, hold=True, controls={"speed": -7}))
    assert np.abs(stream.render(50 * PATH * HOP)[0, -HOP:]).max() > 1e-4
    assert stream._batch.voices[0].path.written == PATH


def test_gain_and_pan_follow_smoothly_at_equal_power(tiny: Bundle) -> None:
    path = np.repeat(np.random.default_rng(3).normal(size=(1, LATENT)).astype(np.float32), 200, axis=0)
    plain = mono(tiny, Note(path=path), 6000)
    synth = Synth(tiny)
    number = synth.note_on(Note(path=path))
    synth.set(number, 1000, pan=-1.0)
    synth.set(number, 2000, gain=0.0)
    synth.set(number, 3000, gain=2.0, pan=1.0)
    synth.set(number, 3010, gain=1.0, pan=0.0)  # before it has arrived
    gains = synth.render(6000) / np.where(np.abs(plain) > 1e-3, plain, np.nan)
    quarter = np.sqrt(0.5)
    for place, sides in ((900, (quarter, quarter)), (1900, (1, 0)), (2900, (0, 0)), (3500, (quarter, quarter))):
        around = np.nanmedian(gains[:, place - 50 : place + 50], axis=1)
        np.testing.assert_allclose(around, sides, atol=1e-5)
    steps = np.abs(np.diff(gains, axis=1))
    assert np.nanmax(steps) < 2.1 / 80  # the longest way, 0 to 2, in 10 ms


def test_more_notes_than_voices_fade_the_oldest(tiny: Bundle) -> None:
    path = np.repeat(np.random.default_rng(3).normal(size=(1, LATENT)).astype(np.float32), 400, axis=0)
    synth = Synth(tiny, voices=2)
    plain = mono(tiny, Note(path=path), 4000)
    for index in range(6):
        synth.note_on(Note(path=path, seed=index), 500 * index)
    sound = synth.render(4000)
    assert synth.sounding == 2 and synth.dropped == 0
    assert np.abs(np.diff(sound)).max() < 3 * np.abs(np.diff(plain)).max()
    for index in range(50):  # a flood within one fade
        synth.note_on(Note(path=path, seed=index), synth.time + index % 3)
    assert np.isfinite(synth.render(1000)).all() and synth.sounding == 2 and synth.dropped > 0
    assert np.abs(synth.render(1000)).max() > 0.5 * np.abs(plain).max()


def test_a_note_where_another_ends_takes_its_voice(tiny: Bundle) -> None:
    path = np.random.default_rng(4).normal(size=(4, LATENT)).astype(np.float32)
    synth = Synth(tiny, voices=2)
    synth.note_on(Note(path=path, mode="loop"))
    synth.note_on(Note(path=path))  # the last one ends by itself
    synth.note_on(Note(path=path, mode="loop"), at=7 * HOP)
    assert synth.render(2000).any() and synth.sounding == 2


def test_a_voice_that_fails_is_silenced_and_the_others_go_on(tiny: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = Note({"class": "Kick"}, hold=True, seed=1), Note({"class": "Hat"}, hold=True, seed=2)
    alone = Synth(tiny)
    alone.note_on(good)
    expected = alone.render(4000)

    def played(spoil: Callable[[Synth], None]) -> Synth:
        synth = Synth(tiny)
        synth.note_on(good)
        synth.note_on(bad)
        before = synth.render(1000)
        spoil(synth)
        after = np.concatenate((before, synth.render(3000)), axis=1)
        np.testing.assert_allclose(after[:, 1500:], expected[:, 1500:], atol=1e-6)
        assert synth.sounding == 1 and synth.failures[0] == 1
        return synth

    def not_a_number(synth: Synth) -> None:
        synth._batch._decoder.inputs["sum"][1] = np.nan

    assert "NaN" in played(not_a_number).failures[1]

    def refused(synth: Synth) -> None:
        step = synth._batch._decoder.step
        failed: list[bool] = []

        def stepped(start: int, stop: int) -> None:
            if stop == 2 and not failed:
                if start == 1:
                    failed.append(True)
                raise BundleError("it cannot be run")
            step(start, stop)

        monkeypatch.setattr(synth._batch._decoder, "step", stepped)

    assert played(refused).failures[1] == "it cannot be run"


@pytest.mark.parametrize(("text", "told"), [("", "RuntimeError"), ("bad\x1b[31m\nmore", "bad?[31m")])
def test_the_error_of_one_session_ends_one_voice(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    """Whatever the error says, and if it says nothing."""
    synth = Synth(tiny)
    for seed in range(3):
        synth.note_on(Note({"class": "Kick"}, seed=seed, hold=True))
    synth.render(1000)
    decoder = synth._batch._decoder
    run, alone = decoder._run, []

    def failing(start: int, stop: int) -> None:
        if start <= 1 < stop and not alone:
            alone.extend([1] * (stop - start == 1))
            raise RuntimeError(text)
        run(start, stop)

    monkeypatch.setattr(decoder, "_run", failing)
    synth.render(1000)
    assert synth.sounding == 2
    assert synth.failures == (1, f"{tiny.path}: decoder_stream cannot be run ({told})")


def test_drawn_sounds_play_backwards_in_loops_and_frozen() -> None:
    """Sounds of the shipped bundle end in silence. A sound that will come back from it must not end there."""
    bundle = Bundle.open(provider="cpu")
    second = bundle.manifest.sample_rate
    plain = np.abs(mono(bundle, Note({"class": "Kick"}), second)).max()
    for note in (
        Note({"class": "Kick"}, controls={"speed": -1, "position": 1}),
        Note({"class": "Kick"}, mode="loop"),
        Note({"class": "Kick"}, mode="back-and-forth"),
    ):
        heard = mono(bundle, note, 4 * second)
        late = heard[second:] if note.mode != "once" else heard
        assert np.abs(late).max() > 0.3 * plain
    stream = playing(bundle, Note({"class": "Kick"}, controls={"density": 0, "freeze": 1}))
    assert not stream.render(second).any()
    stream.set(None, density=1)
    assert np.abs(stream.render(second)).max() > 0.1 * plain
    stream.all_off(0.1)
    stream.render(second // 5)
    assert not stream.sounding


def test_an_error_in_the_middle_of_a_block_ends_voices_without_a_click(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = np.repeat(np.random.default_rng(3).normal(size=(1, LATENT)).astype(np.float32), 400, axis=0)
    plain = mono(tiny, Note(path=path), 3000)
    for rate in (8000, 11025):
        synth = Synth(tiny, rate)
        synth.note_on(Note(path=path))
        synth._schedule.add(1040, lambda: 1 / 0)
        synth.note_on(Note(path=path), 3000)
        sound = np.concatenate([synth.render(100) for _ in range(40)], axis=1)
        assert synth.failures == (1, "division by zero")
        assert np.abs(sound[:, 1000:1040]).max() > 0.01 and not sound[:, 1500:3000].any()
        assert np.abs(sound[:, 3100:]).max() > 0.01  # it goes on
        assert np.abs(np.diff(sound)).max() < 1.5 * np.abs(np.diff(plain)).max()
    synth = Synth(tiny)
    synth.note_on(Note(path=path))
    monkeypatch.setattr(synth._batch, "fill", lambda: 1 / 0)
    assert not synth.render(500)[:, 200:].any() and synth.time == 500


@pytest.mark.parametrize("at", [float("nan"), float("inf"), "100", None.__class__])
def test_a_time_that_is_not_a_number_is_refused(tiny: Bundle, at: Any) -> None:
    with pytest.raises(ValueError, match="a time in frames is a number"):
        Synth(tiny).note_on(Note(), at)


def test_fractional_times_are_rounded(tiny: Bundle) -> None:
    synth = Synth(tiny, 8000.0)  # type: ignore[arg-type]
    synth.note_on(Note({"class": "Kick"}), at=99.6)
    assert np.flatnonzero(synth.render(500)[0])[0] == 100


def test_controls_of_all_notes_turn_at_once(tiny: Bundle) -> None:
    synth = Synth(tiny)
    for index in range(3):
        synth.note_on(Note({"class": "Kick"}, seed=index, hold=True))
    synth.render(100)
    synth.set(None, gain=0)
    synth.render(200)
    assert not synth.render(500).any() and synth.sounding == 3


def test_a_release_does_not_cancel_notes_asked_for_later(tiny: Bundle) -> None:
    synth = Synth(tiny)
    synth.all_off(at=1000)
    synth.note_on(Note({"class": "Kick"}), at=2000)
    assert synth.render(3000)[:, 2000:].any()


def test_silence_stays_silent(tiny: Bundle) -> None:
    silence_stays_silent(lambda: Synth(tiny, outputs=2), 1000)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"choices": {"class": "Cow"}}, "no class 'Cow'"),
    ({"choices": {"size": "big"}}, "no attribute 'size'"),
    ({"seed": -1}, "seed is -1: choose a whole number"),
    ({"seed": 1.5}, "seed is 1.5: choose a whole number"),
    ({"mode": "twice"}, "no mode 'twice'; known: once, loop"),
    ({"temperature": float("nan")}, "temperature is nan: choose 0 to 10"),
    ({"seconds": 0}, "seconds are 0: choose above 0"),
    ({"release": -1}, "release is -1: choose 0 to 60"),
    ({"embedding": np.zeros(5, np.float32)}, r"embedding is \(5,\), this bundle needs \(4,\)"),
    ({"path": np.zeros((3, 5), np.float32)}, "path is .*3, 5.*needs .*T.*4"),
    ({"path": np.zeros((0, 4), np.float32)}, "path is .*0, 4"),
    ({"path": np.zeros((2, 0, 4), np.float32)}, "path is .*2, 0, 4.*K, T, 4"),
    ({"path": np.zeros((2, 2, 2, 4), np.float32)}, "path is .*2, 2, 2, 4"),
    ({"path": np.zeros(4, np.float32)}, r"path is \(4,\)"),
    ({"style": 1.0}, "style is 1.0: choose 0 to 1 for a path in a bundle of format 4, else 0"),
    ({"style": 1.1, "path": np.zeros((2, 4), np.float32)}, "style is 1.1: choose 0 to 1"),
    ({"style": float("nan"), "path": np.zeros((2, 4), np.float32)}, "style is nan: choose 0 to 1"),
    ({"output": 1}, "output is 1: choose 0$"),
    ({"output": -1}, "output is -1: choose 0$"),
    ({"output": 0.0}, "output is 0.0: choose 0$"),
    ({"path": np.full((2, 4), np.inf, np.float32)}, "path holds NaN or infinite"),
    ({"path": np.zeros((2, 4), np.float32), "embedding": np.zeros(4, np.float32)}, "not both"),
    ({"controls": {"volume": 1}}, "no control 'volume'; known: gain, pan"),
    ({"controls": {"pitch": 25}}, "pitch is 25: choose -24 to 24"),
]


@pytest.mark.parametrize(("fields", "message"), WRONG)
def test_a_note_that_cannot_be_played_is_refused(tiny: Bundle, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Synth(tiny).note_on(Note(**fields))


def test_bad_arguments_are_refused(tiny: Bundle) -> None:
    synth = Synth(tiny)
    for wrong, message in (
        (lambda: synth.set(1, gain=float("nan")), "gain is nan"),
        (lambda: synth.set(1, swing=1.0), "no control 'swing'"),
        (lambda: synth.note_off(1, release=-0.1), "release is -0.1"),
        (lambda: Synth(tiny, voices=0), "voices is 0"),
        (lambda: Synth(tiny, outputs=0), "outputs is 0: choose 1 to 256"),
        (lambda: Synth(tiny, channels=3), "channels is 3: choose 1 or 2"),
        (lambda: Synth(tiny, sample_rate=10), "sample_rate is 10 Hz: choose a whole number, 1000"),
    ):
        with pytest.raises(ValueError, match=message):
            wrong()


@pytest.mark.parametrize("error", [BundleError("a.ngs is damaged: " + 400 * "x" + ": export it anew"), MemoryError()])
def test_a_warm_up_that_fails_says_all_that_is_known(
    tiny: Bundle, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def failing(*_: object) -> None:
        raise error

    synth = Synth(tiny)
    monkeypatch.setattr("ngs.runtime.synth.voice_batch.Voice", failing)
    with pytest.raises(BundleError) as raised:
        synth.warm_up()
    assert raised.value is error or str(raised.value) == f"{tiny.path} cannot be played (MemoryError)"
