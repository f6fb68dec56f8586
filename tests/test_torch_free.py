"""Playing needs no torch, and `--help` imports nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile

TRAINING = ("torch", "lightning", "onnx", "onnxscript", "tensorboard")
BLOCKED = (*TRAINING, "matplotlib", "rich", "sklearn", "scipy")
# `None` in sys.modules makes an import of it an ImportError.
HEAD = f"import sys\nsys.modules.update(dict.fromkeys({BLOCKED!r}))\n"


def python(code: str, *arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def ngs(*arguments: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return python(f"{HEAD}from ngs.cli.main import main\nmain()", *arguments, cwd=cwd)


def modules(*folders: str) -> list[str]:
    """The modules in folders, at any depth."""
    root = Path(__file__).parents[1]
    paths = [path.relative_to(root).with_suffix("") for folder in folders for path in (root / folder).rglob("*.py")]
    return sorted(".".join(("ngs", *path.parts)).removesuffix(".__init__") for path in paths)


def test_everything_but_training_and_export_imports_without_torch(tmp_path: Path) -> None:
    found = modules("runtime", "corpus", "evaluation", "pyo_instruments", "cli")
    found += ["ngs.training.config", "ngs.training.run_folder"]
    assert len(found) > 100
    result = python(f"{HEAD}import {', '.join(found)}", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    head = HEAD.replace(repr(BLOCKED), repr(TRAINING))
    result = python(f"{head}import {', '.join(modules('report'))}", cwd=tmp_path)  # which needs matplotlib
    assert result.returncode == 0, result.stderr


def test_a_bundle_plays_without_torch(tiny_bundle: Path, tmp_path: Path) -> None:
    result = ngs(
        "render", tiny_bundle, "sample", "--class", "Kick", "-o", "kick.wav", "--provider", "cpu", cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    sound, _ = soundfile.read(tmp_path / "kick.wav")
    assert len(sound) > 0 and np.isfinite(sound).all()
    assert ngs("render", "loop", "-o", "loop.wav", "--provider", "cpu", cwd=tmp_path).returncode == 0
    for command in ("info", "validate"):
        assert ngs(command, tiny_bundle, cwd=tmp_path).returncode == 0
    result = ngs("hits", "drums", "--count", "1", "--sample-rate", "8000", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    result = ngs("evaluate", tiny_bundle, "drums", "--samples", "2", cwd=tmp_path)
    assert result.returncode == 0 and "pip install scikit-learn" in result.stdout, result.stderr


def test_playing_without_pyo_says_what_to_install(tmp_path: Path) -> None:
    for module in ("pyo", "mido", "pythonosc"):
        blocked = HEAD.replace("'torch'", f"'torch', '{module}'")
        code = f"{blocked}from ngs.cli.main import main\nmain()"
        result = python(code, "play", "--audio", "offline", "--seconds", "1", "--record", "take.wav", cwd=tmp_path)
        assert result.returncode == 1 and "pip install '.[live]'" in result.stderr, module
        assert result.stderr.count("\n") == 1


def test_training_without_torch_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "sounds").mkdir()
    for arguments in (["train", "sounds", "--out", "run"], ["export", "run"]):
        result = ngs(*arguments, cwd=tmp_path)
        assert result.returncode == 1 and "pip install '.[train]'" in result.stderr
        assert result.stderr.count("\n") == 1


def test_training_refuses_its_input_before_torch_is_imported(tmp_path: Path) -> None:
    code = """
import sys
from ngs.cli.main import main
try:
    main()
finally:
    print("imported:", sorted({"torch", "lightning", "onnxruntime", "onnx", "matplotlib"} & set(sys.modules)))
"""
    (tmp_path / "empty").mkdir()
    (tmp_path / "silent").mkdir()
    soundfile.write(tmp_path / "silent" / "a.wav", np.zeros(800), 8000)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").touch()
    for arguments, message in (
        (("gone", "--out", "new"), "gone"),
        (("empty", "--out", "new"), "There are no sounds in empty"),
        (("silent", "--out", "new", "--cache", "cache"), "No sound in silent can be used: a.wav is silent"),
        (("silent", "--out", "run"), "already holds a run"),
        (("--out", "new", "--resume"), "is not a run folder"),
        (("silent", "--out", "new", "--preset", "slow"), "There is no preset 'slow'"),
        (("silent", "--out", "new", "--steps", "x"), "--steps: 'x' is not a number"),
        (("silent", "--out", "new", "--set", "grain.nothing=1"), "has no key 'nothing'"),
        (("silent", "--out", "new", "--accelerator", "gpus"), "do not fit this machine: 'gpus' is none of auto, cpu"),
        (("silent", "--out", "new", "--precision", "8"), "do not fit this machine: '8'"),
        (("silent", "--out", "new", "--devices", "all"), "do not fit this machine: 'all'"),
    ):
        result = python(code, "train", *arguments, cwd=tmp_path)
        assert result.returncode != 0 and message in result.stderr, result.stderr
        assert "Traceback" not in result.stderr and not (tmp_path / "new").exists()
        assert result.stdout == "imported: []\n", arguments


def test_pictures_without_matplotlib_say_what_to_install(tiny_bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "sounds").mkdir()
    for arguments in (["map", tiny_bundle, "-o", "map.png"], ["report", tiny_bundle, "sounds", "-o", "report"]):
        result = ngs(*arguments, cwd=tmp_path)
        assert result.returncode == 1 and "pip install '.[report]'" in result.stderr, result.stderr
        assert result.stderr.count("\n") == 1


def test_maps_and_reports_need_no_torch(tiny_bundle: Path, tmp_path: Path) -> None:
    code = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name in {TRAINING!r}:
            raise ImportError(name)
sys.meta_path.insert(0, Blocked())
from ngs.cli.main import main
main()
"""
    assert ngs("hits", "sounds", "--count", "2", "--sample-rate", "8000", cwd=tmp_path).returncode == 0
    for arguments in (["map", tiny_bundle, "-o", "map.png"], ["report", tiny_bundle, "sounds", "-o", "report"]):
        result = python(code, *arguments, cwd=tmp_path)
        assert result.returncode == 0, result.stderr


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = """
import sys
from ngs.cli.main import main
try:
    main()
finally:
    heavy = {"numpy", "onnxruntime", "torch", "soundfile", "soxr", "lightning", "matplotlib", "sklearn", "pyo"}
    print("imported:", sorted(heavy & set(sys.modules)))
"""
    commands = ["hits", "train", "export", "render", "play", "info", "validate", "evaluate", "doctor", "bench"]
    commands += ["spectrogram", "map", "report"]
    for arguments in (["--help"], *([command, "--help"] for command in commands), ["--version"]):
        result = python(code, *arguments, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
        assert result.stdout.endswith("imported: []\n"), arguments
    assert all(f"  {command} " in python(code, "--help", cwd=tmp_path).stdout for command in commands)
