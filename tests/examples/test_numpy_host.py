"""The host that developers read first plays what ngs plays, and needs nothing from ngs."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from ngs.runtime.arrays import Array
from ngs.runtime.bundle.bundle import Bundle
from ngs.runtime.bundle.levels import held_levels
from ngs.runtime.bundle.seeds import sample_embeddings
from ngs.runtime.offline.render import decode

HOST = Path(__file__).parents[2] / "examples" / "numpy_host.py"
HITS = {0.0: 1.0, 0.25: 0.4, 0.5: 0.7, 0.625: 0.5}
# makes an import of ngs, torch or an audio library an ImportError
ALONE = "import runpy, sys; sys.modules.update(dict.fromkeys(('ngs', 'soundfile', 'soxr', 'torch', 'onnx'))); "
RUN = ALONE + "sys.argv[:] = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"


def play(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a copy of the host outside this repository, in isolated mode."""
    host = shutil.copy(HOST, cwd)
    return subprocess.run([sys.executable, "-I", "-c", RUN, host, *arguments], cwd=cwd, capture_output=True, text=True)


def expected(bundle: Bundle, class_name: str, seed: int) -> Array:
    """The sounds 0 to 3 of a seed, rendered by ngs: whole paths, grains in batches, overlap-add in numpy."""
    manifest = bundle.manifest
    condition = bundle.condition({manifest.attributes[0].name: class_name})
    conditions = np.tile(condition, (len(HITS), 1))
    embedding = sample_embeddings(bundle, conditions, len(HITS), 1.0, seed)
    paths = bundle.run("embedding_decoder", embedding=embedding, condition=conditions)[0]
    levels = held_levels(bundle, embedding, conditions) * np.float32(list(HITS.values()))[:, None]
    mix = np.zeros(round(max(HITS) * manifest.sample_rate) + (manifest.path_length + 3) * manifest.hop_length)
    for index, (seconds, level, path) in enumerate(zip(HITS, levels, paths, strict=True)):
        start = round(seconds * manifest.sample_rate)
        sound = decode(bundle, path, condition, (seed, index), level=level)
        mix[start : start + len(sound)] += sound
    loudest: float = np.abs(mix).max()
    return np.asarray(mix / max(1.0, loudest), np.float32)


@pytest.mark.parametrize(
    "fixture, class_name",
    [
        ("tiny_bundle", "Snare"),
        ("tiny_zip", "Snare"),
        ("tiny_noise", "Hat"),
        ("tiny_older", "Hat"),
        ("exported_bundle", "Kick"),
    ],
)
def test_it_plays_what_ngs_plays(
    fixture: str, class_name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:  # fmt: skip
    path: Path = request.getfixturevalue(fixture)
    result = play(path, class_name, "out.wav", "5", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    found, sample_rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    bundle = Bundle.open(path, "cpu")
    wanted = expected(bundle, class_name, 5)
    assert result.stdout == f"out.wav: 4 hits of {class_name}, {len(found) / sample_rate:.2f} seconds\n"
    assert sample_rate == bundle.manifest.sample_rate and np.abs(wanted).max() > 1e-3
    np.testing.assert_allclose(found, wanted, atol=1e-4)  # a third of it is rounding to 16 bits


def test_the_seed_decides(tiny_bundle: Path, tmp_path: Path) -> None:
    sounds = []
    for name, seed in (("a.wav", []), ("b.wav", ["0"]), ("c.wav", ["1"])):
        assert play(tiny_bundle, "Kick", name, *seed, cwd=tmp_path).returncode == 0
        sounds.append((tmp_path / name).read_bytes())
    assert sounds[0] == sounds[1] != sounds[2]


def test_an_unknown_class_is_one_line(tiny_bundle: Path, tmp_path: Path) -> None:
    result = play(tiny_bundle, "Gong", "out.wav", cwd=tmp_path)
    assert result.returncode == 1 and not (tmp_path / "out.wav").exists()
    assert result.stderr == "Gong is not one of the classes: Kick, Snare, Hat\n"


@pytest.mark.parametrize("arguments", ["", "BUNDLE Kick", "BUNDLE Kick out.wav x", "BUNDLE Kick out.wav -1 2"])
def test_wrong_arguments_get_the_usage(arguments: str, tiny_bundle: Path, tmp_path: Path) -> None:
    result = play(*(tiny_bundle if word == "BUNDLE" else word for word in arguments.split()), cwd=tmp_path)
    assert result.returncode == 1 and not (tmp_path / "out.wav").exists()
    assert re.fullmatch(r"Usage: python numpy_host\.py BUNDLE CLASS OUT\.wav \[SEED\]; .*\n", result.stderr)


@pytest.mark.parametrize(
    "what, line",
    [
        ("missing", r"FileNotFoundError, .*manifest\.json'"),
        ("empty", r"FileNotFoundError, .*manifest\.json'"),
        ("text", r"BadZipFile, .*"),
        ("cut", r"BadZipFile, .*"),
        ("not JSON", r"JSONDecodeError, .*"),
        ("of no graphs", r"KeyError, 'graphs'"),
        ("a torn graph", r"InvalidProtobuf, .*"),
    ],
)
def test_something_else_than_a_bundle_is_one_line(
    what: str, line: str, tiny_bundle: Path, tiny_zip: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "x.ngs"
    if what in ("text", "cut"):
        bundle.write_bytes(b"words" if what == "text" else tiny_zip.read_bytes()[:-30])
    elif what != "missing":
        shutil.copytree(tiny_bundle, bundle)
    manifest = bundle / "manifest.json"
    if what == "empty":
        manifest.unlink()
    elif what in ("not JSON", "of no graphs"):
        manifest.write_text("{}" if what == "of no graphs" else "{")
    elif what == "a torn graph":
        (bundle / "decoder_stream.onnx").write_bytes(b"torn")
    result = play(bundle, "Kick", "out.wav", cwd=tmp_path)
    assert result.returncode == 1 and not (tmp_path / "out.wav").exists()
    assert re.fullmatch(rf"\S+x\.ngs cannot be played into out\.wav: {line}\n", result.stderr), result.stderr


def test_a_file_that_cannot_be_written_is_one_line(tiny_bundle: Path, tmp_path: Path) -> None:
    result = play(tiny_bundle, "Kick", "nowhere/out.wav", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (1, "")
    assert re.fullmatch(r".* into nowhere/out\.wav: FileNotFoundError, .*\n", result.stderr), result.stderr


def test_it_imports_numpy_onnxruntime_and_the_standard_library() -> None:
    tree = ast.parse(HOST.read_text())
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import():
                names |= {alias.name for alias in node.names}
            case ast.ImportFrom():
                names |= {node.module or ""}
    modules = {name.partition(".")[0] for name in names}
    assert modules - sys.stdlib_module_names == {"numpy", "onnxruntime"}


def test_it_is_short() -> None:
    assert sum(bool(line.strip()) for line in HOST.read_text().splitlines()) <= 77
