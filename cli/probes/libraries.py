"""Probes of what is installed: ngs, Python, the system, and the libraries that ngs renders and trains with."""

from __future__ import annotations

import io
import os
import platform
import sys
from pathlib import Path

from ngs.cli.probes.finding import MISSING, NOTE, OK, Finding, installed_version


def of_ngs() -> Finding:
    from ngs import __version__

    place = str(Path(__file__).resolve().parents[2])
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
        raise RuntimeError("gives a wrong Fourier transform")
    return Finding(OK, np.__version__, details={"version": np.__version__})


def of_onnxruntime() -> Finding:
    import onnxruntime

    packages = [
        name for name in ("onnxruntime-gpu", "onnxruntime", "onnxruntime-directml", "onnxruntime-openvino")
        if installed_version(name)
    ]  # fmt: skip
    providers = onnxruntime.get_available_providers()
    short = ", ".join(name.removesuffix("ExecutionProvider") for name in providers)
    found = f"{onnxruntime.__version__} ({' and '.join(packages) or 'no package'}), built for {short}"
    details = {"version": onnxruntime.__version__, "packages": packages, "providers": providers}
    if len(packages) > 1:
        advice = f"They overwrite each other. Keep one: pip uninstall {' '.join(packages)}, then install ngs again"
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
        raise RuntimeError("does not read back the FLAC file that it wrote")
    reads_mp3 = "MP3" in soundfile.available_formats()
    details = {"version": soundfile.__version__, "libsndfile": library, "reads_mp3": reads_mp3}
    found = f"{soundfile.__version__}, libsndfile {library}"
    if not reads_mp3:
        return Finding(NOTE, f"{found}: no MP3", "To read MP3: libsndfile 1.1 or newer", details)
    return Finding(OK, found, details=details)


def of_soxr() -> Finding:
    import numpy as np
    import soxr

    if len(soxr.resample(np.zeros(480, dtype=np.float32), 48000, 44100)) != 441:
        raise RuntimeError("does not turn 480 samples at 48 kHz into 441 at 44.1 kHz")
    details = {"version": soxr.__version__, "libsoxr": soxr.__libsoxr_version__}
    return Finding(OK, f"{soxr.__version__}, libsoxr {soxr.__libsoxr_version__}", details=details)


def of_training() -> Finding:
    """Asks the package metadata only: importing torch takes seconds."""
    versions = {name: installed_version(name) for name in ("torch", "lightning", "onnx", "onnxscript")}
    there = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    absent = ", ".join(name for name, version in versions.items() if not version)
    if absent:
        found = f"no {absent}" + (f"; {there}" if there else "")
        return Finding(MISSING, found, "To train and export: pip install '.[train]' in the folder of ngs", versions)
    return Finding(OK, there, details=versions)
