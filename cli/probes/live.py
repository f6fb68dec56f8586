"""Probes of playing live: pyo, audio and MIDI devices, JACK, real-time limits."""

from __future__ import annotations

import ctypes
import importlib
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ngs.cli.probes.finding import MISSING, NOTE, OK, Finding, installed_version, why_not_loaded

CARDS = Path("/proc/asound/cards")  # ALSA's list
LIVE = "pip install '.[live]' in the folder of ngs"
NO_CARD = "To play live: connect a sound card or start a JACK server"
PYO_LISTS = Finding(NOTE, "not known without pyo", f"To list them: {LIVE}", {"devices": None})


def of_pyo() -> Finding:
    version = installed_version("pyo")
    if not version:
        return Finding(MISSING, "not installed", f"To play live: {LIVE}", {"version": None})
    pyo = importlib.import_module("pyo")
    parts = {"PortAudio": "withPortaudio", "PortMidi": "withPortmidi", "JACK": "withJack", "OSC": "withOSC"}
    built = [part for part, question in parts.items() if hasattr(pyo, question) and getattr(pyo, question)()]
    return Finding(OK, f"{version} with {', '.join(built)}", details={"version": version, "built_with": built})


def of_audio_outputs() -> Finding:
    """Devices as PortAudio, which comes with pyo, lists them; without pyo, ALSA's cards."""
    if not installed_version("pyo"):
        return _alsa_cards() if sys.platform == "linux" else PYO_LISTS
    pyo = importlib.import_module("pyo")
    names = _by_index(*pyo.pa_get_output_devices())
    default = pyo.pa_get_default_output()
    portaudio = str(pyo.pa_get_version_text()).partition(" (")[0]
    details = {"portaudio": portaudio, "devices": names, "default": default if default in names else None}
    if not names:
        return Finding(MISSING, f"{portaudio} finds no device", NO_CARD, details)
    lines = [f"{index}  {name}" + "  (default)" * (index == default) for index, name in names.items()]
    return Finding(OK, "\n".join((portaudio, *lines)), details=details)


def _alsa_cards() -> Finding:
    cards = [line.strip() for line in CARDS.read_text().splitlines() if " [" in line] if CARDS.exists() else []
    if not cards:
        return Finding(MISSING, "ALSA has no sound card", NO_CARD, {"cards": cards})
    return Finding(OK, "\n".join(("ALSA sound cards", *cards)), details={"cards": cards})


def of_midi_inputs() -> Finding:
    if not installed_version("pyo"):
        return PYO_LISTS
    names = _by_index(*importlib.import_module("pyo").pm_get_input_devices())
    if not names:
        advice = "To play from a keyboard or pads: connect it before you start the instrument"
        return Finding(NOTE, "none", advice, {"devices": names})
    return Finding(OK, "\n".join(f"{index}  {name}" for index, name in names.items()), details={"devices": names})


def _by_index(names: Sequence[str], indices: Sequence[int]) -> dict[int, str]:
    return dict(zip(indices, names, strict=True))


def of_jack() -> Finding:
    """Connect as a client that starts no server: that shows whether one runs, jackd or PipeWire."""
    server = shutil.which("jackd")
    details: dict[str, Any] = {"jackd": server, "library": False, "running": False}
    install = "For JACK: sudo apt-get install jackd2" if sys.platform == "linux" else "For JACK: https://jackaudio.org"
    if shutil.which("pw-jack"):
        install = "To use PipeWire as a JACK server, put pw-jack in front of the command"
    library = _jack_library()
    if library is None:
        return Finding(MISSING, "not installed" if server is None else f"{server}, but no libjack", install, details)
    details["library"] = True
    library.jack_client_open.restype = ctypes.c_void_p
    no_start_server, status = 1, ctypes.c_int()
    client = library.jack_client_open(b"ngs-doctor", no_start_server, ctypes.byref(status))
    if not client and server is None:
        return Finding(MISSING, "no server is running, and jackd is not installed", install, details)
    if not client:
        start = "Start one: jackd -d alsa (without a sound card: jackd -d dummy)"
        return Finding(NOTE, f"{server}, but no server is running", start, details)
    client = ctypes.c_void_p(client)
    rate, block = library.jack_get_sample_rate(client), library.jack_get_buffer_size(client)
    library.jack_client_close(client)
    return Finding(OK, f"a server is running: {rate} Hz, blocks of {block}",
                   details=details | {"running": True, "sample_rate": rate, "block": block})  # fmt: skip


def _jack_library() -> Any:
    names = {"darwin": ("libjack.dylib", "/usr/local/lib/libjack.dylib", "/opt/homebrew/lib/libjack.dylib"),
             "win32": ("libjack64.dll",)}  # fmt: skip
    for name in names.get(sys.platform, ("libjack.so.0",)):
        if not why_not_loaded(name):
            return ctypes.CDLL(name)
    return None


def of_real_time() -> Finding:
    """Real-time priority and locked memory on Linux. The priority is tried out: in a container, limits say little."""
    if sys.platform != "linux":
        return Finding(OK, "nothing to set up on this system")
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
    advice = f"For steadier sound: {join}'@audio - rtprio 95' in /etc/security/limits.d/audio.conf; log in again"
    return Finding(NOTE, found, advice, details)
