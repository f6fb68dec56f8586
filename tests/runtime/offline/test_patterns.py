"""Step patterns as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from ngs.runtime.offline.patterns import BUILT_IN, LEVELS, PatternError, load_pattern, parse_pattern

DRUMS = ("Clap", "Cowbell", "Crash", "Hat", "Kick", "Ride", "Snare", "Tom")
PACK = ("Bass", "Break", "Cymbal", "Fx", "Hat", "Kick", "Lead", "Pad", "Perc", "Snare")


def test_levels_of_the_steps() -> None:
    (track,) = parse_pattern("# a comment\n\n Bass Drum  xXo.............  # the end\n", "text")
    assert track.class_name == "Bass Drum"
    assert track.levels[:4] == (LEVELS["x"], LEVELS["X"], LEVELS["o"], 0.0) and not any(track.levels[4:])


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_patterns_fit_drums(name: str) -> None:
    tracks = load_pattern(name, PACK if name == "drum-and-bass" else DRUMS)
    assert len(tracks) == len(parse_pattern(BUILT_IN[name], name))
    assert all(len(track.levels) == 16 and any(track.levels) for track in tracks)


@pytest.mark.parametrize("name", BUILT_IN)
def test_built_in_patterns_fit_other_classes(name: str) -> None:
    assert {track.class_name for track in load_pattern(name, ("kick", "voice"))} == {"kick"}
    assert [track.class_name for track in load_pattern(name, ("flute", "oboe"))] == ["flute", "oboe"]


@pytest.mark.parametrize("name", ["house", "breakbeat", "electro"])
def test_lines_of_one_class_are_one_track_and_no_step_is_lost(name: str) -> None:
    lines = parse_pattern(BUILT_IN[name], name)
    tracks = load_pattern(name, ("Kicks", "Snares", "Cymbals", "Percussion"))
    assert len({track.class_name for track in tracks}) == len(tracks) < len(lines)
    loudest = [max(levels) for levels in zip(*(line.levels for line in lines), strict=True)]
    assert [max(levels) for levels in zip(*(track.levels for track in tracks), strict=True)] == loudest


def test_at_each_step_the_loudest_line_of_a_class_is_heard(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Kick x..o............\nhat x...............\nKICK oX..............\n")
    assert [(track.class_name, track.text) for track in load_pattern(str(tmp_path / "a.txt"), DRUMS)] == [
        ("Kick", "xX.o............"), ("Hat", "x..............."),
    ]  # fmt: skip


def test_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("KICK x...x...x...x...\n")
    assert load_pattern(str(tmp_path / "a.txt"), DRUMS)[0].class_name == "Kick"


def test_a_file_as_editors_write_it(tmp_path: Path) -> None:
    """With a byte order mark, tabs, and accents that are characters of their own."""
    (tmp_path / "gro\N{LATIN SMALL LETTER SHARP S}e\u0301.txt").write_text(
        "Kick\tx...x...x...x...\t# four\r\n\tOpen\tHat \t..x...x...x...x.\r\nCle\u0301\tX...............\n",
        encoding="utf-8-sig",
    )
    tracks = load_pattern(
        str(tmp_path / "gro\N{LATIN SMALL LETTER SHARP S}\u00e9.txt"), ("Kick", "Open Hat", "Cl\u00e9")
    )
    assert [track.class_name for track in tracks] == ["Kick", "Open Hat", "Cl\u00e9"]
    assert tracks[1].text == "..x...x...x...x."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Kick x...x...x...x..", "line 1: expected a class and 16 steps"),
        ("\nKick x...y...x...x...", "line 2"),
        ("x...x...x...x...", "line 1"),
        ("# nothing", "has no line"),
        ("Gong x...x...x...x...", "no class 'Gong'; known: Clap"),
    ],
)
def test_errors_in_a_file_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(PatternError, match=message):
        load_pattern(str(tmp_path / "a.txt"), DRUMS)


def test_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PatternError, match="text"):
        load_pattern(str(tmp_path / "a.txt"), DRUMS)
    with pytest.raises(PatternError, match="no pattern 'polka'.*house, breakbeat, drum-and-bass, electro"):
        load_pattern("polka", DRUMS)
