"""What `ngs doctor` asks of this machine. Each probe runs in a process of its own:

python -P -m ngs.cli.probes NAME

prints what it found as a line of JSON. What libraries print meanwhile is lost, on purpose.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.metadata
import io
import json
import os
import platform
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

STATUSES = OK, NOTE, MISSING, BROKEN = "ok", "note", "missing", "broken"
ONNXRUNTIME = "onnxruntime" if sys.platform == "darwin" else "onnxruntime-gpu"
CARDS = Path("/proc/asound/cards")  # of ALSA
LIVE = "pip install 'ngs[live]'"
NO_CARD = "To play live: connect a sound card or start a JACK server"
AGAIN = "Install it again: pip install --force-reinstall "
GPU = "To render on it: pip install 'ngs[gpu]'"
CPU_ONLY = "sounds are rendered on the CPU"


@dataclass(frozen=True)
class Finding:
    status: str  # one of the four words above; broken only where rendering needs it
    found: str  # one line, or more where things are listed
    advice: str = ""  # what to do about it
    details: dict[str, Any] = field(default_factory=dict)  # of --json


@dataclass(frozen=True)
class Probe:
    run: Callable[[], Finding]
    repair: str = ""  # what to do where it fails, if rendering needs it
    limit_seconds: float = 10.0  # until it is cut off


PYO_LISTS = Finding(NOTE, "known once pyo is there", f"To list them: {LIVE}", {"devices": None})


def of_ngs() -> Finding:
    from ngs import __version__

    place = str(Path(__file__).resolve().parents[1])
    return Finding(OK, f"{__version__} ({place})", details={"version": __version__, "path": place})


def of_python() -> Finding:
    version = platform.python_version()
    return Finding(OK, f"{version} ({sys.executable})", details={"version": version, "executable": sys.executable})


def of_system() -> Finding:
    name = f"{platform.system()} {platform.release()}"
    if hasattr(platform, "freedesktop_os_release"):
        try:
            name += f", {platform.freedesktop_os_release()['PRETTY_NAME']}"
        except (OSError, KeyError):
            pass
    cores = os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    count = f"{cores} CPU core{'s' * (cores > 1)}" + (f", {usable} of them for this process" if usable < cores else "")
    details = {"os": name, "machine": platform.machine(), "cores": cores, "usable_cores": usable}
    return Finding(OK, f"{name}, {platform.machine()}, {count}", details=details)


def of_numpy() -> Finding:
    import numpy as np

    if abs(np.fft.rfft(np.ones(8))[0]) != 8:
        raise RuntimeError("a Fourier transform is wrong")
    return Finding(OK, np.__version__, details={"version": np.__version__})


def of_onnxruntime() -> Finding:
    import onnxruntime

    packages = [
        name for name in ("onnxruntime-gpu", "onnxruntime", "onnxruntime-directml", "onnxruntime-openvino")
        if _version(name)
    ]  # fmt: skip
    providers = onnxruntime.get_available_providers()
    short = ", ".join(name.removesuffix("ExecutionProvider") for name in providers)
    found = f"{onnxruntime.__version__} ({' and '.join(packages) or 'no package'}), built for {short}"
    details = {"version": onnxruntime.__version__, "packages": packages, "providers": providers}
    if len(packages) > 1:
        advice = f"They overwrite each other; keep one: pip uninstall {' '.join(packages)}, then install ngs again"
        return Finding(NOTE, found, advice, details)
    return Finding(OK, found, details=details)


def of_soundfile() -> Finding:
    import numpy as np
    import soundfile

    library = str(soundfile.__libsndfile_version__)
    file = io.BytesIO()
    soundfile.write(file, np.zeros(64, dtype=np.float32), 44100, format="FLAC", subtype="PCM_24")
    file.seek(0)
    if len(soundfile.read(file)[0]) != 64:
        raise RuntimeError("a FLAC file is not read as it was written")
    reads_mp3 = "MP3" in soundfile.available_formats()
    details = {"version": soundfile.__version__, "libsndfile": library, "reads_mp3": reads_mp3}
    found = f"{soundfile.__version__}, libsndfile {library}"
    if not reads_mp3:
        return Finding(NOTE, f"{found}: no MP3", "For MP3 files: libsndfile 1.1 or newer", details)
    return Finding(OK, found, details=details)


def of_soxr() -> Finding:
    import numpy as np
    import soxr

    if len(soxr.resample(np.zeros(480, dtype=np.float32), 48000, 44100)) != 441:
        raise RuntimeError("480 samples at 48 kHz are not 441 at 44.1 kHz")
    details = {"version": soxr.__version__, "libsoxr": soxr.__libsoxr_version__}
    return Finding(OK, f"{soxr.__version__}, libsoxr {soxr.__libsoxr_version__}", details=details)


def of_bundle() -> Finding:
    """The bundle that comes with ngs plays a sound on the CPU."""
    found, details = _play("cpu")
    return Finding(OK, found, details=details)


def of_cuda() -> Finding:
    """The driver, a device, the libraries; last, a sound through them."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
    except OSError:
        return Finding(NOTE, f"no NVIDIA driver: {CPU_ONLY}", details={"usable": False, "driver": None, "devices": []})
    version, devices = _devices(driver)
    details: dict[str, Any] = {"usable": False, "driver": version, "devices": devices}
    if not devices:
        advice = "Where there is one: nvidia-smi says more"
        return Finding(NOTE, f"driver for CUDA {version}, no device that it can use: {CPU_ONLY}", advice, details)
    device = f"{', '.join(devices)}, driver for CUDA {version}"

    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return Finding(MISSING, f"{device}, but onnxruntime is built without", GPU, details)
    onnxruntime.preload_dlls()
    details["cudnn"] = not _problem("cudnn64_9.dll" if sys.platform == "win32" else "libcudnn.so.9")
    folder = Path(onnxruntime.__file__).parent / "capi"
    for library in ("libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so"):
        problem = _problem(str(folder / library)) if (folder / library).exists() else ""
        if problem:
            return Finding(MISSING, f"{device}, but {problem}", GPU, details)
    found, played = _play("cuda")
    if played["provider"] != "CUDAExecutionProvider":
        return Finding(MISSING, f"{device}, but onnxruntime does not use it", GPU, details)
    return Finding(OK, f"{device}; {found}", details=details | {"usable": True})


