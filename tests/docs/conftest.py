"""Run the code of a page from top to bottom, in a folder of its own that looks like a checkout of ngs."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from tests.docs.pages import ROOT, blocks, runnable

from ngs.pyo_instruments.timing.clock import Clock, ClockStatistics

READ = ("examples", "runtime")
STAND_IN = Path(__file__).with_name("stand_in.py")
STAND_INS = ("ngs", "make", "pip", "python")
BLOCKS = 600  # what each pyo server of a page plays


class Heard(NamedTuple):
    """What a pyo server of a page played."""

    peak: float
    statistics: ClockStatistics


class Played(NamedTuple):
    names: dict[str, Any]  # the variables of the page's Python
    servers: list[Heard]


Play = Callable[[str], Played]


@pytest.fixture(scope="session")
def play_page(
    environment: dict[str, str], trained_run: Path, exported_bundle: Path, hits_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Play:  # fmt: skip
    """Run a page, once per session; raises if a block fails."""
    shared = {
        **environment,
        "NGS_TEST_RUN": str(trained_run),
        "NGS_TEST_BUNDLE": str(exported_bundle),
        "NGS_TEST_SOUND": str(hits_folder / "Kick" / "Kick_000.wav"),
    }
    placeholders = {
        "DATA": hits_folder, "DRUMS": hits_folder, "ORCHESTRA": hits_folder, "PACKS": hits_folder,
        "FOLDER": hits_folder, "RUN": trained_run, "BUNDLE": exported_bundle, "mine.ngs": exported_bundle,
    }  # fmt: skip

    @functools.cache
    def play(page: str) -> Played:
        folder = tmp_path_factory.mktemp(page.replace("/", "-")) / "ngs"
        furnish(folder, placeholders)
        variables = {
            **shared,
            "PATH": f"{folder / '.venv' / 'bin'}{os.pathsep}{shared['PATH']}",
            "NGS_TEST_FOLDER": str(folder.parent / "folder.txt"),
        }
        names: dict[str, Any] = {"__name__": "page"}
        heard: list[Heard] = []
        with contextlib.chdir(folder), manual_servers() as servers:
            for block in blocks(page):
                where = f"{page}, line {block.line}"
                if block.kind == "sh":
                    run_shell(runnable(page, block.text), variables, where)
                elif block.kind == "python":
                    lines = "\n" * block.line + block.text  # so that a traceback names the page's own
                    exec(compile(lines, str(ROOT / page), "exec", dont_inherit=True), names)
                    heard += [listen(server) for server in servers]
                    servers.clear()
        return Played(names, heard)

    return play


def furnish(folder: Path, placeholders: dict[str, Path]) -> None:
    """Fill a folder with what pages read: links into the checkout, sounds, a run, a bundle, and stand-ins."""
    folder.mkdir()
    for name in READ:
        (folder / name).symlink_to(ROOT / name)
    for name, source in placeholders.items():
        shutil.copytree(source, folder / name)
    (folder / "labels.csv").write_text("file,pitch\nTom/Tom_000.wav,A4\n")
    for name in ("rec_drum_input.flac", "rec_drum_output.flac"):
        shutil.copy(folder / "DATA" / "Kick" / "Kick_000.wav", folder / name)
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "activate").write_text('PATH="$PWD/.venv/bin:$PATH"\n')
    for name in STAND_INS:
        script = programs / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STAND_IN}" {name} "$@"\n')
        script.chmod(script.stat().st_mode | stat.S_IXUSR)


def run_shell(text: str, variables: dict[str, str], where: str) -> None:
    """Run a block. The next one starts in the folder where it ended, as in a terminal."""
    script = f'{text}\npwd >"$NGS_TEST_FOLDER"\n'
    result = subprocess.run(["sh", "-e"], input=script, env=variables, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, f"{where}:\n{text}\n{result.stdout}{result.stderr}"
    os.chdir(Path(variables["NGS_TEST_FOLDER"]).read_text().rstrip("\n"))


@contextlib.contextmanager
def manual_servers() -> Iterator[list[Any]]:
    """Make every pyo server that is booted meanwhile play only when asked, without a sound card."""
    import pyo

    servers: list[Any] = []
    booted: list[Any] = []

    class Server(pyo.Server):  # type: ignore[misc]
        def boot(self, *arguments: Any) -> Any:
            super().boot(*arguments)
            Clock.of(self)
            servers.append(self)
            booted.append(self)
            return self

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pyo, "Server", functools.partial(Server, audio="manual", nchnls=2, sr=48000, verbosity=0))
        try:
            yield servers
        finally:
            for server in booted:
                server.stop()
                Clock.of(server).close()
                server.shutdown()


def listen(server: Any) -> Heard:
    clock, peaks = Clock.of(server), [0.0]
    clock.taps.append(lambda heard: peaks.append(float(np.abs(heard).max())))
    for _ in range(BLOCKS):
        server.process()
    server.stop()
    return Heard(max(peaks), clock.statistics())
