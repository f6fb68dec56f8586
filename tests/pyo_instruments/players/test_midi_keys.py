"""Which class a MIDI key plays: drums by General MIDI, under the names that drum sets use, and the nearest pitch."""

from __future__ import annotations

import pytest

from ngs.pyo_instruments.players.midi_keys import drum_class, in_order, pitch_class

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


def test_the_nearest_pitch_is_chosen_and_the_distance_returned() -> None:
    classes = ("C3", "A4", "F#3", "C4")
    assert pitch_class(60, classes) == ("C4", 0.0)
    assert pitch_class(62, classes) == ("C4", 2.0)
    assert pitch_class(57, classes) == ("F#3", 3.0)  # as far as C4: the lower one
    assert pitch_class(127, classes) == ("A4", 58.0)
    assert pitch_class(0, ("60", "72")) == ("60", -60.0)


def test_classes_without_pitches_raise() -> None:
    with pytest.raises(ValueError, match=r"no class is a pitch.*Kick, Snare"):
        pitch_class(60, ("Kick", "Snare"))


def test_drums_are_in_the_order_of_their_keys() -> None:
    assert in_order(SHIPPED) == ["Kick", "Snare", "Clap", "Tom", "Hat", "Crash", "Ride", "Cowbell"]
    assert in_order(("Pad", "Hat", "Perc", "Kick")) == ["Kick", "Hat", "Pad", "Perc"]
