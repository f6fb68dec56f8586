"""A JACK server with the dummy driver for one benchmark, its xruns, and busy processes beside it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import jack

RATE, BLOCK = 48000, 128
OWN_XRUN = re.compile(r"JackEngine::XRun: client = (\S+) was not finished")
DRIVER_XRUN = re.compile(r"JackTimedDriver::Process XRun")
BUSY = "import numpy as np\nx = np.random.rand(400, 400)\nwhile True: x @ x; sum(range(10000))"


class JackServer:
    """A server, known by its log."""

    def __init__(self, log: Path) -> None:
        self._log = log

    def xruns(self) -> tuple[Counter[str], int]:
        """Cycles so far that clients did not finish in time, by client, and that the driver started late."""
        text = self._log.read_text(errors="replace")
        return Counter(OWN_XRUN.findall(text)), len(DRIVER_XRUN.findall(text))


@contextlib.contextmanager
def jack_server(block: int = BLOCK, real_time: bool = True) -> Iterator[JackServer]:
    """A server at 48 kHz that clients of this process and of its children find. SIGTERM ends it, like Ctrl-C.

    Child processes compute in one thread each.
    """
    if not (program := shutil.which("jackd")):
        sys.exit("There is no jackd: scripts/test-packages installs it")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    name = f"ngs-bench-{os.getpid()}"
    os.environ |= {"JACK_DEFAULT_SERVER": name, "JACK_NO_START_SERVER": "1", "OMP_NUM_THREADS": "1"}
    command = [program, "-n", name, "-R" if real_time else "-r", "-d", "dummy", "-r", str(RATE), "-p", str(block)]
    with tempfile.NamedTemporaryFile("wb", prefix="ngs-bench-") as log:
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                              start_new_session=True) as process:  # fmt: skip
            try:
                connected("probe").close()
                yield JackServer(Path(log.name))
            finally:
                process.terminate()


@contextlib.contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Processes that compute all the time."""
    load = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for process in load:
            process.terminate()


def connected(name: str) -> jack.Client:
    """A client of the server; waits while that is starting."""
    jack.set_error_function(lambda message: None)
    for _ in range(100):
        with contextlib.suppress(jack.JackOpenError):
            return jack.Client(name, no_start_server=True)
        time.sleep(0.1)
    sys.exit("No JACK server answers")
