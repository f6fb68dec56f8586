"""Which pitches file names tell of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis.strategies import characters, lists, sampled_from, text

from ngs.corpus.pitch_names import key_name, pitches_in
from ngs.runtime.bundle.pitches import pitch


def read(*names: str) -> list[str | None]:
    found = pitches_in(names, {})
    return [found.get(name) for name in names]


def test_key_names_are_read_back() -> None:
    assert [pitch(key_name(key)) for key in range(128)] == [*range(128)]
    assert (key_name(60), key_name(70), key_name(0)) == ("C4", "A#4", "C-1")


@pytest.mark.parametrize(
    ("names", "pitches"),
    [
        ("flute_A4_15_forte.flac As3.wav Bb3-x.wav C#5 ff.wav", ["A4", "A#3", "A#3", "C#5"]),
        ("x/Piano_060_127.wav x/Piano_062_127.wav x/Piano_064_050.wav", ["C4", "D4", "E4"]),
        ("bass_068-049-025.wav bass_168-051-025.wav bass_268-052-100.wav", ["C#3", "D#3", "E3"]),
        ("TB303_A1_C3.wav TB303_A1_D3.wav", ["C3", "D3"]),
        ("note60.wav midi_61.wav", ["C4", "C#4"]),
        ("Kick_000.wav Kick_001.wav Kick_039.wav", [None] * 3),
        ("Loop_120.wav Fill_120.wav", [None] * 2),
        ("A4.wav hum.wav A10.wav Z4.wav A44.wav aA4.wav B9.wav", ["A4"] + [None] * 6),
        ("A4.wav", ["A4"]),
        ("A4_1.wav A4_2.wav", ["A4", "A4"]),
    ],
)
def test_pitches_are_read(names: str, pitches: list[str | None]) -> None:
    listed = names.replace(" ff", "_ff").split(" ")
    assert read(*listed) == pitches


def test_each_class_has_its_own_way_to_write_them() -> None:
    groups = {"p/060.wav": "p", "p/061.wav": "p", "f/A4_100.wav": "f", "f/B4_101.wav": "f"}
    assert [*pitches_in([*groups], groups).values()] == ["C4", "C#4", "A4", "B4"]


@given(
    lists(sampled_from(["_A4", "_060", "_120", "Bb3 ", "b", "x_1.wav"]) | text(characters()), max_size=9, unique=True)
)
def test_any_names_have_pitches_or_none(names: list[str]) -> None:
    found = pitches_in(names, {})
    assert {*found} <= {*names}
    assert all(0 <= (pitch(each) or 0) <= 127 and pitch(each) is not None for each in found.values())
