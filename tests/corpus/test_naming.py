"""Which level of folders names the classes, in the layouts that packs come in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis.strategies import characters, lists, sampled_from, text

from ngs.corpus.naming import ClassFromError, _plain, checked, classes_of, proposed


def files(*folders: str) -> list[str]:
    return [f"{folder}/{number}.wav" for folder in folders for number in range(3)]


def layout(text: str) -> list[str]:
    return files(*text.split(" | "))


@pytest.mark.parametrize(
    ("folders", "level", "classes"),
    [
        ("Kicks | Hi-Hats | Closed Hats", "top", "Closed Hats, Hi-Hats, Kicks"),
        ("Kicks/Kit 1 | Kicks/Kit 2 | Snares/Kit 1 | Snares/Kit 2", "top", "Kicks, Snares"),
        ("Kit 1/Kicks | Kit 1/Snares | Kit 2/Kicks | Kit 2/Snares", "2", "Kicks, Snares"),
        ("Dusty/Kicks | Dusty/BD | Neon/Bass Drums | Neon/SD", "2", "BD, SD"),
        ("Pack/Dusty/Kicks | Pack/Dusty/Hats | Pack/Neon/Hats | Pack/Neon/Kicks", "3", "Hats, Kicks"),
        ("Drums/Kicks | Drums/HH | Synths/Leads | Loops/90 BPM | Loops/C minor", "2", "HH, Kicks, Leads, Loops"),
        ("One Shots/01 Kicks | Loops/Drum Loops 120bpm | Loops/Drum Loops 90 BPM", "2", "01 Kicks, Drum Loops"),
        ("Kit A/Kit A Kicks | Kit B/Kit B Kicks | Kit B/Kit B Snares", "2", "Kicks, Snares"),
        ("Kit 1/Kicks/Long | Kit 2/Kicks/Short | Kit 2/Snares/Short | Bass Shots", "2", "Bass Shots, Kicks, Snares"),
        ("Session 1/rain | Session 1/wind | Session 2/rain | Session 2/wind", "2", "rain, wind"),
        ("Violin/pp | Violin/ff | Cello/pp | Cello/ff", "top", "Cello, Violin"),
        ("Alice/rain | Alice/wind | Bob/rain | Bob/wind", "top", "Alice, Bob"),
        ("Kick", "top", "Kick"),
        ("A#3 | A3 | Bb3", "top", "A#3, A3, Bb3"),
    ],
)  # fmt: skip
def test_the_level_that_names_sounds_is_chosen(folders: str, level: str, classes: str) -> None:
    found = classes_of(layout(folders))
    assert (found.class_from, ", ".join(sorted({*found.of.values()}))) == (level, classes)
    assert {*found.of} == {*layout(folders)}
    assert classes_of(layout(folders), found.class_from).of == found.of


def test_the_table_shows_what_was_understood() -> None:
    assert classes_of([*layout("Kit 1/Kicks | Kit 2/Kicks | FX"), "Kit 1/demo.wav"]).table() == [
        "Classes: the folders 2 below DATA (--class-from 2)",
        "  FX          3  FX",
        "  Kicks       6  Kit 1/Kicks and 1 other folder",
    ]
    many = classes_of(files(*(f"class {number:02}" for number in range(20)))).table()
    assert len(many) == 14 and many[-1] == "  and 8 more"


@pytest.mark.parametrize(
    ("names", "level", "hint"),
    [
        (layout("Al/rain | Al/wind | Bo/rain | Bo/wind"), None, "rain, wind. If they are the classes: --class-from 2"),
        (layout("Kit 1/Kicks | Kit 2/Kicks"), "top", "Kicks. If they are the classes: --class-from 2"),
        (["MD2_Kick_01.wav", "MD2_Snare_02_C#.wav"], None, "Kick, Snare: --class-from name makes them the classes"),
    ],
)  # fmt: skip
def test_a_hint_tells_of_another_level(names: list[str], level: str | None, hint: str) -> None:
    assert classes_of(names, level).table()[-1].endswith(hint)


@pytest.mark.parametrize("folders", ["Kicks | Snares", "Kicks/A | Kicks/B | Snares/A | Snares/B", "a/b | c/d"])
def test_no_hint_where_nothing_is_hidden(folders: str) -> None:
    assert classes_of(layout(folders)).hint == ""


def test_each_level_can_be_asked_for() -> None:
    names = ["Pack/Kit/Kick 1 120bpm.wav", "Pack/Kit/closed_hat_02.wav", "Pack/Snares/x.wav"]
    assert [*classes_of(names, "top").of.values()] == ["Pack"] * 3
    assert [*classes_of(names, "folder").of.values()] == ["Kit", "Kit", "Snares"]
    assert [*classes_of(names, "2").of.values()] == ["Kit", "Kit", "Snares"]
    assert [*classes_of(names, "NAME").of.values()] == ["Kick", "Closed Hat", "x"]
    assert checked("0002") == "2" and checked("01") == "top"
    for wrong in ("0", "17", "-1", "sideways", "", "9" * 5000, "00010000", "²"):
        with pytest.raises(ClassFromError, match="choose top, folder, name"):
            classes_of(names, wrong)


def test_sounds_are_counted_and_not_folders() -> None:
    names = [*(f"Al/Kicks/{number}.wav" for number in range(30)), "Bo/x/1.wav", "Cy/y/1.wav", "Di/z/1.wav"]
    assert proposed(names) == "2"
    assert classes_of(names, known=("x", "y", "z")).class_from == "2"
    assert classes_of([*names, *(f"{number}.wav" for number in range(40))]).class_from == "top"


def test_each_folder_is_looked_at_once() -> None:
    _plain.cache_clear()
    classes_of([f"Pack/Kit {kit}/Kicks {kit} 90 BPM/{number}.wav" for kit in range(10) for number in range(300)])
    assert _plain.cache_info().hits + _plain.cache_info().misses < 3000  # sounds


def test_the_level_of_known_classes_is_found() -> None:
    names = layout("Kit 1/Kicks | Kit 1/Snares | Kit 2/Kicks | Kit 2/Snares")
    assert classes_of(names, known=("Kick", "Snare")).class_from == "2"
    assert classes_of(names, known=("Kit 1", "Kit 2")).class_from == "top"
    assert classes_of(names, known=("Gong",)).class_from == proposed(names)


PARTS = sampled_from(["Kick", "Kicks", "Kit 1", "90 BPM", "C", "C#m", "WAV", " ", "808", "a.wav"]) | text(
    characters(exclude_characters="/"), min_size=1, max_size=6
)


@given(lists(lists(PARTS, min_size=1, max_size=20).map("/".join), unique=True, max_size=12), text(characters()))
def test_any_names_have_classes_or_are_refused(names: list[str], level: str) -> None:
    for class_from in (None, "top", "folder", "name", "3"):
        found = classes_of(names, class_from, known=("Kick",))
        assert {*found.of} <= {*names} and (bool(found.of) or not names)
        assert all(found.of.values()) and all("\n" not in line or "\n" in "".join(names) for line in found.table())
    try:
        assert checked(checked(level)) == checked(level)
    except ClassFromError:
        pass
