"""`ngs doctor` on this machine, on machines that lack things, and with libraries that fail."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import soundfile
import soxr
from click.testing import CliRunner

from ngs.cli.doctor import doctor
from ngs.cli.probes import libraries, live, rendering
from ngs.cli.probes.finding import BROKEN, MISSING, NOTE, OK
from ngs.cli.probes.probes import ONNXRUNTIME, PROBES

Ngs = Callable[..., subprocess.CompletedProcess[str]]
Doctor = Callable[..., subprocess.CompletedProcess[str]]
PYO = ("pyo", "audio outputs", "MIDI inputs")

# prints as pyo and ALSA do, from Python and from C
NOISY_PYO = """
import os
print("WxPython is not found for the current python version.")
os.write(1, b"Portmidi warning: no midi device found!\\n")
os.write(2, b"ALSA lib confmisc.c:855:(parse_card) cannot find card '0'\\n")
pa_get_output_devices = lambda: (["HDMI", "Interface"], [0, 3])
pa_get_default_output = lambda: 3
pa_get_version_text = lambda: "PortAudio V19 (built today)"
pm_get_input_devices = lambda: (["Pads"], [1])
withJack = lambda: True
"""


@pytest.fixture
def doctored(environment: dict[str, str], tmp_path: Path) -> Doctor:
    """Runs `ngs doctor` with fake packages, given by name and code, in place of installed ones."""

    def run(*arguments: str, fakes: dict[str, str] | None = None, **changes: str) -> subprocess.CompletedProcess[str]:
        for name, code in (fakes or {}).items():
            install(tmp_path, name, code)
        command = [Path(sysconfig.get_path("scripts")) / "ngs", "doctor", *arguments]
        path = os.pathsep.join(filter(None, (str(tmp_path), environment.get("PYTHONPATH"))))
        variables = environment | {"PYTHONPATH": path} | changes
        return subprocess.run(command, env=variables, cwd=tmp_path, capture_output=True, text=True)

    return run


def install(folder: Path, name: str, code: str) -> None:
    (folder / f"{name}.py").write_text(code)
    (folder / f"{name}-9.8.dist-info").mkdir(exist_ok=True)
    (folder / f"{name}-9.8.dist-info" / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.8\n")


def checks(result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    document = json.loads(result.stdout)
    assert document["renders"] == (result.returncode == 0)
    found: dict[str, Any] = document["checks"]
    return found


def test_this_machine_renders(ngs: Ngs, tmp_path: Path) -> None:
    result = ngs("doctor", cwd=tmp_path)
    *lines, last = result.stdout.splitlines()
    assert last == "ngs renders on this machine." and result.stderr == ""
    named = [line for line in lines if not line.startswith(" ")]
    assert [line[9:24].strip() for line in named] == list(PROBES)  # aligned, in order
    assert {line[:9].strip() for line in named} <= {OK, NOTE, MISSING}
    assert all(line[8] == " " and line[23] == " " and line[24] != " " for line in named)
    assert not list(tmp_path.iterdir())


def test_json_says_the_same(ngs: Ngs, tmp_path: Path) -> None:
    found = checks(ngs("doctor", "--json", cwd=tmp_path))
    assert list(found) == [name.lower().replace(" ", "_") for name in PROBES]
    versions = {
        name: found[name]["details"]["version"] for name in ("python", "numpy", "onnxruntime", "soundfile", "soxr")
    }
    assert versions == {
        "python": sys.version.split()[0], "numpy": np.__version__, "onnxruntime": onnxruntime.__version__,
        "soundfile": soundfile.__version__, "soxr": soxr.__version__,
    }  # fmt: skip
    assert found["onnxruntime"]["details"]["providers"] == onnxruntime.get_available_providers()
    assert found["bundle"]["details"]["name"] == "drums" and found["bundle"]["details"]["sample_rate"] == 44100
    assert all(found[name]["status"] == OK for name in ("numpy", "soundfile", "soxr", "bundle"))


def test_devices_are_listed_and_what_libraries_print_is_not(doctored: Doctor) -> None:
    result = doctored(fakes={"pyo": NOISY_PYO})
    assert result.returncode == 0 and result.stderr == ""
    assert "WxPython" not in result.stdout and "warning" not in result.stdout
    assert "ok       pyo            9.8 with JACK\n" in result.stdout
    indent = " " * 24
    listed = f"PortAudio V19\n{indent}0  HDMI\n{indent}3  Interface  (default)\n"
    assert f"ok       audio outputs  {listed}ok       MIDI inputs    1  Pads\n" in result.stdout
    details = checks(doctored("--json"))["audio_outputs"]["details"]
    assert details == {"portaudio": "PortAudio V19", "devices": {"0": "HDMI", "3": "Interface"}, "default": 3}


def test_a_crash_is_a_line(doctored: Doctor) -> None:
    found = checks(doctored("--json", fakes={"pyo": "import os\nos.abort()"}))
    for name in ("pyo", "audio_outputs", "midi_inputs"):
        assert (found[name]["status"], found[name]["found"]) == (NOTE, "crashes when it is tried (Aborted)")


def test_a_hang_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "pyo", "import time\ntime.sleep(1000)")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH")))))
    for name in PYO:
        monkeypatch.setitem(PROBES, name, replace(PROBES[name], limit_seconds=1))
    result = CliRunner().invoke(doctor)
    assert result.exit_code == 0, result.output
    for name in PYO:
        assert f"note     {name:<15}no answer within 1 s\n" in result.output


@pytest.mark.parametrize("code", ["raise ImportError('libfoo.so.1:\\n cannot open')", "import os\nos.abort()", ""])
def test_without_onnxruntime_nothing_renders(doctored: Doctor, code: str) -> None:
    result = doctored(fakes={"onnxruntime": code})
    assert result.returncode == 1
    assert result.stderr == "Error: ngs cannot render on this machine: onnxruntime, bundle\n"
    (line,) = [line for line in result.stdout.splitlines() if line.startswith("broken   onnxruntime")]
    assert line.endswith(f". Install it again: pip install --force-reinstall {ONNXRUNTIME}")
    assert "ImportError" not in code or "libfoo.so.1: cannot open" in line
    assert "renders" not in result.stdout
    found = checks(doctored("--json"))
    assert [name for name, finding in found.items() if finding["status"] == BROKEN] == ["onnxruntime", "bundle"]


def test_torch_is_not_imported(doctored: Doctor, tmp_path: Path) -> None:
    marked = f"open({str(tmp_path / 'imported')!r}, 'a')"
    found = checks(doctored("--json", fakes={"torch": marked, "onnx": marked, "lightning": marked}))
    assert found["training"]["details"]["torch"] == "9.8"
    assert not (tmp_path / "imported").exists()


def test_without_jackd(doctored: Doctor, tmp_path: Path) -> None:
    found = checks(doctored("--json", PATH=str(tmp_path), JACK_DEFAULT_SERVER="ngs-none"))["jack"]
    assert found["status"] == MISSING and found["details"]["jackd"] is None
    assert "sudo apt-get install jackd2" in found["advice"] or sys.platform != "linux"


@pytest.fixture
def jack_server() -> Iterator[str]:
    """The name of a running server with the dummy driver, at 48 kHz in blocks of 128."""
    if not shutil.which("jackd"):
        pytest.skip("jackd is not installed: scripts/test-packages")
    name = f"ngs-{os.getpid()}"
    command = ["jackd", "-n", name, "-r", "-d", "dummy", "-r", "48000", "-p", "128"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield name
    finally:
        server.terminate()
        server.wait(timeout=10)


def test_jack(doctored: Doctor, jack_server: str) -> None:
    for _ in range(20):
        found = checks(doctored("--json", JACK_DEFAULT_SERVER=jack_server))["jack"]
        if found["status"] == OK:
            break
        time.sleep(0.5)
    assert found["found"] == "a server is running: 48000 Hz, blocks of 128"
    found = checks(doctored("--json", JACK_DEFAULT_SERVER="ngs-none"))["jack"]
    assert found["status"] == NOTE and "jackd -d alsa" in found["advice"]


def test_a_python_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    result = CliRunner().invoke(doctor)
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit)
    assert result.stdout.count("/nowhere/python: No such file or directory") == len(PROBES)


def test_what_is_not_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for module in (libraries, live):
        monkeypatch.setattr(module, "installed_version", lambda package: "1.0" if package == "onnx" else None)
    assert libraries.of_training().status == MISSING
    assert libraries.of_training().found == "no torch, lightning, onnxscript; onnx 1.0"
    assert "pip install '.[train]'" in libraries.of_training().advice
    assert live.of_pyo().status == MISSING and "pip install '.[live]'" in live.of_pyo().advice
    assert live.of_midi_inputs().status == NOTE and "pip install '.[live]'" in live.of_midi_inputs().advice
    monkeypatch.setattr(sys, "platform", "linux")
    cards = tmp_path / "cards"
    monkeypatch.setattr(live, "CARDS", cards)
    assert live.of_audio_outputs().status == MISSING
    cards.write_text("--- no soundcards ---\n")
    assert live.of_audio_outputs().status == MISSING
    cards.write_text(
        " 0 [PCH            ]: HDA-Intel - HDA Intel PCH\n                      HDA Intel PCH at 0x1 irq 1\n"
    )
    assert live.of_audio_outputs().found.splitlines()[1:] == ["0 [PCH            ]: HDA-Intel - HDA Intel PCH"]


def test_two_onnxruntimes_overwrite_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    both = ("onnxruntime-gpu", "onnxruntime")
    monkeypatch.setattr(libraries, "installed_version", lambda package: "1.0" if package in both else None)
    assert libraries.of_onnxruntime().status == NOTE
    assert "pip uninstall onnxruntime-gpu onnxruntime" in libraries.of_onnxruntime().advice


def test_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_library(name: str, *_: Any) -> None:
        raise OSError(f"{name}: cannot open")

    monkeypatch.setattr(rendering.ctypes, "CDLL", no_library)
    assert rendering.of_cuda().status == NOTE and "no NVIDIA driver" in rendering.of_cuda().found

    monkeypatch.setattr(rendering.ctypes, "CDLL", lambda *_: None)
    monkeypatch.setattr(rendering, "_devices", lambda driver: ("13.0", []))
    assert rendering.of_cuda().status == NOTE and "no device" in rendering.of_cuda().found

    monkeypatch.setattr(rendering, "_devices", lambda driver: ("13.0", ["H100"]))
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    assert rendering.of_cuda().status == MISSING and "pip install '.[gpu]'" in rendering.of_cuda().advice

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    for provider, status in (("CPUExecutionProvider", MISSING), ("CUDAExecutionProvider", OK)):
        monkeypatch.setattr(rendering, "_play_shipped", lambda _, used=provider: ("drums plays", {"provider": used}))
        assert rendering.of_cuda().status == status
        assert rendering.of_cuda().details["usable"] == (status == OK)


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_setscheduler", lambda *_: None)
    assert live.of_real_time().status == OK

    def refuse(*_: Any) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    monkeypatch.setattr(os, "getgroups", lambda: [])
    found = live.of_real_time()
    assert found.status == NOTE and "priority refused" in found.found and "usermod -aG audio" in found.advice
