"""A JACK server for hosts to play to."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import NamedTuple

import jack
import pytest

NUMBERS = itertools.count(1)


class JackServer(NamedTuple):
    name: str
    process: subprocess.Popen[bytes]


@pytest.fixture
def jack_server() -> Iterator[JackServer]:
    """One of its own with no sound card: 48 kHz, blocks of 128. What it prints, an xrun a line, is lost."""
    if shutil.which("jackd") is None:
        pytest.fail("There is no jackd: scripts/test-packages installs it")
    name = f"ngs-test-{os.getpid()}-{next(NUMBERS)}"
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
    jack.set_error_function(lambda message: None)
    for _ in range(200):
        try:
            jack.Client("probe", no_start_server=True, servername=name).close()
            return
        except jack.JackOpenError:
            time.sleep(0.1)
        if process.poll() is not None:
            break
    pytest.fail(f"jackd does not start (exit status {process.poll()}): {process.args!r}")
