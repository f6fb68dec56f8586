"""`ngs cache`: what is listed is what was decoded, and only caches are removed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from ngs.cli.cache import cache
from ngs.corpus.cache import build_cache
from ngs.corpus.caches import caches
from ngs.corpus.sounds import find_sounds

RATE = 8000


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with two caches, of one and of two sounds, and a file that is none of ours."""
    root = tmp_path / "cache"
    for number, name in enumerate(("first", "second"), 1):
        folder = tmp_path / name
        folder.mkdir()
        for index in range(number):
            soundfile.write(
                folder / f"{index}.wav", np.random.default_rng(index + 9 * number).normal(0, 0.1, RATE), RATE
            )
        build_cache(find_sounds(folder), RATE, root)
    (root / "notes.txt").write_text("mine")
    return root


def age(root: Path, data: Path, days: float) -> None:
    (used,) = [each.path / "used-by.txt" for each in caches(root) if each.data == str(data)]
    then = time.time() - days * 24 * 3600
    os.utime(used, (then, then))


def call(*arguments: str | Path) -> str:
    result = CliRunner().invoke(cache, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_it_lists_what_was_decoded_the_last_used_first(root: Path, tmp_path: Path) -> None:
    age(root, tmp_path / "second", 3.5)
    first, second, total = call("list", "--cache", root).splitlines()
    assert "1 sound, 0.0 minutes, used today" in first and first.endswith(f", of {tmp_path / 'first'}")
    assert "2 sounds, " in second and "used 3 days ago" in second
    assert total.startswith(f"2 caches in {root}, ")
    size = sum(path.stat().st_size for path in root.rglob("*") if path.is_file() and path.parent != root)
    assert sum(each.size for each in caches(root)) == size


def test_using_a_cache_makes_it_young(root: Path, tmp_path: Path) -> None:
    age(root, tmp_path / "second", 9)
    build_cache(find_sounds(tmp_path / "second"), RATE, root)
    assert "ago" not in call("list", "--cache", root)


def test_it_removes_old_ones_and_leaves_the_rest(root: Path, tmp_path: Path) -> None:
    age(root, tmp_path / "second", 31)
    young = root / ".build-young"
    young.mkdir()
    assert call("clear", "--cache", root, "--older-than", "30").startswith(f"Removed 1 cache in {root}, ")
    assert [each.sounds for each in caches(root)] == [1]
    assert call("clear", "--cache", root).startswith("Removed 1 cache in")
    assert sorted(path.name for path in root.iterdir()) == [".build-young", "notes.txt"]
    assert len(build_cache(find_sounds(tmp_path / "second"), RATE, root).names) == 2


def test_a_damaged_cache_is_listed_and_removed(root: Path) -> None:
    for each in caches(root):
        (each.path / "index.npz").write_bytes(b"")
    assert call("list", "--cache", root).count(", damaged, ") == 2
    assert call("clear", "--cache", root).startswith("Removed 2 caches")


def test_a_folder_that_is_not_there_has_no_caches(tmp_path: Path) -> None:
    assert call("list", "--cache", tmp_path / "none").startswith("0 caches in")
    assert call("clear", "--cache", tmp_path / "none").startswith("Removed 0 caches in")
