"""Recordings are cut at what happens in them, or evenly, and each slice is a sound of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ngs.corpus.cache import Corpus, build_cache, split
from ngs.corpus.slices import checked, sliced
from ngs.corpus.sounds import find_sounds
from ngs.corpus.stretches import divided

RATE = 22050
EVENTS = [0.0, 1.0, 1.5, 3.0, 3.25, 5.0]


def recording() -> np.ndarray:
    """Decaying noises of 0.2 s at `EVENTS`, and a texture of 14 s from 6 s on, float32 [20 s]."""
    rng, signal = np.random.default_rng(0), np.zeros(20 * RATE)
    for time in EVENTS:
        place, length = int(time * RATE), RATE // 5
        signal[place : place + length] = rng.normal(0, 0.1, length) * np.exp(-np.arange(length) / 1000)
    signal[6 * RATE :] = rng.normal(0, 0.05, 14 * RATE)
    return signal.astype(np.float32)


@pytest.fixture
def corpus(write_sound, data: Path, root: Path) -> Corpus:
    write_sound("field.wav", recording())
    return build_cache(find_sounds(data), RATE, root)


def spans(corpus: Corpus) -> list[tuple[float, float]]:
    """Begin and end of each sound of a recording, in seconds."""
    starts = (corpus.starts - corpus.starts[0]) / RATE
    return list(zip(starts.tolist(), (starts + corpus.lengths / RATE).tolist(), strict=True))


def test_slices_begin_at_onsets_and_hold_no_silence(corpus: Corpus) -> None:
    told: list[tuple[int, int]] = []
    found = sliced(corpus, "onsets", lambda done, total: told.append((done, total)))
    starts, stops = np.array(spans(found)).T
    np.testing.assert_allclose(starts[:7], [*EVENTS, 6.0], atol=0.01)
    np.testing.assert_allclose((stops - starts)[:6], [0.23, 0.5, 0.23, 0.25, 0.23, 0.23], atol=0.02)
    assert (stops[:-1] <= starts[1:] + 1e-9).all()
    assert found.names == tuple(f"field.wav@{start:.3f}" for start in starts) and len(set(found.names)) == len(starts)
    assert found.remarks[-1] == f"1 sound cut at onsets: {len(starts)} slices" and told == [(1, 1)]
    assert found.labels.tolist() == [[0]] * len(starts) and set(found.levels.tolist()) == set(corpus.levels.tolist())
    np.testing.assert_array_equal(found.read(1, 0, 500), corpus.read(0, int(found.starts[1]), 500))


def test_what_goes_on_is_cut_every_5_to_10_seconds(corpus: Corpus) -> None:
    texture = [(start, stop) for start, stop in spans(sliced(corpus, "onsets")) if start > 5.5]
    assert len(texture) in (2, 3) and max(stop - start for start, stop in texture) <= 10.05
    assert texture[0][1] == pytest.approx(texture[1][0]) and texture[-1][1] == pytest.approx(20, abs=0.001)


def test_slices_of_so_many_seconds_leave_out_silence_and_scraps(corpus: Corpus) -> None:
    even = spans(sliced(corpus, "0.4"))
    np.testing.assert_allclose([start for start, _ in even][:6], [0, 0.8, 1.2, 1.6, 2.8, 3.2], atol=1e-3)
    np.testing.assert_allclose([stop - start for start, stop in even], 0.4, atol=0.001)
    uneven = spans(sliced(corpus, "6.66"))
    np.testing.assert_allclose(uneven, [(0, 6.66), (6.66, 13.32), (13.32, 20)], atol=0.001)


def test_a_single_recording_has_slices_to_hold_back(corpus: Corpus) -> None:
    assert len(split(corpus)[1]) == 1 and "Too few" in split(corpus)[2][0]
    found = sliced(corpus, "1")
    training, validation, remarks = split(found)
    assert len(validation) == 2 and len(training) == len(found.names) - 2 and remarks == ()


def test_copies_of_a_recording_are_held_back_together(write_sound, data: Path, root: Path) -> None:
    for name in ("a.wav", "b.wav"):
        write_sound(name, recording())
    found = sliced(build_cache(find_sounds(data), RATE, root), "1")
    held = {found.names[index] for index in split(found)[1]}
    assert held and {name.replace("a.wav", "b.wav") for name in held} == {name for name in held if "b.wav" in name}


def test_long_slices_are_divided_apart_from_the_sound_that_they_begin(corpus: Corpus) -> None:
    sound = np.arange(1)
    whole, _ = divided(corpus, sound, 2048)
    first, _ = divided(sliced(corpus, "12"), sound, 2048)
    assert spans(whole)[-1][1] > 19.9 and 11.9 < spans(first)[-1][1] <= 12.001
    assert spans(divided(corpus, sound, 2048)[0]) == spans(whole)


@pytest.mark.parametrize("choice", ["0", "-1", "nan", "inf", "0.01", "often", ""])
def test_what_is_neither_onsets_nor_a_number_of_seconds_is_refused(choice: str) -> None:
    with pytest.raises(ValueError, match=rf"^--slice {choice}: choose onsets, or a number of seconds, 0.05 or more$"):
        checked(choice)


def test_choices_are_kept_as_they_are_meant() -> None:
    assert [checked(choice) for choice in (" Onsets", "0.5", "1e1")] == ["onsets", "0.5", "1e1"]


@pytest.mark.parametrize(("choice", "why"), [("onsets", "no onsets were found to cut at"), ("30", "no sound is cut")])
def test_nothing_to_cut_is_an_error(write_sound, data: Path, root: Path, choice: str, why: str) -> None:
    write_sound("tone.wav", np.sin(np.arange(4 * RATE) * 0.1).astype(np.float32))
    with pytest.raises(ValueError, match=rf"^--slice {choice}: {why}"):
        sliced(build_cache(find_sounds(data), RATE, root), choice)