def of_training() -> Finding:
    """From what was installed alone: torch takes seconds to import."""
    versions = {name: _version(name) for name in ("torch", "lightning", "onnx", "onnxscript")}
    there = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    absent = ", ".join(name for name, version in versions.items() if not version)
    if absent:
        found = f"no {absent}" + (f"; {there}" if there else "")
        return Finding(MISSING, found, "To train and export: pip install 'ngs[train]'", versions)
    return Finding(OK, there, details=versions)


def of_pyo() -> Finding:
    version = _version("pyo")
    if not version:
        return Finding(MISSING, "not installed", f"To play live: {LIVE}", {"version": None})
    pyo = importlib.import_module("pyo")
    parts = {"PortAudio": "withPortaudio", "PortMidi": "withPortmidi", "JACK": "withJack", "OSC": "withOSC"}
    built = [part for part, question in parts.items() if hasattr(pyo, question) and getattr(pyo, question)()]
    return Finding(OK, f"{version} with {', '.join(built)}", details={"version": version, "built_with": built})


def of_audio_outputs() -> Finding:
    """PortAudio's devices, which pyo brings; without it the cards of ALSA."""
    if not _version("pyo"):
        return _alsa_cards() if sys.platform == "linux" else PYO_LISTS
    pyo = importlib.import_module("pyo")
    names = _by_index(*pyo.pa_get_output_devices())
    default = pyo.pa_get_default_output()
    portaudio = str(pyo.pa_get_version_text()).partition(" (")[0]
    details = {"portaudio": portaudio, "devices": names, "default": default if default in names else None}
    if not names:
        return Finding(MISSING, f"{portaudio} finds none", NO_CARD, details)
    lines = [f"{index}  {name}" + "  (default)" * (index == default) for index, name in names.items()]
    return Finding(OK, "\n".join((portaudio, *lines)), details=details)


