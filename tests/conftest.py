"""Fixtures for all tests: small bundles, the `ngs` command, a small run from sounds to bundle, a JACK server.

What is made for the whole session is read only.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.tiny import write_tiny

from ngs.runtime.bundle.manifest import FORMAT_VERSION

JACK_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle as a folder: 8 kHz, grains of 256 samples, classes Kick, Snare, Hat."""
    return write_tiny(tmp_path_factory.mktemp("bundle") / "tiny.ngs")


@pytest.fixture(scope="session")
def tiny_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same bundle as a zip archive."""
    return write_tiny(tmp_path_factory.mktemp("bundle") / "tiny.ngs", zipped=True)


@pytest.fixture(scope="session")
def tiny_noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of the noise variant: its synthesis has no state."""
    return write_tiny(tmp_path_factory.mktemp("bundle") / "noise.ngs", excitation="noise")


@pytest.fixture(scope="session")
def tiny_older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of format 3: no prior, no levels, and sounds begin with a grain of noise."""
    return write_tiny(tmp_path_factory.mktemp("bundle") / "older.ngs", version=3)


@pytest.fixture(scope="session", params=[3, FORMAT_VERSION], ids="format {}".format)
def tiny_filled(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of either format whose synthesis is that of real ones, which numpy does faster."""
    path = tmp_path_factory.mktemp("bundle") / "filled.ngs"
    return write_tiny(path, excitation="filled", version=request.param)


TINY = (
    "audio.sample_rate=8000", "audio.grain_length=256", "audio.path_length=8", "grain.latent_size=16",
    "grain.hidden_size=16", "grain.postprocessing_taps=17", "embedding.hidden_size=16", "embedding.embedding_size=4",
    "loss.windows=[64,256]", "grain_stage.batch_size=4", "embedding_stage.batch_size=4",
)  # fmt: skip
CARD = {"licence": "CC0, a = b", "data": "procedural hits", "limits": "one\ntwo"}


@pytest.fixture(scope="session")
def tiny_settings() -> tuple[str, ...]:
    """`--set` values of a model that trains a step in milliseconds."""
    return TINY


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of subprocesses: one thread each, a cache for this session, a wide terminal."""
    changes = {"OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache")), "COLUMNS": "200"}
    return {**os.environ, **changes}


@pytest.fixture(scope="session")
def ngs(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the console script in a folder; a failure is an error unless `check` is false."""
    script = Path(sysconfig.get_path("scripts")) / "ngs"

    def run(*arguments: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        result = subprocess.run([script, *arguments], cwd=cwd, env=environment, capture_output=True, text=True)
        assert not check or result.returncode == 0, result.stderr
        return result

    return run


@pytest.fixture(scope="session")
def hits_folder(ngs: Callable[..., object], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `ngs hits` writes: 4 hits of each of 8 classes at 8 kHz."""
    folder = tmp_path_factory.mktemp("hits")
    ngs("hits", "drums", "--count", "4", "--sample-rate", "8000", cwd=folder)
    return folder / "drums"


@pytest.fixture(scope="session")
def trained_run(ngs: Callable[..., object], hits_folder: Path) -> Path:
    """What `ngs train --steps` leaves after training on these hits."""
    settings = [argument for setting in TINY for argument in ("--set", setting)]
    arguments = ("--steps", "4", "--accelerator", "cpu", "--workers", "0", *settings)
    ngs("train", hits_folder, "--out", "run", *arguments, cwd=hits_folder.parent)
    return hits_folder.parent / "run"


@pytest.fixture(scope="session")
def exported_bundle(ngs: Callable[..., object], trained_run: Path) -> Path:
    """What `ngs export` makes of that run, with a model card."""
    entries = [part for key, text in CARD.items() for part in ("--card", f"{key}={text}")]
    ngs("export", trained_run, "-o", "drums.ngs", *entries, cwd=trained_run.parent)
    return trained_run.parent / "drums.ngs"


class JackServer(NamedTuple):
    name: str
    process: subprocess.Popen[bytes]


@pytest.fixture
def jack_server() -> Iterator[JackServer]:
    """A JACK server for one test, with no sound card: 48 kHz, blocks of 128."""
    if shutil.which("jackd") is None:
        pytest.fail("jackd is not installed: run scripts/test-packages")
    name = f"ngs-test-{os.getpid()}-{next(JACK_NUMBERS)}"
    command = ["jackd", "-n", name, "-r", "-t", "5000", "-d", "dummy", "-r", "48000", "-p", "128"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet) as process:
        try:
            _wait_for(name, process)
            yield JackServer(name, process)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(name: str, process: subprocess.Popen[bytes]) -> None:
    import jack

    jack.set_error_function(lambda message: None)
    for _ in range(200):
        try:
            jack.Client("probe", no_start_server=True, servername=name).close()
            return
        except jack.JackOpenError:
            time.sleep(0.1)
        if process.poll() is not None:
            break
    pytest.fail(f"jackd did not start (exit status {process.poll()}): {process.args!r}")


SLOW_FIXTURES = {"ngs", "environment", "jack_server", "play_page"}  # programs are started, models trained
SLOW_FOLDERS = {"cli", "docs", "examples", "export", "report"}
QUICK_FILES = {"test_floors.py", "test_tables.py"}  # though in a slow folder, or in none


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow what starts programs, trains or opens a browser: `make quick` leaves it out."""
    for item in items:
        first, *rest = item.path.relative_to(Path(__file__).parent).parts
        slow = item.path.name not in QUICK_FILES and (first in SLOW_FOLDERS or not rest)
        if slow or SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("slow")
