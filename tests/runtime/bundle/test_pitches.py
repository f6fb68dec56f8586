"""Which classes are pitches, by their names."""

from __future__ import annotations

import pytest

from ngs.runtime.bundle.pitches import pitch, pitch_attribute, pitch_class, pitches_of
from ngs.runtime.bundle.specs import Attribute


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("A4", 69),
        ("C4", 60),
        ("c#3", 49),
        ("Bb2", 46),
        ("As4", 70),
        ("Cs3", 49),
        ("B♭2", 46),
        ("C-1", 0),
        ("60", 60),
        ("G9", 127),
        ("Cb4", 59),
    ],
)
def test_pitches_are_read(name: str, key: int) -> None:
    assert pitch(name) == key


@pytest.mark.parametrize("name", ["", "A", "Kick", "H4", "A44", "128", "A4 soft"])
def test_other_names_are_not_pitches(name: str) -> None:
    assert pitch(name) is None


def test_the_pitch_attribute_is_found() -> None:
    instrument, pitches = Attribute("instrument", ("cello", "flute")), Attribute("tone", ("A3", "Bb3", "C4"))
    layers, keys = Attribute("layer", ("64", "127")), Attribute("pitch", ("60", "64"))
    assert pitch_attribute([instrument, layers, pitches]) is pitches
    assert pitch_attribute([instrument, keys]) is keys
    assert pitch_attribute([instrument, layers]) is None


def test_all_classes_have_to_be_pitches() -> None:
    assert pitches_of(Attribute("tone", ("A3", "C4"))) == [57, 60]
    assert pitches_of(Attribute("tone", ("A3", "noise"))) is None
    assert pitches_of(Attribute("MIDI key", ("60", "64"))) == [60, 64]
    assert pitches_of(Attribute("layer", ("60", "64"))) is None


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