def of_midi_inputs() -> Finding:
    if not _version("pyo"):
        return PYO_LISTS
    names = _by_index(*importlib.import_module("pyo").pm_get_input_devices())
    if not names:
        advice = "To play from a keyboard or pads: connect one before the program starts"
        return Finding(NOTE, "none", advice, {"devices": names})
    return Finding(OK, "\n".join(f"{index}  {name}" for index, name in names.items()), details={"devices": names})


def of_jack() -> Finding:
    """A client that starts no server says whether one runs, be it jackd or PipeWire."""
    server = shutil.which("jackd")
    details: dict[str, Any] = {"jackd": server, "library": False, "running": False}
    install = "For JACK: sudo apt-get install jackd2" if sys.platform == "linux" else "For JACK: https://jackaudio.org"
    if shutil.which("pw-jack"):
        install = "PipeWire is a server for programs that are started with pw-jack in front"
    library = _jack_library()
    if library is None:
        return Finding(MISSING, "not installed" if server is None else f"{server}, but no libjack", install, details)
    details["library"] = True
    library.jack_client_open.restype = ctypes.c_void_p
    no_start_server, status = 1, ctypes.c_int()
    client = library.jack_client_open(b"ngs-doctor", no_start_server, ctypes.byref(status))
    if not client and server is None:
        return Finding(MISSING, "no server runs, jackd is not installed", install, details)
    if not client:
        start = "Start one: jackd -d alsa (without a card: -d dummy)"
        return Finding(NOTE, f"{server}, no server runs", start, details)
    client = ctypes.c_void_p(client)
    rate, block = library.jack_get_sample_rate(client), library.jack_get_buffer_size(client)
    library.jack_client_close(client)
    return Finding(OK, f"a server runs: {rate} Hz, blocks of {block}",
                   details=details | {"running": True, "sample_rate": rate, "block": block})  # fmt: skip


def of_real_time() -> Finding:
    """Limits of live use on Linux. The priority is tried: limits do not tell what a container allows."""
    if sys.platform != "linux":
        return Finding(OK, "no limits to look at on this system")
    import grp
    import resource

    priority, locked = (resource.getrlimit(limit)[0] for limit in (resource.RLIMIT_RTPRIO, resource.RLIMIT_MEMLOCK))
    try:
        in_audio = grp.getgrnam("audio").gr_gid in {os.getegid(), *os.getgroups()}
    except KeyError:
        in_audio = False
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        granted = True
    except OSError:
        granted = False
    unlimited = locked == resource.RLIM_INFINITY
    found = (
        f"priority {'granted' if granted else 'refused'} (ulimit -r {'unlimited' if priority < 0 else priority}), "
        f"{'any' if unlimited else f'{locked / 2**20:.0f} MiB of'} memory can be locked (ulimit -l), "
        f"{'' if in_audio else 'not '}in the group audio"
    )
    details = {"granted": granted, "rtprio": priority, "memlock_bytes": locked, "group_audio": in_audio}
    if granted:
        return Finding(OK, found, details=details)
    join = "" if in_audio else "sudo usermod -aG audio $USER; "
    advice = f"Steadier live: {join}'@audio - rtprio 95' in /etc/security/limits.d/audio.conf; log in again"
    return Finding(NOTE, found, advice, details)


