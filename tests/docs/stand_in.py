"""Stand-ins for ngs, make, pip and python, for commands on pages that would take too long or never end.

They check what they do not run. A command, option, target, extra, preset or setting that does not exist fails.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
NGS = Path(sysconfig.get_path("scripts")) / "ngs"
SURFACES = ("--osc", "--osc-from", "--midi", "--device")  # options that `--audio offline` refuses


def execute(program: str | Path, *arguments: str) -> NoReturn:
    os.execv(program, [str(program), *arguments])


def ngs(*arguments: str) -> None:
    """Train and export by copying, play without a sound card, measure no speed; run everything else."""
    command, *rest = arguments or ("--help",)
    if command not in ("train", "export", "play", "bench"):
        execute(NGS, *arguments)
    from ngs.cli.main import cli

    group = cli.make_context("ngs", list(arguments))
    made = cli.get_command(group, command)
    assert made is not None
    given = made.make_context(command, list(rest), parent=group).params  # as ngs reads it
    if command == "train":
        train(given, rest)
    elif command == "export":
        export(given)
    elif command == "play" and given["audio"] != "offline" and not given["addresses"]:
        play(given, rest)
    elif command == "play":
        execute(NGS, *arguments)


def train(given: dict[str, object], arguments: list[str]) -> None:
    from ngs.corpus.slices import checked
    from ngs.corpus.sounds import find_sounds
    from ngs.training.config import budget, load_preset, override

    out = Path(str(given["out"]))
    if given["resume"]:
        assert (out / "run.json").exists(), f"{out} is not a run"
        return
    config = load_preset(str(given["preset"] or "fast"))
    for option in ("minutes", "steps"):
        config = budget(config, option, str(given[option])) if given[option] else config
    override(config, list(given["assignments"]))  # type: ignore[call-overload]
    if given["cut"]:
        checked(str(given["cut"]))
    find_sounds(given["data"], given["labels"])  # type: ignore[arg-type]
    assert not out.exists(), f"{out} already holds a run"
    shutil.copytree(os.environ["NGS_TEST_RUN"], out)


def export(given: dict[str, object]) -> None:
    run, output = Path(str(given["run"])), Path(str(given["output"]))
    assert (run / "run.json").exists(), f"{run} is not a run"
    shutil.copytree(os.environ["NGS_TEST_BUNDLE"], output, dirs_exist_ok=True)


def play(given: dict[str, object], arguments: list[str]) -> NoReturn:
    kept = []
    words = iter(arguments)
    for word in words:
        if word in SURFACES:
            next(words)
        else:
            kept.append(word)
    if given["instrument"] == "resynthesiser" and not given["files"]:
        kept += ["--file", os.environ["NGS_TEST_SOUND"]]
    if not given["record"]:
        kept += ["--record", "heard.wav"]
    execute(NGS, "play", *kept, "--audio", "offline", "--seconds", "1")


def make(*arguments: str) -> NoReturn:
    execute(shutil.which("make", path=os.defpath) or "make", "--dry-run", "--directory", str(ROOT), *arguments)


def pip(*arguments: str) -> None:
    command, *wanted = arguments
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    known = {re.split(r"[<>=\[;]", each)[0] for each in sum(extras.values(), project["dependencies"])}
    assert command in ("install", "uninstall"), command
    for each in wanted:
        name, *named = re.split(r"[\[\],]+", each.rstrip("]"))
        if name in (".", "ngs"):
            assert set(named) <= set(extras), f"no extra {named}"
        else:
            assert name in known, f"ngs does not need {name}"


def python(*arguments: str) -> NoReturn:
    if arguments[:2] == ("-m", "pytest"):
        os.chdir(ROOT)
        arguments += ("--collect-only", "--quiet")
    execute(sys.executable, *arguments)


if __name__ == "__main__":
    name, *words = sys.argv[1:]
    {"ngs": ngs, "make": make, "pip": pip, "python": python}[name](*words)
