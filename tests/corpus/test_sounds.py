"""Which files are sounds, what they are labelled, and one line for each mistake in a CSV file."""

from __future__ import annotations

from pathlib import Path

import pytest

from ngs.corpus.sounds import Sounds, find_sounds
from ngs.corpus.words import listing
from ngs.runtime.bundle.manifest import Attribute


def labels_of(sounds: Sounds) -> dict[str, tuple[int, ...]]:
    return {file.name: file.labels for file in sounds.files}


def test_the_first_folder_level_is_the_class(write_sound, data: Path) -> None:
    for name in ("Snare/b.wav", "Kick/deep/er/c.wav", "Kick/a.flac", "Kick/UPPER.WAV"):
        write_sound(name)
    sounds = find_sounds(data)
    assert sounds.attributes == (Attribute("class", ("Kick", "Snare")),)
    assert labels_of(sounds) == {
        "Kick/UPPER.WAV": (0,),
        "Kick/a.flac": (0,),
        "Kick/deep/er/c.wav": (0,),
        "Snare/b.wav": (1,),
    }
    assert [file.name for file in sounds.files] == sorted(file.name for file in sounds.files)
    assert all(file.path.is_file() for file in sounds.files)
    assert sounds.remarks == ()


def test_files_only_are_one_class(write_sound, data: Path) -> None:
    write_sound("a.wav")
    assert find_sounds(data).attributes == (Attribute("class", ("all",)),)


def test_files_beside_class_folders_are_left_out_and_named(write_sound, data: Path) -> None:
    write_sound("Kick/a.wav")
    write_sound("stray.wav")
    sounds = find_sounds(data)
    assert list(labels_of(sounds)) == ["Kick/a.wav"]
    assert sounds.remarks == ("1 sound beside the class folders left out: stray.wav",)


def test_other_files_are_named_and_hidden_ones_are_not(write_sound, data: Path) -> None:
    write_sound("Kick/a.wav")
    write_sound("Kick/._a.wav")
    write_sound(".trash/b.wav")
    (data / "Kick" / ".DS_Store").touch()
    (data / "notes.txt").touch()
    (data / "Kick" / "cover.jpg").touch()
    sounds = find_sounds(data)
    assert list(labels_of(sounds)) == ["Kick/a.wav"]
    assert sounds.remarks == ("2 files left out, not audio: Kick/cover.jpg, notes.txt",)


def test_a_folder_without_sounds_is_no_class(write_sound, data: Path) -> None:
    write_sound("Kick/a.wav")
    (data / "empty").mkdir()
    assert find_sounds(data).attributes[0].classes == ("Kick",)


def test_circular_links_end(write_sound, data: Path) -> None:
    write_sound("Kick/a.wav")
    (data / "Kick" / "again").symlink_to(data, target_is_directory=True)
    assert list(labels_of(find_sounds(data))) == ["Kick/a.wav"]


@pytest.mark.parametrize("prepare", [Path.mkdir, lambda path: (path.mkdir(), (path / "a.txt").touch())])
def test_a_folder_without_sounds_is_an_error(data: Path, prepare) -> None:
    prepare(data)
    with pytest.raises(ValueError, match="There are no sounds in .*data"):
        find_sounds(data)


def test_what_is_not_a_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a folder"):
        find_sounds(tmp_path / "nowhere")


def test_labels_give_more_attributes(write_sound, data: Path) -> None:
    for name in ("horn/a.wav", "horn/b.wav", "oboe/c.wav"):
        write_sound(name)
    (data / "labels.csv").write_text("file,pitch,style\nhorn/a.wav,C4,long\n./oboe/c.wav,A3,\ngone.wav,C4,long\n")
    sounds = find_sounds(data)
    assert sounds.attributes == (
        Attribute("class", ("horn", "oboe")), Attribute("pitch", ("A3", "C4")), Attribute("style", ("long",)),
    )  # fmt: skip
    assert labels_of(sounds) == {"horn/a.wav": (0, 1, 0), "horn/b.wav": (0, -1, -1), "oboe/c.wav": (1, 0, -1)}
    assert sounds.remarks == (
        "1 row of labels.csv without a sound: gone.wav",
        "1 sound without pitch: horn/b.wav",
        "2 sounds without style: horn/b.wav, oboe/c.wav",
    )