PROBES = {
    "ngs": Probe(of_ngs),
    "Python": Probe(of_python),
    "system": Probe(of_system),
    "numpy": Probe(of_numpy, AGAIN + "numpy"),
    "onnxruntime": Probe(of_onnxruntime, AGAIN + ONNXRUNTIME, 30),
    "soundfile": Probe(of_soundfile, AGAIN + "soundfile"),
    "soxr": Probe(of_soxr, AGAIN + "soxr"),
    "bundle": Probe(of_bundle, "Where all above is ok: install ngs again", 30),
    "CUDA": Probe(of_cuda, limit_seconds=30),
    "training": Probe(of_training),
    "pyo": Probe(of_pyo),
    "audio outputs": Probe(of_audio_outputs),
    "MIDI inputs": Probe(of_midi_inputs),
    "JACK": Probe(of_jack),
    "real time": Probe(of_real_time),
}


def failed(name: str, problem: str) -> Finding:
    """What is said of a probe that found nothing."""
    return Finding(BROKEN if PROBES[name].repair else NOTE, problem, PROBES[name].repair)


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _play(provider: str) -> tuple[str, dict[str, Any]]:
    """A sound of the bundle that comes with ngs: what to say, and details."""
    import numpy as np

    from ngs.runtime.bundle.bundle import Bundle
    from ngs.runtime.offline.render import sample

    bundle = Bundle.open(provider=provider)
    sound = sample(bundle, bundle.condition({}), 0.7, 0, 0)
    if not (np.isfinite(sound).all() and np.abs(sound).max() > 0):
        raise RuntimeError(f"{bundle.path} plays silence or no numbers")
    name, rate = bundle.manifest.name, bundle.manifest.sample_rate
    details = {
        "path": str(bundle.path), "name": name, "sample_rate": rate,
        "provider": bundle.session("decoder").get_providers()[0],
    }  # fmt: skip
    return f"{name}, {rate} Hz, plays", details


def _devices(driver: Any) -> tuple[str, list[str]]:
    """The CUDA version of the NVIDIA driver, and the names of the devices that it can use."""
    version, count, device = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    driver.cuDriverGetVersion(ctypes.byref(version))
    if driver.cuInit(0) == 0:
        driver.cuDeviceGetCount(ctypes.byref(count))
    names = []
    for index in range(count.value):
        name = ctypes.create_string_buffer(256)
        driver.cuDeviceGet(ctypes.byref(device), index)
        driver.cuDeviceGetName(name, len(name), device)
        names.append(name.value.decode(errors="replace"))
    return f"{version.value // 1000}.{version.value % 1000 // 10}", names


def _alsa_cards() -> Finding:
    cards = [line.strip() for line in CARDS.read_text().splitlines() if " [" in line] if CARDS.exists() else []
    if not cards:
        return Finding(MISSING, "ALSA has no sound card", NO_CARD, {"cards": cards})
    return Finding(OK, "\n".join(("sound cards of ALSA", *cards)), details={"cards": cards})


def _by_index(names: Sequence[str], indices: Sequence[int]) -> dict[int, str]:
    return dict(zip(indices, names, strict=True))


def _jack_library() -> Any:
    names = {"darwin": ("libjack.dylib", "/usr/local/lib/libjack.dylib", "/opt/homebrew/lib/libjack.dylib"),
             "win32": ("libjack64.dll",)}  # fmt: skip
    for name in names.get(sys.platform, ("libjack.so.0",)):
        if not _problem(name):
            return ctypes.CDLL(name)
    return None


def _problem(library: str) -> str:
    """Why a library cannot be loaded, or nothing. Its symbols are there for those loaded later."""
    try:
        ctypes.CDLL(library, ctypes.RTLD_GLOBAL)
    except OSError as error:
        return _line(error)
    return ""


def _line(error: BaseException) -> str:
    return textwrap.shorten(str(error), 300) or type(error).__name__


def main(name: str) -> None:
    with os.fdopen(os.dup(1), "w") as report:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        try:
            finding = PROBES[name].run()
        except Exception as error:
            finding = failed(name, _line(error))
        json.dump(asdict(finding), report)
    os._exit(0)  # what libraries do at their end may hang


if __name__ == "__main__":
    main(sys.argv[1])
