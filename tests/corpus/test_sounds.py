"""Which files are sounds, what they are labelled, and one line for each mistake in a CSV file."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ngs.corpus.cache import build_cache
from ngs.corpus.sounds import Sounds, find_sounds
from ngs.corpus.words import listing
from ngs.runtime.bundle.manifest import Attribute
from ngs.runtime.bundle.specs import read_attributes


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


@pytest.mark.parametrize(("link", "target"), [("Kick/again", ".."), ("Kick/a", "../.."), ("A", "Kick"), ("A", "/")])
def test_links_to_folders_around_or_elsewhere_are_named(write_sound, data: Path, link: str, target: str) -> None:
    write_sound("Kick/a.wav")
    write_sound("../beside/b.wav")
    (data / link).symlink_to(target, target_is_directory=True)
    sounds = find_sounds(data)
    assert list(labels_of(sounds)) == ["Kick/a.wav"]
    assert sounds.remarks == (f"1 left out, links to folders that they lie in or that are listed elsewhere: {link}",)


def test_links_out_of_the_library_are_followed(write_sound, data: Path, tmp_path: Path) -> None:
    write_sound("Kick/a.wav")
    write_sound("../beside/b.wav")
    (data / "Snare").symlink_to("../beside", target_is_directory=True)
    (data / "Kick" / "c.wav").symlink_to("../../beside/b.wav")
    sounds = find_sounds(data)
    assert list(labels_of(sounds)) == ["Kick/a.wav", "Kick/c.wav", "Snare/b.wav"] and sounds.remarks == ()


def test_links_that_lead_nowhere_are_named(write_sound, data: Path) -> None:
    write_sound("Kick/a.wav")
    (data / "Kick" / "gone.wav").symlink_to("nowhere.wav")
    (data / "to").symlink_to("fro")
    (data / "fro").symlink_to("to")
    sounds = find_sounds(data)
    assert list(labels_of(sounds)) == ["Kick/a.wav"]
    assert sounds.remarks == ("3 left out, links that lead nowhere: Kick/gone.wav, fro, to",)


def test_devices_pipes_and_sockets_are_named_and_not_opened(write_sound, data: Path) -> None:
    write_sound("Kick/a.wav")
    os.mkfifo(data / "Kick" / "pipe.wav")
    (data / "Kick" / "zero.wav").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(data / "Kick" / "s.wav"))  # the whole path would be too long
        sounds = find_sounds(data)
    assert list(labels_of(sounds)) == ["Kick/a.wav"]
    assert sounds.remarks == (
        "3 left out, neither a file nor a folder: Kick/pipe.wav, Kick/s.wav, Kick/zero.wav",
    )  # fmt: skip


def test_folders_that_cannot_be_listed_are_named(write_sound, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sound("Kick/a.wav")
    write_sound("lost+found/b.wav")
    listed = os.listdir

    def refuse(folder: Path) -> list[str]:
        if folder.name in refused:
            raise PermissionError(errno.EACCES, "Permission denied", str(folder))
        return listed(folder)

    monkeypatch.setattr(os, "listdir", refuse)  # not chmod: nothing is refused to root
    refused = ["lost+found"]
    sounds = find_sounds(data)
    assert list(labels_of(sounds)) == ["Kick/a.wav"]
    assert sounds.remarks == ("1 left out, cannot be opened (Permission denied): lost+found",)
    refused = ["data"]
    with pytest.raises(ValueError, match="data cannot be listed: Permission denied"):
        find_sounds(data)


def test_a_folder_at_any_depth_is_listed(write_sound, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_sound("Kick/a.wav")
    monkeypatch.chdir(data)
    for _ in range(1500):
        os.mkdir("d")
        os.chdir("d")
    try:
        sounds = find_sounds(data)
    finally:  # nothing else can remove as many
        for _ in range(1500):
            os.chdir("..")
            os.rmdir("d")
    assert list(labels_of(sounds)) == ["Kick/a.wav"]
    assert [remark[:51] for remark in sounds.remarks] in ([], ["1 left out, cannot be opened (File name too long): "])


def test_names_are_printable_and_each_has_its_own(write_sound, data: Path) -> None:
    content = write_sound("Kick/a.wav").read_bytes()
    for name in (
        b"Schl\xe4gel.wav", b"Schl\xf6gel.wav", b"e\x1b[31m.wav", b"n\nl.wav", b"right\xe2\x80\xaeleft.wav",
        "Scha\u0308del.wav".encode(), "Sch\u00e4del.wav".encode(), "Sch\u00e4del (2).wav".encode(),
    ):  # fmt: skip
        with open(os.path.join(os.fsencode(data), b"Kick", name), "wb") as file:
            file.write(content)
    (data / "Sna\u0308re").mkdir()
    (data / "Sn\u00e4re").mkdir()
    for number, folder in enumerate(("Sna\u0308re", "Sn\u00e4re")):
        (data / folder / f"{number}.wav").write_bytes(content)
    sounds = find_sounds(data)
    assert list(labels_of(sounds)) == [
        "Kick/Schl?gel (2).wav", "Kick/Schl?gel.wav", "Kick/Sch\u00e4del (2).wav", "Kick/Sch\u00e4del (3).wav",
        "Kick/Sch\u00e4del.wav", "Kick/a.wav", "Kick/e?[31m.wav", "Kick/n?l.wav", "Kick/right?left.wav",
        "Sn\u00e4re/0.wav", "Sn\u00e4re/1.wav",
    ]  # fmt: skip
    assert len({file.path for file in sounds.files}) == len(sounds.files)
    assert sounds.attributes[0].classes == ("Kick", "Sn\u00e4re")
    assert sounds.remarks == (
        "2 files named as another when printed, now: Kick/Schl?gel (2).wav, Kick/Sch\u00e4del (3).wav",
    )  # fmt: skip


@pytest.mark.parametrize("sign", ["\xa0", "\u200b", "\ufeff", "\ue000", "\u3000", "\x1b", "\x7f"])
def test_a_bundle_can_name_every_class_and_attribute(write_sound, data: Path, sign: str) -> None:
    write_sound(f"Kick{sign}Drum/a.wav")
    write_sound("Snare/b.wav")
    table = f"file,st{sign}yle\nKick{sign}Drum/a.wav,lo{sign}ng\nSnare/b.wav,short\ne{sign}vil.wav,short\n"
    (data / "labels.csv").write_text(table, encoding="utf-8")
    sounds = find_sounds(data)
    assert sounds.attributes == (Attribute("class", ("Kick?Drum", "Snare")), Attribute("st?yle", ("lo?ng", "short")))
    assert labels_of(sounds) == {"Kick?Drum/a.wav": (0, 0), "Snare/b.wav": (1, 1)}
    assert sounds.remarks == ("1 row of labels.csv without a sound: e?vil.wav",)
    written = [{"name": each.name, "classes": [*each.classes]} for each in sounds.attributes]
    assert read_attributes(written, "attributes") == sounds.attributes


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


def test_labels_that_were_copied_out_of_a_table(write_sound, data: Path) -> None:
    for name in ("a.wav", "b c.wav"):
        write_sound(name)
    (data / "labels.csv").write_text("file\tpitch\r\na.wav\tC4, high\r\nb c.wav\t D4\r\n", encoding="utf-8-sig")
    assert find_sounds(data).attributes[1] == Attribute("pitch", ("C4, high", "D4"))


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


PARTS = st.one_of(
    st.binary(min_size=1, max_size=12),
    st.text(min_size=1, max_size=8).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from([b"\xe4", b"\xf6", b"e\xcc\x81", b"\xc3\xa9", b"?", b" ", b"\x1b[2J", b"\r", b"a (2)", b"-", b"~"]),
).map(lambda name: name.replace(b"/", b"").replace(b"\0", b"") or b"x")
ENTRIES = st.lists(
    st.tuples(
        st.lists(PARTS, min_size=1, max_size=3),
        st.sampled_from([b".wav", b".WAV", b".flac", b".txt", b""]),
        st.sampled_from(["sound", "sound", "text", "pipe", "folder", "up", "loop", "root", "sibling"]),
    ),
    max_size=12,
)


def place(data: bytes, parts: list[bytes], suffix: bytes, kind: str, content: bytes) -> None:
    """Put an entry into a folder, if its name is free."""
    path = os.path.join(data, *parts) + suffix
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if kind == "folder":
            os.mkdir(path)
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind in ("sound", "text"):
            with open(path, "xb") as file:
                file.write(content if kind == "sound" else b"la la la")
        else:
            targets = {"up": b"..", "loop": os.path.basename(path), "root": data, "sibling": b"sure.wav"}
            os.symlink(targets[kind], path)
    except OSError:
        pass


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(entries=ENTRIES)
def test_whatever_lies_in_a_folder_it_is_read_or_named(
    write_sound, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path, entries
) -> None:
    content = (tmp_path / "data" / "a.wav") if (tmp_path / "data").exists() else write_sound("a.wav")
    data = tmp_path_factory.mktemp("walk")
    place(os.fsencode(data), [b"Kick", b"sure"], b".wav", "sound", content.read_bytes())
    for parts, suffix, kind in entries:
        place(os.fsencode(data), parts, suffix, kind, content.read_bytes())
    sounds = find_sounds(data)
    corpus = build_cache(sounds, 22050, tmp_path / "cache")
    names = [file.name for file in sounds.files]
    assert len(set(names)) == len(names) and "Kick/sure.wav" in corpus.names
    assert len(corpus.names) + len(corpus.skipped) == len(names)
    for text in (*names, *corpus.remarks, *(name for attribute in sounds.attributes for name in attribute.classes)):
        assert text.isprintable()
    # every file and every link that is not hidden is read, or counted in a remark
    walked = [
        os.path.relpath(os.path.join(folder, name), os.fsencode(data))
        for folder, folders, files in os.walk(os.fsencode(data))
        for name in (*files, *(each for each in folders if os.path.islink(os.path.join(folder, each))))
    ]
    seen = [path for path in walked if not any(part.startswith(b".") for part in path.split(b"/"))]
    counted = sum(int(remark.split()[0]) for remark in sounds.remarks if "left out" in remark)
    assert len(names) + counted == len(seen)