def test_a_class_column_replaces_the_folders(write_sound, data: Path, tmp_path: Path) -> None:
    for name in ("x/a.wav", "b.wav"):
        write_sound(name)
    table = tmp_path / "table.csv"
    table.write_text("file;pitch;class\nx/a.wav;C4;Tom\nb.wav;D4;Kick\n", encoding="utf-8-sig")
    sounds = find_sounds(data, table)
    assert sounds.attributes == (Attribute("class", ("Kick", "Tom")), Attribute("pitch", ("C4", "D4")))
    assert labels_of(sounds) == {"b.wav": (0, 1), "x/a.wav": (1, 0)}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected a header"),
        ("name,pitch\n", "line 1: expected a header"),
        ("file\n", "line 1: expected a header"),
        ("file,pitch,pitch\n", "line 1: expected a header"),
        ("file,pitch\na.wav,C4\nb.wav\n", "line 3: expected 2 fields, found 1"),
        ('file,pitch\n"a.wav"x,C4\n', "line 2: "),
        ("file,pitch\na.wav,C4\na.wav,D4\n", "line 3: a.wav has other labels in an earlier line"),
        ("file,class\na.wav,\n", "gives no sound in .* a class"),
        (b"file,pitch\na.wav,\xff\n", "is not UTF-8 text"),
    ],
)
def test_malformed_labels_are_an_error_of_one_line(write_sound, data: Path, text: str | bytes, message: str) -> None:
    write_sound("a.wav")
    (data / "labels.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message) as caught:
        find_sounds(data)
    assert "labels.csv" in str(caught.value) and "\n" not in str(caught.value)


def test_pitches_are_read_from_names_on_request(write_sound, data: Path) -> None:
    for name in ("Kit 1/Toms/x_A4.wav", "Kit 2/Toms/x_As3.wav", "Kit 2/Bells/y_060.wav", "Kit 2/Toms/hum.wav"):
        write_sound(name)
    sounds = find_sounds(data, pitch_from_names=True)
    assert sounds.attributes == (Attribute("class", ("Bells", "Toms")), Attribute("pitch", ("A#3", "A4", "C4")))
    assert [*labels_of(sounds).values()] == [(1, 1), (0, 2), (1, -1), (1, 0)]
    assert sounds.class_from == "2" and sounds.understood[-1] == (
        "3 of 4 names have a pitch, A#3 to A4; none: Kit 2/Toms/hum.wav"
    )
    with pytest.raises(ValueError, match="choose top, folder, name"):
        find_sounds(data, class_from="middle")


def test_pitches_that_are_nowhere_or_twice_are_an_error(write_sound, data: Path) -> None:
    write_sound("a.wav")
    with pytest.raises(ValueError, match="No file name in .*data has a pitch such as A4"):
        find_sounds(data, pitch_from_names=True)
    (data / "labels.csv").write_text("file,pitch\na.wav,C4\n")
    with pytest.raises(ValueError, match="already has a column pitch: leave out --pitch-from-names"):
        find_sounds(data, pitch_from_names=True)


def test_keep_drops_classes_that_nothing_is_left_of(write_sound, data: Path) -> None:
    for name in ("A/a.wav", "B/b.wav", "C/c.wav"):
        write_sound(name)
    kept = find_sounds(data).keep([True, False, True])
    assert kept.attributes == (Attribute("class", ("A", "C")),)
    assert labels_of(kept) == {"A/a.wav": (0,), "C/c.wav": (1,)}
    assert kept.remarks == ("No sound is left of the class B",)


def test_listing_is_short() -> None:
    assert listing(["a", "b"]) == "a, b"
    assert listing([str(i) for i in range(100)]).endswith("7 and 92 more")
