"""What drums are called, and which class plays them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis.strategies import characters, lists, text

from ngs.runtime.drum_names import (
    GENERAL_MIDI,
    MODIFIERS,
    SYNONYMS,
    common_name,
    drum_class,
    fitting_class,
    in_order,
    names_drum,
    same_class,
    words,
)  # fmt: skip

SHIPPED = ("Clap", "Cowbell", "Crash", "Hat", "Kick", "Ride", "Snare", "Tom")


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ((35, 36), "Kick"), ((38, 40), "Snare"), ((39,), "Clap"), ((42, 44, 46), "Hat"),
        ((41, 43, 45, 47, 48, 50), "Tom"), ((49, 52, 55, 57), "Crash"), ((51, 53, 59), "Ride"), ((56,), "Cowbell"),
    ],
)  # fmt: skip
def test_the_shipped_drums_play_by_general_midi(keys: tuple[int, ...], name: str) -> None:
    assert [drum_class(key, SHIPPED) for key in keys] == [name] * len(keys)


@pytest.mark.parametrize(
    ("key", "classes", "name"),
    [
        (36, ("snares", "KICKS"), "KICKS"),
        (36, ("SD", "BD"), "BD"),
        (36, ("808_kick_long", "snare"), "808_kick_long"),
        (42, ("snare", "HiHat"), "HiHat"),
        (42, ("hi-hats", "snare"), "hi-hats"),
        (42, ("OpenHat", "ClosedHat"), "ClosedHat"),
        (46, ("Closed_Hat", "Open_Hat"), "Open_Hat"),
        (46, ("closed hihat", "open hihat"), "open hihat"),
        (49, ("Kick", "Cymbals"), "Cymbals"),
        (37, ("Kick", "Perc"), "Perc"),
        (48, ("Low Tom", "High Tom"), "High Tom"),
        (76, ("Woodblock", "Kick"), "Woodblock"),
    ],
)
def test_common_names_of_drum_sets_are_understood(key: int, classes: tuple[str, ...], name: str) -> None:
    assert drum_class(key, classes) == name


def test_unknown_classes_are_played_in_turn() -> None:
    classes = ("rain", "bottom", "wind")
    assert [drum_class(key, classes) for key in range(35, 40)] == [None, "rain", "bottom", "wind", None]


def test_drums_are_in_the_order_of_their_keys() -> None:
    assert in_order(SHIPPED) == ["Kick", "Snare", "Clap", "Tom", "Hat", "Crash", "Ride", "Cowbell"]
    assert in_order(("Pad", "Hat", "Perc", "Kick")) == ["Kick", "Hat", "Pad", "Perc"]
    assert in_order(("Kick Loops", "Cymbals", "Open Hats", "Kicks", "Closed Hats")) == [
        "Kicks", "Closed Hats", "Open Hats", "Cymbals", "Kick Loops",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("spellings", "others"),
    [
        ("Kick|Kicks|KICK|kick's|BD|BDs|Bass Drum|Bass Drums|bass-drum|BassDrum|01 - Kicks|Kick One-Shots", "Bass|Sub"),
        ("Hat|Hats|HiHat|Hi-Hats|hi hat|HH|HIHATS|High Hats", "Closed Hats|High Tom"),
        ("Closed Hat|Closed Hats|CH|CHH|HatClosed|hats_closed|ClosedHH|Hi-Hats (Closed)", "Open Hat|OH|Hat"),
        ("Crash|Crashes|CRASH CYMBALS", "Cymbals|Ride"),
        ("Percussion|Perc|Percs", "Cowbell"),
        ("Bass One Shots|bass|Bass", "Bass Loops|Bass Drum"),
        ("Gongs|gong", "Gang"),
        ("cafe\u0301|Café", "Cafe"),
    ],
)
def test_spellings_of_a_class_are_one(spellings: str, others: str) -> None:
    names = spellings.split("|")
    assert len({common_name(name) for name in names}) == 1
    assert not {common_name(name) for name in others.split("|")} & {common_name(names[0])}
    assert all(same_class(name, [*others.split("|"), names[0]]) == names[0] for name in names)


def test_names_in_which_signs_count_stay_apart() -> None:
    names = ("C1", "C#1", "C-1", "C♯-1", "A", "-", "+", "1.5", "15", "1", "01")
    assert len({common_name(name) for name in names}) == len(names)
    assert [same_class(name, names) for name in names] == [*names]


def test_the_same_case_is_found_first() -> None:
    assert same_class("kick", ("Kicks", "KICK", "kick")) == "kick"
    assert same_class("kick", ("Kicks", "KICK")) == "KICK"
    assert same_class("kick", ("snare",)) is None


@pytest.mark.parametrize(
    ("name", "classes", "fitting"),
    [
        ("Hat", ("Open Hats", "Closed Hats"), "Closed Hats"),
        ("Kick", ("Kick Loops", "Kicks Long"), "Kicks Long"),
        ("Kick", ("Kick Loops",), "Kick Loops"),
        ("Ride", ("Kicks", "Cymbals"), "Cymbals"),
        ("Bass", ("Bass Drum", "Sub Bass"), "Sub Bass"),
        ("Gong", ("Kick", "Bell"), None),
        ("", ("Kick",), None),
        ("Kick", (), None),
    ],
)
def test_the_class_that_fits_best(name: str, classes: tuple[str, ...], fitting: str | None) -> None:
    assert fitting_class(name, classes) == fitting


def test_keys_find_their_class_among_thousands_at_once() -> None:
    """The clock's thread asks: no name may be taken apart again."""
    classes = tuple(f"Sound {number} of many" for number in range(4094)) + ("Kicks", "Percs")
    assert drum_class(36, classes) == "Kicks"
    taken_apart = words.cache_info().misses
    assert [drum_class(key, classes) for key in (36, 39, 56)] == ["Kicks", "Percs", "Percs"]
    assert words.cache_info().misses - taken_apart < 10


def test_every_drum_is_understood_by_its_own_name() -> None:
    for drum, others in SYNONYMS.items():
        if drum not in MODIFIERS:
            assert names_drum(drum)
            assert {words(each) for each in others.split(", ") if each} <= {tuple(drum.split())}
    assert all(words(drum) == tuple(drum.split()) for drum in GENERAL_MIDI.values())


NAMES = text(characters())  # of any characters, lone surrogates too


@given(NAMES, lists(NAMES, max_size=4))
def test_any_text_is_a_name(name: str, classes: list[str]) -> None:
    assert all(word for word in words(name))
    assert isinstance(names_drum(name), bool) and isinstance(common_name(name), str)
    assert same_class(name, [name, *classes]) == name
    assert {same_class(name, classes), fitting_class(name, classes)} <= {None, *classes}
    assert {drum_class(key, classes) for key in range(128)} <= {None, *classes}
    assert sorted(in_order(classes)) == sorted(classes)
