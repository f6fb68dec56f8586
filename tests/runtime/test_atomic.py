"""A file is replaced as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

import pytest

from ngs.runtime.atomic import close_replaced, replace_path, replaced, replaced_folder, writable


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    with replaced(path) as beside:
        beside.write_text("whole")
        assert not path.exists() and beside.parent == path.parent
    assert path.read_text() == "whole" and os.listdir(path.parent) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failure_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")
    with pytest.raises(error), replaced(path) as beside:
        beside.write_text("half")
        raise error
    assert path.read_text() == "before" and os.listdir(tmp_path) == ["a.txt"]


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with replaced(path) as first, replaced(path) as second:
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first" and os.listdir(tmp_path) == ["a.txt"]


def test_a_name_of_the_greatest_length(tmp_path: Path) -> None:
    path = tmp_path / ("a" * 251 + ".txt")
    with replaced(path) as beside:
        beside.write_text("whole")
    assert path.read_text() == "whole"


def test_errors_name_the_file_that_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError) as raised, replaced(tmp_path / "folder") as beside:
        beside.write_text("text")
    assert raised.value.filename == str(tmp_path / "folder")
    with pytest.raises(FileNotFoundError) as missing, replaced(tmp_path / "a.txt"):
        pass
    assert missing.value.filename == str(tmp_path / "a.txt") and os.listdir(tmp_path) == ["folder"]
    with pytest.raises(OSError) as other, replaced(tmp_path / "a.txt"):
        (tmp_path / "elsewhere").read_text()
    assert other.value.filename == str(tmp_path / "elsewhere")


@pytest.mark.parametrize("keep", [True, False])
def test_a_stack_keeps_the_file_or_not(tmp_path: Path, keep: bool) -> None:
    with contextlib.ExitStack() as opened:
        opened.enter_context(replaced(tmp_path / "a.txt")).write_text("text")
        stack = opened.pop_all()
    close_replaced(stack, keep)
    assert os.listdir(tmp_path) == ["a.txt"] * keep


def test_a_folder_is_replaced(tmp_path: Path) -> None:
    made, path, old = (tmp_path / name for name in ("made", "path", "old"))
    for folder in (made, path):
        folder.mkdir()
        (folder / folder.name).write_text("text")
    replace_path(made, path, old)
    assert os.listdir(path) == ["made"] and os.listdir(old) == ["path"] and not made.exists()


def test_a_folder_comes_back_when_it_cannot_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "path").mkdir()
    with pytest.raises(FileNotFoundError):
        replace_path(tmp_path / "missing", tmp_path / "path", tmp_path / "old")
    assert os.listdir(tmp_path) == ["path"]


def test_a_new_folder_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "path"
    for name in ("first", "second"):
        with replaced_folder(path) as made:
            (made / name).write_text("text")
        assert os.listdir(path) == [name] and os.listdir(path.parent) == ["path"]


@pytest.mark.parametrize("error", [OSError(28, "full"), KeyboardInterrupt()])
@pytest.mark.parametrize("renamings", [0, 1])
def test_a_failure_leaves_the_old_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, renamings: int
) -> None:
    """Also between the two renamings."""
    path, rename, renamed = tmp_path / "path", os.rename, list[object]()
    path.mkdir()
    (path / "old").write_text("text")

    def fails(source: Path, target: Path) -> None:
        renamed.append(target)
        if len(renamed) == renamings + 1:
            raise error
        rename(source, target)

    monkeypatch.setattr(os, "rename", fails)
    with pytest.raises(type(error)), replaced_folder(path) as made:
        (made / "half").write_text("text")
    assert os.listdir(path) == ["old"] and os.listdir(tmp_path) == ["path"]


def test_folders_that_cannot_be_written_to_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert writable(tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file/a cannot be made"):
        writable(tmp_path / "file" / "a")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OSError, match="a cannot be written to"):
        writable(tmp_path / "a")


@pytest.mark.skipif(os.name == "nt", reason="modes of POSIX")
@pytest.mark.parametrize(
    ("umask", "before", "after"),
    [(0o022, None, 0o644), (0o077, None, 0o600), (0o022, 0o600, 0o600), (0o077, 0o644, 0o644)],
)
def test_a_file_keeps_its_mode(tmp_path: Path, umask: int, before: int | None, after: int) -> None:
    path = tmp_path / "a.txt"
    if before is not None:
        path.write_text("before")
        path.chmod(before)
    previous = os.umask(umask)
    try:
        with replaced(path) as beside:
            beside.write_text("whole")
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == after and path.read_text() == "whole"


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege there")
def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target, link = tmp_path / "there" / "b.txt", tmp_path / "a.txt"
    target.parent.mkdir()
    target.write_text("before")
    link.symlink_to(Path("there", "b.txt"))
    with replaced(link) as beside:
        beside.write_text("whole")
    assert link.is_symlink() and target.read_text() == "whole" and os.listdir(target.parent) == ["b.txt"]
